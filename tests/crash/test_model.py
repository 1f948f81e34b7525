"""Engine and reference model live the same lives; after every step both must tell the same story.

Two daemons work one database and one real SMTP server; they die in the midst of a mail, the relay sulks, campaigns are
paused, people buy and unsubscribe while their mail is on the wire. What the relay got is counted by the relay.
"""

from __future__ import annotations

import email
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete

import nurture.engine.dispatch
from nurture.domain.ledger import FactKind
from nurture.engine.advance import advance
from nurture.engine.audit import audit
from nurture.storage.controls import pause, paused_campaigns, resume
from nurture.storage.database import Database
from nurture.storage.queue import next_instant
from nurture.storage.tables import contacts, due
from nurture.testing.house import SECRET, TEMPLATE, House, sources
from nurture.testing.model import NO, SECOND, YES, Model
from nurture.testing.model_rules import HOUR, Mail, Plan, Rules, Wait
from nurture.testing.smtp import ScriptedServer
from nurture.testing.two_daemons import Daemons

SHOP = Rules(
    plans=(
        Plan(
            "cart", 80, "Cart", (Wait(1), Mail("remind", 6 * HOUR), Wait(24), Mail("sweet", 30 * HOUR, True)), "Bought"
        ),
        Plan("news", 20, "News", (Mail("first", 50 * HOUR), Wait(3), Mail("second", 20 * HOUR)), again=48 * HOUR),
        Plan("thanks", 50, "Bought", (Mail("receipt", 24 * HOUR, receipt=True),)),
    ),
    caps=((1, 20 * HOUR), (3, 168 * HOUR)),
    quiet=(22, 6),
)
CROWD = Rules(
    plans=(
        Plan("x", 90, "Cart", (Mail("x1", 12 * HOUR), Wait(6), Mail("x2", 12 * HOUR)), "Bought"),
        Plan("y", 10, "Cart", (Mail("y1", 30 * HOUR), Mail("y2", 30 * HOUR)), again=timedelta()),
        Plan(
            "z", 50, "News", (Wait(2), Mail("z1", 99 * HOUR), Wait(24), Mail("z2", 9 * HOUR, True)), goal=("Bought", 30)
        ),
        Plan("r", 50, "Bought", (Mail("rec", 2 * HOUR, receipt=True), Wait(1), Mail("tip", 48 * HOUR)), again=9 * HOUR),
    ),
    caps=((1, 5 * HOUR), (2, 24 * HOUR)),
)
FAMILY = {"shop": SHOP, "crowd": CROWD}
PEOPLE = 2
ADDRESSES = [f"p{number}@people.example" for number in range(PEOPLE)]
TOLD = {
    FactKind.ENROLLED, FactKind.NOT_ENROLLED, FactKind.SENT, FactKind.SKIPPED, FactKind.EXPIRED, FactKind.REJECTED,
    FactKind.UNKNOWN, FactKind.DEFERRED, FactKind.CANCELLED, FactKind.LEFT, FactKind.GOAL_REACHED,
}  # fmt: skip
ABOUT_A_STEP = TOLD - {FactKind.ENROLLED, FactKind.NOT_ENROLLED, FactKind.LEFT, FactKind.GOAL_REACHED}


spans = st.sampled_from([1, 20, 61, 200, 500, 1300, 3000]).map(lambda minutes: timedelta(minutes=minutes))
people = st.integers(0, PEOPLE - 1)
deeds = st.sampled_from(["Cart", "Cart", "News", "Bought"])
words = st.sampled_from([NO, YES, YES])
whose = st.integers(0, 2)


