"""Refusals that are about the sender: when they are so many that going on would make it worse. Pure.

A storm is judged by the newest refusals: with 5 percent of 100 mails, by six. If fewer than 120 mails of that domain or
campaign have ended since the first of them (and no more than a day ago), they are more than 5 percent of 100 or more.
So it is seen at once with any number of mails, and a refusal now and then among very many is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nurture.domain import reply_texts

WINDOW = timedelta(hours=24)
FIRST_PAUSE, LAST_PAUSE = timedelta(hours=1), timedelta(hours=24)
PROBE_WAIT = timedelta(minutes=15)  # for what becomes of a probe; after that another may go


@dataclass(frozen=True, slots=True)
class Refusal:
    """One mail refused for the sender's sake. `domain` (the mailbox provider) None: the relay itself refused us."""

    contact_id: int
    at: datetime
    campaign: str | None
    domain: str | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class StormRule:
    """More than `percent` of at least `mails` mails."""

    percent: int = 5
    mails: int = 100

    @property
    def newest(self) -> int:
        """How many refusals are looked at."""
        return self.percent * self.mails // 100 + 1

    @property
    def enough(self) -> int:
        """So many mails since the first of them, and it is no storm."""
        return self.newest * 100 // self.percent + 1

    def is_storm(self, refused: int, mails: int) -> bool:
        """At 100 percent nothing is."""
        return self.percent < 100 and refused * 100 > self.percent * max(mails, self.mails)


@dataclass(frozen=True, slots=True)
class DomainPause:
    """No mail goes to this mailbox provider, but one from time to time (`probe_at`) to see whether it is taken again.

    `refused` of `mails` were refused, last with `text`. `length` is the wait between two probes. It is over at
    `ended_at`.
    """

    domain: str
    since: datetime
    refused: int
    mails: int
    text: str
    probe_at: datetime
    length: timedelta
    ended_at: datetime | None = None

    def refused_again(self, now: datetime) -> DomainPause:
        """The probe was refused, too."""
        length = min(self.length * 2, LAST_PAUSE)
        return replace(self, length=length, probe_at=now + length)


def paused(
    domain: str, refused: int, mails: int, text: str, now: datetime, before: DomainPause | None = None
) -> DomainPause:
    """The pause that begins now; twice as long as one that ended less than a day `before`."""
    length = FIRST_PAUSE
    if before is not None and before.ended_at is not None and now - before.ended_at < WINDOW:
        length = min(before.length * 2, LAST_PAUSE)
    return DomainPause(domain, now, refused, mails, text, now + length, length)


def is_about_sender(enhanced: str | None, text: str) -> bool:
    """Whether a bounce that came back later is about policy, spam, authentication, blocklists or rates."""
    status = enhanced or ""
    return status.startswith(("5.7.", "4.7.")) or status in {"5.1.7", "5.1.8"} or reply_texts.is_about_us(text)
