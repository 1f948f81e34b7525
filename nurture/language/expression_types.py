"""What may stand where: refuses what could never be anything but unknown."""

from __future__ import annotations

from nurture.domain.expression.tree import (
    Arithmetic,
    Compare,
    DaysSince,
    Field,
    Items,
    Kind,
    Known,
    Literal,
    Member,
    Node,
    Now,
    Past,
    Path,
    StageSince,
    instant_of,
    kind_of,
    moving,
)
from nurture.errors import ExpressionError

_SCALARS = {Kind.TRUTH, Kind.NUMBER, Kind.TEXT, Kind.ANY}


def require_truth(node: Node) -> Node:
    """Conditions, and what `and`, `or`, `not` join, must be yes or no; data may be."""
    kind = kind_of(node)
    if kind in {Kind.TRUTH, Kind.ANY}:
        return node
    hint: str | None
    if isinstance(node, Past):
        hint = (
            f"ask did({node.event!r})" if node.word in {"last", "first"} else f"compare it, for instance: {node} >= 1"
        )
    else:
        hint = "compare it with something" if kind in {Kind.NUMBER, Kind.TEXT, Kind.TIME} else None
    raise ExpressionError(f"{node} is {kind}, not a yes or no", node.column, hint)


def checked_compare(node: Compare) -> Compare:
    """Both sides of one kind, or one of them data; time on one side only."""
    left, right = kind_of(node.left), kind_of(node.right)
    for side, kind in ((node.left, left), (node.right, right)):
        if kind is Kind.EVENT:
            raise ExpressionError(
                f"{side} is an event and cannot be compared", side.column,
                f"compare days_since({side}), or a property of it such as {side}.total",
            )  # fmt: skip
        if kind is Kind.LIST:
            raise ExpressionError("a list cannot be compared", side.column, "use `in`, or compare its len(...)")
    kinds = {left, right} - {Kind.ANY}
    if kinds == {Kind.TIME, Kind.TEXT}:
        _require_dates(node)
    elif len(kinds) > 1:
        hint = "use days_since(...) to count days" if kinds == {Kind.TIME, Kind.NUMBER} else None
        raise ExpressionError(
            f"{node.left} is {left} and {node.right} is {right}: they can never be equal", node.right.column, hint
        )
    if Kind.TRUTH in kinds and node.op not in {"==", "!="}:
        raise ExpressionError("a yes or no has no order", node.column, "use == or !=")
    if moving(node.left) and moving(node.right) and not (_bare(node.left) and _bare(node.right)):
        raise ExpressionError(
            "both sides of the comparison change with time", node.column, "leave one side that stands still"
        )
    return node


def _bare(node: Node) -> bool:
    return isinstance(node, Now | DaysSince)


def _require_dates(node: Compare) -> None:
    for side in (node.left, node.right):
        if isinstance(side, Literal) and instant_of(str(side.value)) is None:
            raise ExpressionError(f"{side} is not a date", side.column, "write dates as '2026-12-24'")


def checked_member(node: Member) -> Member:
    """Something single in a list."""
    item, container = kind_of(node.item), kind_of(node.container)
    if container not in {Kind.LIST, Kind.ANY}:
        hint = "use starts_with(text, 'start'), or put the possibilities into [ ]" if container is Kind.TEXT else None
        raise ExpressionError(f"`in` needs a list on its right, and {node.container} is {container}",
                              node.container.column, hint)  # fmt: skip
    if item not in _SCALARS or moving(node.item):
        raise ExpressionError(
            f"{node.item} cannot be looked for in a list", node.item.column, "compare it with < and > instead"
        )
    if isinstance(node.container, Items) and item is not Kind.ANY:
        kinds = {kind_of(Literal(value)) for value in node.container.values}
        if item not in kinds:
            raise ExpressionError(f"{node.item} is {item}, and nothing in the list is", node.container.column, None)
    return node


def checked_arithmetic(node: Arithmetic) -> Arithmetic:
    """Numbers; and what grows with time may not be multiplied or divided by what grows with time."""
    for side in (node.left, node.right):
        kind = kind_of(side)
        if kind not in {Kind.NUMBER, Kind.ANY}:
            hint = "use days_since(...) to count days" if kind is Kind.TIME else None
            raise ExpressionError(f"{side} is {kind}, and `{node.op}` needs numbers", side.column, hint)
    if moving(node.right) and (moving(node.left) or node.op == "/"):
        raise ExpressionError(
            f"`{node.op}` cannot take {node.right}, which grows with time", node.right.column,
            "compare the two, or move one to the other side of the comparison",
        )  # fmt: skip
    return node


def checked_known(node: Known) -> Known:
    """Only what may be missing."""
    if isinstance(node.operand, Path | Field | StageSince) or kind_of(node.operand) is Kind.EVENT:
        return node
    raise ExpressionError(f"{node.operand} is never missing", node.operand.column, "ask for it without exists()")


def checked_days_since(node: DaysSince) -> DaysSince:
    """A time, an event, or data that may be a time."""
    operand, kind = node.operand, kind_of(node.operand)
    if isinstance(operand, Now):
        raise ExpressionError("days_since(now) is always 0", operand.column, None)
    if isinstance(operand, Literal) and kind is Kind.TEXT and instant_of(str(operand.value)) is None:
        raise ExpressionError(
            f"{operand} is not a date", operand.column,
            f"write a date as '2026-12-24'; for an event, days_since(last({operand}))",
        )  # fmt: skip
    if kind in {Kind.TRUTH, Kind.NUMBER, Kind.LIST}:
        raise ExpressionError(f"days_since() needs a time or an event, and {operand} is {kind}", operand.column, None)
    return node


def require_kind(node: Node, wanted: set[Kind], where: str) -> Node:
    """One of the kinds, or data."""
    if kind_of(node) not in wanted | {Kind.ANY}:
        kinds = " or ".join(sorted(kind.value for kind in wanted))
        raise ExpressionError(f"{where} needs {kinds}, and {node} is {kind_of(node)}", node.column, None)
    return node
