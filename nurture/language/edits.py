"""Edits of campaigns that people are inside: where those belong whose step is gone, and what changed, in words.

`id` is identity. A send that was renamed with `was` takes its people along; other steps follow the send they lead to;
who stood at a step that is gone goes on at the next one that survives. Nobody is moved backwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from nurture.domain.campaign import Campaign, CampaignStatus
from nurture.domain.programme import Programme
from nurture.domain.steps import Send, Step, Wait, WaitFor, WaitQuiet, WaitUntil
from nurture.language.policy_edits import policy_edits

Moved = Mapping[str, str | None]
WAITS = (Wait, WaitFor, WaitQuiet, WaitUntil)


def carried_over(old: Programme, new: Programme) -> Programme:
    """`new` with `moved` and `since` of its campaigns filled in from the programme that was applied before."""
    campaigns = {}
    for name, campaign in new.campaigns.items():
        before = old.campaigns.get(name)
        campaigns[name] = (
            replace(campaign, moved=moved_nodes(before, campaign), since=before.since) if before else campaign
        )
    return replace(new, campaigns=campaigns)


def moved_nodes(old: Campaign, new: Campaign) -> dict[str, str | None]:
    """For every node id that earlier revisions had and `new` has not: where people there belong now (None: the end)."""
    renamed = {earlier: send.id for send in new.sends for earlier in send.was}
    moved: dict[str, str | None] = {}
    taken: set[str] = set()
    for node in old.nodes.values():
        if node.id not in new.nodes:
            heir = _heir(node, old, new, renamed, taken)
            if heir is not None:
                taken.add(heir)
                moved[node.id] = heir
    for node in old.nodes.values():
        if node.id not in new.nodes and node.id not in moved:
            moved[node.id] = _next_survivor(node.next, old, new, moved)
    for earlier, target in old.moved.items():
        if earlier not in new.nodes and earlier not in moved:
            renamed_to = renamed.get(earlier)
            survives = target is None or target in new.nodes
            moved[earlier] = renamed_to or (target if survives else moved.get(target or ""))
    for earlier, name in renamed.items():
        if earlier not in new.nodes:
            moved.setdefault(earlier, name)
    return moved


def _heir(node: Step, old: Campaign, new: Campaign, renamed: Mapping[str, str], taken: set[str]) -> str | None:
    """The node of `new` that is this one under another id."""
    if isinstance(node, Send):
        return renamed.get(node.id)
    kind, _, lead = node.id.partition(">")
    lead, number, digits = lead.partition("#")
    if lead in renamed:
        name = f"{kind}>{renamed[lead]}{number}{digits}"
        if name in new.nodes and name not in taken:
            return name
    after = _next_send(node.next, old, set(new.nodes) | set(renamed))
    after = renamed.get(after, after) if after is not None else None
    for candidate in new.nodes.values():
        is_new = candidate.id not in old.nodes and candidate.id not in taken
        if (
            is_new
            and type(candidate) is type(node)
            and _next_send(candidate.next, new, _survivors(old, renamed)) == after
        ):
            return candidate.id
    return None


def _survivors(old: Campaign, renamed: Mapping[str, str]) -> set[str]:
    return set(old.nodes) | {now for earlier, now in renamed.items() if earlier in old.nodes}


def _next_send(name: str | None, campaign: Campaign, among: set[str]) -> str | None:
    """The first send on the straight way that both revisions have."""
    return next((node.id for node in _onward(name, campaign) if isinstance(node, Send) and node.id in among), None)


def _onward(name: str | None, campaign: Campaign) -> Iterator[Step]:
    seen: set[str] = set()
    while name is not None and name not in seen and name in campaign.nodes:
        seen.add(name)
        yield campaign.nodes[name]
        name = campaign.nodes[name].next


def _next_survivor(name: str | None, old: Campaign, new: Campaign, moved: Moved) -> str | None:
    for node in _onward(name, old):
        if node.id in new.nodes:
            return node.id
        if node.id in moved:
            return moved[node.id]
    return None


# --- what changed ----------------------------------------------------------------------------------------------------


class ChangeKind(StrEnum):
    CAMPAIGN_ADDED = "campaign_added"
    CAMPAIGN_REMOVED = "campaign_removed"
    STATUS = "status"
    START = "start"
    STOP = "stop"
    GOAL = "goal"
    SETTING = "setting"
    OFFER = "offer"
    STEP_ADDED = "step_added"
    STEP_REMOVED = "step_removed"
    STEP_RENAMED = "step_renamed"
    STEP_MOVED = "step_moved"
    MAIL = "mail"
    WAIT = "wait"
    STEP_CHANGED = "step_changed"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `confirm` is set, to the name to confirm it by, where it may mail a person twice or many at once.

    `step` is the node id in the new revision, or in the old one where it is gone; `moved_to` is where its people go.
    """

    kind: ChangeKind
    campaign: str | None
    text: str
    step: str | None = None
    before: str | None = None
    after: str | None = None
    moved_to: str | None = None
    confirm: str | None = None


