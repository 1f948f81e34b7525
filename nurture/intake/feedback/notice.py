"""A notice: what one thing that came back says about one mail of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nurture.domain.tokens import Purpose

MOST_TEXT = 300


class Told(StrEnum):
    FAILED = "failed"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    NOTHING = "nothing"  # delayed, delivered, relayed, an answer by a person or a machine: no effect on anybody


class UnreadableError(ValueError):
    """It cannot be read as anything that concerns us; the text says why. It names no address."""


@dataclass(frozen=True, slots=True)
class Token:
    purpose: Purpose
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`tokens` name the mail, the most trustworthy first. `id` makes repeats harmless; `via` is how it was read.

    `code` is an SMTP reply code, `enhanced` a status of RFC 3463, `text` the diagnosis in words, without addresses.
    `recipient` is the address as we gave it to the relay, where that is known; `email` is whom an authenticated
    provider names. `at` is when it happened, where the source says so.
    """

    told: Told
    id: str
    via: str
    tokens: tuple[Token, ...] = ()
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    recipient: str | None = None
    email: str | None = None
    at: datetime | None = None
    why: str = ""
