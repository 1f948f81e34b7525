"""Which data a template uses, and whether its front matter says so.

Every `contact.`, `start.`, `event.` and `offer.` name must be declared in `needs`; one that may be missing (`?`) needs
a default or an `{% if %}` around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from nurture.rendering.front_matter import ROOTS, Need

Path = tuple[str, ...]

OURS = frozenset({
    "campaign", "topic", "step", "sender", "brand", "postal_address", "unsubscribe_url", "preferences_url", "view_url",
    "confirm_url",
    "subject", "preheader", "lang", "dir", "asset", "answer_url", "loop", "asset_url",
})  # fmt: skip
ALWAYS_THERE = frozenset({("contact", "email")})


@dataclass(frozen=True, slots=True)
class Use:
    """A name a template uses, in a line of the joined source; `guarded` by a default or an `if`."""

    path: Path
    line: int
    guarded: bool

    def __str__(self) -> str:
        return ".".join(self.path).replace(".[]", "[]")


@dataclass(slots=True)
class _Reader:
    """Walks a syntax tree, knowing what each local name stands for."""

    uses: list[Use] = field(default_factory=list)
    unknown: list[tuple[str, int]] = field(default_factory=list)

    def read(self, node: nodes.Node, names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        """One node and all below it."""
        if isinstance(node, nodes.For):
            self._for(node, names, guards)
        elif isinstance(node, nodes.If):
            self._if(node, names, guards)
        elif isinstance(node, nodes.With):
            inner = dict(names)
            for target, value in zip(node.targets, node.values, strict=True):
                self.read(value, names, guards | self._fallback(value, names))
                inner.update({name.name: self.path(value, names) for name in _targets(target)})
            self._all(node.body, inner, guards)
        elif isinstance(node, nodes.Assign):
            self.read(node.node, names, guards)
            names.update({name.name: self.path(node.node, names) for name in _targets(node.target)})
        elif isinstance(node, nodes.CondExpr):
            seen = guards | self._asked(node.test, names)
            self._questions(node.test, names, guards)
            self.read(node.expr1, names, seen)
            if node.expr2 is not None:
                self.read(node.expr2, names, guards)
        elif isinstance(node, (nodes.And, nodes.Or)):
            self.read(node.left, names, guards | self._asked(node.left, names))
            self.read(node.right, names, guards | self._asked(node.left, names))
        else:
            self._other(node, names, guards)

    def _other(self, node: nodes.Node, names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        if isinstance(node, (nodes.Getattr, nodes.Getitem, nodes.Name)):
            self._name(node, names, guards)
        elif isinstance(node, nodes.Filter) and node.name in {"default", "d"}:
            path = self.path(node.node, names) if node.node is not None else None
            extra = frozenset({path}) if path else frozenset()
            for child in node.iter_child_nodes():
                self.read(child, names, guards | extra)
        elif isinstance(node, (nodes.Test, nodes.Not)):
            self._questions(node, names, guards)
        else:
            self._all(list(node.iter_child_nodes()), names, guards)

    def _name(self, node: nodes.Node, names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        path = self.path(node, names)
        if path is not None:
            if path[0] in ROOTS:
                guarded = any(path[: len(guard)] == guard for guard in guards)
                self.uses.append(Use(path, node.lineno, guarded))
            elif path[0] not in OURS:
                self.unknown.append((path[0], node.lineno))
            return
        for child in node.iter_child_nodes():
            self.read(child, names, guards)

    def _for(self, node: nodes.For, names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        self.read(node.iter, names, guards)
        path = self.path(node.iter, names)
        inner = dict(names)
        for name in _targets(node.target):
            inner[name.name] = (*path, "[]") if path and isinstance(node.target, nodes.Name) else None
        if node.test is not None:
            self.read(node.test, inner, guards)
        self._all(node.body, inner, guards)
        self._all(node.else_, names, guards)

    def _if(self, node: nodes.If, names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        self._questions(node.test, names, guards)
        self._all(node.body, names, guards | self._asked(node.test, names))
        self._all(node.elif_, names, guards)
        self._all(node.else_, names, guards | self._refused(node.test, names))

    def _questions(self, node: nodes.Node, names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        """A name alone, or with `is defined`, may be asked about; anything else must be there."""
        asked = self._asked(node, names) | self._refused(node, names)
        if isinstance(node, (nodes.And, nodes.Or)):
            self.read(node, names, guards)
        elif isinstance(node, (nodes.Not, nodes.Test)):
            self._questions(node.node, names, guards | asked)
        else:
            self.read(node, names, guards | asked)

    def _asked(self, node: nodes.Node, names: dict[str, Path | None]) -> frozenset[Path]:
        """The names that are surely there when the test holds."""
        if isinstance(node, nodes.And):
            return self._asked(node.left, names) | self._asked(node.right, names)
        if isinstance(node, nodes.Test) and node.name == "defined":
            node = node.node
        path = self.path(node, names)
        return frozenset({path}) if path else frozenset()

    def _refused(self, node: nodes.Node, names: dict[str, Path | None]) -> frozenset[Path]:
        """The names that are surely there when the test does not hold."""
        return self._asked(node.node, names) if isinstance(node, nodes.Not) else frozenset()

    def _fallback(self, node: nodes.Node, names: dict[str, Path | None]) -> frozenset[Path]:
        """A value handed to a part is judged where the part uses it."""
        path = self.path(node, names)
        return frozenset({path}) if path else frozenset()

    def path(self, node: nodes.Node, names: dict[str, Path | None]) -> Path | None:
        """What an expression names, if it is nothing but a name."""
        if isinstance(node, nodes.Name):
            return names.get(node.name, (node.name,))
        if isinstance(node, nodes.Filter) and node.name in {"first", "last"} and node.node is not None:
            parent = self.path(node.node, names)
            return (*parent, "[]") if parent else None
        if isinstance(node, nodes.Getattr):
            parent = self.path(node.node, names)
            return (*parent, node.attr) if parent else None
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            parent = self.path(node.node, names)
            return (*parent, node.arg.value if isinstance(node.arg.value, str) else "[]") if parent else None
        return None

    def _all(self, found: Sequence[nodes.Node], names: dict[str, Path | None], guards: frozenset[Path]) -> None:
        for node in found:
            self.read(node, names, guards)


def _targets(target: nodes.Node) -> Iterator[nodes.Name]:
    return iter([target]) if isinstance(target, nodes.Name) else target.find_all(nodes.Name)


def uses_of(tree: nodes.Template) -> tuple[list[Use], list[tuple[str, int]]]:
    """All data a template uses, and the names nobody gives it, with lines of the parsed source."""
    reader = _Reader()
    reader.read(tree, {}, frozenset())
    return reader.uses, reader.unknown


def covering(use: Use, needs: Sequence[Need]) -> list[Need]:
    """The needs that declare a name: itself, something it is part of, or something inside it."""
    found = []
    for need in needs:
        shorter = min(len(need.path), len(use.path))
        if need.path[:shorter] == use.path[:shorter]:
            found.append(need)
    return found
