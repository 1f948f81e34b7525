"""The gates and outcomes of mails, made durable together.

They share their commits: it halves them, and what comes of a mail is durable before the next gate on the same
connection, so that no more than one mail per connection can end unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from nurture.storage.database import Database, Transaction
from nurture.storage.deliveries import GateRequest, Hold, Key, gate, gated
from nurture.storage.faults import DatabaseFault, Fault
from nurture.storage.outcomes import Outcome, record_outcomes

Write = GateRequest | Outcome
ABOUT_A_ROW = frozenset({Fault.DUPLICATE, Fault.INVALID, Fault.OTHER})


class DeliveryWriter:
    """Writes in the name of `owner`, in the database thread. `after` hears of notable outcomes, once written."""

    def __init__(
        self,
        database: Database,
        owner: str,
        clock: Callable[[], datetime],
        after: Callable[[Sequence[Outcome]], None] = lambda _: None,
    ) -> None:
        self._database, self._owner, self._clock, self._after = database, owner, clock, after

    def commit(self, writes: Sequence[Write]) -> Sequence[bool | DatabaseFault]:
        """One transaction for all that waits; where that fails, gates and outcomes fail or succeed by themselves."""
        gates = [write for write in writes if isinstance(write, GateRequest)]
        outcomes = [write for write in writes if isinstance(write, Outcome)]
        try:
            passed, written = self._write(gates, outcomes)
        except Exception as error:  # noqa: BLE001 - told to each of them as what it is
            fault = as_fault(error)
            ends = iter(self._outcomes_after(outcomes, fault))
            ways = iter(self._gates_after(gates, fault))
            return [next(ways if isinstance(write, GateRequest) else ends) for write in writes]
        return [
            (write.contact_id, write.seq) in (passed if isinstance(write, GateRequest) else written) for write in writes
        ]

    def _write(self, gates: Sequence[GateRequest], outcomes: Sequence[Outcome]) -> tuple[set[Key], set[Key]]:
        now = self._clock()

        def work(tx: Transaction) -> tuple[set[Key], set[Key]]:
            written = record_outcomes(tx, outcomes, self._owner, now)
            return gate(tx, gates, self._owner, now), written

        marked = self._database.transact(work)
        notable = [o for o in outcomes if (o.refused is not None or o.told is not None) and o.key in marked[1]]
        if notable:
            self._after(notable)
        return marked

    def _gates_after(self, requests: Sequence[GateRequest], fault: DatabaseFault) -> Sequence[bool | DatabaseFault]:
        """After a commit that failed: it may stand, but only what can be read counts (an unreadable gate is shut)."""
        if not requests:
            return []
        try:
            if fault.commit_unknown:
                with self._database.read() as tx:
                    passed = gated(tx, [Hold(r.contact_id, r.seq, r.epoch) for r in requests], self._owner)
            elif fault.passes:
                return [fault] * len(requests)
            else:
                passed, _ = self._write(requests, [])
        except Exception as again:  # noqa: BLE001 - as above
            return [as_fault(again)] * len(requests)
        return [(request.contact_id, request.seq) in passed for request in requests]

    def _outcomes_after(self, outcomes: Sequence[Outcome], fault: DatabaseFault) -> Sequence[bool | DatabaseFault]:
        """Each alone, where the reason may lie in a row; else they are handed in again in a while."""
        if fault.fault not in ABOUT_A_ROW:
            return [fault] * len(outcomes)
        answers: list[bool | DatabaseFault] = []
        for outcome in outcomes:
            try:
                _, written = self._write([], [outcome])
                answers.append(outcome.key in written)
            except Exception as own:  # noqa: BLE001 - as above
                answers.append(as_fault(own))
        return answers


def as_fault(error: Exception) -> DatabaseFault:
    """A value that does not even come to the database (NUL in a text, say) is refused like one that does."""
    return (
        error if isinstance(error, DatabaseFault) else DatabaseFault(Fault.INVALID, f"{type(error).__name__}: {error}")
    )
