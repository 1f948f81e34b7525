"""Calls to the outside never reach the inside, whatever name or redirect leads there."""

from __future__ import annotations

import ipaddress
import socket
import time
from http.server import BaseHTTPRequestHandler

import pytest

from nurture.engine import posting
from nurture.engine.posting import is_public, post
from nurture.testing.listener import Listener

HERE = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.5", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.0.1", "198.18.0.1", "240.0.0.1",
        "::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
        "::ffff:169.254.169.254", "::7f00:1", "::10.0.0.5", "2002:7f00:1::", "2002:a00:5::1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "2001:0:7f00:1:0:0:80ff:fffe", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_of_our_own_network_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_somebody_else_is(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_called_however_it_is_written(host):
    with Listener() as listener:
        error = post(listener.url.replace("127.0.0.1", host), b"{}", {})
    assert error is not None
    assert "private network" in error


def test_a_name_with_one_private_address_among_public_ones_is_not_called(monkeypatch):
    def resolve(*_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in ("8.8.8.8", "10.0.0.5")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert "private network" in (post("http://crm.example/", b"", {}) or "")


def test_the_address_that_was_looked_at_is_the_one_that_is_called(monkeypatch):
    """A name that means another machine at the second question gains nothing: there is no second question."""
    asked = []
    real = socket.getaddrinfo

    def resolve(host, *more, **options):
        asked.append(host)
        return real("127.0.0.1", *more, **options) if host == "crm.example" else real(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with Recorder() as listener:
        url = listener.url.replace("127.0.0.1", "crm.example")
        assert post(f"{url}/hook?x=1", b"{}", {"a": "b"}, HERE) is None
    assert asked.count("crm.example") == 1
    assert listener.seen == [("/hook?x=1", url.removeprefix("http://"))]


class Recorder(Listener):
    def __init__(self, status=200, **headers):
        super().__init__()
        self.seen, self.status, self.headers = [], status, headers

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.seen.append((request.path, request.headers["Host"]))
        request.send_response(self.status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_sent_on(status):
    with Recorder() as other, Recorder(status, Location=f"{other.url}/secret") as listener:
        assert post(listener.url, b"{}", {}, HERE) == f"answered {status}"
        assert other.seen == []


def test_who_answers_byte_by_byte_is_not_listened_to_for_ever(monkeypatch):
    class Dripping(Listener):
        def answer(self, request: BaseHTTPRequestHandler) -> None:
            import contextlib

            with contextlib.suppress(OSError):
                for _ in range(100):
                    request.wfile.write(b"H")
                    request.wfile.flush()
                    time.sleep(0.05)  # noqa: TID251 - a server that is slow on purpose

    monkeypatch.setattr(posting, "WHOLE", 0.3)
    with Dripping() as listener:
        begun = time.monotonic()
        assert post(listener.url, b"{}", {}, HERE) is not None
        assert time.monotonic() - begun < 4


@pytest.mark.parametrize("url", ["https://nobody.invalid/", "http://127.0.0.1:1/", "http://[::1/", "ftp://x/"])
def test_what_cannot_be_reached_is_told_without_its_address(url):
    error = post(url, b"{}", {}, HERE)
    assert error is not None
    assert "nobody" not in error
