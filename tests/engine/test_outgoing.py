"""Webhooks and alerts: at least once, by a receiver's key, and never in the way of anything else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from sqlalchemy import text

from nurture.engine.outgoing import HIDE_FOR, TRIES, Caller, call_out
from nurture.engine.subscriptions import KINDS, follow
from nurture.intake.webhooks.signatures import is_genuine
from nurture.storage.controls import start_sending, stop_sending
from nurture.storage.outbox import Call, Standing, call_again, claim_calls, given_up, standing_by_name
from nurture.testing.house import House, sources
from nurture.testing.listener import Listener
from nurture.testing.smtp import ScriptedServer

Build = Callable[..., House]
NEAR = {"webhook_networks": "127.0.0.0/8", "environment": {"CRM_SECRET": "whsec_c2VjcmV0IG9mIHRoZSBjcm0="}}
CALLS = """\
start: {event: Signed Up}
steps:
  - webhook: crm
  - alert: {team: care, text: "Please call."}
"""


class Receiver(Listener):
    """Takes webhooks: `answers` are given in turn, then 200."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str | None, dict[str, Any]]] = []
        self.answers: list[int] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        raw = request.rfile.read(int(request.headers["Content-Length"]))
        body = json.loads(raw)
        self.seen.append((request.headers["webhook-id"], body))
        self.requests.append((request.path, {name.lower(): value for name, value in request.headers.items()}, raw))
        code = self.answers.pop(0) if self.answers else 200
        request.send_response(code)
        if code == 302:
            request.send_header("Location", f"{self.url}/elsewhere")
        request.end_headers()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def house(build: Build, server: ScriptedServer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> House:
    files = sources(CALLS)
    project = files["campaigns/_project.yaml"].splitlines()
    heard = "facts: [attribute_set, left], secret: CRM_SECRET"
    own = f'webhooks: {{crm: "{receiver.url}/", log: {{url: "{receiver.url}/log?a=1", {heard}}}}}'
    files["campaigns/_project.yaml"] = "\n".join(own if line.startswith("webhooks") else line for line in project)
    made = build(server=server, files=files, **NEAR)
    monkeypatch.setattr(made.app, "transport", made.transport)
    made.tell("Signed Up", answer=42)
    made.drain()
    return made


def calls(house: House) -> int:
    """Make what is due; how many were taken."""

    async def work() -> int:
        async with house.engine() as engine:
            return await call_out(house.database, house.app.callers(), engine.in_thread, house.clock.now)

    return asyncio.run(work())


def waiting(house: House) -> list[tuple[str, int, bool]]:
    query = text("SELECT kind, tries, next_at IS NOT NULL FROM outgoing ORDER BY id")
    with house.database.read() as tx:
        return [(row[0], row[1], bool(row[2])) for row in tx.execute(query)]


def test_a_webhook_is_called_and_a_team_alerted_once(house: House, receiver: Receiver, server: ScriptedServer) -> None:
    assert calls(house) == 2
    ((key, body),) = receiver.seen
    assert body["campaign"] == "c"
    assert body["start"] == {"answer": 42}
    assert str(body["id"]) == key
    (mail,) = server.messages
    assert mail.recipient == "care@northwind.example"
    assert b"Please call." in mail.data
    assert calls(house) == 0
    assert waiting(house) == [("webhook", 1, False), ("alert", 1, False)]


def test_no_call_leaves_while_sending_is_stopped_and_no_try_is_used_up(
    house: House, receiver: Receiver, server: ScriptedServer
) -> None:
    house.database.transact(lambda tx: stop_sending(tx, house.now, "olga", ""))
    assert calls(house) == 0
    assert (receiver.seen, server.messages) == ([], [])
    assert waiting(house) == [("webhook", 0, True), ("alert", 0, True)]
    house.database.transact(lambda tx: start_sending(tx, house.now))
    assert calls(house) == 2


def test_a_call_that_was_taken_up_before_the_stop_stays_here_too(house: House, server: ScriptedServer) -> None:
    alert = house.app.callers()["alert"]
    _, call = house.database.transact(lambda tx: claim_calls(tx, house.now, 10, HIDE_FOR))
    house.database.transact(lambda tx: stop_sending(tx, house.now, "olga", ""))
    assert asyncio.run(_made(alert, call)) is not None
    assert server.messages == []


async def _made(caller: Caller, call: Call) -> str | None:
    return await caller(call)


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_what_was_not_taken_is_tried_again_later_under_the_same_key(
    house: House, receiver: Receiver, answer: int
) -> None:
    receiver.answers = [answer]
    assert calls(house) == 1
    assert calls(house) == 0
    house.pass_time("+1 minute")
    assert calls(house) == 1
    assert len(receiver.seen) == 2
    assert len({key for key, _ in receiver.seen}) == 1


def test_a_caller_that_dies_makes_the_call_again(house: House, receiver: Receiver) -> None:
    from nurture.engine import outgoing

    house.database.transact(lambda tx: outgoing.claim_calls(tx, house.now, 10, outgoing.HIDE_FOR))
    assert calls(house) == 0
    house.pass_time("+5 minutes")
    assert calls(house) == 2


def test_after_so_many_tries_it_is_given_up_and_kept(house: House, receiver: Receiver) -> None:
    receiver.answers = [500] * 20
    for _ in range(TRIES + 3):
        calls(house)
        house.pass_time("+10 hours")
    assert len(receiver.seen) == TRIES
    assert ("webhook", TRIES, False) in waiting(house)


def test_one_call_that_cannot_be_made_does_not_stop_the_others(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no mail today")

    monkeypatch.setattr(house.app, "transport", refuse)
    assert calls(house) == 1
    assert len(receiver.seen) == 1
    with house.database.read() as tx:
        assert "no mail today" in str(tx.execute(text("SELECT error FROM outgoing WHERE kind = 'alert'")).scalar())


# --- subscriptions to facts


@pytest.fixture
def following(house: House, receiver: Receiver) -> House:
    """Past what the steps have called, with facts followed from now on."""
    calls(house)
    receiver.seen.clear()
    receiver.requests.clear()
    assert follow(house.database, house.app.applied().programme, house.now) == 0
    house.tell("Signed Up", "bo@people.example")
    house.advance()
    return house


def test_every_fact_somebody_subscribes_to_is_told_once_and_signed(following: House, receiver: Receiver) -> None:
    programme = following.app.applied().programme
    assert [follow(following.database, programme, following.now) for _ in range(3)] == [1, 0, 0]
    while calls(following):
        pass
    ((path, headers, raw),) = [each for each in receiver.requests if each[0].startswith("/log")]
    assert path == "/log?a=1"
    assert is_genuine("generic", headers, raw, ["whsec_c2VjcmV0IG9mIHRoZSBjcm0="], following.now)
    told = json.loads(raw)
    assert (told["type"], told["data"]["email"], told["data"]["campaign"]) == (
        "nurture.left", "bo@people.example", "c",
    )  # fmt: skip
    assert told["timestamp"] == following.now.isoformat()


def test_two_daemons_and_an_erased_end_of_the_ledger_lose_and_repeat_nothing(following: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from nurture.engine.people import erase

    programme, database = following.app.applied().programme, following.database
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda _: follow(database, programme, following.now), range(2))) == 1
    erase(database, "bo@people.example", following.now)
    assert follow(database, programme, following.now) == 0
    following.tell("Signed Up", "cy@people.example")
    following.advance()
    assert follow(database, programme, following.now) == 1


def test_what_was_given_up_is_listed_and_called_again_under_its_id(house: House, receiver: Receiver) -> None:
    receiver.answers = [500] * TRIES
    for _ in range(TRIES):
        calls(house)
        house.pass_time("+10 hours")
    with house.database.read() as tx:
        ((failed,), standing) = given_up(tx, KINDS), standing_by_name(tx, KINDS)
    assert (failed.name, failed.tries, failed.error) == ("crm", TRIES, "answered 500")
    assert standing == {"crm": Standing(failed=1)}
    again = house.database.transact(lambda tx: call_again(tx, KINDS, house.now, name="crm"))
    assert (again, calls(house)) == (1, 1)
    assert receiver.seen[-1][0] == str(failed.id)
    assert house.database.transact(lambda tx: call_again(tx, KINDS, house.now, ids=[failed.id])) == 0
