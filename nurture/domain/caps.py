"""Frequency caps: whether there is room for one more mail now, and when there will be.

The rule the proof rests on (docs/guarantees.md): a mail that is reserved and not yet sent counts as if it were sent
now; a sent one counts at the time it was really sent; one of unknown fate counts as sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.domain.contact import Contact
from nurture.domain.delivery import CountedMail
from nurture.domain.programme import Cap


@dataclass(frozen=True, slots=True)
class Full:
    """A cap with no room: by which mails, and when enough of them will have left the window.

    Pending mails are reckoned as if they went now, also when looking ahead; when they really go later, the cap is asked
    again at `opens_at`.
    """

    cap: Cap
    by: tuple[CountedMail, ...]
    opens_at: datetime


def caps_over(contact: Contact, caps: Sequence[Cap]) -> Sequence[Cap]:
    """The person's own cap, then those of the project."""
    if contact.own_cap_days is None:
        return caps
    return (Cap(1, timedelta(days=contact.own_cap_days), own=True), *caps)


def first_full(
    caps: Sequence[Cap],
    mails: Sequence[CountedMail],
    category: str | None,
    at: datetime,
    now: datetime,
    ghost: bool = False,
) -> Full | None:
    """The first cap that another mail of `category` at `at` (not before `now`) would exceed; None: all have room."""
    for cap in caps:
        if cap.category is not None and cap.category != category:
            continue
        inside = [mail for mail in mails if counts(cap, mail, at, now, ghost)]
        if len(inside) >= cap.max:
            times = sorted(mail.at or now for mail in inside)
            return Full(cap, tuple(inside), times[len(inside) - cap.max] + cap.per)
    return None


def counts(cap: Cap, mail: CountedMail, at: datetime, now: datetime, ghost: bool) -> bool:
    """Whether a mail takes a slot of this cap for another one at `at`."""
    if mail.ghost and not ghost:
        return False
    if cap.category is not None and cap.category != mail.category:
        return False
    return (mail.at or now) > at - cap.per