class Lives(RuleBasedStateMachine):
    """`believed` are the rules of the model; they are those of the house, unless a test plants a mistake."""

    def __init__(self, house: House, server: ScriptedServer, rules: Rules, believed: Rules) -> None:
        super().__init__()
        self.house, self.server, self.rules = house, server, rules
        with house.database.write() as tx:
            tx.execute(delete(due))
            tx.execute(delete(contacts))
            for name in paused_campaigns(tx):
                resume(tx, name, house.now, "test")
        house.pass_time((house.now + timedelta(days=1)).replace(hour=9, minute=0, second=0))
        self.begun = len(server.copies)
        self.daemons = Daemons(house, server)
        self.daemons.stamps = [house.now] * self.begun
        self.model = Model(believed, PEOPLE)
        for number in range(PEOPLE):
            self._tell(number, YES)
        self._work(0)

    # --- both sides

    @property
    def now(self) -> datetime:
        return self.house.now

    def _tell(self, who: int, name: str, ago: timedelta = timedelta()) -> None:
        self.house.tell(name, ADDRESSES[who], self.now - ago, place=self.model.orders)
        self.model.tell(who, name, self.now - ago)

    def _work(self, which: int) -> None:
        assert self.daemons.work(which)
        assert self.model.work(self.now) is None

    def _live(self, span: timedelta, which: int = 0) -> None:
        """From one instant at which either of them has something to do to the next."""
        end = self.now + span
        self._work(which)
        while True:
            with self.house.database.read() as tx:
                ahead = [at for at in (next_instant(tx), self.model.next_at(self.now)) if at and at > self.now]
            if not ahead or min(ahead) > end:
                break
            self.house.pass_time(min(ahead))
            self._work(which)
        self.house.pass_time(end)

    def _tell_and_decide(self, who: int, name: str) -> None:
        """So that the next mail on the wire is one of hers that was planned just now."""
        self._work(0)
        self._tell(who, name)
        applied = self.house.app.applied()
        while advance(self.house.database, applied.programme, applied.needs, self.now).claimed:
            pass

    # --- what happens

    @rule(
        who=people, names=st.lists(deeds, min_size=1, max_size=2), ago=st.sampled_from([0, 0, 0, 20, 900]), which=whose
    )
    def deed(self, who: int, names: list[str], ago: int, which: int) -> None:
        for name in names:
            self._tell(who, name, timedelta(minutes=ago))
        self._live(2 * SECOND, which)

    @rule(who=people, name=words)
    def word(self, who: int, name: str) -> None:
        self._tell(who, name)
        self._live(2 * SECOND)

    @rule(span=spans, which=whose)
    def time(self, span: timedelta, which: int) -> None:
        self._live(span, which)

    @rule(span=spans)
    def downtime(self, span: timedelta) -> None:
        self.house.pass_time(self.now + span)
        self._live(2 * SECOND)

    @rule(mood=st.sampled_from(["up", "up", "busy", "refusing", "silent"]))
    def relay(self, mood: str) -> None:
        self.daemons.relay = self.model.relay = mood

    @rule(
        who=people,
        name=deeds,
        stage=st.sampled_from(["before gate", "after gate", "after dot"]),
        which=st.integers(0, 1),
    )
    def death(self, who: int, name: str, stage: str, which: int) -> None:
        self.relay("up")
        self._tell_and_decide(who, name)
        self.daemons.dies = stage
        lived = self.daemons.work(which)
        self.daemons.dies = None
        lost = self.model.work(self.now, dies=stage)
        assert lived == (lost is None)
        if lost is not None:
            self.house.pass_time(self.now + timedelta(seconds=61))
            self.house.rescue()
            self.model.rescue(self.now)
        self._live(2 * SECOND)

    @rule(who=people, name=deeds, when=st.sampled_from(["before gate", "after gate"]), other=deeds | words)
    def event_on_the_wire(self, who: int, name: str, when: str, other: str) -> None:
        self.relay("up")
        self._tell_and_decide(who, name)
        self.daemons.meanwhile = when, other
        assert self.daemons.work(0)
        self.daemons.meanwhile = None
        self.model.work(self.now, meanwhile=(when, other))
        self._live(2 * SECOND)

    @rule(number=st.integers(0, 3))
    def pause(self, number: int) -> None:
        name = self.rules.plans[number % len(self.rules.plans)].name
        self.house.database.transact(lambda tx: pause(tx, name, self.now, "test"))
        self.model.paused.add(name)

    @rule()
    def resume(self) -> None:
        for name in sorted(self.model.paused):
            self.house.database.transact(lambda tx, name=name: resume(tx, name, self.now, "test"))
        self.model.paused.clear()
        self._live(2 * SECOND)

    # --- what must be the same

    @invariant()
    def they_tell_the_same_story(self) -> None:
        for person, address in zip(self.model.people, ADDRESSES, strict=True):
            real = sorted(
                (
                    fact.at,
                    fact.kind.value,
                    fact.reason.value if fact.reason is not None else "",
                    fact.campaign or "",
                    (fact.step or "") if fact.kind in ABOUT_A_STEP else "",
                )
                for fact in self.house.facts(address, *TOLD)
            )
            assert real == sorted(person.ledger)

    @invariant()
    def the_relay_got_what_the_model_says(self) -> None:
        for person, address in zip(self.model.people, ADDRESSES, strict=True):
            assert [(at, step) for at, step, _ in self._copies(address)] == person.copies

    @invariant()
    def no_mail_comes_twice_and_no_cap_is_broken(self) -> None:
        receipts = {
            step.step for plan in self.rules.plans for step in plan.steps if isinstance(step, Mail) and step.receipt
        }
        for address in ADDRESSES:
            copies = self._copies(address)
            for (step, _), number in Counter((step, message_id) for _, step, message_id in copies).items():
                assert number <= (2 if step in receipts else 1)
            times = sorted(at for at, step, _ in copies if step not in receipts)
            for most, per in self.rules.caps:
                for first, last in zip(times, times[most:], strict=False):
                    assert last - first >= per

    def _copies(self, address: str) -> list[tuple[datetime, str, str]]:
        """When, subject, Message-ID: of what the relay took, or may have taken."""
        found = []
        for copy, at in zip(self.server.copies[self.begun :], self.daemons.stamps[self.begun :], strict=True):
            if copy.recipient == address and (copy.code is None or copy.code < 300):
                head = email.message_from_bytes(copy.data)
                found.append((at, str(head["Subject"]), str(head["Message-ID"])))
        return found

    def teardown(self) -> None:
        """When all is well again everybody comes to an end, and the audit finds nothing."""
        try:
            self.relay("up")
            self.resume()
            self._live(timedelta(days=9))
            self.they_tell_the_same_story()
            assert not any(passage.inside for person in self.model.people for passage in person.passages)
            found = audit(self.house.database, self.house.app.applied().programme, self.now)
            assert found.holds, found.findings
        finally:
            self.daemons.close()


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def file(_sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(_sqlite_template, tmp_path / "lives.db")
    with Database(f"sqlite:///{tmp_path / 'lives.db'}", address_secret=SECRET, leases_by_server=False) as database:
        yield database


def the_house(database: Database, folder: Path, server: ScriptedServer, rules: Rules) -> House:
    campaigns, project = rules.files()
    steps = [step.step for plan in rules.plans for step in plan.steps if isinstance(step, Mail)]
    templates = {step: TEMPLATE.replace("subject: Hello", f"subject: {step}") for step in steps}
    house = House(database, folder, sources(*campaigns, project=project, templates=templates), server)
    house.apply()
    return house


def settled(examples: int, steps: int, **more: Any) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck), **more,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _steady_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nurture.engine.dispatch.random, "uniform", lambda _low, _high: 0.5)


