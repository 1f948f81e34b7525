from __future__ import annotations

import quopri

from hypothesis import example, given
from hypothesis import strategies as st

from nurture.rendering.encoding import decoded, finalizer, piece, quoted_printable

ALPHABET = [
    "a",
    " ",
    "\t",
    ".",
    "From ",
    "=",
    "é",
    "€",
    "\n",
    "\r\n",
    "{{",
    "{%",
    "{#",
    "\n.",
    "😀",
    "x" * 40,
    "\x85",
    "\u2028",
]
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=80).map("".join)


def lines_are_canonical(encoded: str) -> bool:
    return all(
        len(line) <= 76
        and not line.endswith((" ", "\t"))
        and not line.startswith((".", "From "))
        and "  " not in line
        and not set(line) & {"\t", "\n", "\r"}
        for line in encoded.split("\r\n")
    )


def normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(TEXTS)
@example("." * 200)
@example("From " * 60)
@example(" " * 100)
@example("=" * 100)
@example("a" * 75 + "é")
def test_every_text_comes_back_and_every_line_is_canonical(text: str):
    encoded = quoted_printable(text)
    assert decoded(encoded) == normal(text)
    assert normal(quopri.decodestring(encoded).decode()) == normal(text)
    assert lines_are_canonical(encoded)
    assert encoded.isascii()
    assert "{{" not in encoded


@given(st.lists(TEXTS.filter(lambda text: not text.startswith("\n")), max_size=6))
def test_pieces_can_be_put_together(texts: list[str]):
    whole = "".join(piece(text) for text in texts)
    assert decoded(whole) == normal("".join(texts))
    assert lines_are_canonical(whole)


@given(st.text())
def test_hostile_text_loses_its_control_characters_and_no_more(text: str):
    seen = decoded(quoted_printable(text))
    assert not [char for char in seen if char < " " and char not in "\n\t"]
    printable = [char for char in normal(text) if (char >= " " and char != "\x7f") or char in "\n\t"]
    assert [char for char in seen if char != "?"] == [
        c for c in printable if c != "?" and not "\ud800" <= c <= "\udfff"
    ]


@given(TEXTS, st.booleans())
def test_printed_values_are_escaped_then_encoded_however_often(text: str, html: bool):
    encode = finalizer(html=html)
    first, second = encode(text), encode(text)
    assert first == second
    wanted = text.replace("&", "&amp;") if html else text
    assert decoded(first) == normal(wanted)
    assert lines_are_canonical(first)
