"""Probes and metrics, asked of a real server over a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from nurture.engine.hold import put_on_hold, release, sign_of_life
from nurture.storage.controls import pause, start_sending, stop_sending
from nurture.testing.house import House
from nurture.testing.site import Served
from nurture.web.metrics import METRICS

Samples = dict[tuple[str, ...], float]


def scraped(site: Served) -> dict[str, Samples]:
    """Metric -> labels -> value, as Prometheus reads it."""
    answer = site.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        sample.name: {tuple(s.labels.values()): s.value for s in family.samples if s.name == sample.name}
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def fresh(house: House) -> None:
    """What was seen of the database may be used again for ten seconds."""
    house.pass_time("+11 seconds")


def test_a_sound_house_is_ready_and_says_what_was_checked(house: House, site: Served) -> None:
    answer = site.client.get("/readyz")
    told = answer.json()
    assert (answer.status_code, told["ready"], told["reasons"]) == (200, True, [])
    assert {name: one["found"] for name, one in told["checks"].items() if name != "schema"} == {
        "database": "answers",
        "revision": "1",
        "hold": "no",
        "sending": "goes on",
        "relay": "takes mail",
        "lag": "nothing is due",
    }


def test_a_hold_makes_it_unready_with_the_reason(house: House, site: Served) -> None:
    put_on_hold(house.database, "a backup was put back", house.now)
    answer = site.client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["on hold: a backup was put back"])
    release(house.database, house.now)
    fresh(house)
    assert site.client.get("/readyz").status_code == 200


def test_sending_that_is_stopped_is_told_and_turns_no_events_away(house: House, site: Served) -> None:
    house.database.transact(lambda tx: stop_sending(tx, house.now, "olga", ""))
    answer = site.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["sending"]["found"] == "stopped by hand; nurture start-sending"
    assert scraped(site)["nurture_sending_stopped"] == {(): 1}
    house.database.transact(lambda tx: start_sending(tx, house.now))
    fresh(house)
    assert scraped(site)["nurture_sending_stopped"] == {(): 0}


def test_another_schema_makes_it_unready_and_says_what_to_do(house: House, site: Served) -> None:
    with house.database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    answer = site.client.get("/readyz")
    assert answer.status_code == 503
    assert "run nurture db upgrade" in answer.json()["reasons"][0]
    assert scraped(site)["nurture_database_up"] == {(): 0}


def test_nothing_applied_makes_it_unready(house: House, site: Served) -> None:
    with house.database.write() as tx:
        tx.execute(text("DELETE FROM revisions"))
    assert site.client.get("/readyz").json()["reasons"] == ["nothing is applied: run nurture apply"]


def test_a_pump_that_stands_still_fails_both_probes_and_one_that_never_was_here_neither(
    house: House, site: Served
) -> None:
    fresh(house)
    assert site.client.get("/livez").status_code == 200
    house.app.vitals.came_round(house.clock.monotonic())
    fresh(house)
    assert site.client.get("/readyz").json()["checks"]["pump"]["found"] == "the pump came round 11 seconds ago"
    house.pass_time("+3 minutes")
    for probe in ("/livez", "/readyz"):
        answer = site.client.get(probe)
        assert answer.status_code == 503
        assert "the pump has stood still for 191 seconds" in answer.text


def test_what_a_process_counts_is_scraped(house: House, site: Served) -> None:
    house.tell("Newsletter Subscribed")
    house.tell("Signed Up")
    house.drain()
    house.app.vitals.came_round(house.clock.monotonic())
    found = scraped(site)
    assert found["nurture_mails_total"] == {("sent",): 1}
    assert found["nurture_rounds_total"] == {(): 1}
    assert found["nurture_round_age_seconds"] == {(): 0}
    assert scraped(site)["nurture_http_requests_total"] == {("GET", "/metrics", "200"): 1}
    assert found["process_open_fds"][()] > 3


def test_what_the_database_says_is_scraped(house: House, site: Served) -> None:
    house.tell("Signed Up")
    fresh(house)
    sign_of_life(house.database, house.now, "535 who are you", {"owner": "a-1"})
    house.database.transact(lambda tx: pause(tx, "c", house.now, "olga"))
    found = scraped(site)
    assert found["nurture_due"] == {(): 1}
    assert found["nurture_events_unprocessed"] == {(): 1}
    assert found["nurture_lag_seconds"] == {(): 11}
    assert found["nurture_daemons"] == {(): 1}
    assert found["nurture_campaigns_paused"] == {(): 1}
    assert found["nurture_relay_breaker_state"] == {("relay",): 2}
    assert found["nurture_needs_a_person"] == {("relay",): 1}
    assert found["nurture_database_bytes"][()] > 10_000


def test_one_scrape_tells_of_the_work_of_every_daemon(house: House, site: Served) -> None:
    """Of several workers only one has the port."""
    for number in (1, 2):
        said = {"owner": f"host-{number}", "turns": 10 * number, "mails": {"sent": number, "unknown": 1}}
        sign_of_life(house.database, house.now, None, said)
    found = scraped(site)
    assert found["nurture_daemon_turns_total"] == {("host-1",): 10, ("host-2",): 20}
    assert found["nurture_daemon_mails_total"] == {
        ("host-1", "sent"): 1, ("host-1", "unknown"): 1, ("host-2", "sent"): 2, ("host-2", "unknown"): 1,
    }  # fmt: skip


def test_the_database_is_asked_for_metrics_at_most_every_ten_seconds(
    house: House, site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nurture.web import glance

    asked: list[object] = []
    real: Callable[..., object] = glance.look
    monkeypatch.setattr(glance, "look", lambda *arguments: asked.append(1) or real(*arguments))
    for _ in range(3):
        scraped(site)
        house.pass_time(house.now + timedelta(seconds=3))
    assert len(asked) == 1
    fresh(house)
    scraped(site)
    assert len(asked) == 2


def test_every_metric_that_is_told_of_is_there_and_no_other(house: House, site: Served) -> None:
    house.app.vitals.came_round(house.clock.monotonic())
    house.app.vitals.mails["sent"] = 1
    sign_of_life(house.database, house.now, "535 no", {"owner": "host-1", "turns": 1, "mails": {"sent": 1}})
    scraped(site)
    told = {one.name for one in METRICS}
    assert {name for name in scraped(site) if name.startswith("nurture_")} == told
