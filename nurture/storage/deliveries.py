# ruff: noqa: S608 - the SQL here is put together from names in this code only
"""Deliveries between plan and dot: claim, hold, give back, and the gate.

Every change names the state it comes from, the owner and the epoch of the claim: whoever lost a delivery to another
daemon can no longer do anything to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from math import inf
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, bindparam, func, select, tuple_, update

from nurture.domain.contact import Contact
from nurture.domain.delivery import Delivery
from nurture.domain.enrolment import Enrolment
from nurture.domain.ledger import failure
from nurture.storage.bulk import Query, Values, in_batch
from nurture.storage.contacts import get_many
from nurture.storage.controls import GATE_LOCK, paused_campaigns, sending_is_shut
from nurture.storage.database import Transaction
from nurture.storage.kept_mails import KeptMail, keep, kept
from nurture.storage.refusals import paused_domains, take_probe
from nurture.storage.rows import INSERT_LEDGER, WHOLE_DELIVERY, fact_values, read_delivery, read_enrolment
from nurture.storage.tables import HELD, READY, SHUT, deliveries, enrolments
from nurture.storage.types import Batch, BigId, UTCDateTime, sql

_d = deliveries.c
Key = tuple[int, int]  # contact id, seq
UNREAD_PAUSE = timedelta(hours=1)  # until a row that cannot be read is tried again

_KEYS = Batch(key_contact="int", key_seq="int")
_HOLDS = Batch(key_contact="int", key_seq="int", key_epoch="int")
_GATES = Batch(key_contact="int", key_seq="int", key_epoch="int", key_version="int")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery of ours until the lease ends, with what its mail is made of, as it was at the claim.

    `tries` is how many tries of this person are used up, `unknowns` how often its fate was lost. `kept` is the mail as
    it went before, where nobody knows whether it arrived: it goes once more as it was.
    """

    delivery: Delivery
    epoch: int
    tries: int
    unknowns: int
    first_gated_at: datetime | None
    domain: str | None
    contact: Contact
    enrolment: Enrolment
    kept: KeptMail | None = None
    probes: bool = False

    @property
    def key(self) -> Key:
        return self.delivery.contact_id, self.delivery.seq


@dataclass(frozen=True, slots=True)
class Hold:
    """What proves that a delivery is ours: the key, and the epoch of the claim."""

    contact_id: int
    seq: int
    epoch: int


@dataclass(frozen=True, slots=True)
class GateRequest:
    """Ask for the gate of one delivery, whose contact was judged at `version`; `keep` what may have to go again."""

    contact_id: int
    seq: int
    epoch: int
    version: int
    keep: KeptMail | None = None


def claim_deliveries(
    tx: Transaction,
    now: datetime,
    owner: str,
    lease: timedelta,
    limit: int,
    *,
    per_domain: int | None = None,
    slowed: Mapping[str, int] = MappingProxyType({}),
    newest: bool = False,
    on_unread: Callable[[Key, Exception], None] = lambda _key, _error: None,
) -> list[Claimed]:
    """Take up to `limit` deliveries that may go now: transactional first, then by priority, then by time.

    Those who have waited longest, or the `newest`: behind a backlog, what has just become due is among them.

    Leaves out campaigns and mailbox providers that are paused (but for the one mail that probes a provider), people
    with events that no turn has judged (their gates are shut), and what would bring more than `per_domain` deliveries
    for one mailbox provider (fewer for those in `slowed`) into the hands of all daemons together.
    Those past `expires_at` are handed out too: their claimer records that. One whose rows cannot be read is put off
    for an hour, with a fact that says why; `on_unread` is told.
    """
    keys, probes = _ready(tx, now, limit, per_domain, slowed, newest)
    if not keys:
        return []
    claim = _claim(tx.dialect, tx.database.leases_by_server)
    claimed = claim(tx, batch=_KEYS.text(tx.dialect, keys), claimer=owner, **_lease(tx, now, lease))
    rows = {(row[0], row[1]): row for row in claimed}
    found = _whole(tx, [rows[key] for key in keys if key in rows], now, on_unread)
    return [replace(each, probes=each.key in probes) for each in found] if probes else found


