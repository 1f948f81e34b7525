"""Chance without randomness: even, sticky, independent, and codes that refuse a typing mistake."""

from __future__ import annotations

from nurture.domain.chance import ALPHABET, check_character, pick, share, unique_code
from nurture.domain.steps import Arm


def test_shares_are_even_and_belong_to_the_contact_for_ever() -> None:
    numbers = [share("seed", "x", contact) for contact in range(10_000)]
    assert numbers == [share("seed", "x", contact) for contact in range(10_000)]
    for tenth in range(10):
        inside = sum(tenth / 10 <= number < (tenth + 1) / 10 for number in numbers)
        assert 850 < inside < 1150


def test_two_experiments_and_two_seeds_deal_independently() -> None:
    first = [share("seed", "x", contact) < 0.5 for contact in range(4000)]
    for other in (
        [share("seed", "y", c) < 0.5 for c in range(4000)],
        [share("tree", "x", c) < 0.5 for c in range(4000)],
    ):
        same = sum(a == b for a, b in zip(first, other, strict=True))
        assert 1800 < same < 2200


def test_arms_are_picked_by_weight_to_the_ends_of_the_scale() -> None:
    arms = [Arm("a", name="a", share=1), Arm("b", name="b", share=3)]
    assert [pick(arms, number).name for number in (0.0, 0.2499, 0.25, 0.9999999)] == ["a", "a", "b", "b"]


def test_codes_are_unique_readable_and_repeatable() -> None:
    codes = {unique_code("seed", "HI", contact, 1, "thanks") for contact in range(5000)}
    assert len(codes) == 5000
    for code in codes:
        prefix, first, second = code.split("-")
        assert (prefix, len(first), len(second)) == ("HI", 5, 5)
        assert set(first + second) <= set(ALPHABET)
    assert unique_code("seed", "HI", 7, 1, "thanks") == unique_code("seed", "HI", 7, 1, "thanks")


def test_every_wrong_letter_and_every_swap_of_neighbours_is_noticed() -> None:
    letters = "".join(unique_code("seed", "HI", 7, 1, "thanks").split("-")[1:])
    body, check = letters[:-1], letters[-1]
    assert check_character(body) == check
    for place, right in enumerate(body):
        for wrong in ALPHABET:
            changed = body[:place] + wrong + body[place + 1 :]
            assert (check_character(changed) == check) is (wrong == right)
    for place in range(len(body) - 1):
        swapped = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
        assert (check_character(swapped) == check) is (swapped == body)