@pytest.mark.parametrize("name", FAMILY)
def test_engine_and_model_tell_the_same_story(
    name: str, file: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    rules = FAMILY[name]
    house = the_house(file, tmp_path, server, rules)
    run_state_machine_as_test(lambda: Lives(house, server, rules, rules), settings=settled(8, 25))


@pytest.mark.lab(first=True)
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", FAMILY)
def test_engine_and_model_tell_the_same_long_story_on_the_other_database(
    name: str, database: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    rules = FAMILY[name]
    house = the_house(database, tmp_path, server, rules)
    run_state_machine_as_test(lambda: Lives(house, server, rules, rules), settings=settled(20, 40))


def with_plans(rules: Rules, change: Callable[[Plan], Plan]) -> Rules:
    return replace(rules, plans=tuple(change(plan) for plan in rules.plans))


MISTAKES: dict[str, tuple[Rules, Rules]] = {
    "a cap off by one": (CROWD, replace(CROWD, caps=((2, 5 * HOUR), (3, 24 * HOUR)))),
    "a stop that is ignored": (CROWD, with_plans(CROWD, lambda plan: replace(plan, stop=None))),
    "a priority the other way round": (CROWD, with_plans(CROWD, lambda plan: replace(plan, priority=-plan.priority))),
    "nights that are not quiet": (SHOP, replace(SHOP, quiet=None)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_machine_finds_a_planted_mistake(
    mistake: str, file: Database, tmp_path: Path, server: ScriptedServer
) -> None:
    """One of the two sides believes in other rules; whoever is wrong, the stories part."""
    rules, believed = MISTAKES[mistake]
    house = the_house(file, tmp_path, server, rules)
    one_bug = settled(30, 25, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(lambda: Lives(house, server, rules, believed), settings=one_bug)
