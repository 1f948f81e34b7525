"""The filters of templates, under the names people know. Dates and numbers follow the contact's locale and zone.

Each takes plain data and gives plain text. The renderer puts `locale__` (a babel Locale), `zone__` (a ZoneInfo) and
`currency__` into the context.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from html import unescape
from typing import Any
from urllib.parse import quote_plus

import jinja2
from babel.core import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2.utils import pass_context

_STRFTIME = {
    "a": "EEE", "A": "EEEE", "b": "MMM", "B": "MMMM", "d": "dd", "e": "d", "-d": "d", "m": "MM", "-m": "M", "y": "yy",
    "Y": "yyyy", "H": "HH", "-H": "H", "I": "hh", "-I": "h", "M": "mm", "S": "ss", "p": "a", "j": "DDD",
}  # fmt: skip
_STRFTIME_SIGN = re.compile(r"%(-?[A-Za-z%])|([^%]+|%)")
MAX_TEXT = 100_000
_NAMED = frozenset({"short", "medium", "long", "full"})
_TAG = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x1f]")
_BEFORE_PATH = re.compile(r"[^/?#]*")
_SAFE_SCHEMES = ("https:", "http:", "mailto:", "tel:", "sms:")
_CSS_UNSAFE = re.compile(r"[;{}<>@\\\x00-\x1f]|/\*|url\s*\(|expression\s*\(|image\s*\(", re.IGNORECASE)


_USUAL = 2000  # characters of a link
_EXACT = frozenset({int, float, str})


class FilterError(ValueError):
    """A filter got something it cannot show."""


def _default(value: Any, fallback: Any = "") -> Any:
    """`fallback` for what is missing, none, an empty list or blank text; 0 and false are values."""
    if type(value) is str:
        return value if value.strip() else fallback
    if isinstance(value, jinja2.Undefined) or value is None or value in ([], {}):
        return fallback
    return fallback if isinstance(value, str) and not value.strip() else value


def _given(value: Any, name: str) -> Any:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, naming what is missing
    if value is None:
        raise FilterError(f"`{name}` got nothing; put `| default(...)` before it")
    return value


def _text(value: Any, name: str) -> str:
    value = _given(value, name)
    if isinstance(value, (list, tuple, dict)):
        raise FilterError(f"`{name}` is for texts, not for lists")
    return _bounded(str(value))


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise FilterError("a value is longer than 100,000 characters")
    return text


def _instant(value: Any) -> datetime | date:
    """A date or an aware datetime, from ISO 8601 text or from the real thing; without offset it is UTC."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            raise FilterError(f"`date` cannot read {value!r:.40}; write 2026-10-24 or 2026-10-24T20:00:00Z") from None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return value
    raise FilterError(f"`date` cannot read {value!r:.40}; it reads ISO texts such as 2026-10-24")


@pass_context
def _date(context: Any, value: Any, pattern: str = "long") -> str:
    """A date in the contact's zone and language: 'short' to 'full', '%d %B %Y', or a CLDR pattern such as 'd MMMM'."""
    instant = _instant(_given(value, "date"))
    return _dated(instant, pattern, context.resolve("zone__"), context.resolve("locale__"))


@lru_cache(maxsize=4096)
def _dated(instant: datetime | date, pattern: str, zone: tzinfo, locale: Locale) -> str:
    if isinstance(instant, datetime):
        instant = instant.astimezone(zone)
    if pattern in _NAMED:
        return format_date(instant, pattern, locale=locale)
    if pattern == "time":
        return format_time(instant if isinstance(instant, datetime) else time(), "short", locale=locale)
    shown = _from_strftime(pattern) if "%" in pattern else pattern
    try:
        if isinstance(instant, datetime):
            return format_datetime(instant.replace(tzinfo=None), shown, locale=locale)
        return format_date(instant, shown, locale=locale)
    except (KeyError, ValueError, AttributeError) as error:
        raise FilterError(f"`date` does not know the pattern {pattern!r} ({error})") from None


