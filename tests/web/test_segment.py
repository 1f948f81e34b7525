"""Segment's protocol: what its clients send arrives, once, at the right time, and as the right person's."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from nurture.domain.contact import Contact
from nurture.storage.contacts import find
from nurture.storage.quarantine import held
from nurture.testing.house import House
from nurture.testing.site import Served


@pytest.fixture
def send(site: Served, key: Callable[..., str]) -> Callable[..., httpx.Response]:
    """`send("track", {...})` to /v1/track, with a server's key."""
    write_key = key("events")

    def post(kind: str, body: Any, **options: Any) -> httpx.Response:
        options.setdefault("auth", (write_key, ""))
        return site.client.post(f"/v1/{kind}", json=body, **options)

    return post


@pytest.fixture
def person(house: House) -> Callable[[str], Contact | None]:
    def look(name: str) -> Contact | None:
        with house.database.read() as tx:
            return find(tx, name)

    return look


def test_a_batch_is_stored_and_its_people_are_due(
    house: House, send: Any, stored: Any, person: Any, site: Served
) -> None:
    answer = send("batch", {"batch": [
        {"type": "identify", "messageId": "1", "userId": "u1",
         "traits": {"email": "ana@people.example", "firstName": "Ana"}},
        {"type": "track", "messageId": "3", "userId": "u1", "event": "Newsletter Subscribed"},
        {"type": "track", "messageId": "2", "userId": "u1", "event": "Signed Up", "properties": {"plan": "pro"}},
    ]})  # fmt: skip

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    ana = person("ana@people.example")
    assert (ana.external_id, dict(ana.attributes)) == ("u1", {"first_name": "Ana"})
    assert [(who, name) for who, name, _, _ in stored()] == [
        (ana.id, "nurture.identified"),
        (ana.id, "Newsletter Subscribed"),
        (ana.id, "Signed Up"),
    ]
    assert site.woken == 1
    house.drain()
    assert [mail.delivery.step for mail in house.mails()] == ["hello"]


@pytest.mark.parametrize(
    ("kind", "body", "name", "properties"),
    [
        ("track", {"event": "Bought", "properties": {"total": 5}}, "Bought", {"total": 5}),
        ("page", {"name": "Home", "properties": {"path": "/"}}, "Page Viewed", {"path": "/", "name": "Home"}),
        ("screen", {"name": "Cart"}, "Screen Viewed", {"name": "Cart"}),
        ("group", {"groupId": "g1", "traits": {"name": "Acme"}}, "Group Joined", {"group_id": "g1", "name": "Acme"}),
        ("identify", {"traits": {"a": 1}}, "nurture.identified", {}),
    ],
)
def test_every_kind_of_call_has_its_address(
    send: Any, stored: Any, kind: str, body: dict[str, Any], name: str, properties: dict[str, Any]
) -> None:
    for address in (kind, kind[0]):
        assert send(address, {"userId": "u1", "messageId": address, **body}).status_code == 200

    assert [(each[1], each[3]) for each in stored()] == [(name, properties)] * 2


def test_a_browser_sends_plain_text_with_the_key_in_it(
    site: Served, key: Callable[..., str], stored: Any, house: House
) -> None:
    body = {"type": "track", "event": "Product Viewed", "anonymousId": "b1", "writeKey": key("browser")}
    headers = {"Content-Type": "text/plain", "Origin": "https://shop.example"}
    answer = site.client.post("/v1/t", content=json.dumps(body), headers=headers)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert [each[1] for each in stored()] == ["Product Viewed"]
    preflight = site.client.options("/v1/t", headers={"Origin": "https://shop.example"})
    assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (204, "POST, OPTIONS")


def test_gzip_is_unpacked_and_a_bomb_is_not(send: Any, stored: Any) -> None:
    packed = gzip.compress(json.dumps({"batch": [{"type": "track", "userId": "u", "event": "E"}]}).encode())
    bomb = gzip.compress(b"[" * 50_000_000)
    headers = {"Content-Encoding": "gzip"}

    assert send("batch", None, content=packed, headers=headers).status_code == 200
    assert send("batch", None, content=bomb, headers=headers).status_code == 413
    assert send("batch", None, content=packed[:-9], headers=headers).status_code == 400
    assert send("batch", None, content=b"no gzip", headers=headers).status_code == 400
    assert send("batch", None, content=packed, headers={"Content-Encoding": "br"}).status_code == 415
    assert len(stored()) == 1


