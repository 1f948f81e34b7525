"""The doctor's checks that need more than a shop in a folder: servers, clocks, daemons, and the web."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest

from nurture.engine import doctor_work
from nurture.engine.doctor import Health
from nurture.engine.doctor_work import check_base_url, check_server_clock, check_work
from nurture.engine.hold import put_on_hold, sign_of_life
from nurture.testing.house import House
from nurture.testing.listener import Listener

Build = Callable[..., House]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def found(house: House) -> dict[str, tuple[Health, str]]:
    return {one.name: (one.health, one.found) for one in check_work(house.database, house.now)}


def test_a_daemon_at_work_is_good_and_one_that_fell_silent_is_told_of(build: Build) -> None:
    house = build()
    sign_of_life(house.database, house.now, None, {"owner": "a-1", "host": "web1"})
    assert found(house)["daemons"] == (Health.GOOD, "1 at work; nothing is due")
    house.pass_time("+10 minutes")
    sign_of_life(house.database, house.now, None, {"owner": "b-2", "host": "web2"})
    assert found(house)["daemons"] == (Health.CAREFUL, "a-1 on web1 is silent for 10 minutes")


def test_a_hold_and_a_relay_that_takes_no_mail_are_bad(build: Build) -> None:
    house = build()
    sign_of_life(house.database, house.now, "535 who are you", None)
    put_on_hold(house.database, "a backup was put back", house.now)
    told = found(house)
    assert told["hold"] == (Health.BAD, "on hold: a backup was put back")
    assert told["relay's answers"] == (Health.BAD, "the relay takes no mail: 535 who are you")


@pytest.mark.parametrize(
    ("apart", "health"), [(0.2, Health.GOOD), (-5, Health.CAREFUL), (31, Health.BAD), (-3600, Health.BAD)]
)
def test_the_servers_clock_is_compared_with_ours(apart: float, health: Health) -> None:
    assert check_server_clock(NOW, NOW + timedelta(seconds=apart)).health is health


def test_a_disk_that_runs_full_is_told_before_it_is(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    house = build()
    if house.database.dialect == "postgresql":
        assert "space" not in found(house), "its server may be elsewhere"
        return
    monkeypatch.setattr(doctor_work, "LEAST_SPACE", 1 << 60)
    health, told = found(house)["space"]
    assert health is Health.BAD
    assert "GB free beside a database of 0." in told


class Web(Listener):
    """A web server with a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.code, self.date = 404, "Mon, 02 Mar 2026 09:00:00 GMT"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response_only(self.code)
        request.send_header("Date", self.date)
        request.end_headers()


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as running:
        yield running


def test_the_base_url_answers_or_not_and_has_a_clock_too(web: Web) -> None:
    assert check_base_url(web.url, NOW).health is Health.GOOD, "a proxy may well keep probes from the world"
    assert check_base_url(web.url, NOW + timedelta(minutes=5)).health is Health.CAREFUL
    web.date = "yesterday"
    assert check_base_url(web.url, NOW).health is Health.GOOD
    web.code = 502
    assert check_base_url(web.url, NOW).health is Health.BAD
    nobody = check_base_url("http://127.0.0.1:1", NOW)
    assert (nobody.health, "does not answer" in nobody.found) == (Health.BAD, True)
    assert nobody.fix
