"""What comes back is read within bounds, and for what it is."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from nurture.domain.tokens import Keyring, Purpose
from nurture.intake.feedback.notice import Told, UnreadableError
from nurture.intake.feedback.read import read_feedback
from nurture.testing.returns import arf, dsn, plain, qmail_bounce

KEYRING = Keyring(["a secret key for tests, long enough to be one"])
TOKEN = KEYRING.mailbox_token(Purpose.RETURN_PATH, 7, 3)
ADDRESS = f"b+{TOKEN}@shop.example"
MESSAGE_ID = KEYRING.mailbox_token(Purpose.MESSAGE_ID, 7, 3)


def _named(raw: bytes) -> list[tuple[int, int] | None]:
    return [KEYRING.read(token.purpose, token.text) for token in read_feedback(raw).tokens]


def test_a_dsn_gives_its_status_its_code_and_the_mail_it_is_about() -> None:
    notice = read_feedback(dsn(ADDRESS))
    assert (notice.told, notice.code, notice.enhanced) == (Told.FAILED, 550, "5.1.1")
    assert "User unknown" in notice.text
    assert "ana@" not in notice.text
    assert _named(dsn(ADDRESS)) == [(7, 3)]


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_is_no_failure_tells_nothing(action: str) -> None:
    assert read_feedback(dsn(ADDRESS, action=action, status="2.0.0")).told is Told.NOTHING


def test_a_precise_status_in_the_words_is_taken_before_a_vague_one_in_the_field() -> None:
    assert read_feedback(dsn(ADDRESS, status="5.0.0", diagnosis="550 5.7.1 Blocked")).enhanced == "5.7.1"


def test_a_token_survives_relays_that_change_case() -> None:
    assert _named(dsn(ADDRESS.upper())) == [(7, 3)]
    assert _named(dsn(ADDRESS.capitalize())) == [(7, 3)]


def test_an_altered_token_is_not_read_and_nothing_else_in_the_mail_takes_its_place() -> None:
    altered = ADDRESS.replace(TOKEN[20], "a" if TOKEN[20] != "a" else "b")
    assert _named(dsn(altered, returned=f"Message-ID: <{MESSAGE_ID}@shop.example>")) == [None]


def test_without_our_return_path_the_envelope_id_and_the_message_id_name_the_mail() -> None:
    assert _named(dsn("bounces@shop.example", envid=MESSAGE_ID)) == [(7, 3)]
    assert _named(dsn("bounces@shop.example", returned=f"Message-ID: <{MESSAGE_ID}@shop.example>")) == [(7, 3)]


def test_the_caller_knows_better_than_the_headers_whom_a_mail_was_for() -> None:
    other = KEYRING.mailbox_token(Purpose.RETURN_PATH, 8, 1)
    notice = read_feedback(dsn(ADDRESS), recipient=f"b+{other}@shop.example")
    assert [KEYRING.read(token.purpose, token.text) for token in notice.tokens] == [(8, 1)]


def test_the_original_recipient_is_decoded() -> None:
    assert read_feedback(dsn(ADDRESS, original="ana+2Btag@people.example")).recipient == "ana+tag@people.example"


def test_a_bounce_of_no_standard_is_understood_by_its_words() -> None:
    notice = read_feedback(qmail_bounce(ADDRESS))
    assert (notice.told, notice.via, notice.enhanced) == (Told.FAILED, "text", "5.1.1")
    assert "no mailbox here by that name" in notice.text


@pytest.mark.parametrize(
    ("subject", "extra"),
    [
        ("Out of office", "Auto-Submitted: auto-replied\n"),
        ("Automatic reply: Hello", "X-Auto-Response-Suppress: All\n"),
        ("Re: Hello", ""),
        ("Undeliverable: I am on holiday", "Auto-Submitted: auto-replied (vacation)\n"),
    ],
)
def test_answers_by_people_and_machines_are_no_bounces(subject: str, extra: str) -> None:
    assert read_feedback(plain(ADDRESS, subject, extra)).told is Told.NOTHING


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("abuse", Told.COMPLAINT),
        ("fraud", Told.COMPLAINT),
        ("opt-out", Told.UNSUBSCRIBE),
        ("auth-failure", Told.NOTHING),
        ("not-spam", Told.NOTHING),
        ("virus", Told.NOTHING),
        ("other", Told.NOTHING),
    ],
)
def test_a_complaint_is_one_by_its_type(kind: str, told: Told) -> None:
    notice = read_feedback(arf(kind, f"Message-ID: <{MESSAGE_ID}@shop.example>"))
    assert notice.told is told
    assert [KEYRING.read(token.purpose, token.text) for token in notice.tokens] == [(7, 3)]


def test_a_complaint_names_its_mail_by_the_original_sender_too() -> None:
    notice = read_feedback(arf("abuse", "Message-ID: <other@isp.example>", sender=ADDRESS))
    assert next(KEYRING.read(token.purpose, token.text) for token in notice.tokens) == (7, 3)


def test_a_mail_to_the_unsubscribe_address_is_an_unsubscribe_and_an_automatic_answer_is_not() -> None:
    token = KEYRING.mailbox_token(Purpose.UNSUBSCRIBE, 7, 3)
    address = f"unsubscribe+{token}@shop.example"
    assert read_feedback(plain(address)).told is Told.UNSUBSCRIBE
    assert read_feedback(plain(address.upper(), subject="")).told is Told.UNSUBSCRIBE
    assert read_feedback(plain(address, extra="Auto-Submitted: auto-replied\n")).told is Told.NOTHING


def _nested(depth: int) -> bytes:
    parts = [b"From: a@b.example\nMIME-Version: 1.0\n"]
    for level in range(depth):
        parts.append(b'Content-Type: multipart/mixed; boundary="x%d"\n\n--x%d\n' % (level, level))
    return b"".join(parts) + b"Content-Type: text/plain\n\ndeep\n"


HOSTILE = {
    "10,000 parts": b'From: a@b.example\nContent-Type: multipart/mixed; boundary="x"\n\n' + b"--x\n\nhi\n" * 10_000,
    "200 deep": _nested(200),
    "5,000 deep": _nested(5_000),
    "mails in mails": b"From: a@b.example\n" + b"Content-Type: message/rfc822\n\n" * 3_000,
    "empty": b"",
    "blank": b"\r\n\r\n",
}
HARMLESS = {
    "large": dsn(ADDRESS) + b"A" * (1 << 20),
    "large headers": b"X: " + b"y" * (1 << 20),
    "zip": (
        b'From: a@b.example\nContent-Type: application/zip; name="report.zip"\n'
        b"Content-Transfer-Encoding: base64\n\n" + b"UEsDBBQAAAAIAA" * 10_000
    ),
    "no header at all": b"hello",
    "NULs": b"\0" * 1000,
    "broken encodings": (
        b"From: =?x-no-such?q?=FF?=\nSubject: =?utf-8?b?!!!?=\nContent-Type: text/plain; charset=nonsense\n"
        b"Content-Transfer-Encoding: base64\n\n!!!!"
    ),
    "cut in the middle": dsn(ADDRESS)[:700],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_are_refused_soon(name: str) -> None:
    before = time.process_time()
    with pytest.raises(UnreadableError):
        read_feedback(HOSTILE[name])
    assert time.process_time() - before < 2


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_mails_are_read_in_bounded_time_and_memory(name: str) -> None:
    before = time.process_time()
    tracemalloc.start()
    try:
        read_feedback(HARMLESS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - before < 5
    assert peak < 32 << 20


def test_fifty_mebibytes_cost_no_more_than_their_beginning() -> None:
    large = dsn(ADDRESS) + b"A" * (50 << 20)
    before = time.process_time()
    assert read_feedback(large).told is Told.FAILED
    assert time.process_time() - before < 1


def test_no_damage_to_a_bounce_makes_the_reader_fail() -> None:
    whole = dsn(ADDRESS)
    for cut in range(0, len(whole), 31):
        for damaged in (whole[:cut], whole[:cut] + whole[cut + 20 :], whole[:cut] + b"\xff\0\r" + whole[cut:]):
            try:
                read_feedback(damaged)
            except UnreadableError:
                continue