def test_telling_it_again_changes_nothing_for_ever(house: House, send: Any, stored: Any, person: Any) -> None:
    first = {"type": "identify", "messageId": "1", "userId": "u1", "traits": {"plan": "old"}}
    send("batch", {"batch": [first, {"type": "track", "messageId": "2", "userId": "u1", "event": "E"}]})
    send("identify", {"messageId": "3", "userId": "u1", "traits": {"plan": "new"}})
    house.pass_time("+400 days")

    answer = send(
        "batch",
        {"batch": [first, {"type": "track", "messageId": "2", "userId": "u1", "event": "E"}]},
        headers={"X-Retry-Count": "1"},
    )

    assert answer.status_code == 200
    assert len(stored()) == 3
    assert dict(person("u1").attributes) == {"plan": "new"}


def test_a_clock_that_is_wrong_is_corrected(house: House, send: Any, stored: Any) -> None:
    fast = house.now + timedelta(hours=5)  # what the client's clock shows now
    happened = fast - timedelta(minutes=10)
    call = {"type": "track", "userId": "u", "event": "E", "timestamp": happened.isoformat()}
    send("batch", {"batch": [{**call, "messageId": "1"}], "sentAt": fast.isoformat()})
    send("track", {**call, "messageId": "2", "sentAt": fast.isoformat()})
    send("track", {**call, "messageId": "3"})

    assert [each[2] for each in stored()] == [house.now - timedelta(minutes=10)] * 2 + [house.now]


BAD_CALLS: tuple[tuple[Any, str], ...] = (
    ({"type": "buy", "userId": "u"}, "not one of"),
    ({"type": "track", "userId": "u"}, "has an event"),
    ({"type": "track", "event": "E"}, "userId or anonymousId"),
    ({"type": "track", "event": "nurture.enrol", "userId": "u"}, "our own"),
    ({"type": "track", "event": "E", "userId": {}}, "must be text"),
    ({"type": "track", "event": "E", "userId": "u" * 300}, "at most"),
    ({"type": "track", "event": "E", "userId": "u", "properties": []}, "must be an object"),
    ({"type": "track", "event": "E", "userId": "u", "timestamp": "yesterday"}, "no instant"),
    ({"type": "track", "event": "E", "userId": "u", "properties": {"a": "\0"}}, "NUL"),
    ({"type": "track", "event": "E", "userId": "u", "properties": {"a": "x" * 40_000}}, "larger"),
    ({"type": "identify", "userId": "u", "traits": {"email": "nobody"}}, "not a mail address"),
    ({"type": "alias", "userId": "u"}, "previousId"),
    ("nothing", "an object"),
)


def test_what_cannot_be_taken_is_kept_with_its_reason_and_holds_nothing_up(
    house: House, send: Any, stored: Any
) -> None:
    good = {"type": "track", "userId": "u", "event": "Good"}
    answer = send("batch", {"batch": [*(call for call, _ in BAD_CALLS), good]})

    assert answer.status_code == 200
    assert [each[1] for each in stored()] == ["Good"]
    with house.database.read() as tx:
        kept = held(tx)
    assert len(kept) == len(BAD_CALLS)
    for each, (call, why) in zip(kept, BAD_CALLS, strict=True):
        assert why in each.reason
        assert each.source == "segment"
        assert len(each.body) == 32 << 10 or json.loads(each.body) == call


def test_half_a_character_is_kept_out_of_the_database(house: House, send: Any, stored: Any) -> None:
    body = b'{"batch": [{"type": "track", "userId": "u", "event": "E", "properties": {"a": "\\ud800"}}]}'

    assert send("batch", None, content=body).status_code == 200
    assert stored() == []
    with house.database.read() as tx:
        (kept,) = held(tx)
    assert "half a character" in kept.reason


def test_strict_mode_tells_what_is_wrong_and_stores_nothing(house: House, send: Any, stored: Any) -> None:
    batch = {"batch": [{"type": "track", "userId": "u", "event": "E"}, {"type": "track", "event": "E"}]}
    answer = send("batch", batch, headers={"X-Strict-Mode": "1"})

    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"at": "batch/1", "what": "whose is it? userId or anonymousId is needed"}]
    assert stored() == []
    with house.database.read() as tx:
        assert held(tx) == []


