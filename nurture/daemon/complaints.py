"""Trouble that repeats every second, told so that a log stays readable: at once, ever more rarely, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nurture.engine.dispatch import Journal

FIRST_PAUSE, LAST_PAUSE = 60.0, 3600.0  # seconds between two words about the same, doubling


@dataclass(slots=True)
class _Complaint:
    text: str
    told_at: float
    since: float
    pause: float = FIRST_PAUSE
    unsaid: int = 0


class Complaints:
    """`steady` counts seconds."""

    def __init__(self, journal: Journal, steady: Callable[[], float]) -> None:
        self._journal, self._steady = journal, steady
        self._open: dict[str, _Complaint] = {}

    def of(self, event: str, error: str) -> None:
        """It happened (again)."""
        now, known = self._steady(), self._open.get(event)
        if known is None:
            self._open[event] = _Complaint(error, now, now)
            self._journal.error(event, error=error)
            return
        known.unsaid += 1
        if known.text != error or now - known.told_at >= known.pause:
            self._journal.error(event, error=error, times=known.unsaid, seconds=round(now - known.since))
            known.text, known.told_at, known.unsaid = error, now, 0
            known.pause = min(known.pause * 2, LAST_PAUSE)

    def over(self, event: str) -> None:
        """It went well; a word about it if it had not."""
        known = self._open.pop(event, None)
        if known is not None:
            self._journal.info("well again", after=event, seconds=round(self._steady() - known.since))
