"""Mails expected within a day, before and after an edit: `decide` played for the people it may concern.

Those who are due within the day, or whose mail is still to go, are played twice in memory: under the rules that are
applied and under the new ones. Where they are more than some thousands, a sample is played and the counts are scaled;
`margin` then bounds how far the sum may be off, at 95 of 100 times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import sqrt

from nurture.domain.ledger import FactKind
from nurture.domain.needs import SnapshotNeeds, needs_of
from nurture.domain.programme import Programme
from nurture.engine.resident import Resident
from nurture.engine.simulation.lives import Lives
from nurture.engine.simulation.stored import resident_of
from nurture.storage.database import Transaction
from nurture.storage.outlook import Outlook, outlooks_of
from nurture.storage.upcoming import how_many, one_of

WINDOW = timedelta(hours=24)
SAMPLE = 2_000  # people who are played, about; of more, a sample
BATCH = 500

Change = Callable[[Resident], None]


@dataclass(frozen=True, slots=True)
class Expected:
    """Mails by (campaign, step). `people` may get one, `played` of them were looked at; `margin` in mails, 0: exact."""

    before: dict[tuple[str, str], int] = field(default_factory=dict)
    after: dict[tuple[str, str], int] = field(default_factory=dict)
    people: int = 0
    played: int = 0
    margin: int = 0

    def total(self, of: dict[tuple[str, str], int], campaign: str | None = None) -> int:
        return sum(number for (name, _), number in of.items() if campaign in {None, name})


def expected(
    tx: Transaction,
    old: Programme | None,
    new: Programme,
    now: datetime,
    change: Change | None = None,
    *,
    everybody: bool = False,
) -> Expected:
    """What the next day brings. `change` does to a person what applying would; `everybody` is judged anew by it."""
    until = now + WINDOW
    people = how_many(tx, until, everybody=everybody)
    each = max(-(-people // SAMPLE), 1)
    ids = one_of(tx, until, each, everybody=everybody)
    before, after = Lives(old, until) if old is not None else None, Lives(new, until)
    counts: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]] = (Counter(), Counter())
    sums: tuple[list[int], list[int]] = ([], [])
    for outlook in _outlooks(tx, ids, old, new, now):
        resident = _herself(outlook, now)
        if before is not None:
            mails = _mails(before, _herself(outlook, now), outlook, now, outlook.due_at)
            counts[0].update(mails)
            sums[0].append(len(mails))
        if change is not None:
            change(resident)
        soonest = [one.due_at for one in resident.enrolments if one.due_at is not None]
        due = now if everybody or resident.pending else min([*soonest, *([outlook.due_at] if outlook.due_at else [])],
                                                            default=None)  # fmt: skip
        mails = _mails(after, resident, outlook, now, due)
        counts[1].update(mails)
        sums[1].append(len(mails))
    scale = people / len(ids) if ids else 1.0
    scaled = [{key: round(number * scale) for key, number in sorted(one.items())} for one in counts]
    margin = max(_margin(one, scale) for one in sums) if each > 1 else 0
    return Expected(scaled[0], scaled[1], people, len(ids), margin)


def _outlooks(
    tx: Transaction, ids: list[int], old: Programme | None, new: Programme, now: datetime
) -> Iterable[Outlook]:
    needs = _both(needs_of(new), needs_of(old)) if old is not None else needs_of(new)
    for first in range(0, len(ids), BATCH):
        yield from outlooks_of(tx, ids[first : first + BATCH], needs, now)


def _both(one: SnapshotNeeds, other: SnapshotNeeds) -> SnapshotNeeds:
    events = dict(one.events)
    for name, back in other.events.items():
        known = events.get(name, timedelta())
        events[name] = None if back is None or known is None else max(back, known)
    return SnapshotNeeds(events, max(one.caps, other.caps), one.received | other.received)


def _mails(
    lives: Lives, person: Resident, outlook: Outlook, now: datetime, due: datetime | None
) -> list[tuple[str, str]]:
    lived = lives.ahead(person, now, due, outlook.snapshot.paused)
    return [(fact.campaign or "", fact.step or "") for fact in lived.person.ledger if fact.kind is FactKind.SENT]


def _herself(outlook: Outlook, now: datetime) -> Resident:
    """One person to be played, with enrolments of her own: a life changes them in place."""
    person = resident_of(outlook, now)
    person.enrolments = [
        replace(one, visits=dict(one.visits), jumps=dict(one.jumps), grants=dict(one.grants))
        for one in person.enrolments
    ]
    return person


def _margin(sums: list[int], scale: float) -> int:
    """1.96 standard errors of the scaled sum."""
    if len(sums) < 2:
        return 0
    mean = sum(sums) / len(sums)
    variance = sum((one - mean) ** 2 for one in sums) / (len(sums) - 1)
    return round(1.96 * scale * sqrt(variance * len(sums)))
