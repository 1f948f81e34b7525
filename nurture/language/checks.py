"""Checks of a compiled campaign against the policy: what each rule allows may still be impossible together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from nurture.domain.campaign import Campaign
from nurture.domain.steps import (
    Branch,
    End,
    Goto,
    MailKind,
    OnCap,
    Send,
    SendWindow,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitQuiet,
    WaitUntil,
)
from nurture.domain.timing import Hours
from nurture.language.names import Path
from nurture.language.problems import suggestion, sure_of
from nurture.language.source import SourceFile

MINUTE = timedelta(minutes=1)


def check_campaign(
    campaign: Campaign,
    paths: Mapping[str, Path],
    file: SourceFile,
    *,
    quiet: Hours | None,
    capped: frozenset[str],
    step_ids: frozenset[str],
) -> None:
    """Report what cannot be meant. `capped` are the categories that caps count, `step_ids` all sends of the file."""
    marketing = [send for send in campaign.sends if send.kind is MailKind.MARKETING]
    if marketing and campaign.topic is None:
        hint = "name the topic people can unsubscribe from, like topic: tips"
        file.report("N702", ("campaign",), f"{campaign.name} sends marketing mail without a topic", hint)
    for send in campaign.sends:
        _check_send(send, paths[send.id], file, capped)
    for node in campaign.nodes.values():
        if isinstance(node, Goto):
            _check_goto(node, campaign, paths[node.id], file, step_ids)
    if campaign.send_window is not None and _never_opens(campaign.send_window, quiet):
        message = f"the send window {campaign.send_window.hours} lies within the quiet hours {quiet}"
        file.report("N606", ("send_window",), message, "no mail would ever leave; widen it")
    _check_reach(campaign, paths, file)
    _check_was(campaign, paths, file)
    _check_offers(campaign, paths, file, capped)


def _check_send(send: Send, path: Path, file: SourceFile, capped: frozenset[str]) -> None:
    if send.late.approximate < MINUTE:
        file.report(
            "N605", (*path, "late"), f"nothing is mailed within {send.late}", "write at least drop after 1 minute"
        )
    if send.postpone_up_to is not None and send.postpone_up_to.approximate > send.late.approximate:
        message = f"the mail is dropped after {send.late}, before its {send.postpone_up_to} of postponement are over"
        file.warn("N615", (*path, "on_cap"), message, f"write late: drop after {send.postpone_up_to}")
    if send.kind is MailKind.TRANSACTIONAL:
        if send.offer is not None:
            hint = "make it marketing mail, or take the offer out"
            file.report("N703", (*path, "offer"), "transactional mail may carry no offer", hint)
        elif send.category is not None and send.category in capped | {"discount"}:
            hint = "make it marketing mail: caps must count it"
            message = f'transactional mail cannot be of the category "{send.category}", which caps count'
            file.report("N703", (*path, "category"), message, hint)
        if send.on_cap is not OnCap.POSTPONE or send.postpone_up_to is not None:
            file.warn(
                "N703", (*path, "on_cap"), "transactional mail is exempt from caps, so on_cap says nothing", "remove it"
            )


def _never_opens(window: SendWindow, quiet: Hours | None) -> bool:
    if window.hours is None or quiet is None:
        return False
    # A window that has a free minute has one at its own beginning, or when the quiet hours end.
    return quiet.contains(window.hours.start) and not window.hours.contains(quiet.end)


def _check_goto(node: Goto, campaign: Campaign, path: Path, file: SourceFile, step_ids: frozenset[str]) -> None:
    if node.target not in campaign.nodes:
        if node.target not in step_ids:
            hint, meant = suggestion(node.target, step_ids, "step"), sure_of(node.target, step_ids)
            fix = (node.target, meant) if meant else None
            file.report("N208", (*path, "goto", "step"), f'no step "{node.target}" in this campaign', hint, fix=fix)
        return
    if _reaches_without_wait(campaign.nodes, node.target, node.id):
        message = f'going back to "{node.target}" from here passes no wait, so its mails would follow at once'
        file.report("N616", (*path, "goto"), message, "put a wait between them")


def _reaches_without_wait(nodes: Mapping[str, Step], start: str, end: str) -> bool:
    waiting: list[str] = [start]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name == end:
            return True
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        waiting.extend(target for target in ways_out(nodes[name], through_waits=False) if target is not None)
    return False


def ways_out(node: Step, *, through_waits: bool = True) -> list[str | None]:
    """Where a person can go from a node."""
    if not through_waits and isinstance(node, Wait | WaitUntil | WaitQuiet):
        return []
    if isinstance(node, Branch | Split):
        return [arm.target or node.next for arm in node.arms] + ([node.next] if isinstance(node, Branch) else [])
    if isinstance(node, WaitFor):
        return [node.then or node.next] if not through_waits else [node.then or node.next, node.otherwise or node.next]
    if isinstance(node, Goto):
        return [node.target, node.next]
    return [node.next]


def _check_reach(campaign: Campaign, paths: Mapping[str, Path], file: SourceFile) -> None:
    if any(problem.code == "N214" for problem in file.problems):
        return
    node = unreachable(campaign)
    if node is not None:
        hint = "delete it, or let one of the ways before it go on"
        file.report("N214", paths[node.id], "nobody can reach this step: every way before it ends", hint)


def unreachable(campaign: Campaign) -> Step | None:
    """The first node in the file that no way from the start leads to."""
    reached: set[str] = set()
    waiting = [campaign.first]
    while waiting:
        node_id = waiting.pop()
        if node_id is None or node_id in reached or node_id not in campaign.nodes:
            continue
        reached.add(node_id)
        waiting += ways_on(campaign.nodes[node_id])
    return next((node for node in campaign.nodes.values() if node.id not in reached), None)


def ways_on(node: Step) -> list[str | None]:
    """Where a person can go from a node, if its conditions leave her a choice."""
    if isinstance(node, End):
        return []
    if isinstance(node, Branch) and any(arm.condition is None for arm in node.arms):
        return [arm.target or node.next for arm in node.arms]
    return ways_out(node)


def _check_was(campaign: Campaign, paths: Mapping[str, Path], file: SourceFile) -> None:
    claimed: dict[str, str] = {}
    ids = {send.id for send in campaign.sends}
    for send in campaign.sends:
        for old in sorted(send.was):
            place = (*paths[send.id], "was")
            if old in ids:
                file.report("N201", place, f'"{old}" is still the id of a step here', "remove it from was")
            elif old in claimed:
                file.report(
                    "N201", place, f'"{old}" was already claimed by "{claimed[old]}"', "one step can have been it"
                )
            claimed[old] = send.id


def _check_offers(campaign: Campaign, paths: Mapping[str, Path], file: SourceFile, capped: frozenset[str]) -> None:
    given = {send.offer for send in campaign.sends}
    for name in campaign.offers:
        if name not in given:
            file.warn("N805", ("offers", name), f'no step gives the offer "{name}"', "write offer: in a send", key=True)
    if not capped:
        return
    for send in campaign.sends:
        if send.offer in campaign.offers and send.kind is MailKind.MARKETING and send.category not in capped:
            hint = f"write category: {min(capped)}"
            message = f'"{send.id}" carries an offer, but no cap of {" or ".join(sorted(capped))} counts it'
            file.warn("N806", (*paths[send.id], "offer"), message, hint)
