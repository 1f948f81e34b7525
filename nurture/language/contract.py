"""The data contract between templates and campaigns: what a template needs, every start that reaches it must supply.

A need without `?` is proved by example people: each of them, with her start data for the campaign, must have the value,
unless a condition on the way already asks for it (data that is unknown never sends).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nurture.domain.campaign import Campaign, DateStart, EventStart, SegmentStart
from nurture.domain.conditions import Condition
from nurture.domain.expression.facts import Needs
from nurture.domain.steps import Branch, Send, SetAttributes
from nurture.language.people import Person
from nurture.language.problems import Severity
from nurture.language.reading import read_text
from nurture.language.source import SourceFile

_NEED = re.compile(r"(contact|start|event|offer)((?:\.[A-Za-z_]\w*(?:\[\])?)+)(\?)?")
_NEEDS_BLOCK = re.compile(r"^needs:.*?(?=^[^\s\]-]|\Z)", re.MULTILINE | re.DOTALL)
_BARE_LIST_NEED = re.compile(r"""(?<![\w."'])[A-Za-z_][\w.]*(?:\[\][\w.]*)+\??(?!["'])""")
ALWAYS_THERE = frozenset({"email", "stage", "created_at"})
COLUMNS = frozenset({"email", "external_id", "zone", "locale", "stage", "created_at"})


@dataclass(frozen=True, slots=True)
class Need:
    """One need: a path below a root; `[]` after a name means every item of a list."""

    root: str
    parts: tuple[str, ...]
    optional: bool
    text: str
    index: int


@dataclass(slots=True)
class TemplateHead:
    """What the front matter of a template says, as far as campaigns care."""

    file: SourceFile
    needs: tuple[Need, ...] = ()
    has_subject: bool = False
    is_listed: bool = True
    proved: set[tuple[str, str]] = field(default_factory=set)


def read_head(path: str, text: str) -> TemplateHead:
    """The front matter of a template; a missing or broken one is a problem of the template's file."""
    lines = text.split("\n")
    if lines[0].strip() != "---":
        file = SourceFile(path, text)
        file.report_at("N401", 1, 1, "the template has no front matter", "begin with lines ---, subject: ..., ---")
        return TemplateHead(file, is_listed=False)
    end = next((index for index, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        file = SourceFile(path, text)
        file.report_at("N401", 1, 1, "the front matter is opened and never closed", "end it with a line ---")
        return TemplateHead(file, is_listed=False)
    file = read_text(path, _quoted("\n".join(lines[1:end])), first_line=2, whole=text)
    if not isinstance(file.data, dict):
        if not file.problems:
            file.report("N401", (), "the front matter must be a mapping", "write subject: ... between the lines ---")
        return TemplateHead(file, is_listed=False)
    head = TemplateHead(file, has_subject=bool(str(file.data.get("subject") or "").strip()))
    head.needs = tuple(_needs(file))
    return head


def _quoted(block: str) -> str:
    """`start.items[].name` reads well and is not YAML inside a [list]: quote such needs for the author."""
    return _NEEDS_BLOCK.sub(lambda found: _BARE_LIST_NEED.sub(r'"\g<0>"', found[0]), block)


def _needs(file: SourceFile) -> Iterable[Need]:
    listed = file.data.get("needs")
    if listed is None:
        return
    if not isinstance(listed, list):
        file.report("N401", ("needs",), "needs must be a list", "write needs: [contact.first_name?, start.value]")
        return
    for index, item in enumerate(listed):
        match = _NEED.fullmatch(item) if isinstance(item, str) else None
        if match is None:
            hint = "write contact.name, start.items[].title or offer.code, with ? behind it if it may be missing"
            file.report("N401", ("needs", index), f'"{item}" is not a need', hint)
            continue
        yield Need(match[1], tuple(match[2][1:].split(".")), match[3] is not None, item, index)


def check_contract(
    campaign: Campaign,
    heads: Mapping[str, TemplateHead],
    people: Mapping[str, Person],
    segments: Mapping[str, Condition],
) -> None:
    """Report every need that a start of this campaign does not supply, at the need's place in the template."""
    asked = _asked(campaign, segments)
    for send in campaign.sends:
        head = heads.get(send.template)
        if head is None:
            continue
        if not head.has_subject and not send.subject and head.is_listed:
            message = f"neither the template nor the step {campaign.name}/{send.id} has a subject"
            head.file.report("N402", (), message, "write subject: in the front matter")
        needs = Needs.merged([asked, *([send.condition.needs] if send.condition else [])]).resolved(segments)
        for need in head.needs:
            if not need.optional and (campaign.name, need.text) not in head.proved:
                head.proved.add((campaign.name, need.text))
                _prove(need, send, campaign, head, people, needs)


def _asked(campaign: Campaign, segments: Mapping[str, Condition]) -> Needs:
    """What is known of everybody who is inside: the start's and the branches' conditions asked for it."""
    conditions = [campaign.condition] if campaign.condition else []
    for node in campaign.nodes.values():
        if isinstance(node, Branch):
            conditions += [arm.condition for arm in node.arms if arm.condition is not None]
    needs = [condition.needs for condition in conditions]
    if isinstance(campaign.start, SegmentStart) and campaign.start.segment in segments:
        needs.append(segments[campaign.start.segment].needs)
    if isinstance(campaign.start, DateStart):
        needs.append(campaign.start.date.needs)
    if campaign.key is not None:
        needs.append(campaign.key.needs)
    return Needs.merged(needs)


def _prove(
    need: Need, send: Send, campaign: Campaign, head: TemplateHead, people: Mapping[str, Person], needs: Needs
) -> None:
    place = ("needs", need.index)
    who = f"{campaign.name}/{send.id}"
    first = need.parts[0].removesuffix("[]")
    guard = f"write {need.text}? and a default, or guard the step with if: exists({need.root}.{first})"
    if need.root == "offer":
        if send.offer is None:
            message = f"{need.text} is needed, but the step {who} gives no offer"
            head.file.report("N403", place, message, "write offer: in the step")
    elif need.root == "contact":
        if (
            first in ALWAYS_THERE
            or (first in needs.contact and len(need.parts) == 1)
            or first in attributes_set([campaign])
        ):
            return
        for person in people.values():
            if not _has(_contact_data(person), need.parts):
                message = f"{need.text} may be missing in {who}: example person {person.name} has none"
                head.file.report("N405", place, message, guard)
                return
    else:
        if first in (needs.start | needs.event) and len(need.parts) == 1:
            return
        _prove_start(need, who, campaign, head, people, guard)


def _prove_start(
    need: Need, who: str, campaign: Campaign, head: TemplateHead, people: Mapping[str, Person], guard: str
) -> None:
    place = ("needs", need.index)
    examples = [person for person in people.values() if campaign.name in person.starts]
    if isinstance(campaign.start, SegmentStart | DateStart) and not examples:
        message = f"{need.text} is needed, but the start of {campaign.name} brings no data"
        head.file.report("N404", place, message, "take it from contact, or start on an event")
    elif not examples and isinstance(campaign.start, EventStart):
        message = f"{need.text} is needed in {who}, and no example person has start data for {campaign.name}"
        hint = f"write starts: {{{campaign.name}: ...}} for one of them"
        head.file.report("N406", place, message, hint, severity=Severity.WARNING)
    elif not examples:
        message = f"{need.text} is needed in {who}, and nothing shows that its start supplies it"
        head.file.report("N406", place, message, guard, severity=Severity.WARNING)
    for person in examples:
        if not _has(person.starts[campaign.name], need.parts):
            message = f"{need.text} may be missing in {who}: the start data of example person {person.name} has none"
            head.file.report("N404", place, message, guard)
            return


def attributes_set(campaigns: Iterable[Campaign]) -> frozenset[str]:
    """The contact attributes that campaigns set themselves."""
    return frozenset(
        name.split(".")[0]
        for campaign in campaigns
        for node in campaign.nodes.values()
        if isinstance(node, SetAttributes)
        for name, _ in node.values
    )


def _contact_data(person: Person) -> dict[str, Any]:
    return {
        **person.attributes,
        "email": person.email,
        "zone": person.zone,
        "locale": person.locale,
        "external_id": person.name,
    }


def _has(data: Any, parts: tuple[str, ...]) -> bool:
    """Whether the value is there; of a list with `[]`, in every item, and of at least one."""
    if not parts:
        return data is not None
    name, each = parts[0].removesuffix("[]"), parts[0].endswith("[]")
    if not isinstance(data, Mapping) or data.get(name) is None:
        return False
    if not each:
        return _has(data[name], parts[1:])
    return isinstance(data[name], list) and bool(data[name]) and all(_has(item, parts[1:]) for item in data[name])
