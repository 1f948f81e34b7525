"""One click as mail programs really write it (RFC 8058): well, badly, and so that nobody can tell what they want."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.domain.tokens import Purpose
from nurture.storage.contacts import find
from nurture.testing.house import ANA, House
from nurture.testing.marks import FIRST_ON_SQLITE
from nurture.testing.site import Served

URLENCODED = "application/x-www-form-urlencoded"
PART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n%s\r\nOne-Click\r\n--x--\r\n'
MULTIPART = "multipart/form-data; boundary="
PLAIN = b"List-Unsubscribe=One-Click"

SAID = [
    (URLENCODED, PLAIN),
    (f"{URLENCODED}; charset=utf-8", PLAIN + b"\r\n"),
    (URLENCODED.upper(), b"x=1&" + PLAIN),
    (URLENCODED, b"List%2DUnsubscribe=One%2DClick"),
    (URLENCODED, b"x=1;" + PLAIN),
    (URLENCODED, PLAIN.decode().encode("utf-16-le")),
    (f"{URLENCODED}; charset=utf-7", PLAIN),
    (URLENCODED, PLAIN + b"&x=" + b"y" * 20_000),
    ("", PLAIN),
    ("text/plain", PLAIN),
    (f"{MULTIPART}x", PART % b""),
    (f'{MULTIPART}"x"', PART % b"Content-Type: text/plain; charset=iso-8859-1\r\n"),
    (f"{MULTIPART}x; charset=no-such", PART % b"Content-Transfer-Encoding: 8bit\r\n"),
    (f"{MULTIPART}other", PART % b""),
    (MULTIPART, PART % b""),
    ("multipart/form-data", PART % b""),
    (f"{MULTIPART}x", (PART % b"").replace(b"\r\n", b"\n")),
    (f"{MULTIPART}x", (PART % b"").removesuffix(b"--x--\r\n")),
    (URLENCODED, PART % b""),
    (f"{MULTIPART}x", PLAIN),
]
UNCLEAR = [
    (URLENCODED, b""),
    (URLENCODED, b"List-Unsubscribe=One-Clicks"),
    (URLENCODED, b"List-Unsubscribe=no&x=One-Click"),
    (URLENCODED, b"Not-List-Unsubscribe=One-Click"),
    (URLENCODED, b"\xff\xfe%zz%00&&&==="),
    ("application/json", b'{"x": "\\nList-Unsubscribe=One-Click"}'),
    (f"{MULTIPART}x", b"--x\r\n\r\n"),
    (f"{MULTIPART}{'x' * 5000}", b"--x\r\n"),
    (f"{MULTIPART}x", b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + b"z" * 100_000),
    (f"{MULTIPART}x", b'--x\r\nContent-Disposition: form-data; name="\xff\x00"\r\n\r\n\x00\r\n--x--\r\n'),
]


@pytest.fixture
def way_out(house: House, link: Callable[..., str]) -> str:
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    house.pass_time("+1 minute")
    return link("/u/", Purpose.UNSUBSCRIBE)


def has_left(house: House) -> bool:
    house.advance()
    with house.database.read() as tx:
        contact = find(tx, ANA)
    assert contact is not None
    return contact.opted_out == {"tips"}


@FIRST_ON_SQLITE
@pytest.mark.parametrize("chunked", [False, True])
def test_whoever_says_one_click_has_left(house: House, site: Served, way_out: str, chunked: bool) -> None:
    rows = SAID[:: 3 if chunked else 1]
    for kind, body in rows:
        content = iter([body[:7], body[7:]]) if chunked else body
        answer = site.client.post(way_out, content=content, headers={"Content-Type": kind})
        assert (answer.status_code, answer.text) == (200, "Unsubscribed.\n"), (kind, body[:80])
    assert site.woken == len(rows)
    assert has_left(house)


@FIRST_ON_SQLITE
def test_whoever_says_something_else_is_told_so_and_stays(house: House, site: Served, way_out: str) -> None:
    for kind, body in UNCLEAR:
        answer = site.client.post(way_out, content=body, headers={"Content-Type": kind})
        assert answer.status_code in {400, 413, 415}, (kind, body[:80])
        assert answer.headers["content-type"] == "application/problem+json"
    assert not has_left(house)


@FIRST_ON_SQLITE
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([URLENCODED, f"{MULTIPART}x", f"{MULTIPART}", "multipart/form-data; x", "text/plain"]),
    body=st.lists(
        st.sampled_from([b"--x", b"--", b"\r\n", b"\n", b";", b'name="a', b"Content-Disposition: form-data; name=a",
                         b"One-Click", b"=", b"&", b"%", b"\0", b"\xff", b"choice=none"]) | st.binary(max_size=20)
    ).map(b"".join),
)  # fmt: skip
def test_no_body_is_a_mistake_of_ours(site: Served, kind: str, body: bytes) -> None:
    answer = site.client.post("/u/x", content=body, headers={"Content-Type": kind})
    assert answer.status_code in {400, 404, 413, 415}
