"""When a failure says that an address is dead: on the cause, never on the first digit.

Any rule on "5.x.x" stops mail to people whose address is fine: most refusals are about the sender, the content or a
full mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.domain import reply_texts

STRIKES_APART = timedelta(hours=24)
SOFT_POINTS = 3
SOFT_POINTS_OVER = timedelta(days=14)
SOFT_POINTS_EXPIRE = timedelta(days=90)


class Suppression(StrEnum):
    NOW = "now"
    SECOND_STRIKE = "second_strike"  # two of them, at least 24 hours apart
    SOFT_POINT = "soft_point"  # three over at least 14 days, nothing delivered in between, none older than 90 days
    NEVER = "never"


_DEAD = frozenset({"5.1.1", "5.1.3", "5.1.6", "5.1.10"})
_DOUBTFUL = frozenset({"5.1.2", "5.4.4", "5.2.1"})
_FULL = frozenset({"4.2.2", "5.2.2"})
_SAYS_LITTLE = frozenset({"", "5.0.0", "5.1.0", "5.2.0", "5.5.0"})


def suppression_for(*, code: int | None, enhanced: str | None, text: str, asynchronous: bool = False) -> Suppression:
    """What one refusal or bounce counts for. `asynchronous`: it came later, as a bounce mail, not as a reply to us.

    Words about policy, spam or authentication veto everything else (receivers do answer 5.1.1 to a blocked sender).
    """
    status = enhanced or ""
    if reply_texts.is_about_us(text):
        return Suppression.NEVER
    if status in _FULL or (status[:2] in {"", "5.", "4."} and _plainly_full(status, text)):
        return Suppression.SOFT_POINT
    if reply_texts.says_slow_down(text):
        return Suppression.NEVER
    if status in _DEAD:
        return Suppression.NOW
    if status in _DOUBTFUL:
        return Suppression.SECOND_STRIKE
    if status.startswith("4.4."):
        return Suppression.SOFT_POINT if asynchronous else Suppression.NEVER
    if status in _SAYS_LITTLE and reply_texts.says_no_such_user(text):
        if asynchronous:
            return Suppression.SECOND_STRIKE
        return Suppression.NOW if code in {550, 551} else Suppression.NEVER
    return Suppression.NEVER


def _plainly_full(status: str, text: str) -> bool:
    generic = status in _SAYS_LITTLE or status.endswith((".0.0", ".2.0"))
    return generic and reply_texts.says_mailbox_full(text)


@dataclass(frozen=True, slots=True)
class Strike:
    at: datetime
    weight: Suppression


def is_dead(strikes: Sequence[Strike], now: datetime, last_delivered: datetime | None = None) -> bool:
    """Whether these failures together suppress the address. A delivery in between wipes what came before it."""
    live = [s for s in strikes if last_delivered is None or s.at > last_delivered]
    if any(s.weight is Suppression.NOW for s in live):
        return True
    doubtful = sorted(s.at for s in live if s.weight is Suppression.SECOND_STRIKE)
    if doubtful and doubtful[-1] - doubtful[0] >= STRIKES_APART:
        return True
    soft = sorted(s.at for s in live if s.weight is Suppression.SOFT_POINT and now - s.at <= SOFT_POINTS_EXPIRE)
    return len(soft) >= SOFT_POINTS and soft[-1] - soft[0] >= SOFT_POINTS_OVER
