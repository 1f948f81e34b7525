"""Facts of the ledger in words: what happened, and each reason with the values that decided."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.enrolment import LeftBy
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(\+\d\d:\d\d|Z)")


class Clock:
    """Instants as her own clock shows them; the year only where it is not the one of `now`."""

    def __init__(self, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self._year = zone, now.astimezone(zone).year

    def said(self, at: datetime) -> str:
        """`Thu 12 Mar 09:30`."""
        local = at.astimezone(self.zone)
        year = f" {local.year}" if local.year != self._year else ""
        return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}"

    def text(self, value: Any) -> str:
        """A value as text, with the instants in it on her clock."""
        if isinstance(value, datetime):
            return self.said(value)
        if isinstance(value, float):
            return f"{value:.10g}"
        return _INSTANT.sub(lambda found: self.said(datetime.fromisoformat(found[0])), str(value))


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a story: when, what, and why, the reason first and then each value that decided.

    `revision` is the one it was decided by. `expected`: it has not happened; it will if nothing else does.
    """

    at: datetime
    campaign: str | None
    step: str | None
    what: str
    why: tuple[str, ...] = ()
    revision: int = 0
    expected: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A fact with the revision it was decided by."""

    fact: Fact
    revision: int = 0
    expected: bool = False


_WHAT = {
    FactKind.STAGE_MOVED: "moves to stage {to}",
    FactKind.ENROLLED: "enters",
    FactKind.NOT_ENROLLED: "does not enter",
    FactKind.REFRESHED: "start data refreshed",
    FactKind.WENT_ON: "goes on from {step}",
    FactKind.BRANCHED: "takes branch {arm}",
    FactKind.SPLIT: "is in arm {arm} of {split}",
    FactKind.PLANNED: "plans {step}",
    FactKind.GHOSTED: "would send {step}, but is held out",
    FactKind.SKIPPED: "skips {step}",
    FactKind.POSTPONED: "holds {step}",
    FactKind.CANCELLED: "cancels {step}",
    FactKind.SENT: "sends {step}",
    FactKind.DEFERRED: "tries {step} again later",
    FactKind.REJECTED: "was refused {step}",
    FactKind.EXPIRED: "lets {step} expire",
    FactKind.UNKNOWN: "does not know whether {step} went",
    FactKind.GRANTED: "gets offer {offer}",
    FactKind.GOAL_REACHED: "reaches the goal",
    FactKind.LEFT: "leaves",
    FactKind.ATTRIBUTE_SET: "attributes set",
    FactKind.RECORDED: "records {event}",
    FactKind.CALLED: "calls webhook {name}",
    FactKind.ALERTED: "alerts {name}",
    FactKind.CONSENT_GRANTED: "consents",
    FactKind.CONSENT_WITHDRAWN: "withdraws consent",
    FactKind.TOPIC_OPTED_OUT: "leaves topic {topic}",
    FactKind.TOPIC_OPTED_IN: "takes topic {topic} again",
    FactKind.SUPPRESSED: "address suppressed ({suppression})",
    FactKind.UNSUPPRESSED: "address free again",
    FactKind.BOUNCED: "{step} came back",
    FactKind.COMPLAINED: "complains about {step}",
    FactKind.CLICKED: "a link of {step} was followed",
    FactKind.OPENED: "{step} was opened",
    FactKind.MERGED: "became one with a contact that was number {was}",
    FactKind.PAUSED: "mail to {what} is paused: {refused} of {mails} were refused",
    FactKind.FAILED: "turn failed",
}
# Reasons that say nothing beyond the line they explain, or less than the values that follow.
_SILENT = {Reason.ACCEPTED, Reason.BY_STEP, Reason.ON_EVENT, Reason.BY_EVENT, Reason.FIRST_STAGE, Reason.EVENT_SEEN,
           Reason.HELD_OUT, Reason.CAP}  # fmt: skip
_LEAVES = {
    Reason.FLOW_ENDED: "at its end",
    Reason.END_STEP: "at a step that ends it",
    Reason.STOP_EVENT: "stopped by",
    Reason.STOP_STAGE: "stopped by going",
    Reason.STOP_SEGMENT: "stopped by",
    Reason.BY_HAND: "taken out by hand",
}
_ENDINGS = {LeftBy.GOAL.value: "goal reached by", LeftBy.RESTARTED.value: "to start again"}
_DETAILS = (
    ("event", "event {}"), ("where", "where {}"), ("segment", "segment {}"), ("from", "from {}"), ("key", "key {}"),
    ("status", "its status is {}"), ("expression", "{} is unknown"), ("offer", "offer {}"), ("last", "last entered {}"),
    ("due", "was due {}"), ("until", "until {}"), ("opens_at", "possible from {}"), ("deadline", "must be out by {}"),
    ("again_at", "next {}"), ("code", "{}"), ("text", "{}"), ("error", "{}"), ("tier", "tier {}"), ("discount", "{}"),
    ("expires_at", "expires {}"), ("value", "worth {}"),
)  # fmt: skip
_QUIET_DETAILS = {
    FactKind.RECORDED: {"event"}, FactKind.PLANNED: {"due"}, FactKind.GRANTED: {"offer"},
}  # fmt: skip


def told(written: Written, clock: Clock, programme: Programme, others: Iterable[Written] = ()) -> Told:
    """The line for a fact. `others` of the same ledger say which mail took a slot."""
    fact = written.fact
    words = {**fact.detail, "step": fact.step or fact.detail.get("step", "")}
    pattern = _WHAT.get(fact.kind, fact.kind.value.replace("_", " "))
    try:
        what = pattern.format_map(words)
    except (KeyError, IndexError):
        what = pattern.partition("{")[0].strip()
    why = (*_reason(fact, clock, programme), *_conditions(fact, clock), *_cap(fact, clock, programme, others))
    return Told(fact.at, fact.campaign, fact.step, what, why, written.revision, written.expected, dict(fact.detail))


def _reason(fact: Fact, clock: Clock, programme: Programme) -> tuple[str, ...]:
    """The rule, and the plain values it went by, in one sentence."""
    detail = dict(fact.detail)
    if "room_opens" in detail and detail.get("opens_at", detail.get("until")) == detail["room_opens"]:
        detail.pop("until", None)  # all three are when the cap below has room
        detail.pop("opens_at", None)
    parts = [word] if (word := _rule(fact)) else []
    campaign = programme.campaigns.get(fact.campaign or "")
    if fact.reason is Reason.TOPIC_OPTED_OUT and campaign is not None:
        parts.append(f"topic {campaign.topic}")
    quiet = _QUIET_DETAILS.get(fact.kind, set())
    for name, pattern in _DETAILS:
        value = detail.get(name)
        if name not in quiet and value not in (None, ""):
            parts.append(pattern.format(clock.text(value)))
    if detail.get("held_out"):
        parts.append("held out: gets no mail of it, for comparison")
    values = detail.get("values")
    if isinstance(values, Mapping):
        parts += [f"{name} = {_value(value, clock)}" for name, value in values.items()]
    told = ", ".join(parts).replace(", where ", " where ")
    return (told.replace(" by, ", " by ").replace(" going, ", " going "),) if told else ()


def _rule(fact: Fact) -> str:
    if fact.kind is FactKind.LEFT and fact.reason in _LEAVES:
        return _LEAVES[fact.reason]
    if fact.kind is FactKind.LEFT and fact.detail.get("left_by") in _ENDINGS:
        return _ENDINGS[str(fact.detail["left_by"])]
    return fact.reason.value.replace("_", " ") if fact.reason is not None and fact.reason not in _SILENT else ""


def _conditions(fact: Fact, clock: Clock) -> tuple[str, ...]:
    asked = [*fact.detail.get("condition", ()), *(fact.detail.get("conditions") or ())]
    return tuple(line for saw in asked for line in observed(saw, clock))


def observed(saw: Mapping[str, Any], clock: Clock, indent: str = "") -> list[str]:
    """One question as the evaluator's trace has it: its answer, what each part of it was, and what a segment asked."""
    answer = {True: "true", False: "false", None: "unknown"}.get(saw.get("value"), str(saw.get("value")))
    asked = dict(saw.get("saw") or {})
    parts = [f"{name} is {_value(what, clock)}" for name, what in asked.items() if name != saw.get("text")]
    lines = [f"{indent}{saw.get('text')} is {answer}" + (f": {', '.join(parts)}" if parts else "")]
    for inner in saw.get("because") or ():
        lines += observed(inner, clock, indent + "  ")
    return lines