def _whole(
    tx: Transaction, rows: Sequence[Values], now: datetime, on_unread: Callable[[Key, Exception], None]
) -> list[Claimed]:
    """With all that belongs to them; where one cannot be read, each by itself."""
    try:
        return _read(tx, rows)
    except (KeyError, TypeError, ValueError) as error:  # a row that this version of ours cannot read
        if len(rows) > 1:
            return [claimed for row in rows for claimed in _whole(tx, [row], now, on_unread)]
        _put_off(tx, rows[0], error, now)
        on_unread((rows[0][0], rows[0][1]), error)
        return []


def _read(tx: Transaction, rows: Sequence[Values]) -> list[Claimed]:
    people = get_many(tx, sorted({row[0] for row in rows}))
    whole = len(WHOLE_DELIVERY)
    found = [(read_delivery(row[:whole]), row[whole:]) for row in rows]
    before = kept(tx, [(delivery.contact_id, delivery.seq) for delivery, (_, _, unknowns, *_) in found if unknowns > 0])
    journeys = _journeys(tx, sorted({(delivery.contact_id, delivery.enrolment) for delivery, _ in found}))
    return [
        Claimed(
            delivery,
            epoch,
            tries,
            unknowns,
            first_gated_at,
            domain,
            people[delivery.contact_id],
            journeys[delivery.contact_id, delivery.enrolment],
            before.get((delivery.contact_id, delivery.seq)),
        )
        for delivery, (epoch, tries, unknowns, first_gated_at, domain) in found
    ]


def _put_off(tx: Transaction, row: Values, error: Exception, now: datetime) -> None:
    contact_id, seq, enrolment, campaign, step, *_ = row
    freed = {"state": sql(_AS_BEFORE), "owner": None, "lease_until": None, "not_before": now + UNREAD_PAUSE}
    tx.execute(update(deliveries).where(_d.contact_id == contact_id, _d.seq == seq).values(freed))
    fact = failure(now, error, campaign=campaign, enrolment=enrolment, step=step, delivery=seq)
    INSERT_LEDGER(tx, [fact_values(contact_id, fact, row[WHOLE_DELIVERY.index("revision")])])


@cache
def _claim(dialect: str, leases_by_server: bool) -> Query:
    """Rows as `WHOLE_DELIVERY`, then the claim's own columns of `Claimed` in their order."""
    columns = (*WHOLE_DELIVERY, "epoch", "tries", "unknowns", "first_gated_at", "domain")
    return Query(
        update(deliveries)
        .where(sql(in_batch(dialect, _KEYS)), sql(READY))
        .values(
            state="claimed",
            owner=bindparam("claimer"),
            epoch=_d.epoch + 1,
            lease_until=sql(_lease_end(leases_by_server)),
        )
        .returning(*(_d[name] for name in columns))
    )


def _ready(
    tx: Transaction, now: datetime, limit: int, per_domain: int | None, slowed: Mapping[str, int], newest: bool
) -> tuple[list[Key], list[Key]]:
    """Keys in the order of claims, walking the index rank by rank; PostgreSQL locks them as it goes.

    Second, those of them that probe a paused provider.
    """
    if sending_is_shut(tx):
        return [], []
    paused, shut = paused_campaigns(tx), paused_domains(tx)
    if per_domain is not None and tx.dialect == "postgresql":  # two who count at once would both find room
        tx.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _CLAIM_LOCK})
    rooms = _Rooms(in_flight_by_domain(tx) if per_domain is not None else {}, per_domain, slowed)
    ready = select(_d.contact_id, _d.seq, _d.not_before, _d.domain).where(
        sql(READY), _d.not_before <= now, sql(_NOTHING_UNSEEN)
    )
    if paused:
        ready = ready.where(_d.campaign.not_in(sorted(paused)))
    if tx.dialect == "postgresql":
        ready = ready.with_for_update(skip_locked=True)
    probes = [key for each in shut if (key := take_probe(tx, each, ready.order_by(_d.rank), now)) is not None]
    if shut:
        ready = ready.where(func.coalesce(_d.domain, "").not_in([each.domain for each in shut]))
    found = probes[:limit]
    rank = -1
    while len(found) < limit:
        next_ = tx.execute(select(func.min(_d.rank)).where(sql(READY), _d.rank > rank)).scalar()
        if next_ is None:
            break
        rank = next_
        order = (_d.not_before, _d.contact_id, _d.seq)
        query = ready.where(_d.rank == rank).order_by(*(column.desc() for column in order) if newest else order)
        found += _with_room(tx, query, rooms, limit - len(found), newest)
    return found, probes


