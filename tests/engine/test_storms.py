"""Refusals for our own sake: too many pause mailbox provider and campaign; nobody is suppressed or forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import FactKind
from nurture.domain.tokens import Purpose
from nurture.engine.doctor import Health
from nurture.engine.doctor_work import check_work
from nurture.engine.explain import explain
from nurture.engine.feedback import take_mail
from nurture.engine.standing import findings, look
from nurture.engine.subscriptions import follow
from nurture.storage import refusals
from nurture.storage.controls import pauses, resume
from nurture.storage.deliveries import claim_deliveries
from nurture.storage.outbox import claim_calls
from nurture.storage.suppressions import count_suppressions
from nurture.testing.house import House, sources
from nurture.testing.returns import dsn
from nurture.testing.smtp import Act, ScriptedServer, say

Build = Callable[..., House]
BLOCKED = "550 5.7.1 Service unavailable; client host blocked using zen.spamhaus.org"
PEOPLE = [f"p{number}@strict.example" for number in range(8)]
OTHERS = [f"o{number}@kind.example" for number in range(4)]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def house(build: Build, server: ScriptedServer) -> House:
    """Three refusals among fewer than thirty mails are a storm, and one mail at a time goes to one provider."""
    files = sources("start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n")
    project = files["campaigns/_project.yaml"].splitlines()
    own = 'webhooks: {crm: {url: "http://127.0.0.1:9/", facts: [paused]}}'
    files["campaigns/_project.yaml"] = "\n".join(own if line.startswith("webhooks") else line for line in project)
    environment = {
        "NURTURE_DELIVERY": "smtp",
        "NURTURE_SMTP_URL": f"smtp://127.0.0.1:{server.port}?tls=off",
        "NURTURE_PER_DOMAIN": "1",
        "NURTURE_STORM_MAILS": "20",
        "NURTURE_STORM_PERCENT": "10",
    }
    made = build(server=server, files=files, environment=environment)
    made.consenting(*PEOPLE, *OTHERS)
    return made


def strict(line: str) -> Act | None:
    return say(BLOCKED) if "strict.example" in line else None


def states(house: House, people: list[str]) -> Counter[str]:
    return Counter(house.state(each).value for each in people)


def let_go_on(house: House) -> None:
    def work(tx: Any) -> None:
        refusals.end_pause(tx, "strict.example", house.now)
        resume(tx, "c", house.now, "test")

    house.database.transact(work)


def storm(house: House, server: ScriptedServer, people: list[str]) -> None:
    server.script["RCPT"] = strict
    for each in people:
        house.tell("Signed Up", each)
    house.drain()


def test_a_storm_pauses_provider_and_campaign_and_everything_goes_once_after_it(
    house: House, server: ScriptedServer
) -> None:
    storm(house, server, PEOPLE)
    assert states(house, PEOPLE) == {"rejected": 3, "planned": 5}
    with house.database.read() as tx:
        (paused,) = refusals.paused_domains(tx)
        assert (paused.domain, paused.refused, paused.mails) == ("strict.example", 3, 3)
        assert pauses(tx)["c"].by == "nurture"
        assert count_suppressions(tx) == {}
    assert house.journal.events.count("domain paused") == house.journal.events.count("campaign paused") == 1
    house.pass_time("+20 minutes")
    house.drain()
    assert server.messages == []

    server.script.clear()
    let_go_on(house)
    house.drain()
    assert states(house, PEOPLE) == {"rejected": 3, "sent": 5}
    assert max(Counter(mail.recipient for mail in server.messages).values()) == 1
    assert len(server.messages) == 5


def test_a_storm_is_told_to_everybody_who_asks(house: House, server: ScriptedServer) -> None:
    assert follow(house.database, house.app.applied().programme, house.now) == 0
    storm(house, server, PEOPLE)
    standing = look(house.database, house.now)
    assert standing.queue.ready == 0, "what is held does not wait"
    told = {one.code: one for one in findings(standing)}
    assert "strict.example" in told["domain_paused"].found
    assert BLOCKED[4:] in told["domain_paused"].found
    assert told["domain_paused"].fix.endswith("nurture feedback resume strict.example")
    assert told["campaign_paused"].fix.endswith("nurture campaigns resume c")
    doctor = {one.name: one for one in check_work(house.database, house.now)}
    assert doctor["refusals"].health is Health.BAD

    waits = next(each for each in PEOPLE if house.state(each) is DeliveryState.PLANNED)
    story = explain(house.database, house.app.applied(), waits, house.now)
    assert story is not None
    stops = "\n".join(story.campaigns[0].places[0].stops)
    assert "mail to strict.example is paused since" in stops
    assert "while the campaign is paused: 3 of 3 mails were refused" in stops

    facts = [fact for each in PEOPLE for fact in house.facts(each, FactKind.PAUSED)]
    assert {fact.detail["what"] for fact in facts} == {"strict.example", "c"}
    assert follow(house.database, house.app.applied().programme, house.now) == 2
    calls = house.database.transact(lambda tx: claim_calls(tx, house.now, 10, timedelta(minutes=1)))
    assert {call.payload["type"] for call in calls} == {"nurture.paused"}


def test_one_mail_of_all_daemons_tries_a_paused_provider_and_what_comes_of_it_counts(
    house: House, server: ScriptedServer
) -> None:
    storm(house, server, PEOPLE)
    house.database.transact(lambda tx: resume(tx, "c", house.now, "test"))
    house.drain()
    house.pass_time("+59 minutes")
    house.drain()
    assert states(house, PEOPLE)["rejected"] == 3

    house.pass_time("+1 minute")
    house.drain()
    assert states(house, PEOPLE)["rejected"] == 4, "the probe"
    with house.database.read() as tx:
        (paused,) = refusals.paused_domains(tx)
    assert paused.probe_at == house.now + timedelta(hours=2)

    server.script.clear()
    house.clock.jump_to(paused.probe_at)
    claims = [
        house.database.transact(lambda tx, name=name: claim_deliveries(tx, house.now, name, timedelta(minutes=1), 10))
        for name in ("one", "another")
    ]
    assert [[claim.probes for claim in each] for each in claims] == [[True], []]
    house.pass_time("+16 minutes")  # whoever had it has died: the next may try
    house.rescue()
    house.drain()
    assert states(house, PEOPLE) == {"rejected": 4, "sent": 4}
    with house.database.read() as tx:
        assert refusals.paused_domains(tx) == []


def test_refusals_that_come_back_later_count_as_well(house: House, server: ScriptedServer) -> None:
    for each in (*PEOPLE[:4], *OTHERS):
        house.tell("Signed Up", each)
    house.drain()
    app = house.app
    for each in PEOPLE[:4]:
        token = app.keyring.mailbox_token(Purpose.RETURN_PATH, house.id_of(each), house.mail(each).delivery.seq)
        raw = dsn(f"b+{token}@shop.example", status="5.7.1", diagnosis=BLOCKED, message_id=each)
        for _ in range(2):  # told twice it counts once
            take_mail(house.database, app.keyring, app.applied().programme, raw, house.now, storm=app.storm_rule)
        with house.database.read() as tx:
            assert len(refusals.paused_domains(tx)) == (each in PEOPLE[2:4]), each
    house.database.transact(lambda tx: resume(tx, "c", house.now, "test"))
    house.tell("Signed Up", PEOPLE[4])
    house.drain()
    assert len(server.messages) == 8
    assert house.state(PEOPLE[4]) is DeliveryState.PLANNED


def test_a_refusal_now_and_then_is_no_storm(house: House, server: ScriptedServer) -> None:
    refused = iter(range(10**6))
    server.script["RCPT"] = lambda _line: say(BLOCKED) if next(refused) % 6 == 0 else None
    people = [f"n{number}@strict.example" for number in range(13)]
    house.consenting(*people)
    for each in people:
        house.tell("Signed Up", each)
        house.drain()
        house.pass_time("+9 hours")
    with house.database.read() as tx:
        assert refusals.paused_domains(tx) == []
    assert states(house, people) == {"rejected": 3, "sent": 10}
