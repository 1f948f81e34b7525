"""Campaign sense: flows that compile, and still cannot do what they were written for.

Nothing here guesses. A claim of "always" is tried on a week of starts, with the same arithmetic that plans the mails,
in the project's zone; ways whose length only data knows (`wait_until`, `wait_quiet`) are never said to be too short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from nurture.domain.arbitration import allowed_from
from nurture.domain.campaign import Campaign, ManualStart, Start
from nurture.domain.flow import wait_ends
from nurture.domain.programme import Cap, Programme
from nurture.domain.steps import MailKind, OnCap, Send, Step, Wait, WaitFor, WaitQuiet, WaitUntil
from nurture.domain.timing import add, zone_of
from nurture.language.checks import ways_on
from nurture.language.names import Path
from nurture.language.source import SourceFile

Place = tuple[SourceFile, Mapping[str, Path]]
Way = tuple[Step, ...]  # the nodes passed, sends included
Clock = Callable[[datetime, Step], datetime | None]

MOST_WAYS = 64  # of a flow with more, nothing is claimed
WEEK = tuple(datetime(2027, 3, 1, tzinfo=UTC) + timedelta(hours=2 * step) for step in range(84))


def warn_of_nonsense(programme: Programme, places: Mapping[str, Place]) -> None:
    """Warn of mails that caps always hold up, offers that end before their reminder, goals that do not stop what they
    should, and campaigns that always want the same slot.
    """
    for name, campaign in programme.campaigns.items():
        file, paths = places[name]
        sense = _Sense(programme, campaign, file, paths)
        sense.check_caps()
        sense.check_offers()
        sense.check_goal()
    _check_collisions(programme, places)


class _Sense:
    """One campaign of a programme, and how long its ways take."""

    def __init__(self, programme: Programme, campaign: Campaign, file: SourceFile, paths: Mapping[str, Path]) -> None:
        self.programme, self.campaign, self.file, self.paths = programme, campaign, file, paths
        self.zone = zone_of(programme.zone)

    def check_caps(self) -> None:
        """A mail that follows another sooner than a cap of one allows."""
        for first in self.campaign.sends:
            if first.kind is not MailKind.MARKETING or first.condition is not None:
                continue
            for way in self._ways(first.next, through_mails=False):
                second = way[-1]
                assert isinstance(second, Send)
                cap = next((cap for cap in self.programme.caps if self._always_full(cap, first, second, way)), None)
                if cap is not None:
                    self._tell_cap(cap, first, second, way)
                    break

    def _always_full(self, cap: Cap, first: Send, second: Send, way: Way) -> bool:
        counts = cap.category is None or cap.category == first.category == second.category
        if cap.max != 1 or not counts or _at_least(way) >= cap.per:
            return False
        times = self._pairs(first, way, self._latest)
        return bool(times) and all(due is not None and due - sent < cap.per for sent, due in times)

    def _tell_cap(self, cap: Cap, first: Send, second: Send, way: Way) -> None:
        times = [(sent, due) for sent, due in self._pairs(first, way, self._latest) if due is not None]
        patience = min(second.late.approximate, (second.postpone_up_to or second.late).approximate)
        lost = second.on_cap is OnCap.SKIP or all(
            self._allowed(second, sent + cap.per) - due > patience for sent, due in times
        )
        fate = "it is always skipped" if lost else "it always has to wait for room"
        message = f'"{second.id}" is due sooner after "{first.id}" than the cap of {cap} allows: {fate}'
        self.file.warn("N620", self.paths[second.id], message, f"wait longer than {_span(cap.per)} between the two")

    def check_offers(self) -> None:
        """A mail with an offer that is over by then: a grant is made once, with the first mail that carries it."""
        for reminder in self.campaign.sends:
            offer = self.campaign.offers.get(reminder.offer or "")
            if offer is None:
                continue
            for first in self.campaign.sends:
                if first.offer != reminder.offer or first.condition is not None or first is reminder:
                    continue
                ways = [way for way in self._ways(first.next) if way[-1] is reminder]
                times = [pair for way in ways for pair in self._pairs(first, way, self._earliest)]
                over = [
                    due >= add(sent, offer.expires, self.zone, self.programme.calendar) for sent, due in times if due
                ]
                if over and all(over):
                    message = (
                        f'the offer "{offer.name}" given with "{first.id}" is over after {offer.expires}, before '
                        f'"{reminder.id}" is due: it is never sent'
                    )
                    hint = "let the offer last longer, or remind earlier"
                    self.file.warn("N807", (*self.paths[reminder.id], "offer"), message, hint)
                    break

    def check_goal(self) -> None:
        """Mails that still go to people who did what they are to be moved to do."""
        goal = self.campaign.goal
        if goal is None or goal.event in {stop.event for stop in self.campaign.event_stops}:
            return
        ways = self._ways(self.campaign.first)
        for send in self.campaign.sends:
            asked = send.condition is not None and (not goal.exits or goal.event in send.condition.source)
            mine = [way for way in ways if way[-1] is send]
            if send.kind is not MailKind.MARKETING or asked or not mine:
                continue
            if goal.exits:
                times = [(start, self._arrival(start, way, self._earliest)) for way in mine for start in WEEK]
                ends = [due > add(at, goal.within, self.zone, self.programme.calendar) for at, due in times if due]
                blind = bool(ends) and all(ends)
                why = f"the goal ends the campaign only within {goal.within}"
            else:
                blind = send.offer is not None and all(any(isinstance(n, Send) for n in way[:-1]) for way in mine)
                why = "the goal says then: stay"
            if blind:
                message = f'"{send.id}" also goes to people who have reached the goal {goal.event}: {why}'
                self.file.warn("N621", ("goal",), message, f"add a stop on the event {goal.event}", key=True)
                return

    # --- ways and times ----------------------------------------------------------------------------------------------

    def first_mails(self) -> list[Way]:
        """The ways from the start to the first marketing mail, if it is a certain mail at a certain time."""
        return self._ways(self.campaign.first, through_mails=False)

    def due_times(self, way: Way) -> list[datetime | None]:
        """When the mail at the end of `way` is due for the starts of a week; None where only data knows."""
        return [self._arrival(start, way, self._latest) for start in WEEK]

    def _ways(self, start: str | None, *, through_mails: bool = True) -> list[Way]:
        """The ways without a loop from `start` to marketing mails: to all, or to the first ones."""
        found: list[Way] = []
        waiting: list[tuple[str | None, Way]] = [(start, ())]
        while waiting:
            node_id, way = waiting.pop()
            node = self.campaign.nodes.get(node_id or "")
            if node is None or node in way:
                continue
            way = (*way, node)
            is_mail = isinstance(node, Send) and node.kind is MailKind.MARKETING
            if is_mail:
                found.append(way)
            if len(found) > MOST_WAYS or len(waiting) > MOST_WAYS:
                return []
            if through_mails or not is_mail:
                waiting += [(target, way) for target in ways_on(node)]
        return found

    def _pairs(self, first: Send, way: Way, clock: Clock) -> list[tuple[datetime, datetime | None]]:
        """When `first` leaves, as often as it can in a week, and when the mail at the end of `way` is then due."""
        leaves = [at for at in WEEK if self._allowed(first, at) == at]
        return [(at, self._arrival(at, way, clock)) for at in leaves]

    def _arrival(self, at: datetime, way: Way, clock: Clock) -> datetime | None:
        reached: datetime | None = at
        for node in way[:-1]:
            if reached is None:
                return None
            reached = clock(reached, node)
        send = way[-1]
        return self._allowed(send, reached) if reached is not None and isinstance(send, Send) else None

    def _allowed(self, send: Send, at: datetime) -> datetime:
        return allowed_from(self.programme, self.campaign, send, at, None)

    def _earliest(self, at: datetime, node: Step) -> datetime:
        match node:
            case Wait():
                return wait_ends(self.programme.calendar, self.zone, at, node)
            case WaitQuiet():
                return add(at, node.duration, self.zone, self.programme.calendar)
        return at

    def _latest(self, at: datetime, node: Step) -> datetime | None:
        match node:
            case Wait():
                return wait_ends(self.programme.calendar, self.zone, at, node)
            case WaitFor():
                return add(at, node.up_to, self.zone, self.programme.calendar)
            case WaitQuiet() | WaitUntil():
                return None
        return at


def _at_least(way: Way) -> timedelta:
    """A quick lower bound, so that most ways need no trial."""
    lengths = [node.duration.approximate for node in way if isinstance(node, Wait) and node.duration is not None]
    return sum(lengths, timedelta()) - timedelta(hours=1.5) * len(lengths)


def _span(per: timedelta) -> str:
    hours = per / timedelta(hours=1)
    return f"{hours / 24:g} days" if hours % 24 == 0 and hours > 24 else f"{hours:g} hours"


# --- two campaigns, one slot -----------------------------------------------------------------------------------------


def _check_collisions(programme: Programme, places: Mapping[str, Place]) -> None:
    """Campaigns with the same start whose first mails are always too close for a cap of one."""
    caps = [cap for cap in programme.caps if cap.max == 1]
    together: dict[Start, list[tuple[_Sense, Send, list[datetime | None]]]] = defaultdict(list)
    for name, campaign in programme.campaigns.items():
        if not caps or isinstance(campaign.start, ManualStart):
            continue
        sense = _Sense(programme, campaign, *places[name])
        ways = sense.first_mails()
        mail = ways[0][-1] if len(ways) == 1 else None
        if isinstance(mail, Send) and mail.condition is None:
            together[campaign.start].append((sense, mail, sense.due_times(ways[0])))
    for rivals in together.values():
        rivals.sort(key=lambda rival: (-rival[0].campaign.priority, rival[0].campaign.name))
        for index, (sense, mail, times) in enumerate(rivals):
            for winner, won, earlier in rivals[:index]:
                cap = next((cap for cap in caps if _collide(cap, won, mail, earlier, times)), None)
                if cap is not None and _same_people(winner.campaign, sense.campaign):
                    message = (
                        f'"{mail.id}" always competes with "{won.id}" of {winner.campaign.name}: both campaigns have '
                        f"the same start, and the cap of {cap} has room for one"
                    )
                    hint = "let one of them wait, start under different conditions, or make them one campaign"
                    sense.file.warn("N622", ("start",), message, hint, key=True)
                    break


def _collide(
    cap: Cap, one: Send, other: Send, times: Sequence[datetime | None], others: Sequence[datetime | None]
) -> bool:
    if cap.category is not None and not cap.category == one.category == other.category:
        return False
    return all(a is not None and b is not None and abs(a - b) < cap.per for a, b in zip(times, others, strict=True))


def _same_people(one: Campaign, other: Campaign) -> bool:
    """Not if both ask for something, and not for the same."""
    if one.condition is None or other.condition is None:
        return True
    return one.condition.source == other.condition.source