_CLAIM_LOCK = 0x6E757274636C
# Without it a mail whose gate can only be shut would go to and fro between queue and relay.
_NOTHING_UNSEEN = """
    NOT EXISTS (SELECT 1 FROM events WHERE events.contact_id = deliveries.contact_id AND events.processed_at IS NULL)
"""


class _Rooms:
    """How many more each mailbox provider may have."""

    def __init__(self, busy: Mapping[str, int], most: int | None, slowed: Mapping[str, int]) -> None:
        self._busy, self._most, self._slowed = dict(busy), most, slowed

    @property
    def full(self) -> list[str]:
        return sorted(name for name, busy in self._busy.items() if busy >= self._limit(name))

    def enter(self, domain: str | None) -> bool:
        if domain is None:
            return True
        busy = self._busy.get(domain, 0)
        self._busy[domain] = busy + 1
        return busy < self._limit(domain)

    def _limit(self, domain: str) -> float:
        return inf if self._most is None else min(self._slowed.get(domain, self._most), self._most)


def _with_room(tx: Transaction, query: Select[*tuple[Any, ...]], rooms: _Rooms, limit: int, newest: bool) -> list[Key]:
    """Page on past what finds no room, without the domains that have become full meanwhile."""
    found: list[Key] = []
    page = query
    while len(found) < limit:
        full = rooms.full
        rows = tx.execute((page.where(func.coalesce(_d.domain, "").not_in(full)) if full else page).limit(limit)).all()
        found += [(contact_id, seq) for contact_id, seq, _, domain in rows if rooms.enter(domain)][: limit - len(found)]
        if len(rows) < limit:
            break
        contact_id, seq, not_before, _ = rows[-1]
        last = tuple_(not_before, contact_id, seq, types=[UTCDateTime(), BigId, BigId])
        place = tuple_(_d.not_before, _d.contact_id, _d.seq)
        page = query.where(place < last if newest else place > last)
    return found


def _journeys(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Enrolment]:
    rows = _enrolments(tx.dialect)(tx, batch=_KEYS.text(tx.dialect, keys))
    return {(row[0], row[1]): read_enrolment(row) for row in rows}


@cache
def _enrolments(dialect: str) -> Query:
    return Query(select(enrolments).where(sql(in_batch(dialect, _KEYS))))


def release(tx: Transaction, holds: Sequence[Hold], owner: str, *, not_before: datetime | None = None) -> int:
    """Give claimed deliveries back untried (a shutdown, a full domain, a refused gate); how many were still ours."""
    if not holds:
        return 0
    given = update(deliveries).where(sql(_ours(tx)), sql("state = 'claimed'"))
    values: dict[str, Any] = {"state": sql(_AS_BEFORE), "owner": None, "lease_until": None}
    if not_before is not None:
        values["not_before"] = not_before
    return tx.execute(given.values(values), {"batch": _hold_text(tx, holds), "holder": owner}).rowcount


def release_strays(tx: Transaction, owner: str, known: Sequence[Hold]) -> int:
    """Give back what is claimed in our name and not `known` to us: the answer to the commit of that claim was lost."""
    ours = f"SELECT key_contact, key_seq, key_epoch FROM {_HOLDS.sql(tx.dialect)} AS keys"
    given = update(deliveries).where(
        sql("state = 'claimed' AND owner = :holder"), sql(f"(contact_id, seq, epoch) NOT IN ({ours})")
    )
    values = {"state": sql(_AS_BEFORE), "owner": None, "lease_until": None}
    return tx.execute(given.values(values), {"batch": _hold_text(tx, known), "holder": owner}).rowcount


_AS_BEFORE = "CASE WHEN tries > 0 OR unknowns > 0 THEN 'deferred' ELSE 'planned' END"


def _ours(tx: Transaction) -> str:
    """(contact_id, seq, epoch) is in the batch, and the owner is `:holder`."""
    return (
        "owner = :holder AND (contact_id, seq, epoch) IN "
        f"(SELECT key_contact, key_seq, key_epoch FROM {_HOLDS.sql(tx.dialect)} AS keys)"
    )


def _hold_text(tx: Transaction, holds: Sequence[Hold]) -> str:
    return _HOLDS.text(tx.dialect, [(hold.contact_id, hold.seq, hold.epoch) for hold in holds])


