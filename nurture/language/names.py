"""What can be named in a project, and the looking up of names with a suggestion for each that is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from nurture.domain.conditions import Condition, Expression
from nurture.errors import ExpressionError
from nurture.language.event_properties import unknown_properties
from nurture.language.expressions import Names, parse_condition, parse_expression
from nurture.language.problems import is_one_slip, suggestion, sure_of
from nurture.language.source import SourceFile
from nurture.language.values import StageChangeRule

Path = tuple[str | int, ...]

# Which roots an expression may name depends on what is at hand where it is asked.
ABOUT_CONTACT = frozenset({"contact"})
ABOUT_EVENT = ABOUT_CONTACT | {"event"}
INSIDE = ABOUT_CONTACT | {"start"}
INSIDE_WITH_EVENT = INSIDE | {"event"}

_LOOKS_LIKE_EXPRESSION = re.compile(
    r"(contact|event|start|offer)\.\w|now\b(?! \w)|(did|count|last|first|orders|spent|len|lower|days_since)\("
)
_MENTIONS_DATA = re.compile(r"\b(contact|event|start|offer)\.\w+\s*[-+*/]|[-+*/]\s*\b(contact|event|start|offer)\.\w")


@dataclass(frozen=True, slots=True)
class Known:
    """The names of a project. `stages` maps every name and alias to the stage; None means: could not be read, so
    nothing can be said against a name. `steps` are the sends of each campaign by id; when a campaign could not be read
    whole they are not `complete`.
    """

    stages: Mapping[str, str] | None = None
    segments: frozenset[str] | None = None
    topics: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    senders: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    webhooks: frozenset[str] | None = None
    templates: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, frozenset[str]] = field(default_factory=dict)
    complete: bool = True
    schemas: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def names(self, campaign: str | None, roots: frozenset[str], offers: frozenset[str]) -> Names:
        """What an expression may say."""
        steps = {f"{name}/{step}" for name, ids in self.steps.items() for step in ids}
        if campaign is not None:
            steps |= self.steps.get(campaign, frozenset())
        return Names(
            roots=roots,
            segments=self.segments,
            stages=None if self.stages is None else frozenset(self.stages.values()),
            aliases={} if self.stages is None else self.stages,
            steps=frozenset(steps) if self.complete else None,
            offers=offers,
        )


@dataclass(slots=True)
class Scope:
    """One file while it is compiled: looks names up and reports those that are not there."""

    file: SourceFile
    known: Known
    campaign: str | None = None
    offers: frozenset[str] = frozenset()
    events: list[tuple[str, Path]] = field(default_factory=list)
    attributes: list[tuple[str, Path]] = field(default_factory=list)
    starts_on: str | None = None  # the event whose data `start` is
    _names: dict[frozenset[str], Names] = field(default_factory=dict)

    def _allowed(self, roots: frozenset[str]) -> Names:
        if self.offers and "start" in roots:
            roots |= {"offer"}
        if roots not in self._names:
            self._names[roots] = self.known.names(self.campaign, roots, self.offers)
        return self._names[roots]

    def condition(
        self, text: str | None, path: Path, roots: frozenset[str], about: Sequence[str] = ()
    ) -> Condition | None:
        """A parsed condition, stage aliases resolved; None if there is none or it cannot be understood.

        `about`: the events that `event` may stand for there.
        """
        if text is None:
            return None
        try:
            condition = parse_condition(text, self._allowed(roots))
        except ExpressionError as error:
            self._report_expression(error, path)
            return None
        self._note(condition, path, about)
        return condition

    def expression(
        self, text: str | None, path: Path, roots: frozenset[str], about: Sequence[str] = ()
    ) -> Expression | None:
        if text is None:
            return None
        try:
            expression = parse_expression(text, self._allowed(roots))
        except ExpressionError as error:
            self._report_expression(error, path)
            return None
        self._note(expression, path, about)
        return expression

    def value(self, raw: Any, path: Path, roots: frozenset[str]) -> Expression | None:
        """A literal, or an expression: a text that begins with contact., event., start., offer., now or a function."""
        if isinstance(raw, str) and _LOOKS_LIKE_EXPRESSION.match(raw):
            return self.expression(raw, path, roots)
        if isinstance(raw, str) and _MENTIONS_DATA.search(raw):
            self.file.warn("N302", path, f'"{raw}" is stored as text', "begin an expression with what it is about")
        if isinstance(raw, dict):
            self.file.report("N105", path, "a value here is text, a number, true, false or a list, not a mapping")
            return None
        return self.expression(repr(raw), path, roots)

    def _note(self, made: Condition | Expression, path: Path, about: Sequence[str]) -> None:
        self.events += [(event, path) for event in made.needs.events]
        self.attributes += [(name, path) for name in made.needs.contact]
        for message, hint, column in unknown_properties(made.tree, self.known.schemas, about, self.starts_on):
            self.file.report("N303", path, message, hint, offset=column)

    def _report_expression(self, error: ExpressionError, path: Path) -> None:
        self.file.report("N301", path, str(error), error.hint, offset=error.column)

    # --- names -------------------------------------------------------------------------------------------------------

    def among(
        self, name: str | None, known: Iterable[str] | None, path: Path, code: str, kind: str, *, key: bool = False
    ) -> str | None:
        """`name`, reported if it is not one of `known`."""
        if name is not None and known is not None and name not in known:
            hint = suggestion(name, known, kind)
            meant = sure_of(name, known)
            self.file.report(code, path, f'no {kind} "{name}"', hint, key=key, fix=(name, meant) if meant else None)
        return name

    def event(self, name: str, path: Path) -> str:
        """An event name, remembered so that near misses can be found over all files."""
        self.events.append((name, path))
        return name

    def stage(self, name: str, path: Path) -> str:
        """The stage behind a name or alias."""
        self.among(name, self.known.stages, path, "N202", "stage")
        return (self.known.stages or {}).get(name, name)

    def stages(self, names: Sequence[str] | None, path: Path) -> frozenset[str] | None:
        if names is None or list(names) == ["*"]:
            return None
        return frozenset(self.stage(name, path) for name in names)

    def stage_change(self, rule: StageChangeRule, path: Path) -> tuple[frozenset[str] | None, str]:
        return self.stages(rule.from_stages, path), self.stage(rule.to_stage, path)

    def campaign_named(self, name: str, path: Path, *, key: bool = False) -> None:
        if self.known.complete:
            self.among(name, self.known.steps, path, "N212", "campaign", key=key)

    def segment(self, name: str, path: Path) -> str:
        self.among(name, self.known.segments, path, "N204", "segment")
        return name


Uses = Mapping[str, Sequence[tuple[Scope, Path]]]


def near_misses(uses: Uses, elsewhere: Iterable[str], code: str, word: str) -> None:
    """Warn about a name used once that is nearly another: what waits for a misspelt event waits for ever."""
    known = {name for name, places in uses.items() if len(places) > 1} | set(elsewhere)
    for name, places in uses.items():
        if name not in known and (nearest := _nearest(name, known)):
            scope, path = places[0]
            scope.file.warn(code, path, f'the {word} "{name}" is named only here', f"did you mean {nearest}?")


def _nearest(name: str, others: Iterable[str]) -> str | None:
    folded = {re.sub(r"[\W_]+", "", other).casefold(): other for other in sorted(others)}
    plain = re.sub(r"[\W_]+", "", name).casefold()
    slips = [other for other in folded if len(plain) > 5 and is_one_slip(plain, other)]
    for close in slips + get_close_matches(plain, folded, n=3, cutoff=0.9):
        if not _are_opposites(name, folded[close]):
            return folded[close]
    return None


def _are_opposites(one: str, other: str) -> bool:
    """Whether a word differs by a prefix only, as in Subscribed and Unsubscribed: near in letters, not in meaning."""
    pairs = zip(one.casefold().split(), other.casefold().split(), strict=False)
    return any(a != b and (a.endswith(b) or b.endswith(a)) for a, b in pairs)


# The names shops' and products' tracking plans agree on (Segment's e-commerce and B2B specifications), and our own.
STANDARD_EVENTS = frozenset({
    "Products Searched", "Product List Viewed", "Product Clicked", "Product Viewed", "Product Added", "Product Removed",
    "Cart Viewed", "Checkout Started", "Checkout Step Completed", "Payment Info Entered", "Order Completed",
    "Order Updated", "Order Refunded", "Order Cancelled", "Coupon Applied", "Coupon Denied", "Product Reviewed",
    "Product Shared", "Cart Shared", "Signed Up", "Signed In", "Account Created", "Account Deleted", "Trial Started",
    "Trial Ended", "Subscription Started", "Subscription Cancelled", "Email Opened", "Email Clicked",
    "nurture.enrol", "nurture.eject", "nurture.unsubscribed", "nurture.resubscribed", "nurture.bounced",
    "nurture.complained", "nurture.paused", "nurture.fewer_mails", "nurture.tracking_chosen",
    "nurture.wake",
})  # fmt: skip
