"""What a turn reads: one query per table for a whole batch of contacts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from nurture.domain.delivery import COUNTING, CountedMail, DeliveryState, Settled
from nurture.domain.enrolment import Enrolment, PastEnrolment
from nurture.domain.event import Event
from nurture.domain.needs import SnapshotNeeds
from nurture.domain.snapshot import Snapshot
from nurture.domain.steps import MailKind
from nurture.storage.bulk import Query
from nurture.storage.contacts import get_many
from nurture.storage.controls import paused_campaigns
from nurture.storage.database import Transaction
from nurture.storage.rows import DELIVERY_STATES, read_enrolment
from nurture.storage.tables import ACTIVE, UNPROCESSED, deliveries, enrolments, events
from nurture.storage.types import among, sql

MOST_EVENTS = 500  # of one contact in one turn: a flood is worked off in several

_e, _d, _n = events.c, deliveries.c, enrolments.c

_numbered = (
    select(
        _e.contact_id, _e.id, _e.name, _e.at, _e.properties,
        func.row_number().over(partition_by=_e.contact_id, order_by=(_e.at, _e.id)).label("place"),
    ).where(among(_e.contact_id), sql(UNPROCESSED))
).subquery()  # fmt: skip
_PENDING = Query(
    select(_numbered).where(_numbered.c.place <= MOST_EVENTS).order_by(_numbered.c.contact_id, _numbered.c.place)
)
_history_of = (
    select(_e.contact_id, _e.id, _e.name, _e.at, _e.properties)
    .where(among(_e.contact_id), among(_e.name, "names", text=True), _e.processed_at.is_not(None))
    .order_by(_e.contact_id, _e.at, _e.id)
)
_HISTORY, _RECENT = Query(_history_of), Query(_history_of.where(sql("at > :since")))
_ENROLMENTS = Query(
    select(enrolments)
    .where(among(_n.contact_id), or_(sql(ACTIVE), sql("watch_until >= :since")))
    .order_by(_n.contact_id, _n.seq)
)
_PAST = Query(
    select(_n.contact_id, _n.campaign, func.max(_n.started_at), func.count())
    .where(among(_n.contact_id))
    .group_by(_n.contact_id, _n.campaign)
)
_MAILS = Query(
    select(
        _d.contact_id, _d.seq, _d.enrolment, _d.campaign, _d.step, _d.kind, _d.category, _d.state, _d.settled_at,
        _d.acknowledged,
    ).where(
        among(_d.contact_id),
        or_(_d.settled_at.is_(None), sql("settled_at > :since"), _d.acknowledged.is_(False)),
    ).order_by(_d.contact_id, _d.seq)
)  # fmt: skip
_RECEIVED = Query(
    select(_d.contact_id, _d.campaign, _d.step, func.max(_d.settled_at))
    .where(
        among(_d.contact_id),
        among(_d.step, "steps", text=True),
        _d.state.in_([DeliveryState.SENT.value, DeliveryState.UNKNOWN.value]),
    )
    .group_by(_d.contact_id, _d.campaign, _d.step)
)


def load_snapshots(tx: Transaction, contact_ids: Sequence[int], needs: SnapshotNeeds, now: datetime) -> list[Snapshot]:
    """The snapshots of these contacts, in ascending order of id; ids that are nobody's are left out.

    Takes no locks: in a turn, `claim_due` has them. `needs` says how far back events and mails are read.
    """
    people = get_many(tx, contact_ids)
    if not people:
        return []
    ids = sorted(people)
    pending, history = _pending(tx, ids), _history(tx, ids, needs.events, now)
    mails, settled = _mails(tx, ids, now - needs.caps)
    current, past, received = _enrolments(tx, ids, pending, now), _past(tx, ids), _received(tx, ids, needs.received)
    paused = paused_campaigns(tx)
    return [
        Snapshot(
            contact=people[each],
            pending=pending[each],
            history=history[each],
            enrolments=current[each],
            past=past[each],
            mails=mails[each],
            received=received[each],
            settled=settled[each],
            paused=paused,
        )
        for each in ids
    ]


def _pending(tx: Transaction, ids: Sequence[int]) -> defaultdict[int, list[Event]]:
    found: defaultdict[int, list[Event]] = defaultdict(list)
    for contact_id, id_, name, at, properties, _ in _PENDING(tx, ids=ids):
        found[contact_id].append(Event(id_, name, at, properties))
    return found


def _history(
    tx: Transaction, ids: Sequence[int], wanted: Mapping[str, timedelta | None], now: datetime
) -> defaultdict[int, dict[str, list[Event]]]:
    """Two queries: names that are wanted for ever, and the others no further back than the furthest of them."""
    found: defaultdict[int, dict[str, list[Event]]] = defaultdict(dict)
    since = {name: now - back for name, back in wanted.items() if back is not None}
    batches: list[tuple[Query, dict[str, Any]]] = []
    if len(since) < len(wanted):
        batches.append((_HISTORY, {"names": [name for name in wanted if name not in since]}))
    if since:
        batches.append((_RECENT, {"names": list(since), "since": min(since.values())}))
    for query, values in batches:
        for contact_id, id_, name, at, properties in query(tx, ids=ids, **values):
            if name not in since or at > since[name]:
                found[contact_id].setdefault(name, []).append(Event(id_, name, at, properties))
    return found


def _enrolments(
    tx: Transaction, ids: Sequence[int], pending: Mapping[int, Sequence[Event]], now: datetime
) -> defaultdict[int, list[Enrolment]]:
    """Active, or still watched for a goal when the first event that is to be judged happened: it may be told late."""
    told = {each: min(now, events[0].at) for each, events in pending.items() if events}
    found: defaultdict[int, list[Enrolment]] = defaultdict(list)
    for row in _ENROLMENTS(tx, ids=ids, since=min(told.values(), default=now)):
        enrolment = read_enrolment(row)
        if enrolment.is_watched(told.get(row[0], now)):
            found[row[0]].append(enrolment)
    return found


def _past(tx: Transaction, ids: Sequence[int]) -> defaultdict[int, dict[str, PastEnrolment]]:
    found: defaultdict[int, dict[str, PastEnrolment]] = defaultdict(dict)
    for contact_id, campaign, last, count in _PAST(tx, ids=ids):
        found[contact_id][campaign] = PastEnrolment(campaign, last, count)
    return found


def _mails(
    tx: Transaction, ids: Sequence[int], since: datetime
) -> tuple[defaultdict[int, list[CountedMail]], defaultdict[int, list[Settled]]]:
    """Marketing mails that count or would have (ghosts), and whatever ended that no turn has seen."""
    mails: defaultdict[int, list[CountedMail]] = defaultdict(list)
    ended: defaultdict[int, list[Settled]] = defaultdict(list)
    for row in _MAILS(tx, ids=ids, since=since):
        contact_id, seq, enrolment, campaign, step, kind, category, stored, settled_at, acknowledged = row
        state = DELIVERY_STATES[stored]
        ghost = state is DeliveryState.GHOST
        if kind == MailKind.MARKETING and (state in COUNTING or ghost) and (settled_at is None or settled_at > since):
            mails[contact_id].append(CountedMail(settled_at, category, campaign, step, ghost))
        if state.is_settled and not acknowledged:
            ended[contact_id].append(Settled(seq, enrolment, state, settled_at))
    return mails, ended


def _received(
    tx: Transaction, ids: Sequence[int], wanted: frozenset[tuple[str, str]]
) -> defaultdict[int, dict[tuple[str, str], datetime]]:
    found: defaultdict[int, dict[tuple[str, str], datetime]] = defaultdict(dict)
    if wanted:
        steps = sorted({step for _, step in wanted})
        for contact_id, campaign, step, last in _RECEIVED(tx, ids=ids, steps=steps):
            if (campaign, step) in wanted:
                found[contact_id][campaign, step] = last
    return found
