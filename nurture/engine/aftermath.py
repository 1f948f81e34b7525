"""What outcomes mean beyond their own mail: too many refusals pause, too many soft bounces suppress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from nurture.domain.consent import SOFT_BOUNCED
from nurture.domain.refusals import StormRule
from nurture.engine.feedback import strike_out
from nurture.engine.storms import look_for_storms
from nurture.storage.database import Database
from nurture.storage.faults import DatabaseFault
from nurture.storage.outcomes import Outcome


class Journal(Protocol):
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


class Aftermath:
    """Called in the database thread with outcomes that are durable. What fails here is seen again at the next one."""

    def __init__(self, database: Database, rule: StormRule, journal: Journal, clock: Callable[[], datetime]) -> None:
        self._database, self._rule, self._journal, self._clock = database, rule, journal, clock

    def __call__(self, outcomes: Sequence[Outcome]) -> None:
        refused = [outcome.refused for outcome in outcomes if outcome.refused is not None]
        struck = [o.key for o in outcomes if o.told is not None and o.told.name == SOFT_BOUNCED]
        now = self._clock()
        try:
            storms = look_for_storms(self._database, self._rule, refused, now) if refused else []
            for contact_id, seq in struck:
                strike_out(self._database, contact_id, seq, now)
        except DatabaseFault as fault:
            self._journal.warning("refusals not counted", error=str(fault))
            return
        for each in storms:
            self._journal.error(
                f"{each.kind} paused", name=each.name, refused=each.refused, mails=each.mails, text=each.text
            )
