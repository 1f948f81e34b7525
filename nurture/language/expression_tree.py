"""From Python's syntax tree to our own: the white list itself."""

from __future__ import annotations

import ast
from typing import Literal as OneOf
from typing import cast

from nurture.domain.expression.tree import (
    COLUMNS,
    Arithmetic,
    Compare,
    Either,
    Every,
    Field,
    Items,
    Known,
    Literal,
    Member,
    Node,
    Not,
    Now,
    Part,
    Past,
    Path,
    Scalar,
)
from nurture.errors import ExpressionError
from nurture.language.expression_functions import FUNCTIONS, call
from nurture.language.expression_names import ROOTS, Names, meant, require_known
from nurture.language.expression_types import (
    checked_arithmetic,
    checked_compare,
    checked_known,
    checked_member,
    require_truth,
)

Root = OneOf["contact", "event", "start", "offer"]
Comparison = OneOf["==", "!=", "<", "<=", ">", ">="]

_LARGEST = 10**15
_LONGEST_PATH = 10
_COMPARISONS: dict[type[ast.cmpop], Comparison] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], OneOf["+", "-", "*", "/"]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
_FOREIGN = dict.fromkeys(("null", "nil", "undefined", "none"), "write `is None`, or exists(x)")
_FOREIGN |= {"true": "write True", "false": "write False"}
_REFUSED: dict[type[ast.expr], tuple[str, str | None]] = {
    ast.IfExp: ("`if ... else` is not part of the language", "use `and` and `or`"),
    ast.JoinedStr: ("f-texts are not part of the language", "compare the parts"),
    ast.Set: ("a list stands in square brackets", "write [...]"),
    ast.Dict: ("{...} is not part of the language", None),
    ast.Lambda: ("functions cannot be defined here", None),
    ast.NamedExpr: ("`:=` is not part of the language", "write `==` to compare"),
    ast.ListComp: ("`for` is not part of the language", "use did(..., where=...) or count(..., where=...)"),
    ast.GeneratorExp: ("`for` is not part of the language", "use did(..., where=...) or count(..., where=...)"),
}


