"""_project.yaml and _segments.yaml to the policy of a programme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from nurture.domain.conditions import Condition
from nurture.domain.ledger import FactKind
from nurture.domain.outward import Webhook
from nurture.domain.programme import Cap, Sender, Topic
from nurture.domain.stages import Lifecycle, StageMove
from nurture.domain.timing import Calendar, Hours
from nurture.language.names import ABOUT_CONTACT, ABOUT_EVENT, Known, Path, Scope
from nurture.language.problems import did_you_mean, suggestion
from nurture.language.project_file import CapRuleModel, ProjectFile, SegmentsFile
from nurture.language.source import SourceFile
from nurture.language.values import Holidays

LONGEST_CAP = timedelta(days=731)
HOLIDAY_YEARS = range(2020, 2046)

# Providers whose DMARC policy makes receivers refuse mail sent for their addresses from anywhere else.
PUBLIC_MAILBOXES = frozenset({
    "gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "aol.com", "outlook.com", "hotmail.com", "live.com",
    "msn.com", "icloud.com", "me.com", "mac.com", "gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com",
    "mail.ru", "qq.com",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """What _project.yaml says, as the fields of a programme."""

    lifecycle: Lifecycle
    senders: Mapping[str, Sender] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()
    caps: tuple[Cap, ...] = ()
    calendar: Calendar = field(default_factory=Calendar)


def categories_of(rule: ProjectFile) -> frozenset[str]:
    """The categories listed, and those that caps count."""
    return frozenset(rule.categories) | {cap.category for cap in rule.caps if cap.category is not None}


def compile_policy(rule: ProjectFile, scope: Scope) -> Policy:
    _check_lifecycle_names(rule, scope)
    _check_senders(rule, scope.file)
    _check_hours(rule.quiet_hours, scope.file)
    if rule.consent is not None:
        for name in ("granted_by", "withdrawn_by"):
            for event in getattr(rule.consent, name) or ():
                scope.event(event, ("consent", name))
    return Policy(
        lifecycle=Lifecycle(
            stages=tuple(rule.lifecycle.stages),
            first=scope.stage(rule.lifecycle.first or rule.lifecycle.stages[0], ("lifecycle", "first")),
            moves=tuple(_move(rule, index, scope) for index in range(len(rule.lifecycle.moves))),
            aliases=dict(rule.lifecycle.aliases),
        ),
        senders={name: Sender(s.name, s.email, s.reply_to) for name, s in rule.senders.items()},
        topics={name: Topic(topic.title, topic.description) for name, topic in rule.topics.items()},
        categories=categories_of(rule),
        caps=compile_caps(rule.caps, scope.file),
        calendar=_calendar(rule.holidays, scope.file),
    )


def _check_lifecycle_names(rule: ProjectFile, scope: Scope) -> None:
    stages = rule.lifecycle.stages
    for index, stage in enumerate(stages):
        if stage in stages[:index]:
            scope.file.report("N201", ("lifecycle", "stages", index), f'the stage "{stage}" stands here twice')
    for alias, stage in rule.lifecycle.aliases.items():
        place: Path = ("lifecycle", "aliases", alias)
        if alias in stages:
            scope.file.report("N201", place, f'"{alias}" is a stage, so it cannot be an alias', key=True)
        scope.among(stage, stages, place, "N202", "stage")


def webhooks_of(rule: ProjectFile) -> dict[str, Webhook]:
    """`*` is every kind of fact there is."""
    every = frozenset(kind.value for kind in FactKind)
    return {
        name: Webhook(webhook.url, webhook.secret, every if "*" in webhook.facts else frozenset(webhook.facts))
        for name, webhook in rule.webhooks.items()
    }


def _move(rule: ProjectFile, index: int, scope: Scope) -> StageMove:
    move = rule.lifecycle.moves[index]
    path: Path = ("lifecycle", "moves", index)
    to = scope.stage(move.to, (*path, "to"))
    sources = scope.stages(move.sources, (*path, "from"))
    if sources is not None and to in sources:
        message = f'a move from "{to}" to itself does nothing'
        scope.file.report("N105", (*path, "from"), message, "name the stages people come from")
    for event in move.on or ():
        scope.event(event, (*path, "on"))
    return StageMove(
        to=to,
        from_stages=sources,
        on=frozenset(move.on or ()),
        after=move.after,
        condition=scope.condition(
            move.condition, (*path, "if"), ABOUT_EVENT if move.on else ABOUT_CONTACT, move.on or ()
        ),
    )


def _check_senders(rule: ProjectFile, file: SourceFile) -> None:
    for name, sender in rule.senders.items():
        path: Path = ("senders", name, "email")
        domain = sender.email.rpartition("@")[2].lower()
        if domain in PUBLIC_MAILBOXES:
            hint = "send from a domain of your own; receivers refuse others' mail for this one"
            file.report("N502", path, f"{sender.email} is at a public mailbox provider", hint)
        elif "." not in domain or domain.endswith((".local", ".localhost", ".invalid")):
            file.report("N502", path, f"{domain} is no domain that can get answers", "send from a domain of your own")
        local = sender.email.partition("@")[0].lower()
        if sender.reply_to is None and local in {"noreply", "no-reply", "donotreply", "do-not-reply"}:
            file.warn("N502", path, f"people cannot answer {sender.email}", "give the sender a reply_to that is read")


def leaves_no_day(quiet: Hours | None) -> bool:
    return quiet is not None and minutes_of(quiet) > 22 * 60


def _check_hours(quiet: Hours | None, file: SourceFile) -> None:
    if leaves_no_day(quiet):
        hint = "quiet hours are the night; campaigns have a send_window for more"
        file.report(
            "N607", ("quiet_hours",), f"quiet hours {quiet} leave less than two hours of the day for mail", hint
        )


def minutes_of(hours: Hours) -> int:
    """How long a daily span is."""
    start, end = hours.start.hour * 60 + hours.start.minute, hours.end.hour * 60 + hours.end.minute
    return (end - start) % (24 * 60)


def compile_caps(rules: Sequence[CapRuleModel], file: SourceFile) -> tuple[Cap, ...]:
    caps: list[Cap] = []
    for index, cap in enumerate(rules):
        path: Path = ("caps", index)
        if cap.per.business_days:
            file.report(
                "N608", (*path, "per"), "a cap counts all days, not business days", f"write {cap.per.days or 7} days"
            )
        if cap.per.approximate > LONGEST_CAP:
            file.report("N608", (*path, "per"), f"{cap.per} is longer than two years", "caps look back over every mail")
        caps.append(Cap(cap.max, cap.per.approximate, cap.category))
    for index, one in enumerate(caps if max((cap.per for cap in caps), default=LONGEST_CAP) <= LONGEST_CAP else ()):
        for position, other in enumerate(caps):
            covers = other.category in {None, one.category} and other.per >= one.per and other.max <= one.max
            same = (other.max, other.per, other.category) == (one.max, one.per, one.category)
            if position != index and covers and (not same or position < index):
                message = f'the cap "{one}" changes nothing: "{other}" is stricter'
                file.warn("N608", ("caps", index), message, "remove it, or did you mix up the numbers?")
                break
    return tuple(caps)


def _calendar(rule: Holidays | None, file: SourceFile) -> Calendar:
    if rule is None or rule.country is None:
        return Calendar(rule.days if rule is not None else frozenset())
    country, _, part = rule.country.partition("-")
    try:
        return Calendar(_holidays_of(country, part or None))
    except NotImplementedError:
        nearest = did_you_mean(country, _countries())
        hint = f"did you mean {nearest}?" if nearest else "write a country like FI, or a list of dates"
        if country in _countries():
            hint = suggestion(part, _countries()[country], f"part of {country}")
        file.report("N609", ("holidays",), f"no holidays are known for {rule.country}", hint)
        return Calendar()


@lru_cache(maxsize=8)
def _holidays_of(country: str, part: str | None) -> frozenset[date]:
    """Raises NotImplementedError for a country or part that the library does not know."""
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=part, years=HOLIDAY_YEARS))


def _countries() -> dict[str, list[str]]:
    import holidays

    return holidays.list_supported_countries()


def compile_segments(rule: SegmentsFile, scope: Scope) -> dict[str, Condition]:
    segments: dict[str, Condition] = {}
    for name, segment in rule.segments.items():
        path: Path = ("segments", name)
        raw = scope.file.data["segments"].get(name)
        condition = scope.condition(segment.condition, (*path, "if") if isinstance(raw, dict) else path, ABOUT_CONTACT)
        if condition is not None:
            segments[name] = condition
    for name in segments:
        if circle := _circle(name, segments):
            message = "segments refer to each other in a circle: " + " -> ".join(circle)
            scope.file.report("N213", ("segments", name), message, "one of them must stand on its own", key=True)
    return segments


def _circle(name: str, segments: Mapping[str, Condition]) -> list[str] | None:
    """The way from a segment back to itself."""
    waiting = [[name]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        for needed in sorted(segments[way[-1]].needs.segments):
            if needed == name:
                return [*way, name]
            if needed in segments and needed not in seen:
                seen.add(needed)
                waiting.append([*way, needed])
    return None


def known_of(project: SourceFile, segments: SourceFile, **more: Any) -> Known:
    """The names a project defines, also those of parts that cannot be read, so that no mistake is reported twice."""
    data = project.data if isinstance(project.data, dict) else {}
    segment_names = _keys(segments.data, "segments")
    if not isinstance(project.data, dict):
        return Known(segments=segment_names, **more)
    return Known(
        stages=_stages(data.get("lifecycle")),
        segments=segment_names,
        topics=_keys(data, "topics"),
        categories=_categories(data),
        senders=_keys(data, "senders") or None,
        teams=_keys(data, "teams"),
        webhooks=_keys(data, "webhooks"),
        **more,
    )


def _keys(data: Any, name: str) -> frozenset[str] | None:
    """The names under a key; none if it is left out, None if it is not a mapping."""
    names = data.get(name, {}) if isinstance(data, dict) else None if data is not None else {}
    return frozenset(names) if isinstance(names, dict) else None


def _stages(lifecycle: Any) -> dict[str, str] | None:
    """Every stage and alias to its stage."""
    listed = lifecycle.get("stages") if isinstance(lifecycle, dict) else None
    if not isinstance(listed, list):
        return None
    names = {str(stage): str(stage) for stage in listed}
    aliases = lifecycle.get("aliases")
    for alias, stage in aliases.items() if isinstance(aliases, dict) else ():
        names.setdefault(alias, str(stage))
    return names


def _categories(data: dict[str, Any]) -> frozenset[str] | None:
    listed, caps = data.get("categories", []), data.get("caps", [])
    if not isinstance(listed, list) or not isinstance(caps, list):
        return None
    capped = {cap.get("category") for cap in caps if isinstance(cap, dict)}
    return frozenset(str(name) for name in {*map(str, listed), *capped} if name is not None)
