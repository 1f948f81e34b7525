"""The typed tree of an expression. Nodes are values; `column` is the 0-based offset in the text the author wrote.

`str(node)` gives the expression back in its plain form, which explanations show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal as OneOf

Scalar = str | int | float | bool

ORDER_EVENT = "Order Completed"
AMOUNTS = ("total", "value", "revenue")
OPENED_EVENT = "Email Opened"
CLICKED_EVENT = "Email Clicked"


class Kind(StrEnum):
    """What sort of value a node gives, as far as the text tells; ANY is data, known only when it is seen."""

    TRUTH = "yes or no"
    NUMBER = "a number"
    TEXT = "text"
    TIME = "a time"
    LIST = "a list"
    EVENT = "an event"
    ANY = "data"


# What every contact has besides its attributes; see `Contact.named`.
COLUMNS = {
    "email": Kind.TEXT,
    "external_id": Kind.TEXT,
    "zone": Kind.TEXT,
    "locale": Kind.TEXT,
    "stage": Kind.TEXT,
    "created_at": Kind.TIME,
}


@dataclass(frozen=True, slots=True)
class Window:
    """How far back `last=` looks: an event counts while it is younger than `length`."""

    length: timedelta
    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    column: int = 0

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Items:
    """A list written in the expression; scalars only."""

    values: tuple[Scalar, ...]
    column: int = 0

    def __str__(self) -> str:
        return "[" + ", ".join(map(repr, self.values)) + "]"


@dataclass(frozen=True, slots=True)
class Now:
    column: int = 0

    def __str__(self) -> str:
        return "now"


Part = str | int


def _path(parts: tuple[Part, ...]) -> str:
    return "".join(f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]" for part in parts)


@dataclass(frozen=True, slots=True)
class Path:
    """`contact.address.city`, `start['cart id']`, `event.items[0].price`; without parts, the whole of the root."""

    root: OneOf["contact", "event", "start", "offer"]
    parts: tuple[Part, ...]
    column: int = 0

    def __str__(self) -> str:
        return self.root + _path(self.parts)


@dataclass(frozen=True, slots=True)
class Past:
    """A look into the events of the contact: did, count, last, first, orders, spent."""

    word: OneOf["did", "count", "last", "first", "orders", "spent"]
    event: str
    window: Window | None = None
    where: Node | None = None
    column: int = 0

    def __str__(self) -> str:
        arguments = [] if self.word in {"orders", "spent"} else [repr(self.event)]
        if self.window is not None:
            arguments.append(f"last={self.window.text!r}")
        if self.where is not None:
            arguments.append(f"where={self.where}")
        return f"{self.word}({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an event found by `last` or `first`; the single part `at` is when it happened."""

    of: Past
    parts: tuple[Part, ...]
    column: int = 0

    def __str__(self) -> str:
        return f"{self.of}{_path(self.parts)}"


@dataclass(frozen=True, slots=True)
class Compare:
    op: OneOf["==", "!=", "<", "<=", ">", ">="]
    left: Node
    right: Node
    column: int = 0

    def __str__(self) -> str:
        return f"{_inner(self.left)} {self.op} {_inner(self.right)}"


@dataclass(frozen=True, slots=True)
class Member:
    item: Node
    container: Node
    negated: bool = False
    column: int = 0

    def __str__(self) -> str:
        return f"{_inner(self.item)} {'not in' if self.negated else 'in'} {_inner(self.container)}"


@dataclass(frozen=True, slots=True)
class Known:
    """`exists(x)`, `x is None`, `x is not None`: never unknown. `exists` and `is not None` mean the same."""

    operand: Node
    wanted: bool = True
    called: bool = True
    column: int = 0

    def __str__(self) -> str:
        if self.called:
            return f"exists({self.operand})"
        return f"{_inner(self.operand)} is {'not ' if self.wanted else ''}None"


@dataclass(frozen=True, slots=True)
class Not:
    operand: Node
    column: int = 0

    def __str__(self) -> str:
        return f"not {_inner(self.operand)}"


@dataclass(frozen=True, slots=True)
class Every:
    """`and`."""

    parts: tuple[Node, ...]
    column: int = 0

    def __str__(self) -> str:
        return " and ".join(map(_inner, self.parts))


@dataclass(frozen=True, slots=True)
class Either:
    """`or`."""

    parts: tuple[Node, ...]
    column: int = 0

    def __str__(self) -> str:
        return " or ".join(map(_inner, self.parts))


@dataclass(frozen=True, slots=True)
class Arithmetic:
    op: OneOf["+", "-", "*", "/"]
    left: Node
    right: Node
    column: int = 0

    def __str__(self) -> str:
        return f"{_inner(self.left)} {self.op} {_inner(self.right)}"


