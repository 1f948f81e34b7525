"""Our own tokens in what comes back: in the address it came to (VERP), the envelope id, the Message-ID.

Only shapes are known here; whether a token is ours is for the keyring to say. Case does not matter: relays change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nurture.domain.tokens import Purpose
from nurture.intake.feedback.notice import Token

_SHAPE = r"[a-zA-Z2-7]{52}"
_RETURN_PATH = re.compile(rf"(?<![\w.+-])b\+({_SHAPE})@", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(rf"(?<![\w.+-])unsubscribe\+({_SHAPE})@", re.IGNORECASE)
_MESSAGE_ID = re.compile(rf"(?<![\w.+-])({_SHAPE})@")
_ENVELOPE_ID = re.compile(rf"^\s*({_SHAPE})\s*$")
_ADDRESSED = re.compile(r"(?<![\w.+-])(b|unsubscribe)\+([^\s@<>,;\"]*)@", re.IGNORECASE)


def addressed(addresses: Iterable[str]) -> Iterator[Token]:
    """The tokens of addresses something was sent to, whatever they look like: a forged one must not be overlooked."""
    for address in addresses:
        for kind, text in _ADDRESSED.findall(address):
            yield Token(Purpose.RETURN_PATH if kind.lower() == "b" else Purpose.UNSUBSCRIBE, text.lower())


def mentioned(text: str) -> Iterator[Token]:
    """The tokens somewhere in a text, return paths first: they are nobody's to make up."""
    for pattern, purpose in ((_RETURN_PATH, Purpose.RETURN_PATH), (_MESSAGE_ID, Purpose.MESSAGE_ID),
                             (_UNSUBSCRIBE, Purpose.UNSUBSCRIBE)):  # fmt: skip
        seen = dict.fromkeys(found.lower() for found in pattern.findall(text))
        yield from (Token(purpose, each) for each in seen)


def envelope_id(text: str) -> Iterator[Token]:
    """ENVID (RFC 3461) is the left half of our Message-ID."""
    found = _ENVELOPE_ID.match(text)
    if found:
        yield Token(Purpose.MESSAGE_ID, found[1].lower())
