"""The properties that expressions name, held against those that events bring by campaigns/_events.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from nurture.domain.expression.tree import Field, Node, Past, Path, children
from nurture.language.problems import suggestion

Schemas = Mapping[str, Collection[str]]  # the properties of each event that has a schema


def unknown_properties(
    tree: Node, schemas: Schemas, events: Collection[str], start: str | None
) -> Iterator[tuple[str, str, int]]:
    """(message, hint, column) of every property that its event does not bring.

    `events`: those the word `event` may stand for; of several one must bring it. `start`: the event behind `start`.
    """
    match tree:
        case Path(root="event", parts=(str(name), *_)) if events:
            yield from unknown_property(name, schemas, events, tree.column)
        case Path(root="start", parts=(str(name), *_)) if start is not None:
            yield from unknown_property(name, schemas, (start,), tree.column)
        case Field(of=past, parts=(str(name), *_)) if name != "at":
            yield from unknown_property(name, schemas, (past.event,), tree.column)
        case Past(event=event, where=where) if where is not None:
            yield from unknown_properties(where, schemas, (event,), start)
        case _:
            pass
    for child in children(tree):
        yield from unknown_properties(child, schemas, events, start)


def unknown_property(
    name: str, schemas: Schemas, events: Collection[str], column: int
) -> Iterator[tuple[str, str, int]]:
    if not all(event in schemas for event in events) or any(name in schemas[event] for event in events):
        return
    known = {each for event in events for each in schemas[event]}
    whose = " or ".join(sorted(events))
    yield f'{whose} brings no "{name}", by campaigns/_events.yaml', suggestion(name, known, "property"), column
