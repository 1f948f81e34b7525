"""A campaign as a drawing: every step a card, ways apart side by side, and what ends it below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from nurture.domain.campaign import Campaign, Goal
from nurture.domain.steps import Branch, End, Goto, Send, Split, Step, Wait, WaitFor, WaitQuiet, WaitUntil
from nurture.engine.programme_words import start_words, step_words, stop_words
from nurture.language.problems import Problem

DROP, LINE, PAD = 26.0, 17.0, 10.0  # pixels: the way down to the next card, a line of text, the room around it


@dataclass(frozen=True, slots=True)
class Size:
    """A card's width, the room beside it, the room around them all, and the letters of a line."""

    card: float
    gap: float
    margin: float
    letters: int


DESK, PHONE = Size(236, 22, 14, 31), Size(154, 12, 6, 20)  # on a phone two ways fit side by side


@dataclass(frozen=True, slots=True)
class Card:
    """One box. `kind` is its look: start, send, wait, way, do, end, stop, goal. `lines` are its text, wrapped."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str
    lines: tuple[str, ...]
    told: str
    mail: str | None = None
    step: str | None = None
    people: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """A way between cards, as an SVG path; with an arrow at its end where it leads into one."""

    path: str
    arrow: bool = True


@dataclass(frozen=True, slots=True)
class Label:
    """What a way is taken for, on `lines`, at the middle `x`."""

    x: float
    y: float
    lines: tuple[str, ...]
    told: str

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + 4


@dataclass(slots=True)
class Drawing:
    """`inside` is the frame around all that happens to people who are in it: x, y, width, height."""

    width: float = 0
    height: float = 0
    cards: list[Card] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    inside: tuple[float, float, float, float] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Item:
    """A step, and the ways that leave it until they meet again at its `next`."""

    node: Step
    ways: tuple[tuple[str, tuple[Item, ...]], ...] = ()

    @property
    def goes_on(self) -> bool:
        if isinstance(self.node, End):
            return False
        return not self.ways or any(not way or way[-1].goes_on for _, way in self.ways)


def draw(
    campaign: Campaign, people: Mapping[str | None, int], problems: Sequence[Problem], size: Size = DESK
) -> Drawing:
    """The whole campaign. `people` stand at steps; `problems` are those of its file and its mails."""
    return _Pen(campaign, people, at_steps(campaign, problems), size).draw()


def at_steps(campaign: Campaign, problems: Sequence[Problem]) -> dict[str, tuple[Problem, ...]]:
    """Problems by the step they are at: the last one that begins above them in the file, or that sends the mail.

    What is above all steps is at "start".
    """
    nodes = sorted((node for node in campaign.nodes.values() if node.line), key=lambda node: node.line)
    found: dict[str, tuple[Problem, ...]] = {}
    for problem in problems:
        if problem.file == campaign.file:
            above = [node.id for node in nodes if node.line <= problem.line]
            places = [above[-1] if above else "start"]
        else:
            sends = campaign.sends
            places = [send.id for send in sends if problem.file.startswith(f"email_templates/{send.template}.")]
        for place in places:
            found[place] = (*found.get(place, ()), problem)
    return found


def chain(nodes: Mapping[str, Step], first: str | None, until: str | None = None) -> tuple[Item, ...]:
    """The steps from `first` until the one where ways meet again."""
    items = []
    name = first
    while name is not None and name != until:
        node = nodes[name]
        items.append(Item(node, tuple((told, chain(nodes, target, node.next)) for told, target in _ways(node))))
        name = None if isinstance(node, End) else node.next
    return tuple(items)


def _ways(node: Step) -> list[tuple[str, str | None]]:
    match node:
        case Branch():
            ways = [("if " + arm.label if arm.condition else arm.label, arm.target or node.next) for arm in node.arms]
            return ways if node.arms[-1].condition is None else [*ways, ("none of these", node.next)]
        case Split():
            total = sum(arm.share for arm in node.arms) or 1
            return [(f"{arm.name}, {100 * arm.share / total:.3g} %", arm.target or node.next) for arm in node.arms]
        case WaitFor() if node.then is not None or node.otherwise is not None:
            return [("seen in time", node.then or node.next), ("not seen", node.otherwise or node.next)]
        case _:
            return []


class _Pen:
    def __init__(
        self,
        campaign: Campaign,
        people: Mapping[str | None, int],
        problems: Mapping[str, tuple[Problem, ...]],
        size: Size,
    ) -> None:
        self.campaign, self.people, self.problems, self.size = campaign, people, problems, size
        self.drawing = Drawing()

    def draw(self) -> Drawing:
        items = chain(self.campaign.nodes, self.campaign.first)
        ends = self._endings()
        inner = self._width(items)
        width = inner + 4 * self.size.margin
        middle = width / 2
        y = self._card(middle, 2, "start", "Starts", start_words(self.campaign), place="start")
        top = y + DROP - 8
        y = self._chain(items, middle, y + DROP + 6, y)
        if not items or items[-1].goes_on:
            self._wire(f"M{middle:.1f} {y:.1f}V{y + DROP - 2:.1f}")
            y = self._card(middle, y + DROP, "end", "Ends", "")
        y += self.size.margin
        self.drawing.inside = (self.size.margin, top, width - 2 * self.size.margin, y - top)
        across = max(1, int((inner + self.size.gap) // (self.size.card + self.size.gap)))
        for first in range(0, len(ends), across):
            row = ends[first : first + across]
            x = middle - (len(row) * (self.size.card + self.size.gap) - self.size.gap) / 2 + self.size.card / 2
            lowest = y
            for kind, title, told in row:
                if first == 0:
                    self._wire(f"M{x:.1f} {y:.1f}V{y + DROP - 2:.1f}")
                lowest = max(lowest, self._card(x, y + (DROP if first == 0 else 10), kind, title, told))
                x += self.size.card + self.size.gap
            y = lowest
        self.drawing.width, self.drawing.height = width, y + 4
        return self.drawing

    def _endings(self) -> list[tuple[str, str, str]]:
        goal = self.campaign.goal
        ends = [("goal", "Goal", _goal_words(goal))] if goal is not None else []
        return ends + [("stop", "Stops", stop_words(stop)) for stop in self.campaign.stops]

    def _chain(self, items: Sequence[Item], middle: float, y: float, above: float) -> float:
        """Draw steps below one another from `y`; a wire comes from `above`. Returns how far down it went."""
        for item in items:
            self._wire(f"M{middle:.1f} {above:.1f}V{y - 2:.1f}")
            above = self._node(item.node, middle, y)
            if item.ways:
                above = self._apart(item.ways, middle, above)
            y = above + DROP
        return above

    def _apart(self, ways: Sequence[tuple[str, tuple[Item, ...]]], middle: float, top: float) -> float:
        widths = [self._width(way) for _, way in ways]
        x = middle - (sum(widths) + self.size.gap * (len(widths) - 1)) / 2
        tallest = max(len(self._lines(told, 3)) for told, _ in ways)
        ends = []
        for (told, way), width in zip(ways, widths, strict=True):
            at = x + width / 2
            label = Label(at, top + 24, self._lines(told, 3), told)
            self._wire(f"M{middle:.1f} {top:.1f}V{top + 12:.1f}H{at:.1f}V{label.y:.1f}", arrow=False)
            self.drawing.labels.append(label)
            below = label.y + label.height
            deep = label.y + LINE * tallest + 4
            bottom = self._chain(way, at, deep + DROP, below)
            ends.append((at, bottom if way else below, not way or way[-1].goes_on))
            x += width + self.size.gap
        meet = max(bottom for _, bottom, _ in ends) + 14
        for at, bottom, goes_on in ends:
            if goes_on:
                self._wire(f"M{at:.1f} {bottom:.1f}V{meet:.1f}H{middle:.1f}", arrow=False)
        return meet

    def _node(self, node: Step, middle: float, y: float) -> float:
        match node:
            case Send():
                told = f"{node.template}" + (f", with {node.offer}" if node.offer else "")
                told += f"; only if {node.condition.source}" if node.condition is not None else ""
                mail = f"{self.campaign.name}/{node.id}"
                return self._card(middle, y, "send", node.id, told, place=node.id, mail=mail)
            case Wait() | WaitUntil() | WaitFor() | WaitQuiet():
                kind, title = "wait", "Waits"
            case Branch():
                return self._card(middle, y, "way", "Branches", "", place=node.id)
            case Split():
                return self._card(middle, y, "way", "Splits", f"by {node.name}", place=node.id)
            case End():
                return self._card(middle, y, "end", "Leaves", "", place=node.id)
            case Goto():
                kind, title = "way", "Goes back"
            case _:
                kind, title = "do", step_words(node).partition(" ")[0].capitalize()
        told = step_words(node).partition(" ")[2].removeprefix("back ")
        return self._card(middle, y, kind, title, told, place=node.id)

    def _card(
        self,
        middle: float,
        y: float,
        kind: str,
        title: str,
        told: str,
        *,
        place: str | None = None,
        mail: str | None = None,
    ) -> float:
        problems = self.problems.get(place or "", ())
        lines = self._lines(told, 4 if self.size is DESK else 6) if told else ()
        height = 2 * PAD + LINE * (1 + len(lines) + len(problems)) - 3
        people = self.people.get(place, 0) if place is not None else 0
        width = self.size.card
        self.drawing.cards.append(
            Card(middle - width / 2, y, width, height, kind, title, lines, told, mail, place, people, problems)
        )
        return y + height

    def _wire(self, path: str, *, arrow: bool = True) -> None:
        self.drawing.wires.append(Wire(path, arrow))

    def _width(self, items: Sequence[Item]) -> float:
        """How much room steps need side by side."""
        apart = [
            sum(self._width(way) for _, way in item.ways) + self.size.gap * (len(item.ways) - 1)
            for item in items
            if item.ways
        ]
        return max([self.size.card, *apart])

    def _lines(self, text: str, most: int) -> tuple[str, ...]:
        letters = self.size.letters
        lines = wrap(text, letters) or [""]
        if len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1][: letters - 1].rstrip() + "…"]
        return tuple(lines)


def _goal_words(goal: Goal) -> str:
    told = f"{goal.event} within {goal.within.text or goal.within}"
    return told + (f", where {goal.where.source}" if goal.where is not None else "")
