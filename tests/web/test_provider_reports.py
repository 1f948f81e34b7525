"""Reports of mail providers over HTTP: those that are set up, from them only."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from nurture.domain.contact import SuppressionReason
from nurture.storage.contacts import find
from nurture.testing.house import ANA, START, House
from nurture.testing.reports import PASSWORD, SendGrid, basic, postmark, sendgrid
from nurture.testing.site import Served

Build, Serve = Callable[..., House], Callable[..., Served]
SENDGRID = SendGrid()


@pytest.fixture
def house(build: Build) -> House:
    made = build(settings={"webhook_postmark": PASSWORD, "webhook_sendgrid": SENDGRID.public_key})
    made.consenting()
    return made


def test_a_report_is_acted_upon_before_its_answer_and_the_pump_is_woken(house: House, site: Served) -> None:
    answer = site.client.post("/webhooks/mail/postmark", json=postmark(), headers=basic())
    assert (answer.status_code, answer.json(), site.woken) == (200, {"taken": 1}, 1)
    house.drain()
    with house.database.read() as tx:
        contact = find(tx, ANA)
    assert contact is not None
    assert contact.suppressed is SuppressionReason.BOUNCED


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_taken_is_answered_by_what_is_wrong(house: House, site: Served) -> None:
    body = json.dumps([sendgrid()]).encode()
    signed = SENDGRID.headers(START, body)
    cases = [
        ("nobody", body, {}, 404),
        ("mailjet", body, basic(), 404),  # not set up
        ("postmark", b"{}", {}, 401),
        ("postmark", b"{", basic(), 400),
        ("postmark", b"[" * 100_000, basic(), 400),
        ("postmark", b'{"a": NaN}', basic(), 400),
        ("postmark", b" " * (9 << 20), basic(), 413),
        ("sendgrid", body + b" ", signed, 403),
        ("sendgrid", body, signed, 200),
    ]
    for provider, content, headers, status in cases:
        answer = site.client.post(f"/webhooks/mail/{provider}", content=content, headers=headers)
        assert (provider, answer.status_code) == (provider, status)
        assert PASSWORD.encode() not in answer.content
    assert site.client.get("/webhooks/mail/postmark").status_code == 405
    assert ANA not in str(house.journal.lines)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_guessing_passwords_is_slowed_down(site: Served) -> None:
    answers = [site.client.post("/webhooks/mail/postmark", json={}, headers=basic("a:b")) for _ in range(31)]
    assert [answers[0].status_code, answers[-1].status_code] == [401, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
