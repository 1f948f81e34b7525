"""The server as a whole: limits, headers, errors, and an orderly beginning and end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from nurture.errors import ConfigurationError
from nurture.testing.house import House
from nurture.testing.processes import REPOSITORY, Shop, until
from nurture.testing.site import Served, serving
from nurture.web import server as web_server
from nurture.web.server import Address
from nurture.web.site import Face


@pytest.fixture
def database_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """SQLite only: nothing here is about the database."""
    return f"sqlite:///{shutil.copy(_sqlite_template, tmp_path / 'nurture.db')}"


def raw(site: Served, *parts: bytes, seconds: float = 10) -> bytes:
    """What comes back for these bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=seconds) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def test_a_living_process_says_so(site: Served) -> None:
    answer = site.client.get("/livez")

    assert (answer.status_code, answer.text) == (200, "alive\n")


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/%00"])
def test_every_answer_carries_the_headers_that_protect(site: Served, path: str) -> None:
    headers = site.client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_errors_are_problems(site: Served) -> None:
    for answer, status in ((site.client.get("/nowhere"), 404), (site.client.post("/livez"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert told["status"] == status
        assert told["title"]
        assert told["detail"]


def test_a_browser_gets_a_page_with_its_style(site: Served) -> None:
    answer = site.client.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml"})
    style = site.client.get(answer.text.split('stylesheet" href="')[1].split('"')[0])

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not Found</h1>" in answer.text
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in style.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/static/x/site.css", "/static/x/..%2fhtml.py", "/static/x/.env", "/static/x/base.html", "/static/x/no.css"],
)
def test_nothing_but_our_static_files_can_be_read(site: Served, path: str) -> None:
    assert site.client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/livez/", "//livez", "/LIVEZ", "/%2e/livez", "/livez%2f", "/x/../livez%00"])
def test_only_the_path_itself_is_the_path(site: Served, path: str) -> None:
    answer = raw(site, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert answer.split()[1] in {b"404", b"400"}


def test_a_method_cannot_be_smuggled_in_a_header(site: Served) -> None:
    assert site.client.post("/livez", headers={"X-HTTP-Method-Override": "GET"}).status_code == 405


def test_a_nul_is_refused_wherever_it_stands_in_the_address(site: Served) -> None:
    assert site.client.get("/live%00z").status_code == 400
    assert site.client.get("/livez?a=%00").status_code == 400


def test_a_body_that_is_too_large_is_refused_before_it_comes(site: Served) -> None:
    answer = raw(site, b"POST /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_headers_that_are_too_large_are_refused(site: Served) -> None:
    assert site.client.get("/livez", headers={"x-a": "a" * 20_000}).status_code == 431


def test_a_head_without_an_end_is_cut_off(site: Served) -> None:
    try:
        answer = raw(site, b"GET /livez HTTP/1.1\r\nx: ", *[b"a" * 30_000] * 5)
    except ConnectionError:  # cut off while we still wrote
        return
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_who_is_too_slow_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "REQUEST_SECONDS", 0.3)
    with serving(house.app) as site:
        assert raw(site) == b""
        assert raw(site, b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").startswith(
            b"HTTP/1.1 405"
        )
        assert raw(site, b"GET /livez HTT") == b""


def test_what_is_no_http_is_answered_by_400(site: Served) -> None:
    assert raw(site, b"\x16\x03\x01\x02\x00 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_mistake_of_ours_tells_nothing_but_to_the_log(house: House, serve: Callable[..., Served]) -> None:
    site = serve(house)

    async def fail() -> None:
        raise RuntimeError("secret of the house")

    # a route that fails stands for every mistake there may be
    application = site.server.site
    application.add_api_route("/fail", fail)
    answer = site.client.get("/fail")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    ((level, _, fields),) = [line for line in house.journal.lines if line[1] == "request failed"]
    assert (level, fields["route"], fields["error"]) == ("error", "/fail", "RuntimeError")
    assert __file__ in str(fields["at"])
    assert "secret" not in str(house.journal.lines)


def test_too_much_at_once_is_told_with_the_time_to_wait(house: House) -> None:
    with serving(house.app) as site:
        site.server.site.state.site.threads._most = 0
        answer = site.client.get("/livez")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_a_place_that_is_taken_is_told(house: House, site: Served) -> None:
    server = web_server.WebServer(house.app, Address("127.0.0.1", site.port))
    with pytest.raises(ConfigurationError, match="cannot listen"):
        asyncio.run(server.start())


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8025", "127.0.0.1", 8025), (":80", "127.0.0.1", 80), ("[::1]:0", "::1", 0), ("a.b:1", "a.b", 1)],
)
def test_addresses_are_read(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port)


@pytest.mark.parametrize("text", ["", "8025", "a:", "a:b", "a:70000", "a:-1", "a:٣"])
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no address to listen at"):
        Address.parse(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example"])
def test_other_machines_come_only_through_a_proxy_that_is_named(
    build: Callable[..., House], tmp_path: Path, host: str
) -> None:
    alone = build()
    with pytest.raises(ConfigurationError, match="NURTURE_TRUSTED_PROXIES"):
        web_server.WebServer(alone.app, Address(host, 0))

    behind = House(alone.database, tmp_path, alone.files, trusted_proxies="10.0.0.0/8")
    assert web_server.WebServer(behind.app, Address(host, 0)).address.host == host


def test_only_the_faces_asked_for_are_shown(house: House) -> None:
    with serving(house.app, frozenset({Face.PROBES})) as site:
        assert site.client.get("/livez").status_code == 200
        assert site.client.post("/v1/batch").status_code == 404


def test_the_daemon_serves_while_it_works_and_ends_in_order(shop: Shop) -> None:
    daemon = shop.start("--http", "127.0.0.1:0")
    until(lambda: bool(daemon.events("listening")), 40, daemon.text)
    url = daemon.events("listening")[0]["at"]

    assert httpx.get(f"{url}/livez").status_code == 200
    assert daemon.end() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez")


def test_serve_works_without_a_pump(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "nurture", "serve", "--http", "127.0.0.1:0"],
            cwd=tmp_path,
            env={**os.environ, **shop.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            until(lambda: '"listening"' in log.read_text() or process.poll() is not None, 40)
            url = log.read_text().split('"at": "')[1].split('"')[0]
            assert httpx.get(f"{url}/livez").text == "alive\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
    assert '"stopped"' in log.read_text()


def test_help_imports_no_web_server() -> None:
    modules = "nurture.cli.main, nurture.cli.run, nurture.cli.serve"
    code = f"import sys, {modules}; print(sys.modules.keys() & {{'fastapi', 'uvicorn', 'starlette'}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"
