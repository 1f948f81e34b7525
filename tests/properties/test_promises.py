"""The promises, under any interleaving of events, time, outages, refusals, silence, pauses and edits.

A state machine lives a few people's lives in a world whose relay misbehaves, and recounts everything from the
deliveries and the ledger, by other means than the code under test.
"""

from __future__ import annotations

import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import nurture.engine.simulate
from nurture.domain.decide import decide
from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.enrolment import EnrolmentState
from nurture.domain.ledger import FactKind
from nurture.domain.programme import Cap, Programme
from nurture.domain.snapshot import Snapshot, Turn
from nurture.domain.steps import MailKind
from nurture.domain.timing import parse_hours, zone_of
from nurture.engine.resident import Resident
from nurture.engine.simulate import Answer, World
from nurture.testing.worlds import contact, programme

START = datetime(2026, 3, 27, 9, tzinfo=UTC)  # the clocks of Europe change on the second night
CAPS = "caps:\n  - {max: 1, per: 20 hours}\n  - {max: 3, per: 7 days}\n  - {max: 1, per: 14 days, category: discount}\n"
POLICY = CAPS + "quiet_hours: 21:00-08:00\nzone: Europe/Helsinki\n"
CART = """\
campaign: cart
priority: 80
start: {event: Cart, key: event.id, again: after 5 hours, meanwhile: refresh}
stop: {event: Order Completed}
send_window: {between: 07:00-19:00, days: weekdays}
steps:
  - wait_quiet: 1 hour
    after: [Cart]
  - {id: reminder, send: a/a, late: drop after 12 hours}
  - wait: 1 day
  - {id: sweetener, send: a/a, category: discount, on_cap: skip, if: orders() == 0}
"""
CARE = """\
campaign: care
start: {stage: "* -> purchase"}
stop: {segment: loyal}
goal: {event: Cart, within: 30 days, then: stay}
steps:
  - {id: receipt, send: a/a, kind: transactional}
  - wait: 2 days
    until: "09:30"
  - {id: tip, send: a/a, category: value}
  - wait_for: {event: Cart, up_to: 3 days}
    then:
      - {id: seen, send: a/a}
    otherwise:
      - record: {event: Silent, with: {id: recorded}}
  - wait: 5 hours
  - goto: {step: tip, times: 2}
"""
PROMO = """\
campaign: promo
topic: offers
hold_out: 30%
offers:
  o: {expires: 3 days, discount: 5%, code: "unique:P"}
start: {event: Silent, key: event.id}
steps:
  - {id: deal, send: a/a, category: discount, offer: o}
  - wait_until: offer.expires_at - 1 day
  - {id: last-call, send: a/a, category: discount, offer: o, on_cap: postpone up to 1 day}
  - set: {contact.promoted: true}
"""
NEWS = """\
campaign: news
priority: 20
start: {event: News, key: event.id}
steps:
  - {id: first, send: a/a, category: value}
  - wait: 3 hours
  - {id: second, send: a/a, late: drop after 2 days}
  - wait: 12 hours
  - {id: receipt, send: a/a, kind: transactional}
"""
EDITED = PROMO.replace("- {id: deal,", "- {id: bargain, was: deal,").replace(
    "expires_at - 1 day", "expires_at - 2 days"
)
SEGMENTS = {"loyal": "orders(last='30 days') >= 3 or contact.promoted == True"}
FIRST = programme(CART, CARE, NEWS, PROMO, project=POLICY, segments=SEGMENTS)
SECOND = programme(
    CART.replace("1 day", "3 days"), EDITED, CARE, NEWS, project=POLICY, segments=SEGMENTS, previous=FIRST
)
THIRD = programme(CART, NEWS, PROMO, project=POLICY, segments=SEGMENTS, previous=SECOND)
ZONES = ["Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Mars/Olympus", None]
EVENTS = ["Cart", "Cart", "News", "News", "Silent", "Order Completed"]
WORDS = ["Newsletter Subscribed"] * 5 + ["nurture.unsubscribed"] * 3 + ["nurture.complained"]

