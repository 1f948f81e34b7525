"""Dispatch: claimed delivery -> recheck -> mail -> wire up to the dot -> gate -> dot -> outcome.

Model: a bounded number of deliveries are in flight, taken one after the other by senders, which are tasks; each ends in
exactly one outcome. Gates and outcomes of all of them are committed in groups. No dot is on the wire whose gate is not
durable.
Failure: what is claimed and not gated goes again; what is gated and has no outcome is `unknown` (docs/guarantees.md).
A database that cannot take an outcome is asked again until it can: the relay's answer must not be lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from nurture.domain.arbitration import allowed_from
from nurture.domain.delivery import DeliveryState
from nurture.domain.recheck import Proceed, recheck
from nurture.domain.refusals import StormRule
from nurture.domain.snapshot import Snapshot
from nurture.domain.steps import MailKind
from nurture.engine import outcome as judge
from nurture.engine.aftermath import Aftermath
from nurture.engine.allowance import Allowance
from nurture.engine.compose import again, kept_of
from nurture.engine.delivery_writer import ABOUT_A_ROW, DeliveryWriter, Write
from nurture.engine.group_commit import GroupCommit
from nurture.engine.revisions import Applied
from nurture.errors import TemplateError
from nurture.sending.mail import OutgoingMail
from nurture.sending.transport import Transport
from nurture.storage import deliveries as rows
from nurture.storage.database import Database, Transaction
from nurture.storage.deliveries import Claimed, GateRequest, Hold, Key
from nurture.storage.faults import DatabaseFault
from nurture.storage.outcomes import Outcome
from nurture.storage.snapshots import load_snapshots

LEASE = timedelta(seconds=60)
HEARTBEAT = 15.0  # seconds; a lease survives three missed beats
LAST_WORDS = 5.0  # seconds to record outcomes in, however short the grace
GATHER, GROUP = 0.1, 100  # seconds, mails: what `gather` waits for, whichever comes first
DATABASE_PAUSE = 1.0  # seconds between tries to record an outcome


class Compose(Protocol):
    """Builds the mail of a delivery. Raises TemplateError. `is_slow`: it is called in a thread, several at a time."""

    @property
    def is_slow(self) -> bool: ...

    def __call__(self, applied: Applied, proceed: Proceed, claimed: Claimed) -> OutgoingMail: ...


class Journal(Protocol):
    """Where to say what happened."""

    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


class Dispatcher:
    """One per process. `owner` names it in claims; `executor` runs all that touches the database, one at a time."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        compose: Compose,
        *,
        owner: str,
        clock: Callable[[], datetime],
        executor: Executor,
        journal: Journal,
        capacity: int = 200,
        per_domain: int | None = None,
        slowed: Callable[[], Mapping[str, int]] = dict,
        allowance: Allowance | None = None,
        counts: dict[str, int] | None = None,
        storm: StormRule | None = None,
    ) -> None:
        self._database, self._transport, self._compose = database, transport, compose
        self._owner, self._clock, self._executor, self._journal = owner, clock, executor, journal
        self._capacity, self._per_domain, self._slowed = capacity, per_domain, slowed
        self.allowance = allowance or Allowance()
        aftermath = Aftermath(database, storm or StormRule(), journal, clock)
        self.hand = DeliveryWriter(database, owner, clock, aftermath)
        self._writes: GroupCommit[Write, bool | DatabaseFault] = GroupCommit(self.hand.commit, executor)
        self.in_order = False  # always whoever has waited longest, for stories that are told twice
        self._newest_next = False
        self._queue: deque[tuple[Hold, Applied, Claimed, Snapshot]] = deque()  # claimed, and not begun
        self._held: dict[Hold, None] = {}  # all that has no outcome yet, the oldest first
        self._senders: set[asyncio.Task[None]] = set()
        self._has_strays = False  # claims whose commit may stand, though we never heard of it
        self._change, self._gathered, self._ended = asyncio.Event(), asyncio.Event(), 0
        self._heart: asyncio.Task[None] | None = None
        self._stopping = False
        self.counts: dict[str, int] = {} if counts is None else counts
        self.on_end: Callable[[], None] = lambda: None  # told whenever there is room again

    @property
    def in_flight(self) -> int:
        return len(self._held)

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    async def fill(self, applied: Applied) -> int:
        """Claim as much as there is room for, and set it on its way; how many."""
        room = min(self._capacity, self._transport.room(self._capacity)) - len(self._held)
        room = self.allowance.room(room) if room > 0 else 0
        if room <= 0 or self._stopping:
            return 0
        loop = asyncio.get_running_loop()
        held = list(self._held) if self._has_strays else None
        newest = self._newest_next and not self.in_order
        work = partial(self._claim, applied, room, self._slowed(), held, newest=newest)
        try:
            claims = await loop.run_in_executor(self._executor, work)
        except DatabaseFault as fault:
            self._has_strays = self._has_strays or fault.commit_unknown
            raise
        self._has_strays = False
        # Behind a backlog (a relay was away), what has just become due would wait for all of it, and some of that would
        # be too late: every other claim is of the freshest.
        self._newest_next = len(claims) >= room and not newest
        if self.is_stopping:  # nobody would wait for them any more
            await self._give_back([claimed for claimed, _ in claims], self._clock())
            return 0
        for claimed, snapshot in claims:
            hold = Hold(*claimed.key, claimed.epoch)
            self._held[hold] = None
            self._queue.append((hold, applied, claimed, snapshot))
        for _ in range(min(len(claims), self._capacity - len(self._senders))):
            self._senders.add(loop.create_task(self._send()))
        if claims and self._heart is None:
            self._heart = loop.create_task(self._beat())
        return len(claims)

    async def _send(self) -> None:
        """One mail after the other, until none waits."""
        myself = asyncio.current_task()
        assert myself is not None
        try:
            while self._queue:
                hold, applied, claimed, snapshot = self._queue.popleft()
                try:
                    await self._deliver(applied, claimed, snapshot)
                except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                    self._journal.error("delivery lost", **_who(claimed), error=_told(error))
                finally:
                    self._forget(hold)
        finally:
            self._senders.discard(myself)  # at once: whoever fills the queue next counts on those that are left

    def _forget(self, hold: Hold) -> None:
        del self._held[hold]
        self._ended += 1
        if self._ended >= GROUP or not self._held:
            self._gathered.set()
        self._change.set()
        self.on_end()

    async def wait(self, at_most: float) -> None:
        """Until something in flight has ended since the last call, or `at_most` seconds have passed."""
        await self._until(self._change, at_most)
        self._change.clear()

    async def gather(self) -> None:
        """A moment, in which mails may end: claims and turns for a hundred cost little more than for one."""
        self._ended = 0
        self._gathered.clear()
        await self._until(self._gathered, GATHER)

    async def _until(self, event: asyncio.Event, at_most: float) -> None:
        if self._held:
            with suppress(TimeoutError):
                async with asyncio.timeout(at_most):
                    await event.wait()

    async def stop(self, grace: float = 30.0) -> None:
        """Claim no more; let what is on the wire end for `grace` seconds; give the rest back untried."""
        self._stopping = True
        end = asyncio.get_running_loop().time() + grace
        await asyncio.gather(self._transport.close(grace), self._drop_queue())
        if self._senders:  # the wire is done with them: what is left is to write down what came of it
            left = max(end - asyncio.get_running_loop().time(), LAST_WORDS)
            _, late = await asyncio.wait(list(self._senders), timeout=left)
            for sender in late:
                sender.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)

    async def _drop_queue(self) -> None:
        """What no sender has begun goes back as one."""
        queued = list(self._queue)
        self._queue.clear()
        if queued:
            await self._give_back([claimed for _, _, claimed, _ in queued], self._clock())
        for hold, *_ in queued:
            self._forget(hold)

    # --- in the database thread

    def _claim(
        self,
        applied: Applied,
        room: int,
        slowed: Mapping[str, int] | None = None,
        held: Sequence[Hold] | None = None,
        *,
        newest: bool = False,
    ) -> list[tuple[Claimed, Snapshot]]:
        now = self._clock()

        def work(tx: Transaction) -> list[tuple[Claimed, Snapshot]]:
            if held is not None:
                rows.release_strays(tx, self._owner, held)
            books = self.allowance.books(tx, now)
            most = room if books is None else min(room, books.room)
            self.allowance.is_spent = books is not None and most <= 0 and not books.waits_for_tomorrow
            if most <= 0:
                return []
            claims = rows.claim_deliveries(
                tx, now, self._owner, LEASE, most, per_domain=self._per_domain, slowed=slowed or {}, newest=newest,
                on_unread=self._tell_unread,
            )  # fmt: skip
            if books is not None:
                books.take(len(claims))
            asking = sorted({claim.delivery.contact_id for claim in claims if _asks(applied, claim)})
            known = {s.contact.id: s for s in load_snapshots(tx, asking, applied.needs, now)} if asking else {}
            return [(claim, known.get(claim.delivery.contact_id) or _plain(claim)) for claim in claims]

        return self._database.transact(work)

    def _tell_unread(self, key: Key, error: Exception) -> None:
        self._journal.error("delivery cannot be read", contact=key[0], delivery=key[1], error=_told(error))

    def _extend(self, holds: Sequence[Hold]) -> None:
        self._database.transact(lambda tx: rows.extend_leases(tx, holds, self._owner, self._clock(), LEASE))

    # --- one delivery

    async def _deliver(self, applied: Applied, claimed: Claimed, snapshot: Snapshot) -> None:
        try:
            outcome = await self._outcome(applied, claimed, snapshot)
        except asyncio.CancelledError:
            await self._give_back([claimed], self._clock())
            raise
        except DatabaseFault as fault:  # of the gate: no dot was written, whatever became of the write
            self._journal.warning("gate could not be written", **_who(claimed), error=str(fault))
            pause = judge.RELAY_PAUSE if fault.fault in ABOUT_A_ROW else judge.JUDGE_AGAIN
            await self._record(judge.of_lost_gate(claimed, self._clock() + pause, self._clock()))
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this mail alone
            self._journal.error("delivery failed", **_who(claimed), error=_told(error))
            await self._give_back([claimed], self._clock() + judge.RELAY_PAUSE)
            return
        if outcome.attempt is None and self.is_stopping and outcome.state is DeliveryState.PLANNED:
            await self._give_back([claimed], self._clock())  # whoever starts next need not wait for it
            return
        await self._record(outcome)
        self.counts[outcome.state.value] = self.counts.get(outcome.state.value, 0) + 1

    async def _outcome(self, applied: Applied, claimed: Claimed, snapshot: Snapshot) -> Outcome:
        now = self._clock()
        judged = recheck(applied.programme, snapshot, claimed.delivery, now)
        if not isinstance(judged, Proceed):
            return judge.of_recheck(claimed, judged, now)
        try:
            if self._compose.is_slow and claimed.kept is None:
                mail: OutgoingMail | None = await asyncio.to_thread(self._compose, applied, judged, claimed)
            else:
                mail = self._mail(applied, judged, claimed)
        except TemplateError as error:
            self._journal.error("template error", **_who(claimed), template=error.template, error=str(error))
            return judge.of_template_error(claimed, str(error), now)
        if mail is None:
            return judge.of_moved(claimed, now)
        attempt = await self._transport.send(mail, lambda: self._pass(applied, judged, claimed, mail))
        return judge.of_attempt(claimed, attempt, self._clock(), random.uniform(0, 1))

    def _mail(self, applied: Applied, judged: Proceed, claimed: Claimed) -> OutgoingMail | None:
        if claimed.kept is not None:
            return again(claimed.kept, claimed.contact)
        return self._compose(applied, judged, claimed)

    async def _pass(self, applied: Applied, judged: Proceed, claimed: Claimed, mail: OutgoingMail) -> bool:
        """The gate. The wire may have taken long since the recheck, so the hours are asked once more."""
        delivery, now = claimed.delivery, self._clock()
        if allowed_from(applied.programme, judged.campaign, judged.send, now, claimed.contact.zone) > now:
            return False
        keep = kept_of(claimed, mail) if delivery.kind is MailKind.TRANSACTIONAL else None
        request = GateRequest(delivery.contact_id, delivery.seq, claimed.epoch, claimed.contact.version, keep)
        passed = await self._writes.submit(request)
        if isinstance(passed, DatabaseFault):
            raise passed
        # Whoever stood still for so long (a stalled host) may have been given up, and her mail be counted already.
        return passed and self._clock() - now < LEASE / 2

    async def _record(self, outcome: Outcome) -> None:
        """Until it is written: while the process lives, what the relay said is not forgotten."""
        waits = False
        while isinstance(written := await self._writes.submit(outcome), DatabaseFault):
            if written.fault in ABOUT_A_ROW and (outcome.attempt is not None or outcome.facts):
                # The words cannot be stored; what they mean can.
                self._journal.error("outcome written without words", **_named(outcome), error=str(written))
                outcome = outcome.without_words()
                continue
            if not waits:  # said once: it may wait for hours, and so may two hundred others
                self._journal.warning("outcome waits for the database", **_named(outcome), error=str(written))
            waits = True
            await asyncio.sleep(DATABASE_PAUSE)
        if not written:
            self._journal.warning("outcome came too late", **_named(outcome))

    async def _give_back(self, claims: Sequence[Claimed], not_before: datetime) -> None:
        holds = [Hold(*claimed.key, claimed.epoch) for claimed in claims]

        def work(tx: Transaction) -> int:
            return rows.release(tx, holds, self._owner, not_before=not_before)

        try:
            await self._in_thread(self._database.transact, work)
        except DatabaseFault as fault:  # their leases end by themselves
            self._journal.warning("claims not given back", number=len(claims), error=str(fault))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                await self._in_thread(self._extend, list(self._held))
            except Exception as error:  # noqa: BLE001 - a heart that stopped for one error would lose every lease
                self._journal.warning("leases not extended", error=_told(error))

    async def _in_thread(self, work: Callable[..., object], *arguments: object) -> object:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)


def _asks(applied: Applied, claimed: Claimed) -> bool:
    """Whether the recheck of this mail needs more than the person and her enrolment."""
    campaign = applied.programme.campaigns.get(claimed.delivery.campaign)
    return campaign is not None and any(send.condition is not None for send in campaign.sends)


def _plain(claimed: Claimed) -> Snapshot:
    return Snapshot(contact=claimed.contact, enrolments=[claimed.enrolment])


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _named(outcome: Outcome) -> dict[str, object]:
    return {"contact": outcome.contact_id, "delivery": outcome.seq, "state": outcome.state.value}


def _who(claimed: Claimed) -> dict[str, object]:
    delivery = claimed.delivery
    return {
        "contact": delivery.contact_id,
        "delivery": delivery.seq,
        "campaign": delivery.campaign,
        "step": delivery.step,
    }