def _from_strftime(pattern: str) -> str:
    """CLDR pattern (Unicode TR 35) of a strftime pattern."""
    out = []
    literal = ""
    for sign, text in _STRFTIME_SIGN.findall(pattern):
        if sign in {"", "%"}:
            literal += text or sign
            continue
        if sign not in _STRFTIME:
            raise FilterError(f"`date` does not know %{sign} of {pattern!r}")
        out += [_quoted(literal), _STRFTIME[sign]]
        literal = ""
    return "".join([*out, _quoted(literal)])


def _quoted(literal: str) -> str:
    """Text inside a CLDR pattern."""
    return "'" + literal.replace("'", "''") + "'" if any(map(str.isalpha, literal)) or "'" in literal else literal


def _number_of(value: Any, name: str) -> Decimal:
    value = _given(value, name)
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise FilterError(f"`{name}` is for numbers, not for {type(value).__name__}")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise FilterError(f"`{name}` cannot read {value!r:.40} as a number") from None
    if not number.is_finite() or abs(number) > Decimal(10) ** 18:
        raise FilterError(f"`{name}` cannot show {value!r:.40}")
    return number


@pass_context
def _money(context: Any, value: Any, currency: str | None = None) -> str:
    """An amount in `currency` (ISO 4217; the project's if none is given), as the contact's country writes it."""
    code = currency or context.resolve("currency__")
    locale = context.resolve("locale__")
    if type(value) in _EXACT:
        return _currency_of(value, str(code), locale)
    return _currency(_number_of(value, "money"), str(code), locale)


@lru_cache(maxsize=4096, typed=True)
def _currency_of(value: float | str, code: str, locale: Locale) -> str:
    """As below, for values as they come; typed, because 1 and True are one key otherwise, and 1.0 reads otherwise."""
    return _currency(_number_of(value, "money"), code, locale)


@lru_cache(maxsize=4096)
def _currency(amount: Decimal, code: str, locale: Locale) -> str:
    return format_currency(amount, code, locale=locale)


@pass_context
def _number(context: Any, value: Any, decimals: int | None = None) -> str:
    """A number as the contact's country writes it, with so many decimals (as many as there are, up to 3)."""
    pattern = None if decimals is None else "#,##0" + ("." + "0" * min(int(decimals), 10) if decimals else "")
    return _decimal(_number_of(value, "number"), pattern, context.resolve("locale__"))


@lru_cache(maxsize=4096)
def _decimal(number: Decimal, pattern: str | None, locale: Locale) -> str:
    return format_decimal(number, pattern, locale=locale)


@pass_context
def _percent(context: Any, value: Any, decimals: int = 0) -> str:
    """0.15 as 15 %."""
    locale: Locale = context.resolve("locale__")
    pattern = locale.percent_formats[None].pattern if not decimals else "#,##0." + "0" * min(int(decimals), 10) + "%"
    return format_percent(_number_of(value, "percent"), pattern, locale=locale)


@pass_context
def _pluralize(context: Any, value: Any, singular: str = "", plural: str = "s") -> str:
    """The word that fits a number: `{{ n }} {{ n | pluralize('plant', 'plants') }}`; alone it gives '' or 's'."""
    number = _number_of(len(value) if isinstance(value, (list, tuple)) else value, "pluralize")
    return singular if context.resolve("locale__").plural_form(abs(number)) == "one" else plural


def _truncate(value: Any, length: int = 50, end: str = "…") -> str:
    text = _text(value, "truncate")
    if len(text) <= length:
        return text
    room = max(length - len(end), 0)
    cut = text[:room]
    if not text[room].isspace() and " " in cut.strip():
        cut = cut if cut.endswith(" ") else cut.rsplit(None, 1)[0]
    return cut.rstrip() + end


def _items(value: Any, name: str) -> list[Any]:
    value = _given(value, name)
    if not isinstance(value, (list, tuple, str)):
        raise FilterError(f"`{name}` is for lists")
    return list(value)