@dataclass(frozen=True, slots=True)
class InSegment:
    name: str
    column: int = 0

    def __str__(self) -> str:
        return f"segment({self.name!r})"


@dataclass(frozen=True, slots=True)
class InStage:
    name: str
    column: int = 0

    def __str__(self) -> str:
        return f"in_stage({self.name!r})"


@dataclass(frozen=True, slots=True)
class StageSince:
    column: int = 0

    def __str__(self) -> str:
        return "stage_since()"


@dataclass(frozen=True, slots=True)
class Mail:
    """`received`, `opened`, `clicked`; without a campaign, a step of the campaign that asks."""

    word: OneOf["received", "opened", "clicked"]
    campaign: str | None
    step: str
    column: int = 0

    def __str__(self) -> str:
        step = self.step if self.campaign is None else f"{self.campaign}/{self.step}"
        return f"{self.word}({step!r})"


@dataclass(frozen=True, slots=True)
class Used:
    """The offer in hand was redeemed; `name`, when given, must be its name."""

    name: str | None = None
    column: int = 0

    def __str__(self) -> str:
        return f"used({'offer' if self.name is None else repr(self.name)})"


@dataclass(frozen=True, slots=True)
class DaysSince:
    operand: Node
    column: int = 0

    def __str__(self) -> str:
        return f"days_since({self.operand})"


@dataclass(frozen=True, slots=True)
class Length:
    operand: Node
    column: int = 0

    def __str__(self) -> str:
        return f"len({self.operand})"


@dataclass(frozen=True, slots=True)
class Lower:
    operand: Node
    column: int = 0

    def __str__(self) -> str:
        return f"lower({self.operand})"


@dataclass(frozen=True, slots=True)
class StartsWith:
    operand: Node
    prefix: str
    column: int = 0

    def __str__(self) -> str:
        return f"starts_with({self.operand}, {self.prefix!r})"


Node = (
    Literal | Items | Now | Path | Past | Field | Compare | Member | Known | Not | Every | Either | Arithmetic
    | InSegment | InStage | StageSince | Mail | Used | DaysSince | Length | Lower | StartsWith
)  # fmt: skip

_LOOSE = (Compare, Member, Not, Every, Either, Arithmetic)


def _inner(node: Node) -> str:
    loose = isinstance(node, _LOOSE) or (isinstance(node, Known) and not node.called)
    return f"({node})" if loose else str(node)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below; a `where=` speaks of another event and is not among them."""
    match node:
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            return left, right
        case Member(item=item, container=container):
            return item, container
        case Every(parts=parts) | Either(parts=parts):
            return parts
        case Not() | Known() | DaysSince() | Length() | Lower() | StartsWith():
            return (node.operand,)
        case Field(of=of):
            return (of,)
        case _:
            return ()


_KINDS: dict[type, Kind] = {
    Items: Kind.LIST, Now: Kind.TIME, Path: Kind.ANY, Compare: Kind.TRUTH, Member: Kind.TRUTH, Known: Kind.TRUTH,
    Not: Kind.TRUTH, Every: Kind.TRUTH, Either: Kind.TRUTH, Arithmetic: Kind.NUMBER, InSegment: Kind.TRUTH,
    InStage: Kind.TRUTH, StageSince: Kind.TIME, Mail: Kind.TRUTH, Used: Kind.TRUTH, DaysSince: Kind.NUMBER,
    Length: Kind.NUMBER, Lower: Kind.TEXT, StartsWith: Kind.TRUTH,
}  # fmt: skip


def kind_of(node: Node) -> Kind:
    """What the node gives, when it gives anything."""
    if isinstance(node, Literal):
        if isinstance(node.value, bool):
            return Kind.TRUTH
        return Kind.TEXT if isinstance(node.value, str) else Kind.NUMBER
    if isinstance(node, Past):
        if node.word in {"last", "first"}:
            return Kind.EVENT
        return Kind.TRUTH if node.word == "did" else Kind.NUMBER
    if isinstance(node, Field):
        return Kind.TIME if node.parts == ("at",) else Kind.ANY
    if isinstance(node, Path) and node.root == "contact" and len(node.parts) == 1:
        return COLUMNS.get(str(node.parts[0]), Kind.ANY)
    return _KINDS[type(node)]


def moving(node: Node) -> bool:
    """Whether its value grows with every instant, as `now` and `days_since()` do."""
    if isinstance(node, Now | DaysSince):
        return True
    return isinstance(node, Arithmetic) and (moving(node.left) or moving(node.right))


def instant_of(text: str) -> datetime | None:
    """An ISO 8601 date or date-time as an instant, None if it is not one. Without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
