from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.domain.tokens import Keyring, Purpose
from nurture.rendering.addresses import AddressError, wire_address
from nurture.rendering.headers import HeaderError, date, unstructured
from nurture.rendering.links import Links
from nurture.rendering.message import Envelope, MessageHeaders, Stream, build_message
from nurture.rendering.renderer import Rendered
from nurture.sending.mail import dot_stuffed, is_crlf_only

RING = Keyring(["a secret of some length"])
LINKS = Links(RING, "https://mail.shop.example", "bounces.shop.example")
AT = datetime(2026, 10, 24, 20, 5, 9, tzinfo=UTC)
HEADERS = MessageHeaders(
    sender_name="Northwind Garden",
    sender_email="hello@shop.example",
    reply_to="care@shop.example",
    recipient="zoe@people.example",
    date=AT,
    message_id=LINKS.message_id(7, 3, "shop.example"),
    unsubscribe_url=LINKS.unsubscribe_url(7, 3),
    unsubscribe_mailto=LINKS.unsubscribe_mailto(7, 3),
    stream=Stream("tips", "Tips and tutorials"),
    feedback_id="welcome:hello:shop",
)
MAIL = Rendered.of(subject="Hello", text="Hi Zoë\n.\n..x\nFrom me\n", html="<!DOCTYPE html><p>Hi Zoë</p>\n")


def parsed(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


def well_formed(raw: bytes) -> bool:
    return (
        not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw)
        and raw.endswith(b"\r\n")
        and max(map(len, raw.split(b"\r\n"))) <= 998
        and b"\r\n." not in raw
    )


def test_a_mail_has_two_parts_text_first(shop):
    message = parsed(build_message(shop.renderer().render("cart/reminder", shop.context()), HEADERS))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content() for part in message.iter_parts())
    assert "Hi Zoë!" in text
    assert "<h1>Hi Zoë!</h1>" in html
    assert message["Subject"] == "Zoë, your cart"


def test_the_parts_decode_to_what_was_rendered(shop):
    mail = shop.renderer().render("cart/reminder", shop.context())
    text, html = (part.get_content() for part in parsed(build_message(mail, HEADERS)).iter_parts())
    assert text.splitlines() == mail.text.splitlines()
    assert html.splitlines() == mail.html.splitlines()


def test_marketing_mail_carries_what_mailbox_providers_ask_for():
    message = parsed(build_message(MAIL, HEADERS))
    assert message["From"] == "Northwind Garden <hello@shop.example>"
    assert message["To"] == "zoe@people.example"
    assert message["Reply-To"] == "care@shop.example"
    assert message["Date"] == "Sat, 24 Oct 2026 20:05:09 +0000"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "Tips and tutorials <tips.shop.example>"
    assert message["Feedback-ID"] == "welcome:hello:shop"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Precedence"] == "bulk"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["MIME-Version"] == "1.0"
    assert all(len(message.get_all(name)) == 1 for name in message)


