"""Steps to nodes: the graph a person walks through, with ids that survive edits elsewhere in the file.

A send's id is its own. Any other step is named after its kind and the next send of its sequence (`wait>reminder`,
`>end` without one, `#2` when that repeats), so that adding a step does not move the people who wait in another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from nurture.domain.conditions import Condition
from nurture.domain.steps import (
    Alert,
    Arm,
    Branch,
    End,
    Goto,
    MailKind,
    Move,
    OnCap,
    Record,
    Send,
    SetAttributes,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitQuiet,
    WaitUntil,
    Webhook,
)
from nurture.domain.timing import Duration, parse_duration
from nurture.language import steps as written
from nurture.language.names import INSIDE, INSIDE_WITH_EVENT, Path, Scope
from nurture.language.values import CapRule, Days

MARKETING_LATE = parse_duration("3 days")
TRANSACTIONAL_LATE = parse_duration("1 day")

_OFFSET = re.compile(r"(?P<what>.+?)\s*(?P<sign>[-+])\s*(?P<duration>\d+\s+[a-z]+(?: days?)?|P\w+)\s*")


@dataclass(slots=True)
class Flow:
    """The nodes of one campaign while they are built."""

    scope: Scope
    nodes: dict[str, Step] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def build(self, steps: Sequence[written.Step], path: Path, after: str | None = None) -> str | None:
        """Add the nodes of a sequence that continues at `after`; returns the id of its first node."""
        ids = self._ids(steps, path)
        first = ids[0] if ids else after
        ended = False
        for index, (step, node_id) in enumerate(zip(steps, ids, strict=True)):
            following = ids[index + 1] if index + 1 < len(ids) else after
            where = (*path, index)
            self.paths[node_id] = where
            self.nodes[node_id] = End(id=node_id)  # holds the place, so that nodes stand in file order
            self.nodes[node_id] = self._node(step, node_id, following, where)
            if isinstance(step, written.EndStep) and index + 1 < len(steps) and not ended:
                ended = True
                self.scope.file.report(
                    "N214", (*path, index + 1), "nobody can reach this step: the one before ends the campaign"
                )
        return first

    def _ids(self, steps: Sequence[written.Step], path: Path) -> list[str]:
        leads: list[str] = []
        ahead = "end"
        for step in reversed(steps):
            if isinstance(step, written.SendStep):
                ahead = step.id
            leads.append(ahead)
        ids: dict[int, str] = {}
        for index, step in enumerate(steps):
            if isinstance(step, written.SendStep):
                if step.id in self.taken:
                    self.scope.file.report(
                        "N201", (*path, index, "id"), f'the step id "{step.id}" stands here twice', "ids are identities"
                    )
                ids[index] = self._free(step.id)
        # Counted from the send backwards: where a mail between two waits is removed, the later wait keeps its name.
        for index, lead in zip(reversed(range(len(steps))), leads, strict=True):
            if index not in ids:
                ids[index] = self._free(f"{kind_word(steps[index])}>{lead}")
        return [ids[index] for index in range(len(steps))]

    def _free(self, name: str) -> str:
        """`name`, numbered if it is taken."""
        self.taken[name] = number = self.taken.get(name, 0) + 1
        return name if number == 1 else f"{name}#{number}"

    def _node(self, step: written.Step, node_id: str, after: str | None, path: Path) -> Step:
        line = self.scope.file.line_of(path)
        match step:
            case written.SendStep():
                return self._send(step, node_id, after, path, line)
            case written.WaitStep():
                days = step.on or Days()
                return Wait(
                    id=node_id, next=after, line=line, duration=step.wait, until=step.until, days=days.days,
                    business_days=days.business_days,
                )  # fmt: skip
            case written.WaitUntilStep():
                return self._wait_until(step, node_id, after, path, line)
            case written.WaitQuietStep():
                events = frozenset(self.scope.event(name, (*path, "after")) for name in step.after)
                return WaitQuiet(id=node_id, next=after, line=line, duration=step.wait_quiet, after=events)
            case written.WaitForStep() | written.BranchStep() | written.SplitStep():
                return self._fork(step, node_id, after, path, line)
            case _:
                return self._act(step, node_id, after, path, line)

    def _send(self, step: written.SendStep, node_id: str, after: str | None, path: Path, line: int) -> Send:
        scope = self.scope
        kind = MailKind(step.kind)
        cap = step.on_cap or CapRule(OnCap.POSTPONE)
        default = MARKETING_LATE if kind is MailKind.MARKETING else TRANSACTIONAL_LATE
        scope.among(step.send, scope.known.templates, (*path, "send"), "N203", "template")
        if step.offer is not None:
            scope.among(step.offer, scope.offers, (*path, "offer"), "N801", "offer")
        return Send(
            id=node_id,
            next=after,
            line=line,
            template=step.send,
            kind=kind,
            condition=scope.condition(step.condition, (*path, "if"), INSIDE),
            category=scope.among(step.category, scope.known.categories, (*path, "category"), "N206", "category"),
            sender=scope.among(step.sender, scope.known.senders, (*path, "from"), "N207", "sender"),
            subject=step.subject,
            offer=step.offer,
            late=step.late or default,
            on_cap=cap.on_cap,
            postpone_up_to=cap.up_to,
            urgent=step.urgent,
            was=frozenset(step.was or ()),
        )

    def _wait_until(
        self, step: written.WaitUntilStep, node_id: str, after: str | None, path: Path, line: int
    ) -> WaitUntil:
        text, offset, before = step.wait_until, None, False
        if match := _OFFSET.fullmatch(text):
            offset, before = self._offset(match["duration"], match.start("duration"), path), match["sign"] == "-"
            text = match["what"]
        instant = self.scope.expression(text, (*path, "wait_until"), INSIDE)
        if instant is None:
            instant = self.scope.expression("now", path, INSIDE)
            assert instant is not None
        return WaitUntil(
            id=node_id, next=after, line=line, instant=instant, offset=offset, before=before, until=step.until
        )

    def _offset(self, text: str, column: int, path: Path) -> Duration | None:
        try:
            return parse_duration(text)
        except ValueError as error:
            self.scope.file.report("N601", (*path, "wait_until"), str(error), offset=column)
            return None

    def _fork(
        self,
        step: written.WaitForStep | written.BranchStep | written.SplitStep,
        node_id: str,
        after: str | None,
        path: Path,
        line: int,
    ) -> Step:
        scope = self.scope
        if isinstance(step, written.WaitForStep):
            awaited = step.wait_for
            there = (*path, "wait_for")
            return WaitFor(
                id=node_id,
                next=after,
                line=line,
                event=scope.event(awaited.event, (*there, "event")),
                up_to=awaited.up_to,
                where=scope.condition(awaited.where, (*there, "where"), INSIDE_WITH_EVENT, (awaited.event,)),
                then=self._inner(step.then, (*path, "then"), after),
                otherwise=self._inner(step.otherwise, (*path, "otherwise"), after),
            )
        if isinstance(step, written.BranchStep):
            arms = tuple(
                Arm(
                    target=self._inner(arm.do, (*path, "branch", index, "do"), after),
                    condition=self._branch_condition(arm, (*path, "branch", index)),
                )
                for index, arm in enumerate(step.branch)
            )
            self._check_fallback(step, path)
            return Branch(id=node_id, next=after, line=line, arms=arms)
        split = tuple(
            Arm(target=self._inner(arm.do, (*path, "arms", index, "do"), after), name=arm.name, share=arm.share)
            for index, arm in enumerate(step.arms)
        )
        self._check_shares(step, path)
        return Split(id=node_id, next=after, line=line, name=step.split, arms=split)

    def _inner(self, steps: Sequence[written.Step], path: Path, after: str | None) -> str | None:
        return self.build(steps, path, after) if steps else None

    def _branch_condition(self, arm: written.BranchArm, path: Path) -> Condition | None:
        return self.scope.condition(arm.condition, (*path, "if"), INSIDE)

    def _check_fallback(self, step: written.BranchStep, path: Path) -> None:
        for index, arm in enumerate(step.branch[:-1]):
            if arm.fallback:
                place = (*path, "branch", index + 1)
                self.scope.file.report(
                    "N214", place, "nobody can take this way: the one before takes all", "put else last"
                )

    def _check_shares(self, step: written.SplitStep, path: Path) -> None:
        total = sum(arm.share for arm in step.arms)
        if abs(total - 100) > 0.01:
            shares = " + ".join(f"{arm.share:g}" for arm in step.arms)
            self.scope.file.report(
                "N612", (*path, "arms"), f"the shares add up to {total:g}: {shares}", "make them add up to 100"
            )
        names = [arm.name for arm in step.arms]
        for index, name in enumerate(names):
            if name in names[:index]:
                self.scope.file.report("N201", (*path, "arms", index, "name"), f'the arm "{name}" stands here twice')

    def _act(self, step: written.Step, node_id: str, after: str | None, path: Path, line: int) -> Step:
        scope = self.scope
        match step:
            case written.SetStep():
                values = tuple(
                    (key.removeprefix("contact."), value)
                    for key, raw in step.values.items()
                    if self._settable(key, (*path, "set", key))
                    and (value := scope.value(raw, (*path, "set", key), INSIDE)) is not None
                )
                return SetAttributes(id=node_id, next=after, line=line, values=values)
            case written.MoveStep():
                return Move(id=node_id, next=after, line=line, stage=scope.stage(step.move, (*path, "move")))
            case written.RecordStep():
                return self._record(step, node_id, after, path, line)
            case written.WebhookStep():
                scope.among(step.webhook, scope.known.webhooks, (*path, "webhook"), "N210", "webhook")
                return Webhook(id=node_id, next=after, line=line, name=step.webhook)
            case written.AlertStep():
                alarm = step.alert
                scope.among(alarm.team, scope.known.teams, (*path, "alert", "team"), "N209", "team")
                return Alert(id=node_id, next=after, line=line, team=alarm.team, text=alarm.text)
            case written.GotoStep():
                return Goto(id=node_id, next=after, line=line, target=step.goto.step, times=step.goto.times)
            case _:
                return End(id=node_id, line=line)

    def _settable(self, key: str, path: Path) -> bool:
        name = key.removeprefix("contact.")
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", name) is None:
            self.scope.file.report("N111", path, f'"{key}" cannot be an attribute', "write contact.name", key=True)
            return False
        if name in {"email", "external_id", "stage", "created_at", "zone", "locale"}:
            hint = (
                "use move: for the stage"
                if name == "stage"
                else "it changes only with what the shop tells of the person"
            )
            self.scope.file.report("N105", path, f"contact.{name} cannot be set by a campaign", hint, key=True)
            return False
        return True

    def _record(self, step: written.RecordStep, node_id: str, after: str | None, path: Path, line: int) -> Record:
        recording = step.record
        if recording.event.startswith("nurture."):
            hint = "only nurture itself records those; choose another name"
            self.scope.file.report("N105", (*path, "record", "event"), f"{recording.event} is reserved", hint)
        values = tuple(
            (key, value)
            for key, raw in recording.values.items()
            if (value := self.scope.value(raw, (*path, "record", "with", key), INSIDE)) is not None
        )
        return Record(id=node_id, next=after, line=line, event=recording.event, values=values)


_WORDS: dict[type[written.Strict], str] = {model: kind for kind, model in written.KINDS.items()}


def kind_word(step: written.Step) -> str:
    """The key that names the kind of a step."""
    return _WORDS[type(step)]
