"""What an edit changes for all campaigns, old to new: caps, segments, lifecycle, topics, senders, plain settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from nurture.domain.programme import Programme
from nurture.domain.stages import Lifecycle, StageMove


class PolicyEdit(NamedTuple):
    """One difference in words; `before` None: it is new, `after` None: it is gone."""

    text: str
    before: str | None
    after: str | None


_PLAIN = ("quiet_hours", "zone", "hold_out", "locale", "currency", "postal_address")
_SETS = ("categories", "consent_granted_by", "consent_withdrawn_by")


def policy_edits(old: Programme, new: Programme) -> Iterator[PolicyEdit]:
    for name in _PLAIN:
        yield from _between(_spoken(name), _value(name, old), _value(name, new))
    if old.calendar != new.calendar:
        ours, theirs = len(old.calendar.holidays), len(new.calendar.holidays)
        yield PolicyEdit(f"holidays: {ours} days -> {theirs} days", str(ours), str(theirs))
    yield from _listed("cap", map(str, old.caps), map(str, new.caps))
    for name in _SETS:
        yield from _listed(_spoken(name), getattr(old, name), getattr(new, name))
    yield from _lifecycle(old.lifecycle, new.lifecycle)
    for word, before, after in (
        ("segment", {name: one.source for name, one in old.segments.items()},
         {name: one.source for name, one in new.segments.items()}),
        ("topic", _told(old.topics), _told(new.topics)),
        ("sender", _told(old.senders), _told(new.senders)),
        ("team", old.teams, new.teams),
        ("webhook", _urls(old), _urls(new)),
        ("form", _told(old.forms), _told(new.forms)),
        ("survey", _told(old.surveys), _told(new.surveys)),
    ):  # fmt: skip
        for name in sorted(before.keys() | after.keys()):
            yield from _between(f"{word} {name}", before.get(name), after.get(name))


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _value(name: str, programme: Programme) -> str | None:
    value = getattr(programme, name)
    if name == "hold_out":
        return f"{100 * value:g} %"
    return str(value) if value not in (None, "") else None


def _told(values: Mapping[str, Any]) -> dict[str, str]:
    """Name to its fields that are set, in words."""
    return {
        name: ", ".join(str(part) for field in type(one).__dataclass_fields__ if (part := getattr(one, field)))
        for name, one in values.items()
    }


def _urls(programme: Programme) -> dict[str, str]:
    """Where webhooks go; what they are signed with is nobody's to read."""
    return {name: one.url for name, one in programme.webhooks.items()}


def _between(what: str, before: str | None, after: str | None) -> Iterator[PolicyEdit]:
    if before == after:
        return
    if before is None:
        yield PolicyEdit(f"{what} is new: {after}", before, after)
    elif after is None:
        yield PolicyEdit(f"{what} is gone; it was {before}", before, after)
    else:
        yield PolicyEdit(f"{what}: {before} -> {after}", before, after)


def _listed(what: str, before: Iterator[str] | Any, after: Iterator[str] | Any) -> Iterator[PolicyEdit]:
    """Values without names: one that is gone and one that is new are told as a change if they are the only ones."""
    ours, theirs = list(before), list(after)
    gone, new = [one for one in ours if one not in theirs], [one for one in theirs if one not in ours]
    if len(gone) == len(new) == 1:
        yield PolicyEdit(f"{what}: {gone[0]} -> {new[0]}", gone[0], new[0])
        return
    yield from (PolicyEdit(f"{what} {one} is gone", one, None) for one in gone)
    yield from (PolicyEdit(f"{what} {one} is new", None, one) for one in new)


def _lifecycle(old: Lifecycle, new: Lifecycle) -> Iterator[PolicyEdit]:
    yield from _listed("stage", old.stages, new.stages)
    if sorted(old.stages) == sorted(new.stages) and old.stages != new.stages:
        yield from _between("stages", ", ".join(old.stages), ", ".join(new.stages))
    yield from _between("first stage", old.first, new.first)
    yield from _listed("move", [_move(one) for one in old.moves], [_move(one) for one in new.moves])
    for name in sorted(old.aliases.keys() | new.aliases.keys()):
        yield from _between(f"alias {name}", old.aliases.get(name), new.aliases.get(name))


def _move(move: StageMove) -> str:
    before = " or ".join(sorted(move.from_stages)) if move.from_stages is not None else "any stage"
    told = f"{before} -> {move.to}"
    if move.on:
        told += f" on {' or '.join(sorted(move.on))}"
    if move.after is not None:
        told += f" after {move.after.text or move.after}"
    return told + (f" if {move.condition.source}" if move.condition is not None else "")
