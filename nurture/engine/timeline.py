"""What happened to one person, in words and on her own clock: the text of `nurture simulate` and of failed tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.domain.event import Event
from nurture.domain.ledger import Fact, FactKind, Reason
from nurture.domain.programme import Programme
from nurture.domain.steps import Send

_VERBS = {
    FactKind.STAGE_MOVED: "moves",
    FactKind.ENROLLED: "enters",
    FactKind.NOT_ENROLLED: "stays out",
    FactKind.REFRESHED: "refreshes",
    FactKind.WENT_ON: "goes on",
    FactKind.BRANCHED: "branches",
    FactKind.SPLIT: "draws",
    FactKind.GHOSTED: "held out",
    FactKind.SKIPPED: "skips",
    FactKind.POSTPONED: "holds",
    FactKind.CANCELLED: "cancels",
    FactKind.SENT: "sends",
    FactKind.DEFERRED: "waits",
    FactKind.REJECTED: "rejected",
    FactKind.EXPIRED: "expires",
    FactKind.UNKNOWN: "unknown",
    FactKind.GRANTED: "grants",
    FactKind.GOAL_REACHED: "goal",
    FactKind.LEFT: "leaves",
    FactKind.ATTRIBUTE_SET: "sets",
    FactKind.RECORDED: "records",
    FactKind.CALLED: "calls",
    FactKind.ALERTED: "alerts",
    FactKind.CONSENT_GRANTED: "consents",
    FactKind.CONSENT_WITHDRAWN: "withdraws",
    FactKind.TOPIC_OPTED_OUT: "opts out",
    FactKind.TOPIC_OPTED_IN: "opts in",
    FactKind.SUPPRESSED: "suppressed",
    FactKind.UNSUPPRESSED: "released",
    FactKind.BOUNCED: "bounced",
    FactKind.COMPLAINED: "complains",
    FactKind.CLICKED: "clicks",
    FactKind.OPENED: "opens",
    FactKind.MERGED: "merges",
    FactKind.PAUSED: "paused",
    FactKind.FAILED: "fails",
}
_QUIET = {FactKind.PLANNED, FactKind.ATTEMPTED}  # the next line says how it ended


@dataclass(frozen=True, slots=True)
class Line:
    """One line: when (UTC), what, of which campaign, step or event, and why."""

    at: datetime
    verb: str
    what: str
    why: str = ""
    campaign: str | None = None


def timeline(
    programme: Programme,
    ledger: Iterable[Fact],
    zone: ZoneInfo,
    events: Iterable[Event] = (),
    campaign: str | None = None,
) -> list[Line]:
    """The ledger and the events that drove it, in order. Steps of other campaigns than `campaign` say whose they are.

    Of other campaigns only what concerns her mail and her stage is told; who stayed out of them is not.
    """
    lines = [(event.at, 0, Line(event.at, "event", event.name, _values(event.properties))) for event in events]
    for fact in ledger:
        if fact.kind in _QUIET or (fact.kind is FactKind.WENT_ON and fact.reason is Reason.TIME_PASSED):
            continue
        if fact.campaign not in {None, campaign} and campaign is not None and fact.kind is FactKind.NOT_ENROLLED:
            continue
        lines.append((fact.at, 1, _line(programme, fact, campaign, zone)))
    return [line for _, _, line in sorted(lines, key=lambda each: each[:2])]


def as_text(lines: Iterable[Line], zone: ZoneInfo) -> list[str]:
    """`Sat 28 Mar 21:00  sends      reminder  cart/reminder`, times in her zone."""
    shown = list(lines)
    width = min(max((len(line.what) for line in shown), default=0), 40)
    return [f"{moment(line.at, zone)}  {line.verb:<10} {line.what:<{width}}  {line.why}".rstrip() for line in shown]


def moment(at: datetime, zone: ZoneInfo) -> str:
    """`Sat 28 Mar 21:00`."""
    return f"{at.astimezone(zone):%a %d %b %H:%M}"


def clock_changes(since: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """The days, as local midnights, on which the clocks of the zone change."""
    found = []
    day = since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    last = until.astimezone(zone).replace(tzinfo=None)
    while day <= last:
        following = day + timedelta(days=1)
        if day.replace(tzinfo=zone).utcoffset() != following.replace(tzinfo=zone).utcoffset():
            found.append(day.replace(tzinfo=zone))
        day = following
    return found


def _line(programme: Programme, fact: Fact, campaign: str | None, zone: ZoneInfo) -> Line:
    step, detail = fact.step or "", fact.detail
    what = f"{fact.campaign}/{step}" if step and fact.campaign not in {None, campaign} else step
    why = _why(fact, zone)
    match fact.kind:
        case FactKind.ENROLLED | FactKind.NOT_ENROLLED | FactKind.REFRESHED | FactKind.LEFT:
            what = fact.campaign or ""
        case FactKind.SENT | FactKind.GHOSTED:
            why = _template(programme, fact)
        case FactKind.STAGE_MOVED:
            what = f"{detail.get('from') or 'nowhere'} -> {detail.get('to')}"
        case FactKind.GOAL_REACHED:
            what = fact.campaign or ""
        case FactKind.POSTPONED:
            why = f"{why}; next {_moment(detail.get('until'), zone)}"
        case FactKind.GRANTED:
            why = f"{detail.get('offer')}: {detail.get('discount')}, tier {detail.get('tier')}"
        case FactKind.BRANCHED | FactKind.SPLIT:
            why = str(detail.get("arm"))
        case _ if not what:
            what = str(detail.get("topic") or "")
    return Line(fact.at, _VERBS.get(fact.kind, fact.kind.value), what, why, fact.campaign)


def _template(programme: Programme, fact: Fact) -> str:
    campaign = programme.campaigns.get(fact.campaign or "")
    node = campaign.nodes.get(fact.step or "") if campaign is not None else None
    return node.template if isinstance(node, Send) else ""


def _moment(iso: Any, zone: ZoneInfo) -> str:
    try:
        return moment(datetime.fromisoformat(str(iso)), zone)
    except ValueError:
        return str(iso)


def _why(fact: Fact, zone: ZoneInfo) -> str:
    detail = fact.detail
    words = [fact.reason.value.replace("_", " ")] if fact.reason is not None else []
    if "cap" in detail:
        filled = detail.get("filled_by") or []
        mails = (f"{mail['campaign']}/{mail['step']} {_moment(mail['at'], zone)}" for mail in filled)
        words = [f'cap "{detail["cap"]}"', *mails]
    elif detail.get("condition"):
        words += [f"{asked['text']} is {_truth(asked['value'])}" for asked in detail["condition"]]
    elif fact.kind in {FactKind.ATTRIBUTE_SET, FactKind.ENROLLED, FactKind.ALERTED, FactKind.CALLED}:
        words = [_values(detail.get("values", detail))]
    elif detail.get("event"):
        words.append(str(detail["event"]))
    elif "status" in detail:
        words.append(str(detail["status"]))
    return f"{words[0]}: {', '.join(words[1:])}" if len(words) > 1 else "".join(words)


def _truth(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, "unknown")


def _values(properties: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in properties.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{name} {value}" for name, value in list(plain.items())[:4])