def _value(value: Any, clock: Clock) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping) and value.keys() == {"event", "at"}:
        return clock.text(value["at"])
    if isinstance(value, str):
        instant = clock.text(value)
        return instant if instant != value else f'"{value}"'
    return clock.text(value)


def _cap(fact: Fact, clock: Clock, programme: Programme, others: Iterable[Written]) -> tuple[str, ...]:
    if "cap" not in fact.detail:
        return ()
    filled = fact.detail.get("filled_by") or ()
    opens = fact.detail.get("room_opens")
    lines = [f'cap "{fact.detail["cap"]}" is full{f" until {clock.text(opens)}" if opens else ""}:']
    lines += [f"  {mail['campaign']}/{mail['step']}, {_fate(mail, clock)}" for mail in filled]
    winner = _winner(fact, others)
    if winner is not None:
        lines.append(f"lost the slot to {winner.campaign}/{winner.step}: {_rank(fact, winner, programme)}")
    return tuple(lines)


def _fate(mail: Mapping[str, Any], clock: Clock) -> str:
    at = mail.get("at")
    return "planned, not sent yet" if at in (None, "pending") else clock.text(at)


def _winner(fact: Fact, others: Iterable[Written]) -> Fact | None:
    """The mail that was given the slot in the very same moment."""
    waiting = {
        (mail["campaign"], mail["step"]) for mail in fact.detail.get("filled_by") or () if mail["at"] == "pending"
    }
    return next(
        (
            each.fact
            for each in others
            if each.fact.kind is FactKind.PLANNED
            and each.fact.at == fact.at
            and (each.fact.campaign, each.fact.step) in waiting
        ),
        None,
    )


def _rank(loser: Fact, winner: Fact, programme: Programme) -> str:
    ours, theirs = (programme.campaigns.get(each.campaign or "") for each in (loser, winner))
    if ours is None or theirs is None:
        return "it ranked before"
    if ours.priority != theirs.priority:
        return f"priority {theirs.priority} before {ours.priority}"
    return f"both have priority {ours.priority}, and it was due first, or its name comes first"
