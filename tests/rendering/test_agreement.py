"""HTML and text of one mail say the same; how inboxes cut its line."""

from __future__ import annotations

import pytest

from nurture.rendering.agreement import disagreements
from nurture.rendering.inbox_line import CLIENTS, Line, cut_by, shown
from nurture.rendering.renderer import Rendered

HTML = """<html><body><p>Save 20% until 24 December: code GIFT-24X, from €12.50 (2026-12-24).</p>
<a href="https://x.example/a?b=1&amp;c=2">Beds</a> <a href="mailto:help@x.example">Write to us</a>
<a href="https://m.example/v/token">See it online</a></body></html>"""
TEXT = """20% off, only until 24 December! Say GIFT-24X. From €12.50, as of 2026-12-24.
https://x.example/a?b=1&c=2, or write to help@x.example."""


def mail(text: str = TEXT, html: str = HTML) -> Rendered:
    return Rendered.of(subject="S", text=text, html=html)


def test_other_words_with_the_same_facts_agree() -> None:
    assert disagreements(mail(), base_url="https://m.example/") == []
    assert disagreements(mail(html=""), base_url="https://m.example") == []


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("€12.50", "€11.50", ["the HTML says €12.50, the text does not", "the text says €11.50, the HTML does not"]),
        ("20%", "Much", ["the HTML says 20%, the text does not"]),
        ("GIFT-24X", "GIFT-23X", ["the HTML says GIFT-24X, the text does not",
                                  "the text says GIFT-23X, the HTML does not"]),
        ("24 December", "now", ["the HTML says 24 december, the text does not"]),
        ("of 2026-12-24", "of 2025-12-24", ["the HTML says 2026-12-24, the text does not",
                                            "the text says 2025-12-24, the HTML does not"]),
        ("b=1&c=2", "b=1", ["the HTML leads to https://x.example/a?b=1&c=2, the text does not",
                            "the text leads to https://x.example/a?b=1, the HTML does not"]),
        ("help@", "hello@", ["the HTML leads to help@x.example, the text does not",
                             "the text leads to hello@x.example, the HTML does not"]),
    ],
)  # fmt: skip
def test_a_fact_that_differs_is_named(was: str, becomes: str, told: list[str]) -> None:
    assert sorted(disagreements(mail(TEXT.replace(was, becomes)), base_url="https://m.example")) == sorted(told)


def test_months_are_those_of_the_language_of_the_mail() -> None:
    made = mail("Noch am 24. Dezember.", "<html><body><p>Bis 24. Dezember, ab 3. Januar</p></body></html>")
    assert disagreements(made, locale="de-DE") == ["the HTML says 3. januar, the text does not"]
    assert disagreements(made, locale="no such") == []


def test_what_inboxes_leave_of_a_line_is_counted_for_each() -> None:
    cuts = cut_by([Line("a/b", "x" * 38, "y" * 50), Line("c/d", "x" * 10, "y" * 10)])
    assert [cut.client for cut in cuts] == [client.name for client in CLIENTS]
    phone = cuts[-1]
    assert (phone.mails, phone.subjects, phone.preheaders, phone.longest) == (2, 1, 1, "a/b")
    assert phone.told == (
        "Gmail on a phone (37 and 40 characters) cuts 1 of 2 subjects and 1 preheaders; "
        "the longest subject is that of a/b"
    )
    assert cuts[0].longest is None
    assert shown("four words are here", 10) == "four word…"
    assert shown("four", 4) == "four"
