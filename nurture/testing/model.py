"""A reference model: what a small family of programmes must do, told as naively as possible.

Written from the documents and not from the code: lists instead of queries, instants tried one by one instead of
arithmetic, every person's whole life kept and counted again. It shares nothing with `domain`; so where the engine and
the model agree on every line of the ledger, they are not wrong in the same way.

All clocks show UTC. A relay is `up`, `busy` (4xx), `refusing` (5xx about the mail) or `silent` (no reply to the dot).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nurture.testing.model_rules import HOUR, Mail, Plan, Rules, Wait

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
RETRIES = [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 60 * MINUTE]
SECOND_COPY = 15 * MINUTE  # a receipt of unknown fate goes once more
YES, NO = "Newsletter Subscribed", "Newsletter Unsubscribed"


@dataclass
class Letter:
    """A mail that was decided on. `at` is when it counts, None while it may still go; `gone` when it never will."""

    mail: Mail
    priority: int
    passage: Passage
    planned: datetime
    deadline: datetime
    not_before: datetime
    at: datetime | None = None
    gone: bool = False
    limbo: str | None = None  # its daemon died: "claimed" or "gated"
    tries: int = 0
    unknowns: int = 0

    @property
    def waits(self) -> bool:
        return self.at is None and not self.gone and self.limbo is None


@dataclass
class Passage:
    """One time through one plan: at step `place` since `since`. `first_due` and `due` are those of the mail there."""

    plan: Plan
    started: datetime
    since: datetime
    place: int = 0
    first_due: datetime | None = None
    due: datetime | None = None
    letter: Letter | None = None
    inside: bool = True
    goal_met: bool = False

    def go_on(self, at: datetime) -> None:
        self.place, self.since, self.first_due, self.due, self.letter = self.place + 1, at, None, None, None


@dataclass
class Person:
    number: int
    wants_mail: bool = False
    told: list[tuple[datetime, int, str]] = field(default_factory=list)
    known: list[tuple[datetime, int, str]] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    ledger: list[tuple[datetime, str, str, str, str]] = field(default_factory=list)
    copies: list[tuple[datetime, str]] = field(default_factory=list)


class Model:
    """Everybody under `rules`. `relay` is how the relay is now; `paused` are plans that are paused by hand."""

    def __init__(self, rules: Rules, people: int) -> None:
        self.rules = rules
        self.people = [Person(number) for number in range(people)]
        self.relay = "up"
        self.paused: set[str] = set()
        self.orders = 0

    def tell(self, who: int, name: str, happened: datetime) -> None:
        self.orders += 1
        self.people[who].told.append((happened, self.orders, name))

    def next_at(self, now: datetime) -> datetime | None:
        """The next instant at which somebody has something to do."""
        found: list[datetime] = []
        for person in self.people:
            for passage in person.passages:
                if not passage.inside or passage.letter is not None:
                    continue
                step = passage.plan.steps[passage.place]
                if isinstance(step, Wait):
                    found.append(passage.since + step.hours * HOUR)
                elif passage.plan.name not in self.paused:
                    found.append(passage.due or now)
            found += [each.not_before for each in person.letters if each.waits and self._may_go(each)]
        return min((at for at in found if at > now), default=None)

    # --- work

    def work(
        self, now: datetime, *, dies: str | None = None, meanwhile: tuple[str, str] | None = None
    ) -> Letter | None:
        """Everything that is due. The first mail on the wire may see its daemon die, or an event come `meanwhile`.

        `dies` is before gate, after gate or after dot; `meanwhile` is before gate or after gate, and the event.
        Returns the mail whose daemon died: nobody works until `rescue`.
        """
        for person in self.people:
            self._turn(person, now)
        while (letter := self._first_ready(now)) is not None:
            person = self._whose(letter)
            if not self._rechecked(person, letter, now):
                if dies is not None:
                    return self._die(person, letter, now, dies)
                if meanwhile is not None and meanwhile[0] == "before gate":
                    letter.not_before = now + SECOND
                else:
                    self._answer(person, letter, now)
                if meanwhile is not None:
                    self.tell(person.number, meanwhile[1], now)
                    meanwhile = None
            self._turn(person, now)
        return None

    def rescue(self, now: datetime) -> None:
        """The lease of what the dead had in hand is over."""
        for person in self.people:
            for letter in person.letters:
                if letter.limbo == "gated":
                    self._note(person, now, "unknown", "crashed", letter.passage.plan, letter.mail.step)
                    self._lost(letter, now)
                letter.limbo = None

    def _die(self, person: Person, letter: Letter, now: datetime, stage: str) -> Letter:
        letter.limbo = "claimed" if stage == "before gate" else "gated"
        if stage == "after dot":  # the relay was up
            person.copies.append((now, letter.mail.step))
        return letter

    def _first_ready(self, now: datetime) -> Letter | None:
        ready = [
            (not letter.mail.receipt, -letter.priority, letter.not_before, person.number, place, letter)
            for person in self.people
            for place, letter in enumerate(person.letters)
            if letter.waits and letter.not_before <= now and self._may_go(letter)
        ]
        return min(ready, key=lambda each: each[:-1])[-1] if ready else None

    def _may_go(self, letter: Letter) -> bool:
        return letter.passage.plan.name not in self.paused

    def _whose(self, letter: Letter) -> Person:
        return next(person for person in self.people if letter.passage in person.passages)

    # --- one person's turn

    def _turn(self, person: Person, now: datetime) -> None:
        for event in sorted(person.told):
            person.known.append(event)
            self._judge(person, event[2], event[0], now)
        person.told = []
        moved = True
        while moved:
            for passage in person.passages:
                self._walk(person, passage, now)
            wishes = [each for each in person.passages if self._wants_mail_now(each, now)]
            wishes.sort(key=lambda each: (-each.plan.priority, each.first_due, each.plan.name))
            for passage in wishes:
                self._decide(person, passage, now)
            moved = bool(wishes)

    def _judge(self, person: Person, name: str, at: datetime, now: datetime) -> None:
        if name == YES:
            person.wants_mail = True
        if name == NO:
            person.wants_mail = False
            for passage in person.passages:
                if passage.inside and not any(isinstance(s, Mail) and s.receipt for s in passage.plan.steps):
                    self._leave(person, passage, now, "by_event")
        for passage in person.passages:
            self._end_by(person, passage, name, at, now)
        for plan in self.rules.plans:
            if plan.start == name:
                self._start(person, plan, at, now)

    def _end_by(self, person: Person, passage: Passage, name: str, at: datetime, now: datetime) -> None:
        plan, met = passage.plan, False
        if plan.goal is not None and plan.goal[0] == name and not passage.goal_met:
            met = passage.started <= at <= passage.started + plan.goal[1] * HOUR
        if met:
            passage.goal_met = True
            self._note(person, now, "goal_reached", "event_seen", plan, "")
        if passage.inside and plan.stop == name and at >= passage.started:
            self._leave(person, passage, now, "stop_event")
        elif passage.inside and met:
            self._leave(person, passage, now, "event_seen")

    def _start(self, person: Person, plan: Plan, at: datetime, now: datetime) -> None:
        before = [passage for passage in person.passages if passage.plan == plan]
        last = max((passage.started for passage in before), default=None)
        refused = None
        if plan.name in self.paused:
            refused = "campaign_paused"
        elif any(passage.inside for passage in before):
            refused = "same_key_inside"
        elif last is not None and plan.again == timedelta():
            refused = "again_never"
        elif last is not None and plan.again is not None and at < last + plan.again:
            refused = "again_too_soon"
        if refused is not None:
            self._note(person, now, "not_enrolled", refused, plan, "")
            return
        passage = Passage(plan, at, at)
        person.passages.append(passage)
        self._note(person, now, "enrolled", "", plan, "")
        for happened, _, name in sorted(person.known):  # told late, she may be through already
            if happened > at:
                self._end_by(person, passage, name, happened, now)

    def _leave(self, person: Person, passage: Passage, now: datetime, reason: str) -> None:
        passage.inside = False
        self._note(person, now, "left", reason, passage.plan, "")
        letter = passage.letter
        if letter is None:
            return
        if letter.waits or letter.limbo == "claimed":
            letter.gone = True
            self._note(person, now, "cancelled", "left_campaign", passage.plan, letter.mail.step)
        self._room_again(person, now + SECOND)

    def _walk(self, person: Person, passage: Passage, now: datetime) -> None:
        while passage.inside and passage.letter is None:
            if passage.place == len(passage.plan.steps):
                passage.inside = False
                self._note(person, now, "left", "flow_ended", passage.plan, "")
                return
            step = passage.plan.steps[passage.place]
            if isinstance(step, Mail):
                if passage.first_due is None:
                    passage.first_due = passage.due = self._awake(passage.since, step)
                return
            if passage.since + step.hours * HOUR > now:
                return
            passage.go_on(passage.since + step.hours * HOUR)

    def _wants_mail_now(self, passage: Passage, now: datetime) -> bool:
        if not passage.inside or passage.letter is not None or passage.due is None:
            return False
        return passage.plan.name not in self.paused and passage.due <= now

    def _decide(self, person: Person, passage: Passage, now: datetime) -> None:
        mail = passage.plan.steps[passage.place]
        assert isinstance(mail, Mail)
        assert passage.first_due is not None
        deadline = passage.first_due + mail.late
        if now > deadline:
            self._skip(person, passage, now, "late")
        elif mail.receipt:
            self._plan(person, passage, mail, deadline, now)
        elif not person.wants_mail:
            self._skip(person, passage, now, "no_consent")
        else:
            soonest = self._awake(now, mail)
            blocked = not self._has_room(person, soonest, now)
            at = self._first_fitting(person, mail, now)
            reason = "cap" if blocked else "quiet_hours"
            if (blocked and mail.skip_on_cap) or at > deadline:
                self._skip(person, passage, now, reason)
            elif at > now:
                passage.due = at
            else:
                self._plan(person, passage, mail, deadline, now)

    def _plan(self, person: Person, passage: Passage, mail: Mail, deadline: datetime, now: datetime) -> None:
        passage.letter = Letter(mail, passage.plan.priority, passage, now, deadline, now)
        person.letters.append(passage.letter)

    def _skip(self, person: Person, passage: Passage, now: datetime, reason: str) -> None:
        mail = passage.plan.steps[passage.place]
        assert isinstance(mail, Mail)
        self._note(person, now, "skipped", reason, passage.plan, mail.step)
        passage.go_on(now)

    # --- hours and caps, by trying

    def _awake(self, at: datetime, mail: Mail) -> datetime:
        while not mail.receipt and self._is_quiet(at):
            at = at.replace(minute=0, second=0, microsecond=0) + HOUR
        return at

    def _is_quiet(self, at: datetime) -> bool:
        if self.rules.quiet is None:
            return False
        begins, ends = self.rules.quiet
        return begins <= at.hour < ends if begins < ends else at.hour >= begins or at.hour < ends

    def _has_room(self, person: Person, at: datetime, now: datetime) -> bool:
        counted = [each.at or now for each in person.letters if not each.mail.receipt and not each.gone]
        return all(sum(one > at - per for one in counted) < most for most, per in self.rules.caps)

    def _first_fitting(self, person: Person, mail: Mail, now: datetime) -> datetime:
        """The first instant outside of quiet hours at which every cap has room, if what waits goes now."""
        leave = [(each.at or now) + per for each in person.letters for _, per in self.rules.caps]
        tried = sorted({self._awake(at, mail) for at in [now, *leave] if at >= now})
        return next(at for at in tried if self._has_room(person, at, now))

    def _room_again(self, person: Person, soon: datetime) -> None:
        """A mail will not go after all: whoever waits for room asks again."""
        for passage in person.passages:
            if passage.inside and passage.letter is None and passage.first_due is not None and passage.due is not None:
                passage.due = max(passage.first_due, min(passage.due, soon))

    # --- the wire

    def _rechecked(self, person: Person, letter: Letter, now: datetime) -> bool:
        """The last look: whether it need not come to the wire now."""
        opens = self._awake(now, letter.mail)
        if now > letter.deadline or opens > letter.deadline:
            self._end(person, letter, now, "expired", "late" if now > letter.deadline else "quiet_hours")
            return True
        letter.not_before = max(opens, letter.not_before)
        return opens > now

    def _answer(self, person: Person, letter: Letter, now: datetime) -> None:
        plan, mail = letter.passage.plan, letter.mail
        if self.relay == "busy":
            letter.tries += 1
            later = now + RETRIES[min(letter.tries, len(RETRIES)) - 1]
            if later < min(letter.deadline, letter.planned + 5 * DAY):
                letter.not_before = later
                self._note(person, now, "deferred", "relay", plan, mail.step)
            else:
                self._end(person, letter, now, "expired", "retries_exhausted")
        elif self.relay == "refusing":
            self._end(person, letter, now, "rejected", "content")
        else:
            person.copies.append((now, mail.step))
            once_more = self.relay == "silent" and mail.receipt and letter.unknowns == 0
            kinds = {"up": ("sent", "accepted"), "silent": ("unknown", "no_reply")}
            kind, reason = ("deferred", "no_reply") if once_more else kinds[self.relay]
            self._note(person, now, kind, reason, plan, mail.step)
            if self.relay == "silent":
                letter.tries += 1
                self._lost(letter, now)
            else:
                self._counts(letter, now)

    def _lost(self, letter: Letter, now: datetime) -> None:
        letter.unknowns += 1
        if letter.mail.receipt and letter.unknowns == 1:
            letter.not_before = now + SECOND_COPY
        else:
            self._counts(letter, now)

    def _counts(self, letter: Letter, now: datetime) -> None:
        letter.at = now
        if letter.passage.inside:
            letter.passage.go_on(now)

    def _end(self, person: Person, letter: Letter, now: datetime, kind: str, reason: str) -> None:
        """It will not go any more; but where a first copy may have arrived, nobody can say that none did."""
        letter.gone, lost = not letter.unknowns, bool(letter.unknowns)
        self._note(person, now, "unknown" if lost else kind, reason, letter.passage.plan, letter.mail.step)
        if lost:
            self._counts(letter, now)
            return
        if letter.passage.inside:
            letter.passage.go_on(now)
        self._room_again(person, now)

    def _note(self, person: Person, now: datetime, kind: str, reason: str, plan: Plan, step: str) -> None:
        person.ledger.append((now, kind, reason, plan.name, step))
