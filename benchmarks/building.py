"""What one mail costs to build: compiled once, against the way most senders go for each recipient anew."""

from __future__ import annotations

import email.message
import email.policy
import email.utils
import re
from collections.abc import Callable
from datetime import UTC, datetime

import jinja2

from benchmarks import shop
from benchmarks.figures import Figure, interleaved
from nurture.daemon.memory import settle
from nurture.domain.contact import Contact
from nurture.domain.delivery import Delivery
from nurture.domain.enrolment import Enrolment
from nurture.domain.steps import Send
from nurture.domain.tokens import Keyring
from nurture.engine.compose import Composer
from nurture.engine.revisions import assemble
from nurture.rendering.inlining import inline_css
from nurture.rendering.message import MessageSigner

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
BASE = "https://mail.northwind.example"
PEOPLE = 200


def measure(*, quick: bool = False) -> list[Figure]:
    settle()  # as the daemon does; the other way has its part of it
    figures = []
    for size, shown, limit in ((shop.LARGE, "58-KB", 150), (shop.SMALL, "20-KB", None)):
        build = builder(size)
        usual = usual_way(size)
        build(0)
        usual(0)
        ours, theirs = interleaved(
            [lambda build=build: [build(number) for number in range(PEOPLE)], lambda usual=usual: usual(1)],
            5 if quick else 15,
        )
        ours /= PEOPLE
        figures.append(
            Figure(
                f"building a {shown} mail against premailer, text and EmailMessage for each recipient",
                theirs / ours, "times", at_least=limit,
                against=f"{1e6 * ours:,.0f} us against {1e6 * theirs:,.0f} us",
                how="CPU; data to octets, links signed; the other renders the same template, inlines, derives text",
            )
        )  # fmt: skip
    return figures


def builder(size: int, signer: MessageSigner | None = None) -> Callable[[int], bytes]:
    """Builds the mail of a numbered person."""
    applied = assemble(shop.files(size), 1)
    campaign = applied.programme.campaigns["welcome"]
    send = campaign.nodes["hello"]
    assert isinstance(send, Send)
    composer = Composer(Keyring([shop.SECRET]), base_url=BASE, signer=signer)
    people = [_person(number, send) for number in range(PEOPLE)]

    def build(number: int) -> bytes:
        contact, enrolment, delivery = people[number]
        return composer.compose(applied, campaign, send, contact, enrolment, delivery, NOW).mail.data

    return build


def _person(number: int, send: Send) -> tuple[Contact, Enrolment, Delivery]:
    name = shop.FIRST_NAMES[number % len(shop.FIRST_NAMES)]
    contact = Contact(number + 1, shop.email(number), NOW, attributes={"first_name": name})
    enrolment = Enrolment(1, "welcome", "", 1, NOW, start=shop.start_data(number), node=send.id, since=NOW)
    delivery = Delivery(
        contact_id=contact.id, seq=2, enrolment=1, campaign="welcome", step=send.id, visit=1, kind=send.kind,
        template=send.template, category=send.category, priority=1, planned_at=NOW, due_at=NOW, not_before=NOW,
        expires_at=NOW, revision=1,
    )  # fmt: skip
    return contact, enrolment, delivery


def usual_way(size: int) -> Callable[[int], bytes]:
    """Render, inline, make a text of it, hand it all to the email package: for each recipient."""
    from nurture.rendering.twin import text_twin

    environment = jinja2.Environment(autoescape=True)
    environment.filters["money"] = lambda value: f"€{value:.2f}"
    source = shop.template(size).split("---\n", 2)[2]
    template = environment.from_string(source)
    constants = {
        "brand": {"name": "Northwind & Garden", "slug": "northwind", "link": "#1f6146", "ink": "#20302a"},
        "postal_address": "Northwind Garden, Mannerheimintie 1, 00100 Helsinki, Finland",
        "subject": "Your garden is ready", "preheader": "Three things to do",
    }  # fmt: skip

    def build(number: int) -> bytes:
        to = shop.email(number)
        page = inline_css(
            template.render(
                contact={"first_name": "Ann", "email": to}, start=shop.start_data(number), **constants,
                unsubscribe_url=f"{BASE}/u/{number:043}", preferences_url=f"{BASE}/p/{number:043}",
            ),
            "",
        )  # fmt: skip
        mail = email.message.EmailMessage(policy=email.policy.SMTP)
        mail["From"] = "Northwind Garden <hello@northwind.example>"
        mail["To"] = to
        mail["Subject"] = "Your garden is ready"
        mail["Date"] = email.utils.format_datetime(NOW)
        mail["Message-ID"] = f"<{number}@northwind.example>"
        mail["List-Unsubscribe"] = f"<{BASE}/u/{number:043}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(text_twin(page, _NOTHING))
        mail.add_alternative(page, subtype="html", cte="quoted-printable")
        return mail.as_bytes()

    return build


_NOTHING = re.compile(r"(?!)()")