people = st.integers(1, 2)
spans = st.sampled_from([0, 1, 20, 70, 200, 600, 1500, 5000]).map(lambda minutes: timedelta(minutes=minutes))
answers = st.builds(
    Answer,
    state=st.sampled_from(
        [DeliveryState.SENT] * 4 + [DeliveryState.DEFERRED, DeliveryState.REJECTED, DeliveryState.UNKNOWN]
    ),
    gate=st.sampled_from([timedelta(), timedelta(seconds=5), timedelta(minutes=40)]),
    reply=st.sampled_from([timedelta(), timedelta(seconds=2), timedelta(minutes=10)]),
    retry=st.sampled_from([timedelta(minutes=10), timedelta(hours=9), timedelta(days=2)]),
)


def twice(rules: Programme, snapshot: Snapshot, now: datetime) -> Turn:
    """Decide a copy as well: the same snapshot must give the same turn, to the last fact."""
    copy = pickle.loads(pickle.dumps(snapshot))
    turn = decide(rules, snapshot, now)
    assert decide(rules, copy, now) == turn
    return turn


@pytest.fixture(autouse=True)
def _deciding_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nurture.engine.simulate, "decide", twice)


class Promises(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.attempts: dict[tuple[int, int], tuple[datetime, Answer]] = {}
        self.script: list[Answer] = []
        self.down_until = START
        self.world = World(FIRST, START, self.post)
        self.pauses: set[str] = set()
        self.travellers: set[int] = set()
        self.wishes: dict[int, tuple[Cap, datetime]] = {}  # a cap of her own, since when

    def post(self, delivery: Delivery, now: datetime) -> Answer:
        answer = self.script[len(self.attempts) % len(self.script)] if self.script else Answer()
        if now < self.down_until:
            answer = Answer(DeliveryState.DEFERRED, retry=self.down_until - now)
        self.attempts[delivery.contact_id, delivery.seq] = (now + answer.gate, answer)
        return answer

    @initialize(zones=st.tuples(*[st.sampled_from(ZONES)] * 2))
    def somebody(self, zones: tuple[str | None, ...]) -> None:
        for number, zone in enumerate(zones, 1):
            self.world.add(contact(number, created=START, zone=zone))
        self.world.run_until(START)

    # --- what happens

    @rule(
        who=people,
        names=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3),
        key=st.integers(1, 5),
        ago=st.sampled_from([0, 0, 0, 0, 5, 900]),
        then=spans,
    )
    def events(self, who: int, names: list[str], key: int, ago: int, then: timedelta) -> None:
        now = self.world.now
        for name in names:
            self.world.post(who, name, now, {"id": key, "total": 9}, happened=now - timedelta(minutes=ago))
        self.world.run_until(now + then)

    @rule(who=people, name=st.sampled_from(WORDS), topic=st.sampled_from([None, "offers", "unheard-of"]), then=spans)
    def word(self, who: int, name: str, topic: str | None, then: timedelta) -> None:
        self.world.post(who, name, self.world.now, {"topic": topic} if topic else {})
        self.world.run_until(self.world.now + then)

    @rule(who=people, days=st.sampled_from([7, 14, 30, 7.0, "7", True, None, None]), then=spans)
    def fewer_mails(self, who: int, days: object, then: timedelta) -> None:
        self.world.post(who, "nurture.fewer_mails", self.world.now, {"days": days})
        self.world.run_until(self.world.now)
        if days is None:
            self.wishes.pop(who, None)
        elif type(days) is int:
            self.wishes[who] = (Cap(1, timedelta(days=days)), self.world.now)
        self.world.run_until(self.world.now + then)

    @rule(span=spans)
    def time(self, span: timedelta) -> None:
        self.world.run_until(self.world.now + span)

    @rule(script=st.lists(answers, max_size=6), span=spans)
    def relay(self, script: list[Answer], span: timedelta) -> None:
        self.script = script
        self.world.run_until(self.world.now + span)

    @rule(span=spans)
    def outage(self, span: timedelta) -> None:
        self.down_until = self.world.now + span

    @rule(name=st.sampled_from(["cart", "news"]))
    def pause(self, name: str) -> None:
        self.pauses.add(name)
        self.world.pause(name)

    @rule(span=spans)
    def resume(self, span: timedelta = timedelta()) -> None:
        self.world.run_until(self.world.now + span)
        while self.pauses:
            self.world.resume(self.pauses.pop())
        self.world.run_until(self.world.now)

    @rule(who=people, zone=st.sampled_from(ZONES))
    def journey(self, who: int, zone: str | None) -> None:
        self.travellers.add(who)
        self.world.change(who, zone=zone)

    @rule(rules=st.sampled_from([FIRST, SECOND, THIRD]))
    def edit(self, rules: Programme) -> None:
        self.world.apply(rules)
        self.world.run_until(self.world.now)

    # --- what must hold

    @invariant()
    def caps_hold_in_every_rolling_window(self) -> None:
        for person in self.world.people.values():
            for cap in FIRST.caps:
                times = sorted(person.at[each.seq] for each in gone(person) if counts(cap, each))
                for first, one_too_many in zip(times, times[cap.max :], strict=False):
                    assert one_too_many - first >= cap.per, f"{cap} broken from {first}"

    @invariant()
    def nobody_gets_more_than_she_asked_for(self) -> None:
        """Since she asked: what had been planned by then may still go."""
        for who, (cap, since) in self.wishes.items():
            person = self.world.people[who]
            mails = sorted(
                (person.at[each.seq], each.planned_at) for each in gone(person) if each.kind is MailKind.MARKETING
            )
            for (first, planned), (second, planned_then) in pairwise(mails):
                if max(planned, planned_then) > since:
                    assert second - first >= cap.per, f"two from {first}"

    @invariant()
    def marketing_leaves_in_its_hours_only(self) -> None:
        """On the clock of everybody who has not travelled: the clock of a traveller is another one now."""
        quiet, window = parse_hours("21:00-08:00"), parse_hours("07:00-19:00")
        for number, person in self.world.people.items():
            if number in self.travellers:
                continue
            for each in gone(person):
                gate, _ = self.attempts[number, each.seq]
                local = gate.astimezone(zone_of(person.contact.zone, "Europe/Helsinki"))
                if each.kind is MailKind.MARKETING:
                    assert not quiet.contains(local.time())
                    if each.campaign == "cart":
                        assert window.contains(local.time())
                        assert local.weekday() < 5

    @invariant()
    def a_step_goes_at_most_once_in_a_visit(self) -> None:
        for person in self.world.people.values():
            visits = Counter((each.enrolment, each.step, each.visit) for each in person.deliveries.values())
            assert not [key for key, times in visits.items() if times > 1]

    @invariant()
    def nothing_passes_its_gate_after_a_stop_or_a_no(self) -> None:
        for person in self.world.people.values():
            ended = {each.seq: each.ended_at for each in person.all_enrolments}
            for each in gone(person):
                gate, _ = self.attempts[each.contact_id, each.seq]
                end = ended[each.enrolment]
                assert end is None or gate <= end
                assert gate <= each.expires_at
                if each.kind is MailKind.MARKETING:
                    assert not said_no(person, gate)

    @invariant()
    def nobody_is_forgotten(self) -> None:
        now = self.world.now
        for person in self.world.people.values():
            for each in person.all_enrolments:
                if each.state is not EnrolmentState.ACTIVE:
                    continue
                if each.in_flight is not None:
                    waiting = not person.deliveries[each.in_flight].state.is_settled
                    assert waiting or person.turn_at is not None
                elif each.due_at is not None:
                    assert person.turn_at is not None
                    assert person.turn_at <= max(each.due_at, now + timedelta(seconds=1))
                else:
                    assert each.campaign in self.pauses or person.turn_at is not None

    @invariant()
    def the_ledger_tells_every_end_and_its_reason(self) -> None:
        ends = {
            FactKind.SENT,
            FactKind.REJECTED,
            FactKind.UNKNOWN,
            FactKind.SKIPPED,
            FactKind.EXPIRED,
            FactKind.CANCELLED,
        }
        for person in self.world.people.values():
            told = Counter(fact.delivery for fact in person.ledger if fact.kind in ends and fact.delivery is not None)
            ghosts = {fact.delivery for fact in person.ledger if fact.kind is FactKind.GHOSTED}
            for each in person.deliveries.values():
                if each.state is DeliveryState.GHOST:
                    assert each.seq in ghosts
                else:
                    assert told[each.seq] == (1 if each.state.is_settled else 0)
            left = Counter(fact.enrolment for fact in person.ledger if fact.kind is FactKind.LEFT)
            for enrolment in person.all_enrolments:
                assert left[enrolment.seq] == (1 if enrolment.state is EnrolmentState.ENDED else 0)
            reasoned = ends | {FactKind.LEFT, FactKind.POSTPONED, FactKind.NOT_ENROLLED, FactKind.STAGE_MOVED}
            assert not [fact for fact in person.ledger if fact.kind in reasoned and fact.reason is None]

    def teardown(self) -> None:
        """When everything works again, everybody comes to an end by herself."""
        if not self.world.people:
            return
        self.down_until, self.script = START, []
        self.resume()
        self.world.run_until(self.world.now + timedelta(days=90))
        for person in self.world.people.values():
            assert not [each for each in person.all_enrolments if each.state is EnrolmentState.ACTIVE]
            assert all(each.state.is_settled for each in person.deliveries.values())
        self.caps_hold_in_every_rolling_window()
        self.nobody_gets_more_than_she_asked_for()
        self.the_ledger_tells_every_end_and_its_reason()


