from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.domain.tokens import Keyring, Purpose

RING = Keyring(["a secret of some length"])
IDS = st.integers(min_value=0, max_value=2**63 - 1)
SEQS = st.integers(min_value=0, max_value=2**56 - 1)


@given(st.sampled_from(Purpose), IDS, SEQS)
def test_both_alphabets_give_the_ids_back(purpose: Purpose, contact_id: int, seq: int):
    assert RING.read(purpose, RING.token(purpose, contact_id, seq)) == (contact_id, seq)
    assert RING.read(purpose, RING.mailbox_token(purpose, contact_id, seq)) == (contact_id, seq)


def test_tokens_are_deterministic():
    assert RING.token(Purpose.VIEW, 7, 9) == Keyring(["a secret of some length"]).token(Purpose.VIEW, 7, 9)


def test_a_token_opens_only_the_door_it_was_made_for():
    for made in Purpose:
        token = RING.token(made, 7, 9)
        assert [purpose for purpose in Purpose if RING.read(purpose, token)] == [made]


def test_link_tokens_need_no_escaping_in_a_url():
    alphabet = set(string.ascii_letters + string.digits + "-_")
    assert all(set(RING.token(Purpose.UNSUBSCRIBE, n, n)) <= alphabet for n in range(200))


def test_a_return_path_fits_a_local_part_of_64_octets():
    local = "unsubscribe+" + RING.mailbox_token(Purpose.RETURN_PATH, 2**63 - 1, 2**56 - 1)
    assert len(local) <= 64
    assert local == local.lower()


def test_a_relay_may_change_the_case_of_a_mailbox_token():
    token = RING.mailbox_token(Purpose.RETURN_PATH, 12, 3)
    assert RING.read(Purpose.RETURN_PATH, token.upper()) == (12, 3)


@pytest.mark.parametrize("make", [RING.token, RING.mailbox_token])
def test_no_changed_character_goes_unnoticed(make):
    token = make(Purpose.UNSUBSCRIBE, 41, 2)
    for place, char in enumerate(token):
        for other in ("a", "b", "A", "7", "_"):
            if other.lower() != char.lower():
                assert RING.read(Purpose.UNSUBSCRIBE, token[:place] + other + token[place + 1 :]) is None


@pytest.mark.parametrize("make", [RING.token, RING.mailbox_token])
def test_the_ids_cannot_be_seen(make):
    """Neighbouring people differ everywhere: nothing of the ids shows, in any encoding of 8 octets."""
    first, second = make(Purpose.VIEW, 1000, 1), make(Purpose.VIEW, 1001, 1)
    same = sum(a == b for a, b in zip(first, second, strict=True))
    assert same < len(first) / 3


@pytest.mark.parametrize(
    "token", ["", "x", "A" * 43, "a" * 52, "é" * 43, "\0" * 52, "=" * 43, "A" * 42 + "\n", "a" * 10_000]
)
def test_what_is_not_a_token_is_not_read(token: str):
    assert RING.read(Purpose.UNSUBSCRIBE, token) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(token: str):
    assert RING.read(Purpose.CLICK, token) is None


def test_old_secrets_still_read_after_a_rotation_and_the_new_one_signs():
    old = Keyring(["the old secret, long enough"])
    both = Keyring(["the new secret, long enough", "the old secret, long enough"])
    new = Keyring(["the new secret, long enough"])
    assert both.read(Purpose.UNSUBSCRIBE, old.token(Purpose.UNSUBSCRIBE, 5, 6)) == (5, 6)
    assert new.read(Purpose.UNSUBSCRIBE, both.token(Purpose.UNSUBSCRIBE, 5, 6)) == (5, 6)
    assert new.read(Purpose.UNSUBSCRIBE, old.token(Purpose.UNSUBSCRIBE, 5, 6)) is None


def test_weak_or_missing_secrets_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])
    with pytest.raises(ValueError, match=r"secret 2 .* 16 characters"):
        Keyring(["a secret of some length", "short"])


def test_a_keyring_never_shows_its_secrets():
    assert "length" not in repr(RING)


@pytest.mark.parametrize("ids", [(-1, 0), (0, -1), (2**63, 0), (0, 2**56)])
def test_impossible_ids_are_refused(ids: tuple[int, int]):
    with pytest.raises(ValueError, match="between 0 and"):
        RING.token(Purpose.VIEW, *ids)
