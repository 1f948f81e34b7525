"""Coverage: which steps and which ways out of them the stories have come through, and which none ever did."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from nurture.domain.campaign import Campaign
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.steps import Branch, Goto, Send, Split, Step, WaitFor
from nurture.engine.resident import Resident

REACHED = ""
HELD_BACK = "held back by its if"
SEEN, TIMED_OUT = "then", "otherwise"
BACK, ON = "back", "on"
_UNMET = {Reason.CONDITION_FALSE, Reason.CONDITION_UNKNOWN}
_BY_REASON = {Reason.EVENT_SEEN: SEEN, Reason.TIMED_OUT: TIMED_OUT, Reason.LOOP_BOUND: ON}


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A way through a step: `way` is an arm, one of the words above, or empty where there is only one."""

    campaign: str
    step: str
    way: str = REACHED


@dataclass(frozen=True, slots=True)
class Gap:
    """A spot no story came through. `line` is 1-based in the campaign's file."""

    spot: Spot
    file: str
    line: int

    def __str__(self) -> str:
        spot = self.spot
        what = f"branch `{spot.way}` of {spot.step}" if spot.way != REACHED else f"step {spot.step}"
        return f"never reached: {what} in {spot.campaign}, {self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """`total` counts the spots of the campaigns looked at."""

    total: int
    gaps: tuple[Gap, ...]

    @property
    def percent(self) -> float:
        """100 for campaigns without any step."""
        return 100 * (self.total - len(self.gaps)) / self.total if self.total else 100.0


def coverage(programme: Programme, reached: Collection[Spot], campaigns: Iterable[str]) -> Coverage:
    """What of these campaigns was reached, and what was not, in the order of files."""
    gaps, total = [], 0
    for name in sorted(set(campaigns)):
        campaign = programme.campaigns[name]
        for node in campaign.nodes.values():
            spots = _spots(campaign, node)
            total += len(spots)
            gaps += [Gap(spot, campaign.file, node.line) for spot in spots if spot not in reached]
    return Coverage(total, tuple(gaps))


def reached_by(person: Resident) -> frozenset[Spot]:
    """Every spot one person came through, as her ledger tells it."""
    found = {spot for fact in person.ledger if (spot := _spot(fact)) is not None}
    for enrolment in person.all_enrolments:
        found |= {Spot(enrolment.campaign, step, BACK) for step, jumps in enrolment.jumps.items() if jumps}
    return frozenset(found)


def _spots(campaign: Campaign, node: Step) -> list[Spot]:
    return [Spot(campaign.name, node.id, way) for way in _ways(node)]


def _ways(node: Step) -> list[str]:
    match node:
        case Send():
            return [REACHED] if node.condition is None else [REACHED, HELD_BACK]
        case Branch():
            arms = [arm.label for arm in node.arms]
            return arms if any(arm.condition is None for arm in node.arms) else [*arms, "none"]
        case Split():
            return [arm.label for arm in node.arms]
        case WaitFor():
            return [SEEN, TIMED_OUT]
        case Goto():
            return [BACK, ON]
        case _:
            return [REACHED]


def _spot(fact: Fact) -> Spot | None:
    if fact.campaign is None or fact.step is None:
        return None
    match fact.kind:
        case FactKind.SKIPPED:
            return Spot(fact.campaign, fact.step, HELD_BACK) if fact.reason in _UNMET else None
        case FactKind.BRANCHED | FactKind.SPLIT:
            return Spot(fact.campaign, fact.step, str(fact.detail.get("arm", "")))
        case FactKind.WENT_ON if fact.reason in _BY_REASON:
            return Spot(fact.campaign, fact.step, _BY_REASON[fact.reason])
        case FactKind.POSTPONED | FactKind.CANCELLED | FactKind.NOT_ENROLLED:
            return None
        case FactKind.LEFT if fact.reason is not Reason.END_STEP:
            return None
        case _:
            return Spot(fact.campaign, fact.step)