def _end(value: Any, name: str, index: int) -> Any:
    items = _items(value, name)
    if not items:
        raise FilterError(f"`{name}` got an empty list; ask `{{% if %}}` first")
    return items[index]


def _join(value: Any, glue: str = ", ", attribute: str | None = None) -> str:
    items = _items(value, "join")
    if attribute is not None:
        items = [item.get(attribute) if isinstance(item, dict) else None for item in items]
    return _bounded(glue.join([_text(item, "join") for item in items]))


def _size(value: Any) -> int:
    value = _given(value, "size")
    if not isinstance(value, (list, tuple, dict, str)):
        raise FilterError("`size` is for lists and texts")
    return len(value)


def _strip_html(value: Any) -> str:
    return unescape(" ".join(_TAG.sub(" ", _text(value, "strip_html")).split()))


def _safe_url(value: Any) -> Any:
    """Put around every value that begins a link: data may not choose `javascript:`."""
    if (
        type(value) is str
        and value.startswith("https://")
        and len(value) < _USUAL
        and value.isprintable()
        and value[-1] != " "
    ):
        return value
    text = _text(value, "link").strip()
    if _CONTROLS.search(text) or not text:
        raise FilterError(f"{text!r:.60} is not an address for a link")
    if text.startswith("https://"):
        return text
    if ":" in _BEFORE_PATH.match(text)[0] and not text.lower().startswith(_SAFE_SCHEMES):  # type: ignore[index]
        raise FilterError(f"a link may not begin with {text!r:.60}; https:, http:, mailto: and tel: may")
    return text


def _safe_css(value: Any) -> Any:
    """Put around every value inside a style: data may not add rules or fetch anything."""
    text = _text(value, "style")
    if _CSS_UNSAFE.search(text):
        raise FilterError(f"{text!r:.60} cannot stand in a style")
    return text


def _round(value: Any, decimals: int = 0) -> float | int:
    rounded = round(_number_of(value, "round"), min(int(decimals), 10))
    return float(rounded) if decimals else int(rounded)


def _url_encode(value: Any) -> str:
    return quote_plus(_text(value, "url_encode").encode("utf-8", "replace"))


def _capitalize(value: Any) -> str:
    text = _text(value, "capitalize")
    return text[:1].upper() + text[1:]


def _title(value: Any) -> str:
    return re.sub(r"[^\W_][^\s-]*", lambda word: word[0][:1].upper() + word[0][1:], _text(value, "title"))


def _tracked(parts: list[Any], prefix: str) -> str:
    """An address made of parts, as a link whose clicks are seen, if it leads into the web."""
    from nurture.rendering.tracking import label_of, may_lead  # late: it knows the templates that know the filters

    url = _bounded("".join([_text(part, "~") for part in parts]))
    return prefix + label_of(url) if may_lead(url) else url


FILTERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "d": _default,
    "date": _date,
    "money": _money,
    "number": _number,
    "percent": _percent,
    "pluralize": _pluralize,
    "capitalize": _capitalize,
    "title": _title,
    "lower": lambda value: _text(value, "lower").lower(),
    "upper": lambda value: _text(value, "upper").upper(),
    "trim": lambda value: _text(value, "trim").strip(),
    "truncate": _truncate,
    "strip_html": _strip_html,
    # Values are escaped where they are printed, once: asking for it changes nothing.
    "escape": lambda value: value,
    "e": lambda value: value,
    "url_encode": _url_encode,
    "append": lambda value, more: _bounded(_text(value, "append") + _text(more, "append")),
    "first": lambda value: _end(value, "first", 0),
    "last": lambda value: _end(value, "last", -1),
    "join": _join,
    "size": _size,
    "length": _size,
    "round": _round,
    "joined__": lambda parts: _bounded("".join([_text(part, "~") for part in parts])),
    "safe_url__": _safe_url,
    "safe_css__": _safe_css,
    "tracked__": _tracked,
}
NEEDS_CONTACT = frozenset({"date", "money", "number", "percent", "pluralize"})
