from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.sending.mail import OutgoingMail, dot_stuffed, fault_of, is_crlf_only, xtext

GOOD = b"Subject: x\r\n\r\nhello\r\n"


def a_mail(**changes):
    return OutgoingMail(
        **{"envelope_sender": "b+t@shop.example", "recipient": "ana@mail.example", "data": GOOD} | changes
    )


def test_an_ordinary_mail_may_go():
    assert fault_of(a_mail()) is None


@pytest.mark.parametrize(
    "recipient",
    [
        "ana",
        "@mail.example",
        "ana@",
        "ana@mail.example\r\nRCPT TO:<eve@evil.example>",
        "ana@mail.example> SIZE=1",
        "a na@mail.example",
        "ana\x00@mail.example",
        "ana\x7f@mail.example",
        "ana\u0085@mail.example",
        "ana\u2028@mail.example",
        "ana\ud800@mail.example",
        "ana@käse.example",
        "änä@mail.example",
        "a" * 250 + "@mail.example",
    ],
)
def test_an_address_that_could_say_more_than_an_address_does_not_go(recipient):
    assert "envelope recipient" in fault_of(a_mail(recipient=recipient))
    assert "envelope sender" in fault_of(a_mail(envelope_sender=recipient))


def test_a_local_part_beyond_ascii_goes_when_the_mail_says_so():
    assert fault_of(a_mail(recipient="änä@mail.example", needs_smtputf8=True)) is None


SMUGGLED = [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n\n.\r\n", b"\r\r\n.\r\r\n", b"\x00"]


@pytest.mark.parametrize("sequence", SMUGGLED)
def test_a_message_that_another_server_might_end_early_does_not_go(sequence):
    data = b"Subject: x\r\n\r\nhello" + sequence + b"MAIL FROM:<eve@evil.example>\r\n"
    assert "bare CR or LF" in fault_of(a_mail(data=data))


def test_an_empty_message_does_not_go():
    assert "empty" in fault_of(a_mail(data=b""))


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n..\r\n.x\r\n", b"a\r\n..\r\n...\r\n..x\r\n.\r\n"),
        (b"a.\r\nb\r\n", b"a.\r\nb\r\n.\r\n"),
    ],
)
def test_dots_that_begin_a_line_are_doubled(data, wire):
    assert dot_stuffed(data) == wire


@given(st.lists(st.sampled_from([b".", b"..", b".x", b"", b"a", b"a."]), min_size=1))
def test_there_is_exactly_one_end_and_the_receiver_gets_back_what_was_meant(lines):
    data = b"".join(line + b"\r\n" for line in lines)
    wire = dot_stuffed(data)
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert wire.endswith(b".\r\n")
    received = b"".join(line.removeprefix(b".") for line in wire[:-3].splitlines(keepends=True))
    assert received == data


@given(st.binary(max_size=60))
def test_only_pairs_of_cr_and_lf_pass(data):
    left = data.replace(b"\r\n", b"")
    assert is_crlf_only(data) == (b"\r" not in left and b"\n" not in left and b"\0" not in data)


def test_xtext_follows_rfc_3461():
    assert xtext("a+b=c d@ä") == "a+2Bb+3Dc+20d@+C3+A4"
