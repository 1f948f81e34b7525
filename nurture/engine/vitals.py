"""What one process has done since it began: counted as it happens, read by its probes, its log and its watchdog."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Vitals:
    """`round_at` is the steady clock's reading when the pump last came round, whether it found something to do or not.

    `error` is why the last round failed, None since one went well; `held` why nothing may move. `mails` counts outcomes
    by state.
    """

    turns: int = 0
    failed_turns: int = 0
    rounds: int = 0
    failed_rounds: int = 0
    calls: int = 0
    released: int = 0
    unknown: int = 0
    mails: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    round_at: float | None = None
    error: str | None = None
    held: str | None = None

    def came_round(self, steady: float, error: str | None = None) -> None:
        self.round_at, self.error = steady, error
        self.rounds += 1
        self.failed_rounds += error is not None

    def since_round(self, steady: float) -> float | None:
        """Seconds since the pump came round; None while it has not begun."""
        return None if self.round_at is None else steady - self.round_at
