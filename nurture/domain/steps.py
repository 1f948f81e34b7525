"""Steps: what a campaign does, one after another; a flow is a graph of nodes with ids that survive edits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from enum import StrEnum

from nurture.domain.conditions import Condition, Expression
from nurture.domain.timing import Duration, Hours


class MailKind(StrEnum):
    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class OnCap(StrEnum):
    POSTPONE = "postpone"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Local hours and weekdays (Monday is 0) in which a mail may leave; None means any."""

    hours: Hours | None = None
    days: frozenset[int] | None = None
    business_days: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`id` is the identity across edits: a send's step id, or a name derived from the step a wait leads to.

    `next` is the id of the node that follows, None at the end of the flow. `line` is 1-based in the campaign file.
    """

    id: str
    next: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Node):
    template: str
    kind: MailKind = MailKind.MARKETING
    condition: Condition | None = None
    category: str | None = None
    sender: str | None = None
    subject: str | None = None
    offer: str | None = None
    late: Duration
    on_cap: OnCap = OnCap.POSTPONE
    postpone_up_to: Duration | None = None
    urgent: bool = False
    was: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Node):
    """`duration` first (may be None), then forward to the next local `until` time on one of `days`.

    After calendar days an `until` that was missed by up to 90 minutes still holds: see `flow.A_LITTLE_LATE`.
    """

    duration: Duration | None = None
    until: time | None = None
    days: frozenset[int] | None = None
    business_days: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil(Node):
    """Until the instant or local date the expression gives; unknown or past goes on at once."""

    instant: Expression
    offset: Duration | None = None
    before: bool = False
    until: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(Node):
    """Until `event` is seen (go to `then`) or `up_to` has passed (go to `otherwise`); None goes to `next`."""

    event: str
    up_to: Duration
    where: Condition | None = None
    then: str | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitQuiet(Node):
    """`duration` without any of the events `after`; each of them begins it again."""

    duration: Duration
    after: frozenset[str]


@dataclass(frozen=True, slots=True)
class Arm:
    """A way out of a branch (`condition`, None is `else`) or a split (`share`, a weight); `target` None is `next`."""

    target: str | None
    condition: Condition | None = None
    name: str = ""
    share: float = 0.0

    @property
    def label(self) -> str:
        """What the ledger calls it: its name, the text of its condition, or `else`."""
        return self.name or (self.condition.source if self.condition is not None else "else")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Node):
    """The first arm whose condition is true; none goes to `next`. Unknown is not true."""

    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Node):
    """Sticky: hash of (programme seed, campaign, split name, contact) picks the arm."""

    name: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAttributes(Node):
    values: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Node):
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Node):
    event: str
    values: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Node):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Node):
    team: str
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto(Node):
    """Back to `target`, at most `times` times for one enrolment; then on to `next`."""

    target: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Node):
    pass


Step = (
    Send | Wait | WaitUntil | WaitFor | WaitQuiet | Branch | Split | SetAttributes | Move | Record | Webhook | Alert
    | Goto | End
)  # fmt: skip
