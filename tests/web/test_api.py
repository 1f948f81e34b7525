"""The people API: who may do what, and that asking twice is asking once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from nurture.domain.contact import Consent
from nurture.storage.suppressions import suppression_of
from nurture.storage.tables import events, replies
from nurture.testing.house import ANA, House
from nurture.testing.site import Served
from nurture.web.access import API_PER_MINUTE

Ask = Callable[..., Any]


@pytest.fixture
def ask(site: Served, key: Callable[..., str]) -> Ask:
    """`ask("POST", "/people", {...})` with every right."""
    token = key("admin")

    def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {"Authorization": f"Bearer {token}", **named}
        return site.client.request(method, f"/api/v1{path}", json=body, headers=bearer)

    return call


def test_a_person_is_made_changed_and_read(ask: Ask, house: House, site: Served) -> None:
    said = {
        "email": ANA,
        "external_id": "u1",
        "attributes": {"first_name": "Ana", "size": 39},
        "zone": "europe/helsinki",
    }
    made = ask("POST", "/people", said)
    changed = ask("POST", "/people", {"external_id": "u1", "attributes": {"size": None, "vip": True}})

    assert (made.status_code, changed.status_code) == (201, 200)
    ana = changed.json()
    assert ana["id"] == made.json()["id"] == house.id_of()
    assert ana["attributes"] == {"first_name": "Ana", "vip": True}
    assert (ana["email"], ana["zone"], ana["suppressed"]) == (ANA, "Europe/Helsinki", None)
    assert ask("GET", f"/people/{ana['id']}").json() == ana
    assert ask("POST", "/people/find", {"email": ANA.upper()}).json() == ana
    assert ask("POST", "/people/find", {"external_id": "u1"}).json() == ana
    assert site.woken == 2


def test_nobody_is_a_404(ask: Ask) -> None:
    answers = [
        ask("GET", "/people/99"),
        ask("GET", "/people/99/export"),
        ask("DELETE", "/people/99"),
        ask("POST", "/people/99/consent", {"granted": True, "source": "x"}),
        ask("POST", "/people/find", {"email": "nobody@people.example"}),
    ]

    assert {answer.status_code for answer in answers} == {404}


def test_what_makes_no_sense_is_told_by_place_and_never_repeated(ask: Ask) -> None:
    for body in (
        {}, {"email": "nobody"}, {"email": ANA, "zone": "Mars"}, {"email": ANA, "locale": "?"}, {"email": ANA, "x": 1},
        {"email": 5}, {"external_id": " "}, {"external_id": "a\0"}, {"email": ANA, "attributes": {"a": "\0"}},
        {"email": ANA, "attributes": {"a\0": 1}}, [], None, "x",
    ):  # fmt: skip
        answer = ask("POST", "/people", body)
        assert answer.status_code == 422, body
        assert answer.headers["content-type"] == "application/problem+json"
        assert "nobody" not in answer.text
        assert answer.json()["errors"]


def test_what_parsers_disagree_about_is_refused(site: Served, key: Callable[..., str]) -> None:
    headers = {"Authorization": f"Bearer {key('people')}", "Content-Type": "application/json"}

    for body in (
        b'{"email": "a@b.example", "email": "c@d.example"}', b'{"attributes": {"a": NaN}}', b"[" * 50_000, b"{",
        b"\xff",
    ):  # fmt: skip
        assert site.client.post("/api/v1/people", content=body, headers=headers).status_code == 400, body[:20]


def test_half_a_character_is_refused(site: Served, key: Callable[..., str]) -> None:
    headers = {"Authorization": f"Bearer {key('people')}", "Content-Type": "application/json"}
    body = b'{"email": "a@b.example", "attributes": {"a": "\\ud800"}}'

    assert site.client.post("/api/v1/people", content=body, headers=headers).status_code == 422


def test_an_id_of_nothing_but_odd_space_is_refused(ask: Ask) -> None:
    for body in ({"external_id": "\x1d"}, {"external_id": " \x1f "}):
        assert ask("POST", "/people/find", body).status_code == 422


def test_people_are_listed_page_by_page_each_once(ask: Ask, house: House) -> None:
    for number in range(5):
        ask("POST", "/people", {"external_id": f"u{number}"})
    seen, cursor = [], ""
    while True:
        page = ask("GET", f"/people?limit=2{cursor}").json()
        seen += [person["external_id"] for person in page["people"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == [f"u{number}" for number in range(5)]
    assert ask("GET", "/people?stage=nowhere").json() == {"people": [], "next": None}
    for wrong in ("x", "e30", "bnVsbA", "eyJhZnRlciI6IC0xfQ", "eyJhZnRlciI6ICIxIn0"):
        assert ask("GET", f"/people?cursor={wrong}").status_code == 422


def test_her_word_is_taken_with_its_proof(ask: Ask, house: House) -> None:
    house.consenting()
    ana = house.id_of()
    assert (
        ask("POST", f"/people/{ana}/consent", {"granted": False, "topic": "tips", "source": "phone"}).status_code == 202
    )
    house.drain()
    assert ask("GET", f"/people/{ana}").json()["opted_out"] == ["tips"]

    ask("POST", f"/people/{ana}/consent", {"granted": False, "source": "phone", "wording": "No more mail"})
    house.drain()
    assert ask("GET", f"/people/{ana}").json()["consent"] == Consent.WITHDRAWN
    proof = [each for each in ask("GET", f"/people/{ana}/export").json()["events"] if each["source"] == "api"]
    assert [each["properties"] for each in proof] == [
        {"topic": "tips", "source": "phone"},
        {"source": "phone", "wording": "No more mail"},
    ]
    assert ask("POST", f"/people/{ana}/consent", {"granted": True, "topic": "no", "source": "x"}).status_code == 422


def test_an_erased_person_is_gone_and_stays_unmailed(ask: Ask, house: House) -> None:
    house.consenting()
    ana = house.id_of()
    ask("POST", "/people", {"email": ANA}, Idempotency_Key="k")

    assert ask("DELETE", f"/people/{ana}").status_code == 204
    assert ask("GET", f"/people/{ana}").status_code == 404
    with house.database.read() as tx:
        assert suppression_of(tx, ANA) is not None
        assert tx.execute(replies.select()).all() == [], "kept answers speak of her too"


def test_suppression_by_address(ask: Ask, house: House) -> None:
    house.consenting()
    assert ask("POST", "/suppressions", {"emails": [ANA, "x@people.example"]}).json() == {"new": 2}
    assert ask("POST", "/suppressions", {"emails": [ANA]}).json() == {"new": 0}
    assert ask("GET", f"/people/{house.id_of()}").json()["suppressed"] == "manual"
    assert ask("POST", "/suppressions/lift", {"email": ANA}).json() == {"lifted": True}
    assert ask("POST", "/suppressions/lift", {"email": ANA}).json() == {"lifted": False}
    assert ask("POST", "/suppressions", {"emails": []}).status_code == 422


# --- asking twice


def count_events(house: House) -> int:
    with house.database.read() as tx:
        return len(tx.execute(events.select()).all())


def test_asking_again_gets_the_same_answer_and_changes_nothing(ask: Ask, house: House) -> None:
    first = ask("POST", "/people", {"email": ANA}, Idempotency_Key="k1")
    again = ask("POST", "/people", {"email": ANA}, Idempotency_Key="k1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert count_events(house) == 1
    assert ask("POST", "/people", {"email": "b@people.example"}, Idempotency_Key="k1").status_code == 422
    assert ask("POST", "/suppressions", {"emails": [ANA]}, Idempotency_Key="k1").status_code == 200, "another route"


def test_while_somebody_is_at_it_others_are_told_to_wait_until_she_is_given_up(ask: Ask, house: House) -> None:
    ask("POST", "/people", {"email": ANA}, Idempotency_Key="k1")
    with house.database.write() as tx:
        tx.execute(replies.update().values(status=None, body=None))

    waiting = ask("POST", "/people", {"email": ANA}, Idempotency_Key="k1")
    assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "2")
    house.pass_time("+2 minutes")
    assert ask("POST", "/people", {"email": ANA}, Idempotency_Key="k1").status_code == 200


def test_a_refusal_is_not_kept(ask: Ask, house: House) -> None:
    house.consenting()
    path = f"/people/{house.id_of()}/consent"
    body = {"granted": True, "topic": "no", "source": "x"}
    assert [ask("POST", path, body, Idempotency_Key="k").status_code for _ in range(2)] == [422, 422]
    assert ask("POST", path, {**body, "topic": "tips"}, Idempotency_Key="k").status_code == 202


# --- who may


GRANTS = {
    ("GET", "/api/v1/people"): "read",
    ("POST", "/api/v1/people"): "people",
    ("POST", "/api/v1/people/find"): "read",
    ("GET", "/api/v1/people/{person}"): "read",
    ("DELETE", "/api/v1/people/{person}"): "admin",
    ("GET", "/api/v1/people/{person}/export"): "read",
    ("POST", "/api/v1/people/{person}/consent"): "people",
    ("POST", "/api/v1/people/{person}/fewer-mails"): "people",
    ("POST", "/api/v1/suppressions"): "people",
    ("POST", "/api/v1/suppressions/lift"): "admin",
    ("POST", "/v1/cloudevents"): "events",
}
BODIES: dict[str, Any] = {
    "/api/v1/people": {"email": ANA},
    "/api/v1/people/find": {"email": ANA},
    "/api/v1/people/{person}/consent": {"granted": True, "source": "x"},
    "/api/v1/people/{person}/fewer-mails": {"days": 7},
    "/api/v1/suppressions": {"emails": ["x@people.example"]},
    "/api/v1/suppressions/lift": {"email": "x@people.example"},
    "/v1/cloudevents": {"specversion": "1.0", "type": "E", "source": "s", "id": "1", "subject": ANA},
}


def test_every_route_is_open_to_its_scope_alone(site: Served, house: House, key: Callable[..., str]) -> None:
    """Every key by every route of the OpenAPI document; a route that is missing here fails too."""
    document = site.client.get("/api/openapi.json").json()
    routes = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert routes == set(GRANTS)

    keys = {scope: key(scope) for scope in ("browser", "events", "read", "people", "admin")}
    for (method, path), needed in sorted(GRANTS.items(), key=lambda each: each[0][0] == "DELETE"):
        for scope, token in [*keys.items(), ("none", ""), ("wrong", "nk_000000000000_" + "a" * 43)]:
            house.tell("Signed Up")
            media_type = "application/cloudevents+json" if "cloud" in path else "application/json"
            headers = {"Content-Type": media_type, **({"Authorization": f"Bearer {token}"} if token else {})}
            url = path.replace("{person}", str(house.id_of()))
            answer = site.client.request(method, url, headers=headers, json=BODIES.get(path))
            if scope in {needed, "admin"}:
                assert answer.status_code < 300, (method, path, scope, answer.text)
            else:
                expected = 401 if scope in {"none", "wrong"} else 403
                assert answer.status_code == expected, (method, path, scope, answer.text)


def test_who_asks_too_often_is_told_when_to_come_again(ask: Ask, site: Served, house: House) -> None:
    ask("GET", "/people")
    access = site.server.site.state.access
    (bucket,) = access._rates._buckets.values()
    bucket.left = 0.5
    refused = ask("GET", "/people")

    assert refused.status_code == 429
    house.pass_time("+1 second")
    assert ask("GET", "/people").status_code == 200
    assert API_PER_MINUTE >= 60


def test_a_database_that_is_away_is_a_503(ask: Ask, house: House) -> None:
    ask("GET", "/people")
    with house.database.write() as tx:
        tx.execute(text("ALTER TABLE suppressions RENAME TO gone"))

    answer = ask("GET", "/people")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