def extend_leases(tx: Transaction, holds: Sequence[Hold], owner: str, now: datetime, lease: timedelta) -> int:
    """Heartbeat: prolong what is in work and not lost yet; how many. What nobody works on must be let go."""
    if not holds:
        return 0
    values = {"batch": _hold_text(tx, holds), "holder": owner, **_lease(tx, now, lease)}
    return tx.execute(
        update(deliveries)
        .where(sql(_ours(tx)), sql(HELD), sql(f"lease_until > {tx.lease_clock}"))
        .values(lease_until=sql(_lease_end(tx.database.leases_by_server))),
        values if tx.database.leases_by_server else {"now": now, **values},
    ).rowcount


def gate(tx: Transaction, requests: Sequence[GateRequest], owner: str, now: datetime) -> set[Key]:
    """The durable mark right before the final dot: the keys that may go. Write nothing on the wire before the commit.

    Granted only where the claim is ours and its lease runs, the mail is not expired, the contact is as she was judged,
    no event of hers is waiting, her address is not suppressed, the campaign is not paused, and all sending is neither
    stopped nor on hold. The contacts are locked first, so that an event or a stop is either seen here or comes after
    the commit.
    """
    if not requests:
        return set()
    if tx.dialect == "postgresql":
        tx.execute(_LOCK_CONTACTS, {"ids": sorted({request.contact_id for request in requests}), "key": GATE_LOCK})
    rows = [(request.contact_id, request.seq, request.epoch, request.version) for request in requests]
    found = tx.execute(sql(gate_sql(tx)), {"batch": _GATES.text(tx.dialect, rows), "owner": owner, "now": now})
    granted = {(contact_id, seq) for contact_id, seq in found}
    keep(tx, [r.keep for r in requests if r.keep is not None and (r.contact_id, r.seq) in granted])
    return granted


_LOCK_CONTACTS = sql("""
    SELECT id FROM contacts, (SELECT pg_advisory_xact_lock_shared(:key)) AS held
    WHERE id = ANY(:ids) ORDER BY id FOR UPDATE OF contacts
""")


def gate_sql(tx: Transaction) -> str:
    """The one guarded statement of the gate."""
    return f"""
        UPDATE deliveries SET state = 'gated', gated_at = :now, first_gated_at = coalesce(first_gated_at, :now)
        FROM {_GATES.sql(tx.dialect)} AS keys, contacts
        WHERE deliveries.contact_id = key_contact AND deliveries.seq = key_seq
          AND deliveries.state = 'claimed' AND deliveries.owner = :owner AND deliveries.epoch = key_epoch
          AND deliveries.lease_until > {tx.lease_clock} AND deliveries.expires_at >= :now
          AND contacts.id = key_contact AND contacts.version = key_version
          AND NOT EXISTS (SELECT 1 FROM events
                          WHERE events.contact_id = key_contact AND events.processed_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM suppressions
                          WHERE suppressions.address_key = contacts.address_key
                            AND (deliveries.kind = 'marketing' OR suppressions.reason <> 'unsubscribed'))
          AND NOT EXISTS (SELECT 1 FROM campaign_controls
                          WHERE campaign_controls.name = deliveries.campaign
                            AND campaign_controls.paused_at IS NOT NULL)
          AND NOT {SHUT}
        RETURNING deliveries.contact_id, deliveries.seq
    """


def gated(tx: Transaction, holds: Sequence[Hold], owner: str) -> set[Key]:
    """Which of these stand gated by us: what to ask when a connection was lost during the commit of a gate."""
    found = tx.execute(
        select(_d.contact_id, _d.seq).where(sql(_ours(tx)), sql("state = 'gated'")),
        {"batch": _hold_text(tx, holds), "holder": owner},
    )
    return {(contact_id, seq) for contact_id, seq in found}


def in_flight_by_domain(tx: Transaction) -> dict[str, int]:
    """Mailbox provider -> deliveries any daemon holds now."""
    rows = tx.execute(select(_d.domain, func.count()).where(sql(HELD), _d.domain.is_not(None)).group_by(_d.domain))
    return {row[0]: row[1] for row in rows}


def _lease_end(leases_by_server: bool) -> str:
    return "clock_timestamp() + make_interval(secs => :lease)" if leases_by_server else ":until"


def _lease(tx: Transaction, now: datetime, lease: timedelta) -> dict[str, Any]:
    if tx.database.leases_by_server:
        return {"lease": lease.total_seconds()}
    return {"until": now + lease}