def test_the_unsubscribe_header_is_readable_on_the_wire():
    raw = build_message(MAIL, HEADERS)
    fields = raw.split(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(b"\r\n")
    (field,) = [field for field in fields if field.lower().startswith(b"list-unsubscribe:")]
    assert re.fullmatch(
        rb"List-Unsubscribe: <https://mail[.]shop[.]example/u/[\w-]+>, <mailto:unsubscribe[+]\w+@.*>", field
    )


def test_without_an_https_address_there_is_a_mailto_and_no_one_click():
    message = parsed(build_message(MAIL, replace(HEADERS, unsubscribe_url=None)))
    assert re.fullmatch(r"<mailto:unsubscribe[+]\w+@bounces[.]shop[.]example>", message["List-Unsubscribe"])
    assert message["List-Unsubscribe-Post"] is None


def test_transactional_mail_has_no_list_headers():
    plain = replace(HEADERS, bulk=False, unsubscribe_url=None, unsubscribe_mailto=None, stream=None, feedback_id=None)
    names = {name.lower() for name in parsed(build_message(MAIL, plain))}
    assert not {name for name in names if name.startswith("list-")} | (names & {"precedence", "feedback-id"})


def test_the_same_mail_is_the_same_octets_and_another_is_another():
    assert build_message(MAIL, HEADERS) == build_message(MAIL, HEADERS)
    assert build_message(MAIL, HEADERS) != build_message(MAIL, replace(HEADERS, recipient="b@people.example"))


def test_a_plain_text_mail_has_one_part():
    message = parsed(build_message(Rendered.of(subject="S", text="Only text, é"), HEADERS))
    assert message.get_content_type() == "text/plain"
    assert message.get_content().rstrip() == "Only text, é"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Northwind Garden", b"From: Northwind Garden <hello@shop.example>"),
        ("Northwind, Ltd.", b'From: "Northwind, Ltd." <hello@shop.example>'),
        ('The "Best" \\ Shop', b'From: "The \\"Best\\" \\\\ Shop" <hello@shop.example>'),
        ("", b"From: hello@shop.example"),
        ("Bäckerei", b"From: =?utf-8?b?QsOkY2tlcmVp?= <hello@shop.example>"),
    ],
)
def test_display_names_are_written_as_the_standards_ask(name, shown):
    raw = build_message(MAIL, replace(HEADERS, sender_name=name))
    assert shown + b"\r\n" in raw
    assert parsed(raw)["From"].addresses[0].display_name == name
    assert parsed(raw)["From"].addresses[0].addr_spec == "hello@shop.example"


HOSTILE = [
    "x\r\nBcc: victim@people.example",
    "x\nBcc: victim@people.example",
    "x\rBcc: victim@people.example",
    "x\u0085Bcc: victim@people.example",
    "x\u2028Bcc: victim@people.example",
    "x\x0bBcc: v\x0c\x00",
    "x\ud800y",
    "\u202etxt.exe",
    "=?utf-8?q?x=0D=0ABcc:_v?=",
    "x\r\n\r\n.\r\nMAIL FROM:<a@b>",
    "x" * 3000,
    "ж" * 900,
    "😀" * 400,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_data_can_add_no_header_and_end_no_message(text):
    raw = build_message(Rendered.of(subject=text, text=text, html=f"<p>{text}"), replace(HEADERS, sender_name=text))
    assert well_formed(raw)
    message = parsed(raw)
    assert message["Bcc"] is None
    assert set(message.keys()) == set(parsed(build_message(MAIL, HEADERS)).keys())
    assert len(list(message.iter_parts())) == 2


@given(st.text(max_size=300), st.text(max_size=80))
def test_no_subject_or_name_breaks_a_message(subject, name):
    raw = build_message(Rendered.of(subject=subject, text="x"), replace(HEADERS, sender_name=name))
    assert well_formed(raw)
    head = raw.split(b"\r\n\r\n")[0]
    assert all(re.match(rb"[A-Za-z-]+: |[ \t]", line) for line in head.split(b"\r\n"))


@given(st.text(max_size=400))
def test_every_subject_can_be_read_back(subject):
    mail = Rendered.of(subject=subject, text="x")
    found = parsed(build_message(mail, HEADERS))["Subject"]
    hidden = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")
    wanted = " ".join(hidden.sub("", mail.subject.replace("\ufeff", " ")).split())
    assert " ".join(str(found).split()) == wanted


@pytest.mark.parametrize(
    "text", ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "a\n.\nb", "\r\n.\r\n", "." * 1000, "\n" * 50 + "."]
)
def test_no_body_holds_a_smuggled_end(text):
    raw = build_message(Rendered.of(subject="S", text=text, html=text), HEADERS)
    assert well_formed(raw)
    assert not re.search(rb"[\r\n]\.[\r\n]", raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "a@b\r\nX: y"},
        {"message_id": "no-domain"},
        {"message_id": "a@b@c"},
        {"unsubscribe_url": "http://shop.example/u/1"},
        {"unsubscribe_url": "https://shop.example/u/1>, <https://evil.example"},
        {"unsubscribe_url": "https://shop.example/\r\nX: y"},
        {"unsubscribe_url": "https://shop.example/ä"},
        {"unsubscribe_mailto": "https://not.mailto.example"},
        {"feedback_id": "a b"},
        {"feedback_id": "x" * 71},
        {"feedback_id": "a:b:c:d:e"},
    ],
)
def test_machine_values_are_refused_not_repaired(changes):
    with pytest.raises(HeaderError):
        build_message(MAIL, replace(HEADERS, **changes))


