"""The words inside values: durations, clocks, days, percentages, late rules ... as fields of the schema.

Each field parses its text into the domain's value and says, when it cannot, what to write instead. A refusal is a
pydantic error whose type is the problem code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, LiteralString

from annotated_types import MinLen
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from nurture.domain.programme import Again, OnCap
from nurture.domain.timing import (
    WEEKDAYS,
    Duration,
    Hours,
    at_local,
    is_zone,
    parse_clock,
    parse_duration,
    parse_hours,
    zone_of,
)
from nurture.language.problems import did_you_mean

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ADDRESS = re.compile(r"[^@\s<>(),;:\"\\]+@[^@\s<>(),;:\"\\]+")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%")
_AMOUNT = re.compile(r"\d{1,6}(\.\d{2})? ?[A-Z]{3}")
_CODE = re.compile(r"fixed:[A-Z0-9][A-Z0-9-]{0,31}|unique:[A-Z0-9][A-Z0-9-]{0,15}")
_DISTANCE = re.compile(r"([+-])((?:\d{1,6} ?[smhdw] ?)+)")
_LOCAL = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2}))?)?(Z|[+-]\d{2}:?\d{2})?(?: +([A-Za-z_+/0-9-]+))?"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DAY_GROUPS = {
    "weekdays": frozenset(range(5)),
    "weekends": frozenset({5, 6}),
    "every day": frozenset(range(7)),
}
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def refuse(code: LiteralString, message: str, hint: str | None = None) -> PydanticCustomError:
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


class Text:
    """The annotation of a field that `parse` reads from text; `code` is the problem it raises."""

    def __init__(
        self, code: LiteralString, what: str, parse: Callable[[str], object], *examples: str, pattern: str | None = None
    ) -> None:
        self.code, self.what, self.parse, self.examples, self.pattern = code, what, parse, examples, pattern

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _core: object, _handler: object) -> dict[str, Any]:
        pattern = {"pattern": self.pattern} if self.pattern else {}
        return {"type": "string", "examples": list(self.examples), **pattern}

    def read(self, value: object) -> object:
        if not isinstance(value, str):
            raise refuse(
                self.code, _not_text(value, self.what, self.examples[0]), f'write it like "{self.examples[0]}"'
            )
        try:
            return self.parse(value)
        except ValueError as error:
            raise refuse(self.code, str(error)) from None


def _not_text(value: object, what: str, example: str) -> str:
    if isinstance(value, bool) or value is None:
        return f"{what} is missing here, found {'nothing' if value is None else str(value).lower()}"
    if isinstance(value, int | float):
        unit = " with its unit" if " " in example else ""
        return f"{value} alone is not {what}; write it{unit}"
    return f"{what} is a text like {example}, not a {'list' if isinstance(value, list) else 'mapping'}"


def _positive_duration(text: str) -> Duration:
    duration = parse_duration(text)
    if not duration.approximate:
        raise ValueError(f'"{text}" is no time at all; write at least "1 minute", or leave it out')
    return duration


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the week (Monday is 0; None: any), and whether holidays are left out too."""

    days: frozenset[int] | None = None
    business_days: bool = False


def _day(word: object) -> int:
    text = str(word).strip().lower()
    if text in WEEKDAYS:
        return WEEKDAYS.index(text)
    if text in _DAY_NAMES:
        return _DAY_NAMES.index(text)
    nearest = did_you_mean(text, (*WEEKDAYS, *_DAY_NAMES))
    raise ValueError(
        f'"{word}" is not a day of the week; ' + (f"did you mean {nearest}?" if nearest else "write mon, tue, ... sun")
    )


def parse_days(value: object) -> Days:
    """`[mon, tue]`, `sat`, `weekdays`, `weekends`, `every day` or `business days`. Raises ValueError."""
    if isinstance(value, str):
        text = " ".join(value.lower().split())
        if text == "business days":
            return Days(business_days=True)
        if text in DAY_GROUPS:
            return Days(DAY_GROUPS[text])
        words: list[object] = [word for word in re.split(r"[,\s]+", text) if word]
    elif isinstance(value, list) and value:
        words = value
    else:
        raise ValueError("name at least one day, like [mon, tue], weekdays or business days")
    return Days(frozenset(_day(word) for word in words))


def _days(value: object) -> Days:
    try:
        return parse_days(value)
    except ValueError as error:
        raise refuse("N614", str(error)) from None


def parse_percent(text: str) -> float:
    """`2%` as 0.02. Raises ValueError."""
    match = _PERCENT.fullmatch(text.strip())
    if not match or float(match[1]) > 100:
        raise ValueError(f'"{text}" is not a percentage; write it like "2%"')
    return float(match[1]) / 100