def test_what_is_no_batch_is_refused(send: Any) -> None:
    for body, status in (
        (b"", 400), (b"[1]", 400), (b"{", 400), (b'{"batch": 1}', 400), (b'{"batch": [], "batch": []}', 400),
        (b'{"batch": [NaN]}', 400), (b"[" * 100_000, 400), (b"\xff", 400), (b'{"batch": []}', 200),
        (b'{"batch": [' + b" " * 600_000 + b"]}", 413),
    ):  # fmt: skip
        assert send("batch", None, content=body).status_code == status, body[:20]


def test_a_single_call_has_its_own_limit(send: Any) -> None:
    assert send("track", {"userId": "u", "event": "E", "properties": {"a": "x" * 33_000}}).status_code == 413


def test_only_posts_are_calls(site: Served) -> None:
    answer = site.client.get("/v1/track")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


# --- keys


def test_without_a_key_nothing_is_taken_and_all_wrong_keys_look_the_same(
    house: House, site: Served, key: Callable[..., str], stored: Any
) -> None:
    good = key("events")
    body = {"userId": "u", "event": "E"}
    wrong = [None, ("", ""), ("nk_000000000000_" + "a" * 43, ""), (good[:-1] + ("a" if good[-1] != "a" else "b"), "")]
    answers = [site.client.post("/v1/track", json=body, auth=auth) for auth in wrong]
    answers.append(site.client.post("/v1/track", json={**body, "writeKey": 7}))
    answers.append(site.client.post("/v1/track", json=body, params={"writeKey": good}))

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert stored() == []


def test_a_key_for_something_else_is_refused(site: Served, key: Callable[..., str]) -> None:
    assert site.client.post("/v1/track", json={"userId": "u", "event": "E"}, auth=(key("read"), "")).status_code == 403


def test_a_revoked_key_is_turned_away_within_seconds(
    house: House, site: Served, key: Callable[..., str], send: Any
) -> None:
    from nurture.engine.keys import revoke_key

    write_key = key("events")
    call = {"userId": "u", "event": "E"}
    assert send("track", call, auth=(write_key, "")).status_code == 200
    revoke_key(house.database, write_key, house.now)
    house.pass_time("+5 seconds")

    assert send("track", call, auth=(write_key, "")).status_code == 401


def test_guessing_keys_is_slowed_down(site: Served) -> None:
    answers = [site.client.post("/v1/track", json={}, auth=(f"nk_{n:012x}_{'a' * 43}", "")) for n in range(31)]

    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_public_key_cannot_take_over_a_person(
    house: House, site: Served, key: Callable[..., str], person: Any
) -> None:
    house.tell("Signed Up")
    server, public = key("events"), key("browser")
    for write_key, body in (
        (server, {"type": "identify", "userId": "u1", "traits": {"email": "ana@people.example"}}),
        (public, {"type": "identify", "userId": "u1", "traits": {"email": "thief@people.example", "seen": True}}),
        (public, {"type": "identify", "userId": "thief", "traits": {"email": "own@people.example"}}),
        (public, {"type": "alias", "userId": "thief", "previousId": "u1"}),
    ):
        assert site.client.post("/v1/batch", json={"batch": [body]}, auth=(write_key, "")).status_code == 200

    ana, thief = person("u1"), person("thief")
    assert (ana.email, ana.id) == ("ana@people.example", house.id_of())
    assert ana.attributes["seen"] is True
    assert thief.id != ana.id


def test_addresses_reach_no_log(house: House, send: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="nurture"):
        send("identify", {"userId": "u", "traits": {"email": "ana@people.example"}})
        send("identify", {"userId": "u", "traits": {"email": "no address of ana@people.example"}})

    assert "ana@" not in str(house.journal.lines)


def test_a_database_that_is_away_is_told_so_that_clients_try_again(house: House, send: Any, stored: Any) -> None:
    send("track", {"userId": "u", "event": "E"})
    with house.database.write() as tx:
        tx.execute(text("ALTER TABLE events RENAME TO gone"))

    answer = send("track", {"userId": "u", "event": "E"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