def gone(person: Resident) -> list[Delivery]:
    """What went out, or may have."""
    return [each for each in person.deliveries.values() if each.state in {DeliveryState.SENT, DeliveryState.UNKNOWN}]


def counts(cap: Cap, delivery: Delivery) -> bool:
    return delivery.kind is MailKind.MARKETING and cap.category in {None, delivery.category}


def said_no(person: Resident, at: datetime) -> bool:
    words = [
        fact.kind
        for fact in person.ledger
        if fact.kind in {FactKind.CONSENT_GRANTED, FactKind.CONSENT_WITHDRAWN} and fact.at < at
    ]
    return bool(words) and words[-1] is FactKind.CONSENT_WITHDRAWN


Promises.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestPromises = Promises.TestCase


def act(machine: Promises, dice: Random) -> None:
    """One thing that happens, as often as it might in a busy month."""
    who, span = dice.randint(1, 2), timedelta(minutes=dice.choice([0, 1, 20, 70, 200, 600, 1500]))
    match dice.choices(["events", "relay", "outage", "word", "pause", "resume", "edit"], [30, 6, 2, 6, 1, 2, 2])[0]:
        case "events":
            names = dice.choices(EVENTS, k=dice.randint(1, 3))
            machine.events(who, names, dice.randint(1, 50), dice.choice([0, 0, 0, 5, 900]), span)
        case "relay":
            machine.relay([some_answer(dice) for _ in range(dice.randint(0, 6))], span)
        case "outage":
            machine.outage(span)
        case "word":
            topic = dice.choice([None, None, "offers", "unheard-of"])
            machine.relay([some_answer(dice) for _ in range(3)], timedelta())
            machine.events(
                who, ["News"], dice.randint(1, 50), 0, timedelta(minutes=20)
            )  # she says it with mail under way
            machine.word(who, dice.choice(WORDS[4:8]), topic, span)
            if dice.random() < 0.6:
                machine.word(who, "Newsletter Subscribed", None, span)
        case "pause":
            machine.pause(dice.choice(["cart", "news"]))
        case "resume":
            machine.resume(span)
        case _:
            machine.edit(dice.choice([FIRST, FIRST, SECOND, THIRD]))


def some_answer(dice: Random) -> Answer:
    states = [DeliveryState.SENT, DeliveryState.DEFERRED, DeliveryState.REJECTED, DeliveryState.UNKNOWN]
    return Answer(
        dice.choices(states, [5, 2, 1, 1])[0],
        gate=timedelta(minutes=dice.choice([0, 0, 1, 40, 40])),
        reply=timedelta(minutes=dice.choice([0, 0, 1, 10])),
        retry=timedelta(hours=dice.choice([1, 1, 9, 48])),
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_long_and_busy_lives_keep_every_promise(seed: int) -> None:
    """Denser than the machine's own choices; hypothesis picks and prints the seed."""
    dice = Random(seed)
    machine = Promises()
    machine.somebody((dice.choice(ZONES), dice.choice(ZONES)))
    for step in range(80):
        act(machine, dice)
        if step % 4 == 0:
            machine.caps_hold_in_every_rolling_window()
            machine.marketing_leaves_in_its_hours_only()
            machine.a_step_goes_at_most_once_in_a_visit()
            machine.nothing_passes_its_gate_after_a_stop_or_a_no()
            machine.nobody_is_forgotten()
            machine.the_ledger_tells_every_end_and_its_reason()
    machine.teardown()
