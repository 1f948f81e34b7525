from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.domain.retry import Phase
from nurture.sending.outcome import MAX_REPLY, MAX_TEXT, Reply, ReplyReader, clean, enhanced_of


def read(*pieces):
    reader = ReplyReader()
    return [(r.code, r.text) for piece in pieces for r in reader.feed(piece)], reader.garbage


@pytest.mark.parametrize(
    ("wire", "replies"),
    [
        (b"250 ok\r\n", [(250, "ok")]),
        (b"250 ok\n", [(250, "ok")]),
        (b"250\r\n", [(250, "")]),
        (b"250 \r\n", [(250, "")]),
        (b"250-a\r\n250-b\r\n250 c\r\n", [(250, "a b c")]),
        (b"250 a\r\n550 b\r\n354 c\r\n", [(250, "a"), (550, "b"), (354, "c")]),
        (b"550 5.1.1 K\xf6ln\r\n", [(550, "5.1.1 Köln")]),
        ("550 5.1.1 Köln\r\n".encode(), [(550, "5.1.1 Köln")]),
        (b"250 unfinished", []),
        (b"250-unfinished\r\n", []),
    ],
)
def test_replies_are_read_whole(wire, replies):
    assert read(wire) == (replies, None)


@pytest.mark.parametrize(
    "wire",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"2500 x\r\n",
        b"099 x\r\n",
        b"600 x\r\n",
        b"250x\r\n",
        b"250-a\r\n251 b\r\n",
        b"\x00\r\n",
    ],
)
def test_what_is_no_reply_is_garbage(wire):
    replies, garbage = read(wire)
    assert replies == []
    assert garbage is not None


def test_a_reply_before_garbage_counts():
    assert read(b"250 ok\r\nblah\r\n")[0] == [(250, "ok")]


@pytest.mark.parametrize(
    "wire", [b"250 " + b"x" * MAX_REPLY, b"250-x\r\n" * 10_000, b"250 " + b"x" * MAX_REPLY + b"\r\n"]
)
def test_an_endless_reply_is_garbage_and_not_kept(wire):
    assert read(wire) == ([], "a reply of more than 32 KiB")


def test_many_small_replies_are_not_one_long_one():
    replies, garbage = read(*[b"250 " + b"x" * 1000 + b"\r\n"] * 100)
    assert (len(replies), garbage) == (100, None)


@given(st.lists(st.tuples(st.integers(200, 599), st.lists(st.from_regex(r"[!-~]{1,9}", fullmatch=True), min_size=1))),
       st.data())  # fmt: skip
def test_however_the_stream_is_cut_the_replies_are_the_same(replies, data):
    wire = b"".join(
        f"{code}{'-' if n < len(lines) - 1 else ' '}{line}\r\n".encode()
        for code, lines in replies
        for n, line in enumerate(lines)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert read(*pieces) == ([(code, " ".join(lines)) for code, lines in replies], None)


@given(st.binary(max_size=200))
def test_no_bytes_from_the_server_raise(wire):
    for reply in ReplyReader().feed(wire):
        reply.attempt(Phase.DOT)


@given(st.text(max_size=2000))
def test_a_text_is_one_clean_short_line_whatever_came(text):
    cleaned = clean(text)
    assert len(cleaned) <= MAX_TEXT
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in cleaned)


def test_escape_codes_are_shown_and_not_obeyed():
    assert clean("\x1b[2Jhi\r\nthere \u202e") == "\\x1b[2Jhi\\x0d\\x0athere \\u202e"


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (550, "5.1.1 no such user", "5.1.1"),
        (550, "5.1.10", "5.1.10"),
        (550, "5.7.515 Access denied", "5.7.515"),
        (250, "2.0.0 ok", "2.0.0"),
        (550, "no 5.1.1", None),
        (550, "4.2.2 disagrees", None),
        (550, "5.1.1.9 is a version", None),
        (550, "", None),
    ],
)
def test_the_enhanced_status_is_read_where_it_agrees_with_the_code(code, text, status):
    assert enhanced_of(code, text) == status
    assert Reply(code, text).attempt(Phase.RCPT).enhanced == status
