"""The map of a programme: stages as columns, and what moves people, and every campaign, as a route across them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nurture.domain.campaign import Campaign, CampaignStatus, EventStart, SegmentStart, StageStart
from nurture.domain.programme import Programme
from nurture.domain.steps import Move, Record
from nurture.engine.programme_words import move_words, start_words

_NAMED = re.compile(r"(?<!not )in_stage\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Route:
    """From stages to stages. `everywhere`: nothing about it depends on the stage one is in. `campaign` None: a move.

    `people` is how many are inside, None where nobody counted.
    """

    label: str
    told: str
    starts: frozenset[str]
    ends: frozenset[str]
    campaign: str | None = None
    state: str = ""
    people: int | None = None
    problems: int = 0
    errors: int = 0

    @property
    def everywhere(self) -> bool:
        return not self.starts


def moves(programme: Programme) -> list[Route]:
    """What leads people from stage to stage, in file order."""
    stages = programme.lifecycle.stages
    return [
        Route(
            move_words(move),
            f"to {move.to}",
            frozenset(move.from_stages if move.from_stages is not None else stages) - {move.to},
            frozenset({move.to}),
        )
        for move in programme.lifecycle.moves
    ]


def campaigns(
    programme: Programme, people: Mapping[str, int] | None, problems: Mapping[str, Sequence[bool]]
) -> list[Route]:
    """Every campaign that is not archived, by the stage it starts in. `problems`: of each, which are errors."""
    order = {stage: place for place, stage in enumerate(programme.lifecycle.stages)}
    shown = [
        Route(
            campaign.name,
            f"{campaign.title}: {start_words(campaign)}",
            _starts(programme, campaign),
            _ends(programme, campaign),
            campaign.name,
            campaign.status.value,
            people.get(campaign.name, 0) if people is not None else None,
            len(problems.get(campaign.name, ())),
            sum(problems.get(campaign.name, ())),
        )
        for campaign in programme.campaigns.values()
        if campaign.status is not CampaignStatus.ARCHIVED
    ]
    return sorted(shown, key=lambda one: (min((order[stage] for stage in one.starts), default=99), one.label))


def _starts(programme: Programme, campaign: Campaign) -> frozenset[str]:
    """The stages people are in when they enter; none if it can be any."""
    match campaign.start:
        case StageStart(_, to):
            return frozenset({to})
        case EventStart(event) if found := _led_to(programme, {event}):
            return found
        case SegmentStart(segment):
            asked = programme.segments[segment].source if segment in programme.segments else ""
        case _:
            asked = ""
    texts = [asked, campaign.condition.source if campaign.condition is not None else ""]
    named = {name.strip(" '\"") for text in texts for part in _NAMED.findall(text) for name in part.split(",")}
    return frozenset(named & set(programme.lifecycle.stages))


def _ends(programme: Programme, campaign: Campaign) -> frozenset[str]:
    """The stages it wants people in: where its goal leads, and where its own steps move them."""
    nodes = campaign.nodes.values()
    events = {node.event for node in nodes if isinstance(node, Record)}
    if campaign.goal is not None:
        events.add(campaign.goal.event)
    moved = {node.stage for node in nodes if isinstance(node, Move)}
    return frozenset(_led_to(programme, events) | moved)


def _led_to(programme: Programme, events: set[str]) -> frozenset[str]:
    return frozenset(move.to for move in programme.lifecycle.moves if move.on & events)


# --- where everything stands in the picture --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    stage: str
    people: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A route at height `y`, from `left` to `right`; `dots` where it starts, `arrows` (x, pointing) where it ends."""

    route: Route
    y: float
    left: float
    right: float
    dots: tuple[float, ...]
    arrows: tuple[tuple[float, int], ...]
    label_x: float
    label_y: float
    label: str


@dataclass(frozen=True, slots=True)
class Map:
    """A picture of `width` by `height`; `heads` are (y, title)."""

    narrow: bool
    width: float
    height: float
    top: float
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    heads: tuple[tuple[float, str], ...]


def draw(
    stages: Sequence[str],
    groups: Sequence[tuple[str, Sequence[Route]]],
    counts: Mapping[str, int] | None,
    *,
    narrow: bool = False,
) -> Map:
    """Place everything; `narrow` for a phone, where labels stand above their lines."""
    width, left, right, row, letters = (352.0, 6.0, 6.0, 46.0, 46) if narrow else (1180.0, 300.0, 96.0, 29.0, 42)
    step = (width - left - right) / len(stages)
    at = {stage: left + step * (place + 0.5) for place, stage in enumerate(stages)}
    columns = tuple(Column(at[stage], stage, counts.get(stage, 0) if counts is not None else None) for stage in stages)
    y = top = 136.0 if narrow else 62.0
    lines, heads = [], []
    for title, routes in groups:
        heads.append((y + 18, title))
        y += 32
        for route in routes:
            lines.append(_line(route, at, y + (30 if narrow else 14), narrow, letters, (left, width - right)))
            y += row
        y += 8
    return Map(narrow, width, y, top, columns, tuple(lines), tuple(heads))


def _line(
    route: Route, at: Mapping[str, float], y: float, narrow: bool, letters: int, edges: tuple[float, float]
) -> Line:
    dots = sorted(at[stage] for stage in route.starts)
    ends = sorted(at[stage] for stage in route.ends - route.starts)
    across = [edges[0] + 8, edges[1] - 8] if route.everywhere else []
    touched = [*dots, *ends, *across]
    middle = sum(dots) / len(dots) if dots else edges[0]
    arrows = tuple((x, -1 if x < middle else 1) for x in ends)
    label = route.label if len(route.label) <= letters else route.label[: letters - 1].rstrip() + "…"
    return Line(
        route,
        y,
        min(touched),
        max(touched),
        tuple(dots),
        arrows,
        edges[0] + 2 if narrow else 8,
        y - 13 if narrow else y + 4.5,
        label,
    )
