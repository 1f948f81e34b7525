"""Circles of our own events: a campaign records what starts another, which records what starts the first, at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nurture.domain.campaign import Campaign, EventStart
from nurture.domain.steps import Record
from nurture.language.checks import ways_out
from nurture.language.names import Path
from nurture.language.source import SourceFile

Place = tuple[SourceFile, Mapping[str, Path]]


def warn_of_circles(campaigns: Mapping[str, Campaign], places: Mapping[str, Place]) -> None:
    """Warn at each `record` that leads back to its own campaign without a wait, and that `again` does not bound."""
    leads = {name: {node.event for node in _recorded_at_once(campaign)} for name, campaign in campaigns.items()}
    for name, campaign in campaigns.items():
        for node in _recorded_at_once(campaign):
            circle = _way_back(name, node.event, campaigns, leads)
            if circle is None:
                continue
            file, paths = places[name]
            file.warn(
                "N618",
                (*paths[node.id], "record"),
                f'"{node.event}" starts {" -> ".join(circle)} again at once, round and round',
                "put a wait before it, or write again: never or again: after some days in one of them",
            )


def _way_back(
    name: str, event: str, campaigns: Mapping[str, Campaign], leads: Mapping[str, set[str]]
) -> Sequence[str] | None:
    """The campaigns from whoever starts on `event` to `name` itself."""
    waiting: list[tuple[str, tuple[str, ...]]] = [(event, ())]
    seen = {event}
    while waiting:
        told, way = waiting.pop(0)
        for other, campaign in campaigns.items():
            if not isinstance(campaign.start, EventStart) or campaign.start.event != told or _is_bounded(campaign):
                continue
            if other == name:
                return (*way, other)
            for more in sorted(leads[other] - seen):
                seen.add(more)
                waiting.append((more, (*way, other)))
    return None


def _is_bounded(campaign: Campaign) -> bool:
    return campaign.again.never or campaign.again.after is not None


def _recorded_at_once(campaign: Campaign) -> Iterator[Record]:
    """The `record` steps that can be reached from the start without a wait; a mail is none."""
    waiting, seen = [campaign.first], set[str | None]()
    while waiting:
        node_id = waiting.pop()
        node = campaign.nodes.get(node_id or "")
        if node is None or node_id in seen:
            continue
        seen.add(node_id)
        if isinstance(node, Record):
            yield node
        waiting.extend(ways_out(node, through_waits=False))
