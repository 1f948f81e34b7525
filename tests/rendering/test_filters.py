from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("start.none | default('x')", "x"),
        ("start.blank | default('x')", "x"),
        ("start.empty | default('x')", "x"),
        ("start.zero | default('x')", "0"),
        ("start.missing.deeper | default('x')", "x"),
        ("'zoë ÖST' | capitalize", "Zoë ÖST"),
        ('"o\'brien of the isles" | title', "O'brien Of The Isles"),
        ("'a b c d' | truncate(5)", "a b…"),
        ("'short' | truncate(5)", "short"),
        ("'abcdefgh' | truncate(5, '')", "abcde"),
        ("'<p>a <b>b</b></p><style>x</style> &amp; c' | strip_html", "a b &amp; c"),
        ("1 | pluralize('plant', 'plants')", "plant"),
        ("2 | pluralize('plant', 'plants')", "plants"),
        ("start.list | pluralize('plant', 'plants')", "plants"),
        ("'a b&c/ä' | url_encode", "a+b%26c%2F%C3%A4"),
        ("'a' | append('b')", "ab"),
        ("start.list | first", "a"),
        ("start.list | last", "b"),
        ("start.list | join(' + ')", "a + b"),
        ("start.rows | join(', ', 'name')", "x, y"),
        ("start.list | size", "2"),
        ("'Ab' | lower", "ab"),
        ("'Ab' | upper", "AB"),
        ("'<b>' | escape", "&lt;b&gt;"),
        ("1234.5 | money", "€1,234.50"),
        ("'19.9' | money('USD')", "US$19.90"),
        ("1234.5678 | number", "1,234.568"),
        ("1234.5 | number(2)", "1,234.50"),
        ("0.15 | percent", "15%"),
        ("0.155 | percent(1)", "15.5%"),
        ("3.14159 | round(2)", "3.14"),
        ("'2026-10-24' | date", "24 October 2026"),
        ("'2026-10-24' | date('short')", "24/10/2026"),
        ("'2026-10-24T22:30:00Z' | date('%d %b %Y %H:%M')", "25 Oct 2026 01:30"),
        ("'2026-10-25T02:30:00Z' | date('HH:mm')", "04:30"),
        ("'2026-10-24T22:30:00Z' | date('time')", "01:30"),
        ("'2026-10-24' | date('%A, %e o%% %B')", "Saturday, 24 o% October"),
    ],
)
def test_filters_show_what_people_expect(shop, expression, expected):
    start = {
        "none": None,
        "blank": " ",
        "empty": [],
        "zero": 0,
        "list": ["a", "b"],
        "rows": [{"name": "x"}, {"name": "y"}],
    }
    assert shop.shown(f"<p>{{{{ {expression} }}}}</p>", start=start) == f"<p>{expected}</p>"


@pytest.mark.parametrize(
    ("locale", "zone", "expected"),
    [
        ("de-DE", "Europe/Berlin", "1.234,50\u00a0€ 25. Oktober 2026 00:30"),
        ("fi", "Europe/Helsinki", "1\u00a0234,50\u00a0€ 25. lokakuuta 2026 1.30"),
        ("en_US", "America/New_York", "€1,234.50 October 24, 2026 6:30\u202fPM"),
        (None, None, "€1,234.50 October 24, 2026 10:30\u202fPM"),
        ("no such locale; really", "No/Where", "€1,234.50 October 24, 2026 10:30\u202fPM"),
        ("../../etc/passwd", "../../etc/passwd", "€1,234.50 October 24, 2026 10:30\u202fPM"),
        (42, 42, "€1,234.50 October 24, 2026 10:30\u202fPM"),
    ],
)
def test_money_and_dates_follow_the_contact(shop, locale, zone, expected):
    body = "<p>{{ 1234.5 | money }} {{ start.at | date }} {{ start.at | date('time') }}</p>"
    changes = {"contact": {"locale": locale, "zone": zone}, "start": {"at": "2026-10-24T22:30:00+00:00"}}
    assert shop.shown(body, **changes) == f"<p>{expected}</p>"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("'abc' | money", "cannot read 'abc' as a number"),
        ("true | money", "is for numbers"),
        ("'NaN' | money", "cannot show"),
        ("'1e400' | number", "cannot show"),
        ("'tomorrow' | date", "`date` cannot read 'tomorrow'"),
        ("5 | date", "`date` cannot read 5"),
        ("'2026-10-24' | date('%Q')", "does not know %Q"),
        ("[] | first", "empty list"),
        ("start.items | upper", "not for lists"),
        ("none | lower", "got nothing"),
        ("start.nope | lower", "`nope` is missing"),
        ("'a' + 'b'", "join texts with ~"),
    ],
)
def test_filters_refuse_what_they_cannot_show(shop, expression, why):
    assert why in shop.refused(f"<p>{{{{ {expression} }}}}</p>")
