"""What a server said about a mail: its reply code, its status (RFC 3463) and a brief text without addresses."""

from __future__ import annotations

import re

from nurture.domain.reply_texts import without_addresses
from nurture.intake.feedback.notice import MOST_TEXT

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])(?!-?\d)")
_VAGUE = re.compile(r"[45]\.\d+\.0$")


def status_in(text: str) -> str | None:
    """The first enhanced status in a text."""
    found = _STATUS.search(without_addresses(text))
    return found[1] if found else None


def code_in(text: str) -> int | None:
    """The first reply code in a text."""
    found = _CODE.search(without_addresses(text) + " ")
    return int(found[1]) if found else None


def is_vague(status: str) -> bool:
    """It names no cause: `5.0.0`, `5.2.0`."""
    return _VAGUE.match(status) is not None


def brief(text: str) -> str:
    """One line that any database can hold."""
    line = " ".join(without_addresses(text[: MOST_TEXT * 10]).split())
    return "".join(char if char.isprintable() else "?" for char in line[:MOST_TEXT])
