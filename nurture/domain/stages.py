"""The lifecycle: its stages, and the rules by which people move between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nurture.domain.conditions import Condition
from nurture.domain.event import NOTHING
from nurture.domain.timing import Duration


@dataclass(frozen=True, slots=True)
class StageMove:
    """One rule of the lifecycle. Exactly one of `on`, `after`, `condition` triggers it; `from_stages` None is any.

    With `on`, `condition` may narrow it. `after` is a dwell: time since the stage was entered.
    """

    to: str
    from_stages: frozenset[str] | None = None
    on: frozenset[str] = frozenset()
    after: Duration | None = None
    condition: Condition | None = None

    def leaves(self, stage: str | None) -> bool:
        """Whether it can lead anywhere else from `stage`."""
        return self.to != stage and (self.from_stages is None or stage in self.from_stages)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What leads out of each stage is looked up, not searched: `on_event`, `dwells` and `in_time`, in file order."""

    stages: tuple[str, ...]
    first: str
    moves: tuple[StageMove, ...] = ()
    aliases: Mapping[str, str] = field(default=NOTHING)
    _ways_out: dict[str | None, _WaysOut] = field(default_factory=dict, init=False, repr=False, compare=False)

    def on_event(self, stage: str | None, event: str) -> tuple[StageMove, ...]:
        return self._out_of(stage).on.get(event, ())

    def dwells(self, stage: str | None) -> tuple[StageMove, ...]:
        """Moves by time spent in the stage alone."""
        return self._out_of(stage).dwells

    def in_time(self, stage: str | None) -> tuple[StageMove, ...]:
        """Moves that need no event."""
        return self._out_of(stage).in_time

    def _out_of(self, stage: str | None) -> _WaysOut:
        known = self._ways_out.get(stage)
        if known is None:  # a stage of an earlier revision counts as any other
            known = self._ways_out[stage] = _ways_out(self.moves, stage)
        return known


@dataclass(frozen=True, slots=True)
class _WaysOut:
    on: Mapping[str, tuple[StageMove, ...]]
    dwells: tuple[StageMove, ...]
    in_time: tuple[StageMove, ...]


def _ways_out(moves: tuple[StageMove, ...], stage: str | None) -> _WaysOut:
    out = [move for move in moves if move.leaves(stage)]
    in_time = tuple(move for move in out if not move.on)
    return _WaysOut(
        {event: tuple(move for move in out if event in move.on) for move in out for event in move.on},
        tuple(move for move in in_time if move.after is not None and move.condition is None),
        in_time,
    )