def _percent(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refuse("N610", f"{value} is not a percentage", f'write "{value:g}%" if you mean {value:g} in a hundred')
    if not isinstance(value, str):
        raise refuse("N610", "a percentage is a text like 2%")
    try:
        return parse_percent(value)
    except ValueError as error:
        raise refuse("N610", str(error)) from None


def parse_again(text: str) -> Again:
    words = " ".join(text.split())
    if words == "never":
        return Again(never=True)
    if words == "always":
        return Again()
    if words.startswith("after "):
        return Again(after=_positive_duration(words.removeprefix("after ")))
    raise ValueError(f'"{text}" is not a rule of re-entry; write never, always or after 7 days')


def parse_late(text: str) -> Duration:
    words = " ".join(text.split())
    if words.startswith("drop after "):
        return _positive_duration(words.removeprefix("drop after "))
    raise ValueError(f'"{text}" is not a late rule; write it like "drop after 6 hours"')


@dataclass(frozen=True, slots=True)
class CapRule:
    """What a mail does when a cap is full; `up_to` None is the late limit."""

    on_cap: OnCap
    up_to: Duration | None = None


def parse_on_cap(text: str) -> CapRule:
    words = " ".join(text.split())
    if words in {"skip", "postpone"}:
        return CapRule(OnCap(words))
    if words.startswith("postpone up to "):
        return CapRule(OnCap.POSTPONE, _positive_duration(words.removeprefix("postpone up to ")))
    raise ValueError(f'"{text}" is not a rule for full caps; write skip, postpone or postpone up to 3 days')


@dataclass(frozen=True, slots=True)
class StageChangeRule:
    """`consideration -> purchase`, as written: names are resolved when the project is known. None is `*`."""

    from_stages: tuple[str, ...] | None
    to_stage: str


def parse_stage_change(text: str) -> StageChangeRule:
    left, arrow, right = text.partition("->")
    sources = [name.strip() for name in left.split(",")]
    target = right.strip()
    if not arrow or not target or "," in target or not all(sources):
        raise ValueError(f'"{text}" is not a stage change; write it like "consideration -> purchase" or "* -> lapsed"')
    if target == "*":
        raise ValueError('the stage after the arrow cannot be *; name one, like "* -> lapsed"')
    return StageChangeRule(None if sources == ["*"] else tuple(sources), target)


def _discount(text: str) -> str:
    words = " ".join(text.split())
    if match := _PERCENT.fullmatch(words):
        if 0 < float(match[1]) <= 100:
            return words
        raise ValueError(f'"{text}" must be more than 0% and at most 100%')
    if _AMOUNT.fullmatch(words) and float(words[:-3]) > 0:
        return words
    raise ValueError(f'"{text}" is not a discount; write a percentage like "10%" or an amount like "5 EUR"')


def _code(text: str) -> str:
    if _CODE.fullmatch(text):
        return text
    raise ValueError(f'"{text}" is not a code rule; write "fixed:THANKS10" or "unique:CART", in capitals and digits')


def _zone(text: str) -> str:
    if not is_zone(text):
        raise ValueError(f'"{text}" is not a time zone; write its IANA name, like "Europe/Helsinki"')
    return text


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text) or ".." in text or text.endswith("."):
        raise ValueError(f'"{text}" is not an e-mail address; write it like "hello@shop.example", without a name')
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        better = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:64]
        raise ValueError(
            f'"{text}" cannot be a name here: small letters, digits, - and _ only'
            + (f'; write "{better}"' if NAME.fullmatch(better) else "")
        )
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise ValueError(f'"{text}" is not a web address; write it like "https://crm.example/hook"')
    return text


def parse_distance(text: str) -> timedelta | None:
    """`+14h`, `-40d`, `+1d 2h`; None when it is not written as a distance."""
    match = _DISTANCE.fullmatch(text.strip())
    if not match:
        return None
    pieces = re.findall(r"(\d+) ?([smhdw])", match[2])
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in pieces)
    return timedelta(seconds=seconds) * (1 if match[1] == "+" else -1)


@dataclass(frozen=True, slots=True)
class LocalInstant:
    """A day and a time as written, with a zone or an offset if one was given."""

    day: date
    clock: time
    zone: str | None = None
    instant: datetime | None = None

    def at(self, zone: str) -> datetime:
        """The UTC instant, read in `zone` when none was written."""
        return self.instant if self.instant is not None else at_local(self.day, self.clock, zone_of(self.zone, zone))


def parse_instant(text: str) -> LocalInstant:
    """`2026-10-24T20:00 Europe/Berlin`, `2026-10-24T20:00Z`, `2026-10-24`. Raises ValueError."""
    match = _LOCAL.fullmatch(text.strip())
    if not match:
        raise ValueError(f'"{text}" is not an instant; write it like "2026-10-24T20:00 Europe/Berlin"')
    day_text, clock_text, seconds, offset, zone = match.groups()
    try:
        day = date.fromisoformat(day_text)
        clock = time.fromisoformat(f"{clock_text or '00:00'}:{seconds or '00'}")
    except ValueError:
        raise ValueError(f'"{text}" is not a real date and time') from None
    if zone is not None and not is_zone(zone):
        raise ValueError(f'"{zone}" is not a time zone; write its IANA name, like "Europe/Berlin"')
    instant = None
    if offset:
        written = f"{day_text}T{clock:%H:%M:%S}{'+00:00' if offset == 'Z' else offset}"
        instant = datetime.fromisoformat(written).astimezone(UTC)
    return LocalInstant(day, clock, zone, instant)


