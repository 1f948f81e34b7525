"""Chance without randomness: a recorded seed and the contact decide, the same way for ever and on every host."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from nurture.domain.steps import Arm

# No 0/O, 1/I/L: codes are read aloud and typed by hand.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def share(seed: str, experiment: str, contact_id: int) -> float:
    """A number in [0, 1) that belongs to this contact in this experiment."""
    digest = blake2b(f"{seed}|{experiment}|{contact_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def pick(arms: Sequence[Arm], number: float) -> Arm:
    """The arm whose part of the scale `number` falls in; shares are weights."""
    total = sum(arm.share for arm in arms)
    reached = 0.0
    for arm in arms:
        reached += arm.share / total
        if number < reached:
            return arm
    return arms[-1]


def unique_code(seed: str, prefix: str, contact_id: int, seq: int, offer: str) -> str:
    """`PREFIX-XXXXX-XXXXX`: the last character checks the others, so a mistyped code is refused before a look-up."""
    digest = blake2b(f"{seed}|code|{offer}|{contact_id}|{seq}".encode(), digest_size=16).digest()
    number = int.from_bytes(digest, "big")
    letters = ""
    for _ in range(9):
        number, index = divmod(number, len(ALPHABET))
        letters += ALPHABET[index]
    return f"{prefix}-{letters[:5]}-{letters[5:]}{check_character(letters)}"


def check_character(letters: str) -> str:
    """Weighted sum modulo 31, a prime: finds every single wrong character and every swap of neighbours."""
    weighed = 0
    for place, letter in enumerate(letters, start=2):
        weighed += place * ALPHABET.index(letter)
    return ALPHABET[weighed % len(ALPHABET)]
