"""Reports of mail providers: only theirs are believed, each event has its effect once, by its cause."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.tokens import Purpose
from nurture.engine.provider_reports import MOST_FETCHED, ProviderReports, UnreachableError, fetch_from_amazon
from nurture.intake.feedback.providers import Provider
from nurture.intake.feedback.signatures import ForgedError
from nurture.storage.contacts import find
from nurture.storage.quarantine import held
from nurture.testing.house import ANA, START, House
from nurture.testing.listener import Listener
from nurture.testing.reports import (
    CERTIFICATE,
    PASSWORD,
    TOPIC,
    Amazon,
    SendGrid,
    basic,
    mailgun,
    mailjet,
    postmark,
    sendgrid,
    ses_bounce,
    ses_complaint,
    sparkpost,
)

AMAZON, SENDGRID, KEY = Amazon(START), SendGrid(), "a signing key"
SECRETS = {
    Provider.SES: TOPIC,
    Provider.MAILGUN: KEY,
    Provider.POSTMARK: PASSWORD,
    Provider.SENDGRID: SENDGRID.public_key,
    Provider.MAILJET: PASSWORD,
    Provider.SPARKPOST: "a-token",
}


class Desk:
    """A house to which reports come."""

    def __init__(self, house: House) -> None:
        self.house, self.amazon = house, AMAZON
        AMAZON.asked.clear()
        self.reports = ProviderReports(
            house.database, house.app.keyring, SECRETS, AMAZON.fetch, storm=house.app.storm_rule
        )

    def take(self, provider: Provider, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, int]:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = dict(headers or {})
        if headers is None and provider in {Provider.POSTMARK, Provider.MAILJET}:
            given = basic()
        if headers is None and provider is Provider.SPARKPOST:
            given = {"Authorization": "Bearer a-token"}
        if headers is None and provider is Provider.SENDGRID:
            given = SENDGRID.headers(self.house.now, octets)
        lowered = {name.lower(): value for name, value in given.items()}
        programme = self.house.app.applied().programme
        effects = self.reports.take(provider, lowered, octets, programme, self.house.now)
        self.house.drain()
        return dict(effects)

    @property
    def suppressed(self) -> SuppressionReason | None:
        with self.house.database.read() as tx:
            contact = find(tx, ANA)
        assert contact is not None
        return contact.suppressed


@pytest.fixture
def desk(build: Callable[..., House]) -> Desk:
    house = build()
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    return Desk(house)


VALID: list[tuple[Provider, Callable[[], Any]]] = [
    (Provider.SES, lambda: AMAZON.message(START, ses_bounce())),
    (Provider.SES, lambda: AMAZON.message(START, ses_bounce(), version="1")),
    (Provider.MAILGUN, lambda: mailgun("failed", KEY, START)),
    (Provider.POSTMARK, postmark),
    (Provider.SENDGRID, lambda: [sendgrid()]),
    (Provider.MAILJET, lambda: [mailjet()]),
    (Provider.SPARKPOST, lambda: [sparkpost()]),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("provider", "report"), VALID)
def test_a_report_of_a_dead_address_has_its_effect_once(
    desk: Desk, provider: Provider, report: Callable[[], Any]
) -> None:
    told = report()
    assert desk.take(provider, told) == {"bounced": 1}
    assert desk.suppressed is SuppressionReason.BOUNCED
    before = desk.house.told()
    assert desk.take(provider, told) == {"told before": 1}
    assert desk.house.told() == before


FORGED: list[tuple[Provider, Callable[[], bytes], dict[str, str]]] = [
    (Provider.SES, lambda: AMAZON.message(START, ses_bounce()).replace(b"Permanent", b"Transient"), {}),
    (Provider.SES, lambda: Amazon(START).message(START, ses_bounce()), {}),
    (Provider.SES, lambda: AMAZON.message(START, ses_bounce(), TopicArn=TOPIC + "x"), {}),
    (Provider.SES, lambda: AMAZON.message(START, ses_bounce(), Type="UnsubscribeConfirmation"), {}),
    (Provider.SES, lambda: AMAZON.message(START - timedelta(days=2), ses_bounce()), {}),
    (Provider.SES, lambda: b"[]", {}),
    *((Provider.SES, lambda host=host: AMAZON.message(START, ses_bounce(), SigningCertURL=host), {})  # type: ignore[misc]
      for host in ("https://evil.example/SimpleNotificationService-01234567.pem", CERTIFICATE.replace("https", "http"),
                   CERTIFICATE.replace(".com/", ".com.evil.example/"), CERTIFICATE.replace("sns.", "evil@sns."),
                   CERTIFICATE.replace(".com/", ".com:22/"), CERTIFICATE + "?x", CERTIFICATE + "\n", 7)),
    (Provider.MAILGUN, lambda: mailgun("failed", "another key", START), {}),
    (Provider.MAILGUN, lambda: mailgun("failed", KEY, START - timedelta(days=2)), {}),
    (Provider.MAILGUN, lambda: mailgun("failed", KEY, START + timedelta(hours=1)), {}),
    (Provider.MAILGUN, lambda: b'{"signature": "x", "event-data": {}}', {}),
    (Provider.POSTMARK, lambda: b"{}", {}),
    (Provider.POSTMARK, lambda: b"{}", basic("reports:wrong")),
    (Provider.MAILJET, lambda: b"[]", {"Authorization": "Basic !"}),
    (Provider.SPARKPOST, lambda: b"[]", basic("a-token")),
    (Provider.SENDGRID, lambda: b"[]", {}),
    (Provider.SENDGRID, lambda: b"[ ]", SENDGRID.headers(START, b"[]")),
    (Provider.SENDGRID, lambda: b"[]", SendGrid().headers(START, b"[]")),
    (Provider.SENDGRID, lambda: b"[]", SENDGRID.headers(START - timedelta(days=2), b"[]")),
]  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_provider_did_not_send_or_too_long_ago_is_refused(build: Callable[..., House]) -> None:
    desk = Desk(build())
    for provider, body, headers in FORGED:
        with pytest.raises(ForgedError):
            desk.take(provider, body(), headers)
    assert set(AMAZON.asked) <= {CERTIFICATE}  # nobody else is ever asked for a certificate
    with desk.house.database.read() as tx:
        assert held(tx) == []


def test_a_signature_of_mailgun_is_good_for_one_body_only(desk: Desk) -> None:
    assert desk.take(Provider.MAILGUN, mailgun("opened", KEY, START)) == {"no effect": 1}
    assert desk.take(Provider.MAILGUN, mailgun("opened", KEY, START)) == {"no effect": 1}
    with pytest.raises(ForgedError, match="used before"):
        desk.take(Provider.MAILGUN, mailgun("complained", KEY, START))
    assert desk.suppressed is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_subscription_is_confirmed_at_amazon_wherever_the_message_says_to_go(desk: Desk) -> None:
    assert desk.take(Provider.SES, AMAZON.confirmation(START)) == {"confirmed": 1}
    assert AMAZON.asked[-1].startswith(
        f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&"
    )
    with pytest.raises(ForgedError):
        desk.take(Provider.SES, AMAZON.confirmation(START, Token="x&TopicArn=other"))


def test_the_mail_is_known_by_its_return_path_and_the_wish_by_its_topic(desk: Desk) -> None:
    mail = desk.house.mail().delivery
    token = desk.house.app.keyring.mailbox_token(Purpose.RETURN_PATH, mail.contact_id, mail.seq)
    report = mailgun(
        "unsubscribed", KEY, START, sender=f"b+{token}@northwind.example", recipient="other@people.example"
    )
    assert desk.take(Provider.MAILGUN, report) == {"unsubscribed": 1}
    with desk.house.database.read() as tx:
        contact = find(tx, ANA)
    assert contact is not None
    assert (contact.opted_out, contact.consent) == (frozenset({"tips"}), Consent.GRANTED)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_complaint_ends_all_marketing_and_a_change_of_address_undoes_no_bounce(desk: Desk) -> None:
    assert desk.take(Provider.SES, AMAZON.message(START, ses_complaint())) == {"complained": 1}
    assert desk.suppressed is SuppressionReason.COMPLAINED
    assert desk.take(Provider.POSTMARK, postmark(Email="nobody@people.example")) == {"no effect": 1}


def test_a_batch_of_a_thousand_in_any_order_spoils_nothing_by_what_it_cannot_read(desk: Desk) -> None:
    batch: list[Any] = [sendgrid("delivered", sg_event_id=f"e-{n}", new_field={"x": [n]}) for n in range(996)]
    batch[500:500] = [
        sendgrid(sg_event_id="dead", timestamp=4e9),
        "no object",
        sendgrid(sg_event_id=""),
        sendgrid(email="x"),
    ]
    assert desk.take(Provider.SENDGRID, batch) == {"no effect": 996, "bounced": 1, "quarantined": 3}
    with desk.house.database.read() as tx:
        assert len(held(tx)) == 3
    assert desk.take(Provider.SENDGRID, batch)["told before"] == 1


class Elsewhere(Listener):
    """Redirects the first path, and pours out more than anybody wants at the second."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(302 if request.path == "/moved" else 200)
        request.send_header("Location", f"{self.url}/large")
        request.end_headers()
        if request.path == "/large":
            request.wfile.write(b"x" * (1 << 20))


def test_certificates_are_fetched_without_redirects_and_bounded() -> None:
    with Elsewhere() as server:
        with pytest.raises(UnreachableError):
            fetch_from_amazon(f"{server.url}/moved")
        assert len(fetch_from_amazon(f"{server.url}/large")) == MOST_FETCHED