def parse_moment(text: str) -> timedelta | LocalInstant:
    """A distance like `+14h`, or an instant. Raises ValueError."""
    distance = parse_distance(text)
    if distance is not None:
        return distance
    if text.lstrip()[:1] in {"+", "-"} or not re.match(r"\s*\d{4}-", text):
        raise ValueError(f'"{text}" is not a moment; write a distance like "+14h" or "-40d", or "2026-10-24T20:00"')
    return parse_instant(text)


def _as_text(value: object) -> object:
    """A number where an expression is wanted is that number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class OrText:
    """A mapping that may be written short: `record: Name` for `record: {event: Name}`."""

    def __init__(self, key: str, **more: object) -> None:
        self.key, self.more = key, more

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.spread, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(core)]}

    def spread(self, value: object) -> object:
        return value if isinstance(value, dict | list) or value is None else {self.key: value, **self.more}


class OrOne:
    """A list that may be written as its only item."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        listed = handler(core)
        return {"anyOf": [listed.get("items", {}), listed]}


@dataclass(frozen=True, slots=True)
class Holidays:
    """A country of the holidays library (FI, US-NY), or days."""

    country: str | None = None
    days: frozenset[date] = frozenset()


def _holidays(value: object) -> Holidays:
    if isinstance(value, str) and re.fullmatch(r"[A-Z]{2,3}(-[A-Z0-9]{1,4})?", value):
        return Holidays(country=value)
    if not isinstance(value, list):
        raise refuse("N609", f"{value!r} is not a country", "write its code, like FI or US-NY, or a list of dates")
    days = set()
    for item in value:
        try:
            days.add(date.fromisoformat(str(item)))
        except ValueError:
            raise refuse("N609", f"{item!r} is not a date", "write dates like 2026-12-24") from None
    return Holidays(days=frozenset(days))


DurationField = Annotated[
    Duration,
    Text("N601", "a duration", _positive_duration, "2 days", "90 minutes", "3 business days", "1 month", "P2D"),
]
ClockField = Annotated[time, Text("N602", "a time of day", parse_clock, "09:30", pattern=r"^\d\d:\d\d$")]
HoursField = Annotated[Hours, Text("N603", "a span of hours", parse_hours, "21:00-08:00")]
AgainField = Annotated[Again, Text("N601", "a rule of re-entry", parse_again, "never", "always", "after 7 days")]
LateField = Annotated[Duration, Text("N601", "a late rule", parse_late, "drop after 6 hours")]
OnCapField = Annotated[CapRule, Text("N601", "a rule", parse_on_cap, "skip", "postpone", "postpone up to 3 days")]
StageChangeField = Annotated[
    StageChangeRule, Text("N105", "a stage change", parse_stage_change, "consideration -> purchase", "* -> lapsed")
]
DiscountField = Annotated[str, Text("N802", "a discount", _discount, "10%", "5 EUR")]
CodeField = Annotated[str, Text("N803", "a code rule", _code, "fixed:THANKS10", "unique:CART")]
ZoneField = Annotated[str, Text("N604", "a time zone", _zone, "Europe/Helsinki")]
AddressField = Annotated[str, Text("N501", "an e-mail address", _address, "hello@shop.example")]
NameField = Annotated[str, Text("N111", "a name", _name, "cart-reminder", pattern=f"^{NAME.pattern}$")]
UrlField = Annotated[str, Text("N105", "a web address", _url, "https://crm.example/hook")]
MomentField = Annotated[timedelta | LocalInstant, Text("N617", "a moment", parse_moment, "+14h", "-40d")]
InstantField = Annotated[LocalInstant, Text("N617", "an instant", parse_instant, "2026-10-24T20:00 Europe/Berlin")]
PercentField = Annotated[float, PlainValidator(_percent), WithJsonSchema({"type": "string", "examples": ["2%"]})]
DaysField = Annotated[
    Days,
    PlainValidator(_days),
    WithJsonSchema({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "examples": [["mon", "tue"], "weekdays", "business days"],
    }),
]  # fmt: skip
ExpressionField = Annotated[
    str,
    BeforeValidator(_as_text),
    WithJsonSchema(
        {"type": ["string", "number"], "examples": ["contact.plan == 'pro' and orders(last='365 days') >= 2"]}
    ),
]
TextList = Annotated[list[Annotated[str, MinLen(1)]], MinLen(1), OrOne()]
HolidaysField = Annotated[
    Holidays,
    PlainValidator(_holidays),
    WithJsonSchema({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "format": "date"}}],
        "examples": ["FI", ["2026-12-24"]],
    }),
]  # fmt: skip