@pytest.mark.parametrize(
    ("address", "wire", "utf8"),
    [
        ("zoe@people.example", "zoe@people.example", False),
        ("Zoe.O'Brien+tag@People.Example", "Zoe.O'Brien+tag@people.example", False),
        ("a@faß.de", "a@xn--fa-hia.de", False),
        ("a@bücher.example", "a@xn--bcher-kva.example", False),
        ("żółw@people.example", "żółw@people.example", True),
        ("用户@例子.example", "用户@xn--fsqu00a.example", True),
    ],
)
def test_addresses_go_out_with_ascii_domains(address, wire, utf8):
    found = wire_address(address)
    assert (str(found), found.needs_smtputf8) == (wire, utf8)
    assert Envelope.of("b@shop.example", address) == Envelope("b@shop.example", wire, utf8)


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "a@", "@b.example", "a", "a b@c.example", "a@b", "a@b..example", "a@-b.example", "a@b.example>",
        "a@b.example\r\nRCPT TO:<x@y>", "a\r\n@b.example", '"a b"@c.example', "a@[127.0.0.1]", "<a@b.example>",
        "a,b@c.example", "a\x00@b.example", ".a@b.example", "a..b@c.example", "x" * 65 + "@b.example",
        "a@" + "b." * 130 + "example", "a\u0085@b.example", "é\ud800@b.example", "é,b@c.example", "a@☃.example",
        "a@b_c.e\u2028x", "é\u2028@b.example", "a(x)@b.example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address):
    with pytest.raises(AddressError):
        wire_address(address)


def test_a_local_part_beyond_ascii_stands_in_the_header_as_it_is():
    raw = build_message(MAIL, replace(HEADERS, recipient="żółw@people.example"))
    assert "To: żółw@people.example\r\n".encode() in raw


def test_dates_do_not_depend_on_the_zone_of_the_machine():
    there = timezone(timedelta(hours=-5))
    assert date(datetime(2026, 1, 1, 23, 0, tzinfo=there)) == "Fri, 02 Jan 2026 04:00:00 +0000"


def test_long_ascii_subjects_are_folded_between_words():
    field = unstructured("Subject", " ".join(["word"] * 40))
    assert "=?" not in field
    assert all(len(line) <= 78 for line in field.split("\r\n"))


def test_links_hold_tokens_only():
    links = LINKS.for_templates(123456, 789)
    everything = " ".join([*links.values(), LINKS.return_path(123456, 789), LINKS.unsubscribe_mailto(123456, 789)])
    assert "123456" not in everything
    assert "789" not in everything
    assert RING.read(Purpose.UNSUBSCRIBE, links["unsubscribe_url"].rpartition("/")[2]) == (123456, 789)
    assert RING.read(Purpose.PREFERENCES, links["preferences_url"].rpartition("/")[2]) == (123456, 789)
    assert RING.read(Purpose.VIEW, links["view_url"].rpartition("/")[2]) == (123456, 789)
    local = LINKS.return_path(123456, 789).partition("@")[0]
    assert RING.read(Purpose.RETURN_PATH, local.removeprefix("b+").upper()) == (123456, 789)
    wire_address(LINKS.unsubscribe_mailto(2**63 - 1, 2**56 - 1).removeprefix("mailto:"))


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=60))
def test_whatever_is_said_what_comes_out_needs_no_second_look_before_the_wire(
    html: str, text: str, subject: str
) -> None:
    rendered = Rendered.of(subject=subject, text=text, html=html)
    message = build_message(rendered, HEADERS)
    assert is_crlf_only(message)
    assert dot_stuffed(message) == message + b".\r\n"
    body = message.partition(b"\r\n\r\n")[2]
    assert not re.search(rb"[ \t]{2}|\t|[ \t]\r\n", body)  # DKIM's relaxed form is the body itself
