"""Conditions as SQL over the contacts and events tables, three-valued like the evaluator: NULL is unknown.

`matching` is the whole condition or raises NotPushable; `prefilter` is what of it can be said in SQL, so that the
evaluator need only look at the contacts that are left. Both speak of `tables.contacts` in the query around them.
Numbers are double precision here: sums of absurd magnitude are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    FromClause,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from nurture.domain.conditions import Condition
from nurture.domain.delivery import DeliveryState
from nurture.domain.event import NOTHING
from nurture.domain.expression.tree import (
    AMOUNTS,
    CLICKED_EVENT,
    COLUMNS,
    OPENED_EVENT,
    Arithmetic,
    Compare,
    DaysSince,
    Either,
    Every,
    Field,
    InSegment,
    InStage,
    Items,
    Kind,
    Known,
    Length,
    Literal,
    Mail,
    Member,
    Node,
    Not,
    Now,
    Part,
    Past,
    Path,
    StageSince,
    StartsWith,
    Used,
    instant_of,
    kind_of,
)
from nurture.domain.expression.values import LARGEST_AMOUNT, MICROSECONDS_A_DAY, OPERATORS
from nurture.storage.sql_values import (
    UNKNOWN,
    UNKNOWN_TRUTH,
    Column,
    Value,
    bounded,
    compared,
    constant,
    first_known,
    json_value,
    number,
    text,
)
from nurture.storage.tables import contacts, deliveries, events
from nurture.storage.types import UTCDateTime, micros

_DEEPEST_SUM = 3  # of leaves within 1e-30..1e30: nothing on the way can overflow, which PostgreSQL takes as an error


class NotPushable(Exception):  # noqa: N818 - a fact about the condition, not a fault
    """A part of the condition has no SQL of the same meaning; `part` is its text. Evaluate it in Python."""

    def __init__(self, node: Node, why: str) -> None:
        super().__init__(f"{node}: {why}")
        self.part = str(node)


def matching(
    condition: Condition,
    dialect: str,
    now: datetime,
    *,
    segments: Mapping[str, Condition] = NOTHING,
    campaign: str | None = None,
) -> Column:
    """The condition as a boolean of each row of `contacts`, NULL where it is unknown. Raises NotPushable.

    `dialect` is `sqlite` or `postgresql`; `segments` and `campaign` as in `Facts`. Every stored event up to `now`
    counts, also those that no turn has seen yet.
    """
    return _Writer(dialect, now, segments, campaign).truth(condition.tree)


def prefilter(
    condition: Condition,
    dialect: str,
    now: datetime,
    *,
    segments: Mapping[str, Condition] = NOTHING,
    campaign: str | None = None,
) -> tuple[Column, bool]:
    """(filter, exact): no contact for whom the condition holds is left out; if exact, only those are let in."""
    return _prefilter(_Writer(dialect, now, segments, campaign), condition.tree)


def _prefilter(writer: _Writer, node: Node) -> tuple[Column, bool]:
    try:
        return writer.truth(node), True
    except NotPushable:
        if isinstance(node, InSegment):
            return _prefilter(writer.entering(node.name), writer.segments[node.name].tree)[0], False
        if not isinstance(node, Every | Either):
            return true(), False
        filters = [_prefilter(writer, part)[0] for part in node.parts]
        return (and_ if isinstance(node, Every) else or_)(*filters), False


class _Writer:
    """Writes nodes as SQL. `candidate` is the event a `where=` looks at; `inside` the segments being written."""

    def __init__(
        self,
        dialect: str,
        now: datetime,
        segments: Mapping[str, Condition],
        campaign: str | None,
        candidate: FromClause | None = None,
        inside: tuple[str, ...] = (),
    ) -> None:
        self.dialect = dialect
        self.now = now
        self.segments = segments
        self.campaign = campaign
        self.candidate = candidate
        self.inside = inside

    def truth(self, node: Node) -> Column:
        """The node as a boolean, NULL where it is unknown or no boolean."""
        if (write := _TRUTHS.get(type(node))) is not None:
            answer: Column = write(self, node)
            return answer
        if isinstance(node, Past) and node.word == "did":
            return exists(self._found(node, literal(1))[0])
        found = self.value(node).truth
        return UNKNOWN_TRUTH if found is None else found

    def value(self, node: Node) -> Value:
        """The node as a value of whatever kind it is."""
        if (write := _VALUES.get(type(node))) is not None:
            value: Value = write(self, node)
            return value
        if kind_of(node) is Kind.TRUTH:
            answer = self.truth(node)
            return Value(known=answer.is_not(None), truth=answer)
        raise NotPushable(node, "databases differ in what it means")

    # --- names --------------------------------------------------------------------------------------------------------

    def path(self, node: Path) -> Value:
        first = str(node.parts[0]) if node.parts else ""
        if node.root == "contact":
            if first not in COLUMNS:
                return self._json(node, contacts.c.attributes, node.parts)
            if len(node.parts) > 1:
                return UNKNOWN
            column = contacts.c[first]
            return self.instant(column) if COLUMNS[first] is Kind.TIME else text(column)
        if node.root == "event" and self.candidate is not None:
            if not node.parts:
                return Value(known=true())
            return self._json(node, self.candidate.c.properties, node.parts)
        self.absent(node)
        return UNKNOWN

    def absent(self, node: Node) -> Column:
        """Inside a segment there is no event, start or offer; elsewhere the database does not know which is meant."""
        if not self.inside:
            raise NotPushable(node, "is known only to the enrolment")
        return UNKNOWN_TRUTH

    def _json(self, node: Node, document: Column, parts: tuple[Part, ...]) -> Value:
        value = json_value(self.dialect, document, parts)
        if value is None:
            raise NotPushable(node, "SQLite cannot write this name in a path")
        return value

    def instant(self, column: Column) -> Value:
        if self.dialect == "sqlite":
            return Value(known=column.is_not(None), time=type_coerce(column, BigInteger))
        return Value(known=column.is_not(None), time=cast(extract("epoch", column) * 1_000_000, BigInteger))

    def segment(self, node: InSegment) -> Column:
        segment = self.segments.get(node.name)
        if segment is None or node.name in self.inside:
            return UNKNOWN_TRUTH
        return self.entering(node.name).truth(segment.tree)

    def entering(self, segment: str) -> _Writer:
        """A segment speaks of the contact only; see `expression.evaluate.entering`."""
        return _Writer(self.dialect, self.now, self.segments, None, None, (*self.inside, segment))

    def known(self, node: Known) -> Column:
        operand = node.operand
        known = exists(self._found(operand, literal(1))[0]) if isinstance(operand, Past) else self.value(operand).known
        return known if node.wanted else not_(known)

    def starts_with(self, node: StartsWith) -> Column:
        column = self.value(node.operand).text
        if column is None:
            return UNKNOWN_TRUTH
        return func.substr(column, 1, len(node.prefix), type_=Text) == literal(node.prefix, Text)

    def mail(self, node: Mail) -> Column:
        campaign = node.campaign if node.campaign is not None else self.campaign
        if campaign is None:
            return UNKNOWN_TRUTH
        if node.word == "received":
            sent = deliveries.alias()
            states = [DeliveryState.SENT.value, DeliveryState.UNKNOWN.value]
            query = select(literal(1)).select_from(sent).correlate_except(sent)
            query = query.where(sent.c.contact_id == contacts.c.id, sent.c.state.in_(states))
            return exists(query.where(sent.c.campaign == literal(campaign), sent.c.step == literal(node.step)))
        past = Past("did", OPENED_EVENT if node.word == "opened" else CLICKED_EVENT)
        found, seen = self._found(past, literal(1))
        for name, wanted in (("campaign", campaign), ("step", node.step)):
            told = self._json(node, seen.c.properties, (name,)).text
            assert told is not None
            found = found.where(told == literal(wanted, Text))
        return exists(found)

    # --- the past -----------------------------------------------------------------------------------------------------

    def _found(self, node: Past, *columns: Column) -> tuple[Select[Any], FromClause]:
        """The events a node looks at, as a correlated query of the given columns."""
        seen = events.alias()
        query = select(*columns).select_from(seen).correlate_except(seen)
        query = query.where(seen.c.contact_id == contacts.c.id, seen.c.name == node.event)
        query = query.where(seen.c.at <= literal(self.now, UTCDateTime))
        if node.window is not None:
            query = query.where(seen.c.at > literal(self.now - node.window.length, UTCDateTime))
        if node.where is not None:
            inner = _Writer(self.dialect, self.now, self.segments, self.campaign, seen, self.inside)
            query = query.where(inner.truth(node.where))
        return query, seen

    def _picked(self, node: Past, column: str) -> Column:
        query, seen = self._found(node)
        order = (seen.c.at, seen.c.id) if node.word == "first" else (seen.c.at.desc(), seen.c.id.desc())
        return query.add_columns(seen.c[column]).order_by(*order).limit(1).scalar_subquery()

    def field(self, node: Field) -> Value:
        if node.parts == ("at",):
            return self.instant(self._picked(node.of, "at"))
        return self._json(node, self._picked(node.of, "properties"), node.parts)

    def past(self, node: Past) -> Value:
        if node.word == "did":
            return Value(known=true(), truth=self.truth(node))
        if node.word in {"last", "first"}:
            return self.instant(self._picked(node, "at"))
        if node.word == "spent":
            return number(self._spent(node))
        return number(self._found(node, func.count())[0].scalar_subquery())

    def _spent(self, node: Past) -> Column:
        query, seen = self._found(node)
        amounts = [self._amount(node, seen.c.properties, name) for name in AMOUNTS]
        amount = func.coalesce(*amounts, 0.0)
        exact = amount if self.dialect == "sqlite" else cast(amount, Numeric)
        total = query.add_columns(func.round(func.coalesce(func.sum(exact), 0), 6)).scalar_subquery()
        return cast(total, Double)

    def _amount(self, node: Past, properties: Column, name: str) -> Column:
        found = self._json(node, properties, (name,)).number
        return case((func.abs(found) < LARGEST_AMOUNT, found))

    # --- questions ----------------------------------------------------------------------------------------------------

    def compare(self, node: Compare) -> Column:
        left, right = self.value(node.left), self.value(node.right)
        if left.time is not None or right.time is not None:
            return self._compare_times(node, left, right)
        return compared(self.dialect, node.op, left, right)

    def _compare_times(self, node: Compare, left: Value, right: Value) -> Column:
        sides: list[Column] = []
        for value, side in ((left, node.left), (right, node.right)):
            if value.time is not None:
                sides.append(value.time)
            elif isinstance(side, Literal) and isinstance(side.value, str):
                instant = instant_of(side.value)
                sides.append(UNKNOWN_TRUTH if instant is None else literal(micros(instant), BigInteger))
            elif value.text is not None:
                raise NotPushable(side, "databases do not read times from text alike")
            else:
                return UNKNOWN_TRUTH
        answer: Column = OPERATORS[node.op](*sides)
        return answer

    def member(self, node: Member) -> Column:
        item = self.value(node.item)
        kinds = {"number": item.number, "text": item.text, "truth": item.truth}
        answers: list[Column] = []
        if isinstance(node.container, Items):
            for kind, column in kinds.items():
                same = [constant(value) for value in node.container.values]
                alike = [getattr(value, kind) for value in same if getattr(value, kind) is not None]
                if column is not None and alike:
                    answers.append(or_(*(column == other for other in alike)))
        elif (among := self.value(node.container).among) is not None:
            answers.extend(
                case((column.is_not(None), among(kind, column))) for kind, column in kinds.items() if column is not None
            )
        answer = first_known(answers)
        return not_(answer) if node.negated else answer

    # --- numbers ------------------------------------------------------------------------------------------------------

    def days_since(self, node: DaysSince) -> Value:
        operand = node.operand
        if isinstance(operand, Literal):
            instant = instant_of(str(operand.value))
            time: Column | None = None if instant is None else literal(micros(instant), BigInteger)
        else:
            value = self.value(operand)
            if value.text is not None:
                raise NotPushable(node, "databases do not read times from text alike")
            time = value.time
        if time is None:
            return UNKNOWN
        return number(cast(literal(micros(self.now), BigInteger) - time, Double) / float(MICROSECONDS_A_DAY))

    def length(self, node: Length) -> Value:
        length = self.value(node.operand).length
        return UNKNOWN if length is None else number(length)

    def now_value(self, _: Now) -> Value:
        return Value(known=true(), time=literal(micros(self.now), BigInteger))

    def arithmetic(self, node: Arithmetic) -> Value:
        if _depth(node) > _DEEPEST_SUM:
            raise NotPushable(node, "the calculation is too long")
        sides: list[Column] = []
        for side in (node.left, node.right):
            column = self.value(side).number
            if column is None:
                return UNKNOWN
            sides.append(bounded(column) if isinstance(side, Path | Field) else cast(column, Double))
        left, right = sides
        if node.op == "/":
            return number(left / func.nullif(right, 0.0, type_=Double))
        return number({"+": left + right, "-": left - right, "*": left * right}[node.op])


def _depth(node: Node) -> int:
    return 1 + max(_depth(node.left), _depth(node.right)) if isinstance(node, Arithmetic) else 0


_TRUTHS: dict[type, Callable[[_Writer, Any], Column]] = {
    Every: lambda writer, node: and_(*map(writer.truth, node.parts)),
    Either: lambda writer, node: or_(*map(writer.truth, node.parts)),
    Not: lambda writer, node: not_(writer.truth(node.operand)),
    Compare: _Writer.compare,
    Member: _Writer.member,
    Known: _Writer.known,
    InSegment: _Writer.segment,
    InStage: lambda _, node: contacts.c.stage == node.name,
    StartsWith: _Writer.starts_with,
    Mail: _Writer.mail,
    Used: _Writer.absent,
}
_VALUES: dict[type, Callable[[_Writer, Any], Value]] = {
    Literal: lambda _, node: constant(node.value),
    Now: _Writer.now_value,
    Path: _Writer.path,
    Field: _Writer.field,
    Past: _Writer.past,
    StageSince: lambda writer, _: writer.instant(contacts.c.stage_since),
    DaysSince: _Writer.days_since,
    Length: _Writer.length,
    Arithmetic: _Writer.arithmetic,
}