def changes(old: Programme | None, new: Programme) -> tuple[Change, ...]:
    """Everything that `new` changes in what happens to people, in order of campaigns. `old` None: the first apply."""
    found: list[Change] = []
    before = old.campaigns if old is not None else {}
    for name in sorted(before.keys() | new.campaigns.keys()):
        one, other = before.get(name), new.campaigns.get(name)
        if one is None and other is not None:
            found.append(_added(other, old))
        elif one is not None and other is None:
            text = f"{name} is gone; people inside leave it"
            found.append(
                Change(
                    ChangeKind.CAMPAIGN_REMOVED, name, text, confirm=name if one.status is CampaignStatus.LIVE else None
                )
            )
        elif one is not None and other is not None:
            found += _campaign_changes(one, other)
    if old is not None:
        found += _policy_changes(old, new)
    return tuple(found)


def _added(campaign: Campaign, old: Programme | None) -> Change:
    gone = {send.template: other.name for other in (old.campaigns.values() if old else ()) for send in other.sends}
    twice = sorted(send.template for send in campaign.sends if send.template in gone)
    if twice:
        text = f"{campaign.name} is new and mails {twice[0]}, as {gone[twice[0]]} did; people may get it twice"
        return Change(ChangeKind.CAMPAIGN_ADDED, campaign.name, text, confirm=campaign.name)
    return Change(ChangeKind.CAMPAIGN_ADDED, campaign.name, f"{campaign.name} is new ({campaign.status})")


def _campaign_changes(old: Campaign, new: Campaign) -> Iterator[Change]:
    name = new.name
    if old.status is not new.status:
        text = f"status {old.status} -> {new.status}"
        opens = new.status is CampaignStatus.LIVE and old.status is CampaignStatus.PAUSED
        confirm = name if opens else None  # those who waited out the pause may all be due at once
        yield Change(ChangeKind.STATUS, name, text, None, old.status, new.status, confirm=confirm)
    rules = (
        (ChangeKind.START, "start", ("start", "key", "condition", "again", "meanwhile")),
        (ChangeKind.STOP, "stop", ("stops",)),
        (ChangeKind.GOAL, "goal", ("goal",)),
    )
    for kind, word, fields in rules:
        if any(getattr(old, one) != getattr(new, one) for one in fields):
            yield Change(kind, name, f"{word} changed; it holds for people inside from now on" if word != "start"
                         else "start changed; people inside stay")  # fmt: skip
    for setting in ("topic", "priority", "send_window", "hold_out"):
        one, other = getattr(old, setting), getattr(new, setting)
        if one != other:
            yield Change(ChangeKind.SETTING, name, f"{setting} {one} -> {other}", None, str(one), str(other))
    for offer in sorted(old.offers.keys() | new.offers.keys()):
        if old.offers.get(offer) != new.offers.get(offer):
            text = f"offer {offer} changed; those who have it keep what they got"
            yield Change(ChangeKind.OFFER, name, text, offer)
    yield from _step_changes(old, new)