class Builder:
    """Builds the tree of one text. Inside a `where=` it is a `candidate` builder: `event` is the event looked at."""

    def __init__(self, text: str, names: Names, *, candidate: bool = False, shift: int = 0) -> None:
        self.text = text
        self.names = names
        self.candidate = candidate
        self.shift = shift

    def at(self, node: ast.expr | ast.keyword) -> int:
        """The column of a syntax node in the text the author wrote."""
        return self.shift + node.col_offset

    def build(self, node: ast.expr) -> Node:
        """The typed node; ExpressionError for whatever is not on the white list."""
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._named(node)
            case ast.BoolOp(op=op, values=values):
                parts = tuple(require_truth(self.build(value)) for value in values)
                return (Every if isinstance(op, ast.And) else Either)(parts, self.at(node))
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.Compare():
                return self._comparisons(node)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return self._items(elements, self.at(node))
            case ast.Call():
                return call(self, node)
            case _:
                message, hint = _REFUSED.get(type(node), ("this is not part of the language", None))
                raise ExpressionError(message, self.at(node), hint)

    def _constant(self, node: ast.Constant) -> Literal:
        value, column = node.value, self.at(node)
        if value is None:
            raise ExpressionError("None stands only after `is` or `is not`", column, "write `x is None` or exists(x)")
        if isinstance(value, str | bool):
            return Literal(value, column)
        if isinstance(value, int | float):
            if abs(value) > _LARGEST:
                raise ExpressionError("the number is too large", column, "quote it if it is an id")
            return Literal(value, column)
        raise ExpressionError(f"{ast.unparse(node)} is not part of the language", column, None)

    def _items(self, elements: list[ast.expr], column: int) -> Items:
        values: list[Scalar] = []
        for element in elements:
            item = self.build(element)
            if not isinstance(item, Literal):
                raise ExpressionError(
                    "a list holds texts, numbers, True and False only", item.column, "join comparisons with `or`"
                )
            values.append(item.value)
        if not values:
            raise ExpressionError("the list is empty", column, "to ask for an empty list, write len(x) == 0")
        return Items(tuple(values), column)

    # --- names --------------------------------------------------------------------------------------------------------

    def _named(self, node: ast.expr) -> Node:
        """`now`, a path, or a property of a found event."""
        parts: list[Part] = []
        inner = node
        while isinstance(inner, ast.Attribute | ast.Subscript):
            parts.append(inner.attr if isinstance(inner, ast.Attribute) else self._index(inner.slice))
            inner = inner.value
        parts.reverse()
        if len(parts) > _LONGEST_PATH:
            raise ExpressionError(f"the path has more than {_LONGEST_PATH} parts", self.at(node), None)
        if isinstance(inner, ast.Name):
            return self._rooted(inner, tuple(parts))
        found = self.build(inner)
        if isinstance(found, Past) and found.word in {"last", "first"} and parts:
            return Field(found, tuple(parts), found.column)
        raise ExpressionError(f"{found} has no properties", self.at(inner), None)

    def _index(self, node: ast.expr) -> Part:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            return node.value
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value < 1000:
            return node.value
        raise ExpressionError("only a quoted name or a small number can stand in [ ]", self.at(node), None)

    def _rooted(self, name: ast.Name, parts: tuple[Part, ...]) -> Node:
        word, column = name.id, self.at(name)
        if word == "now":
            if parts:
                raise ExpressionError("now has no parts", column, "compare it: now < contact.renews_at")
            return Now(column)
        if word not in ROOTS:
            raise self._unknown(word, column)
        if word not in self.roots:
            hint = "there is " + ", ".join(sorted(self.roots))
            raise ExpressionError(f"there is no {word} at hand here", column, hint)
        if not parts:
            raise ExpressionError(f"{word} what?", column, f"name a part of it: {word}.name")
        first = parts[0]
        if isinstance(first, int):
            raise ExpressionError(f"{word} is not a list", column, None)
        known = {"contact": self.names.contact, "event": self.names.event, "start": self.names.start}.get(word)
        if known is not None and not (word == "event" and self.candidate):
            everything = known | COLUMNS.keys() if word == "contact" else known
            require_known(f"{word} attribute" if word == "contact" else f"{word} property", first, everything,
                          column + len(word) + 1)  # fmt: skip
        return Path(cast("Root", word), parts, column)

    def missable(self, node: ast.expr) -> Node:
        """What exists() and `is None` ask about: also the whole of the event, the start or the offer."""
        if isinstance(node, ast.Name) and node.id in {"event", "start", "offer"} & self.roots:
            return Path(cast("Root", node.id), (), self.at(node))
        return self.build(node)

    def candidate_in(self, text: str, shift: int) -> Builder:
        """The builder of a `where=`."""
        return Builder(text, self.names, candidate=True, shift=shift)

    @property
    def roots(self) -> frozenset[str]:
        """What is at hand."""
        return self.names.roots | {"event"} if self.candidate else self.names.roots

    def _unknown(self, word: str, column: int) -> ExpressionError:
        if word in _FOREIGN:
            return ExpressionError(f"`{word}` is not a word of this language", column, _FOREIGN[word])
        if word in FUNCTIONS:
            return ExpressionError(f"`{word}` is a function", column, f"write {word}(...)")
        if self.names.contact is not None and word in self.names.contact:
            return ExpressionError(f'unknown name "{word}"', column, f"did you mean contact.{word}?")
        hint = meant(word, {*ROOTS, *FUNCTIONS, "now"})
        if hint is None or not hint.startswith("did"):
            hint = f"a text needs quotes: '{word}'; an attribute is contact.{word}"
        return ExpressionError(f'unknown name "{word}"', column, hint)

    # --- operators ----------------------------------------------------------------------------------------------------

    def _unary(self, node: ast.UnaryOp) -> Node:
        column = self.at(node)
        if isinstance(node.op, ast.Not):
            return Not(require_truth(self.build(node.operand)), column)
        operand = self.build(node.operand)
        if isinstance(node.op, ast.USub):
            if isinstance(operand, Literal) and isinstance(operand.value, int | float) and operand.value is not True:
                return Literal(-operand.value, column)
            return checked_arithmetic(Arithmetic("-", Literal(0, column), operand, column))
        sign = "~" if isinstance(node.op, ast.Invert) else "+"
        raise ExpressionError(f"`{sign}` cannot stand before a value", column, "write `not`" if sign == "~" else None)

    def _arithmetic(self, node: ast.BinOp) -> Node:
        op = _ARITHMETIC.get(type(node.op))
        if op is None:
            words: dict[type[ast.operator], str] = {ast.BitAnd: "write `and`", ast.BitOr: "write `or`"}
            raise ExpressionError("only + - * / calculate", self.at(node.right), words.get(type(node.op)))
        return checked_arithmetic(Arithmetic(op, self.build(node.left), self.build(node.right), self.at(node)))

    def _comparisons(self, node: ast.Compare) -> Node:
        """A chain such as `1 < x < 5` becomes its comparisons joined by `and`."""
        links: list[Node] = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            links.append(self._comparison(left, op, right))
            left = right
        return links[0] if len(links) == 1 else Every(tuple(links), self.at(node))

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Node:
        column = self.at(left)
        nothing = isinstance(right, ast.Constant) and right.value is None
        if isinstance(op, ast.Is | ast.IsNot):
            if not nothing:
                sign = "==" if isinstance(op, ast.Is) else "!="
                raise ExpressionError("`is` asks only for None", self.at(right), f"write `{sign}`")
            return checked_known(Known(self.missable(left), isinstance(op, ast.IsNot), False, column))
        if nothing:
            word = "is not" if isinstance(op, ast.NotEq) else "is"
            raise ExpressionError("nothing equals None", self.at(right), f"write `{word} None`")
        one, other = self.build(left), self.build(right)
        if isinstance(op, ast.In | ast.NotIn):
            return checked_member(Member(one, other, isinstance(op, ast.NotIn), column))
        return checked_compare(Compare(_COMPARISONS[type(op)], one, other, column))
