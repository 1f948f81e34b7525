"""A campaign file to a campaign, with the checks that need only the file and the project's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nurture.domain.campaign import (
    Again,
    Campaign,
    CampaignStatus,
    DateStart,
    EventStart,
    EventStop,
    Goal,
    ManualStart,
    Meanwhile,
    Offer,
    SegmentStart,
    SegmentStop,
    StageStart,
    StageStop,
    Start,
    Stop,
    Tier,
)
from nurture.domain.steps import SendWindow
from nurture.language.campaign_file import CampaignFile, OfferRule, StartRule
from nurture.language.flow import Flow
from nurture.language.names import ABOUT_CONTACT, ABOUT_EVENT, INSIDE, INSIDE_WITH_EVENT, Path, Scope
from nurture.language.values import Days


def compile_campaign(rule: CampaignFile, scope: Scope) -> tuple[Campaign, Mapping[str, Path]]:
    """The campaign, and where each of its nodes stands in the file."""
    scope.among(rule.topic, scope.known.topics, ("topic",), "N205", "topic")
    roots = start_roots(rule.start)
    scope.starts_on = rule.start.event
    flow = Flow(scope)
    offers = {name: _offer(name, offer, scope) for name, offer in rule.offers.items()}
    start = _start(rule.start, scope)
    about = (start.event,) if isinstance(start, EventStart) else ()
    first = flow.build(rule.steps, ("steps",))
    campaign = Campaign(
        name=rule.campaign,
        title=rule.title or rule.campaign.replace("-", " ").capitalize(),
        owner=rule.owner,
        topic=rule.topic,
        status=CampaignStatus(rule.status),
        priority=rule.priority,
        start=start,
        nodes=flow.nodes,
        first=first,
        key=scope.expression(rule.start.key, ("start", "key"), roots, about),
        condition=scope.condition(rule.start.condition, ("start", "if"), roots, about),
        again=rule.start.again or Again(),
        meanwhile=Meanwhile(rule.start.meanwhile),
        stops=_stops(rule, scope),
        goal=_goal(rule, scope),
        send_window=_window(rule),
        hold_out=rule.hold_out or 0.0,
        offers=offers,
        file=scope.file.name,
        meta=dict(rule.meta),
    )
    return campaign, flow.paths


def start_roots(start: StartRule) -> frozenset[str]:
    """What a start's rules may speak of: an event's data under both names where one may be at hand."""
    return ABOUT_EVENT | {"start"} if start.event is not None or start.stage is not None else ABOUT_CONTACT


def _start(rule: StartRule, scope: Scope) -> Start:
    path: Path = ("start",)
    if rule.event is not None:
        return EventStart(scope.event(rule.event, (*path, "event")))
    if rule.stage is not None:
        return StageStart(*scope.stage_change(rule.stage, (*path, "stage")))
    if rule.segment is not None:
        return SegmentStart(scope.segment(rule.segment, (*path, "segment")))
    if rule.date is not None:
        date = scope.expression(rule.date, (*path, "date"), ABOUT_CONTACT)
        if date is not None:
            return DateStart(date, rule.at) if rule.at is not None else DateStart(date)
    return ManualStart()


def _stops(rule: CampaignFile, scope: Scope) -> tuple[Stop, ...]:
    stops: list[Stop] = []
    for index, stop in enumerate(rule.stop):
        path: Path = ("stop", index) if isinstance(scope.file.data.get("stop"), list) else ("stop",)
        if stop.event is not None:
            where = scope.condition(stop.where, (*path, "where"), INSIDE_WITH_EVENT, (stop.event,))
            stops.append(EventStop(scope.event(stop.event, (*path, "event")), where))
        elif stop.stage is not None:
            stops.append(StageStop(*scope.stage_change(stop.stage, (*path, "stage"))))
        elif stop.segment is not None:
            segment = scope.segment(stop.segment, (*path, "segment"))
            if segment == rule.start.segment:
                message = f'people enter on "{segment}" and leave on it at once'
                scope.file.report("N108", (*path, "segment"), message, "start and stop on different segments")
            stops.append(SegmentStop(segment))
    return tuple(stops)


def _goal(rule: CampaignFile, scope: Scope) -> Goal | None:
    if rule.goal is None:
        return None
    path: Path = ("goal",)
    about = (rule.goal.event,)
    return Goal(
        event=scope.event(rule.goal.event, (*path, "event")),
        within=rule.goal.within,
        where=scope.condition(rule.goal.where, (*path, "where"), INSIDE_WITH_EVENT, about),
        value=scope.expression(rule.goal.value, (*path, "value"), INSIDE_WITH_EVENT, about),
        exits=rule.goal.then == "exit",
    )


def _window(rule: CampaignFile) -> SendWindow | None:
    if rule.send_window is None:
        return None
    days = rule.send_window.days or Days()
    return SendWindow(rule.send_window.between, days.days, days.business_days)


def _offer(name: str, rule: OfferRule, scope: Scope) -> Offer:
    if rule.tiers is None:
        assert rule.discount is not None
        assert rule.code is not None
        return Offer(name, (Tier(name, rule.discount, rule.code),), rule.expires)
    path: Path = ("offers", name, "tiers")
    tiers = []
    for index, tier in enumerate(rule.tiers):
        here = (*path, index)
        if any(earlier.name == tier.name for earlier in rule.tiers[:index]):
            scope.file.report("N201", (*here, "name"), f'the tier "{tier.name}" stands here twice')
        if tier.condition is None and index + 1 < len(rule.tiers):
            message = f'nobody can get the tiers after "{tier.name}": it has no if, so it takes all'
            scope.file.report("N804", (*path, index + 1), message, "put the tier without if last")
        tiers.append(Tier(tier.name, tier.discount, tier.code, scope.condition(tier.condition, (*here, "if"), INSIDE)))
    return Offer(name, tuple(tiers), rule.expires)


def send_ids(data: Any) -> frozenset[str]:
    """The ids of all sends in a campaign's data, also of one that cannot be read."""
    found: set[str] = set()
    waiting = [data.get("steps") if isinstance(data, dict) else None]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            if isinstance(item.get("id"), str):
                found.add(item["id"])
            waiting.extend(value for value in item.values() if isinstance(value, list))
    return frozenset(found)