def _step_changes(old: Campaign, new: Campaign) -> Iterator[Change]:
    moved = moved_nodes(old, new)
    came_from = {target: earlier for earlier, target in moved.items() if target is not None and earlier in old.nodes}
    mailed = {send.template: send.id for send in old.sends}
    for node in old.nodes.values():
        target = moved.get(node.id)
        if node.id not in new.nodes and (target is None or target in old.nodes):
            text = f"{node.id} is gone; people there " + (f"go on at {target}" if target else "finish")
            # Everybody who waited there would be mailed in the same minute.
            at_once = isinstance(node, WAITS) and isinstance(new.nodes.get(target or ""), Send)
            confirm = f"{new.name}/{target}" if at_once else None
            yield Change(ChangeKind.STEP_REMOVED, new.name, text, node.id, moved_to=target, confirm=confirm)
    for node in new.nodes.values():
        before = old.nodes.get(node.id) or old.nodes.get(came_from.get(node.id, ""))
        if before is None:
            yield _step_added(node, new, mailed, moved)
            continue
        if before.id != node.id:
            yield Change(
                ChangeKind.STEP_RENAMED, new.name, f"{before.id} is now {node.id}", node.id, before.id, node.id
            )
        yield from _node_changes(before, node, new.name)
    kept = [send.id for send in new.sends if send.id in old.nodes]
    if kept != [send.id for send in old.sends if send.id in kept]:
        yield Change(ChangeKind.STEP_MOVED, new.name, "the order of mails changed; none is sent to anybody again")


def _step_added(node: Step, campaign: Campaign, mailed: Mapping[str, str], moved: Moved) -> Change:
    if isinstance(node, Send) and node.template in mailed:
        earlier = mailed[node.template]
        text = (
            f"{node.id} is new and mails {node.template}, as {earlier} did; people who had {earlier} may get it twice"
        )
        if earlier in moved:
            text += f"; if it is the same step, write was: {earlier}"
        return Change(ChangeKind.STEP_ADDED, campaign.name, text, node.id, confirm=f"{campaign.name}/{node.id}")
    return Change(ChangeKind.STEP_ADDED, campaign.name, f"{node.id} is new; people past it never get it", node.id)


def _node_changes(old: Step, new: Step, campaign: str) -> Iterator[Change]:
    if isinstance(old, Send) and isinstance(new, Send):
        for name in ("template", "subject", "offer", "sender"):
            one, other = getattr(old, name), getattr(new, name)
            if one != other:
                yield Change(
                    ChangeKind.MAIL,
                    campaign,
                    f"{new.id}: {name} {one or 'none'} -> {other or 'none'}",
                    new.id,
                    one,
                    other,
                )
        if any(getattr(old, name) != getattr(new, name) for name in _SEND_RULES):
            yield Change(ChangeKind.STEP_CHANGED, campaign, f"{new.id}: when and to whom it goes changed", new.id)
        return
    one, other = _told(old), _told(new)
    if one != other:
        is_wait = isinstance(new, WAITS)
        kind = ChangeKind.WAIT if is_wait else ChangeKind.STEP_CHANGED
        text = f"{new.id}: {_words(old)} -> {_words(new)}" if is_wait else f"{new.id} changed"
        yield Change(kind, campaign, text, new.id, _words(old), _words(new))


_SEND_RULES = ("condition", "category", "kind", "late", "on_cap", "postpone_up_to", "urgent")


def _told(node: Step) -> dict[str, Any]:
    """What the node does, without where it stands."""
    fields = type(node).__dataclass_fields__
    told = {
        name: getattr(node, name) for name in fields if name not in {"id", "next", "line", "was", "then", "otherwise"}
    }
    if "arms" in told:
        told["arms"] = [(arm.condition, arm.name, arm.share) for arm in told["arms"]]
    return told


def _words(node: Step) -> str:
    match node:
        case Wait():
            parts = [str(node.duration)] if node.duration else []
            parts += [f"until {node.until:%H:%M}"] if node.until else []
            parts += ["on some days"] if node.days or node.business_days else []
            return " ".join(parts)
        case WaitQuiet():
            return f"{node.duration} of quiet"
        case WaitFor():
            return f"{node.event} up to {node.up_to}"
        case WaitUntil():
            sign = "-" if node.before else "+"
            return node.instant.source + (f" {sign} {node.offset}" if node.offset else "")
        case _:
            return type(node).__name__.lower()


def _policy_changes(old: Programme, new: Programme) -> Iterator[Change]:
    if old.seed != new.seed:
        text = "seed changed; every split and hold-out is dealt again, also for people inside"
        yield Change(ChangeKind.POLICY, None, text, None, old.seed, new.seed, confirm="seed")
    for edit in policy_edits(old, new):
        yield Change(ChangeKind.POLICY, None, edit.text, None, edit.before, edit.after)
