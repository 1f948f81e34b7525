"""The values of files as fields of the schema: read from text by `words`, refused with the code of the problem.

A refusal is a pydantic error whose type is the problem code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Annotated, Any, LiteralString

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from nurture.domain.campaign import Again
from nurture.domain.timing import Duration, Hours, parse_clock, parse_hours
from nurture.language.values import (
    NAME,
    CapRule,
    Days,
    Holidays,
    LocalInstant,
    Rate,
    StageChangeRule,
    parse_address,
    parse_again,
    parse_code,
    parse_days,
    parse_discount,
    parse_instant,
    parse_late,
    parse_moment,
    parse_name,
    parse_on_cap,
    parse_percent,
    parse_rate,
    parse_stage_change,
    parse_times,
    parse_url,
    parse_zone,
    positive_duration,
)


def refuse(code: LiteralString, message: str, hint: str | None = None) -> PydanticCustomError:
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def refusal(code: LiteralString, error: ValueError) -> PydanticCustomError:
    """What a parser of `words` says: before the semicolon what is wrong, behind it what to write."""
    message, _, hint = str(error).partition("; ")
    return refuse(code, message, hint or None)


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
            raise refusal(self.code, error) from None


def _not_text(value: object, what: str, example: str) -> str:
    if isinstance(value, bool) or value is None:
        return f"{what} is missing here, found {'nothing' if value is None else str(value).lower()}"
    if isinstance(value, int | float):
        return f"{value} alone is not {what}"
    return f"{what} is a text like {example}, not a {'list' if isinstance(value, list) else 'mapping'}"


def _days(value: object) -> Days:
    try:
        return parse_days(value)
    except ValueError as error:
        raise refusal("N614", error) from None


def _percent(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        share = value * 100 if 0 < value < 1 else value
        raise refuse("N610", f"{value} is not a percentage", f'write "{share:g}%" if you mean {share:g} in a hundred')
    if not isinstance(value, str):
        raise refuse("N610", "a percentage is a text like 2%")
    try:
        return parse_percent(value)
    except ValueError as error:
        raise refusal("N610", error) from None


def _times(value: object) -> tuple[int, int]:
    """A number, or a range like 1-4."""
    try:
        return parse_times(value)
    except ValueError as error:
        raise refusal("N619", error) from None


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
    Text("N601", "a duration", positive_duration, "2 days", "90 minutes", "3 business days", "1 month", "P2D"),
]


ClockField = Annotated[time, Text("N602", "a time of day", parse_clock, "09:30", pattern=r"^\d\d:\d\d$")]


HoursField = Annotated[Hours, Text("N603", "a span of hours", parse_hours, "21:00-08:00")]


AgainField = Annotated[Again, Text("N601", "a rule of re-entry", parse_again, "never", "always", "after 7 days")]


LateField = Annotated[Duration, Text("N601", "a late rule", parse_late, "drop after 6 hours")]


OnCapField = Annotated[CapRule, Text("N601", "a rule", parse_on_cap, "skip", "postpone", "postpone up to 3 days")]


StageChangeField = Annotated[
    StageChangeRule, Text("N105", "a stage change", parse_stage_change, "consideration -> purchase", "* -> lapsed")
]


DiscountField = Annotated[str, Text("N802", "a discount", parse_discount, "10%", "5 EUR")]


CodeField = Annotated[str, Text("N803", "a code rule", parse_code, "fixed:THANKS10", "unique:CART")]


ZoneField = Annotated[str, Text("N604", "a time zone", parse_zone, "Europe/Helsinki")]


AddressField = Annotated[str, Text("N501", "an e-mail address", parse_address, "hello@shop.example")]


NameField = Annotated[str, Text("N111", "a name", parse_name, "cart-reminder", pattern=f"^{NAME.pattern}$")]


UrlField = Annotated[str, Text("N105", "a web address", parse_url, "https://crm.example/hook")]


MomentField = Annotated[timedelta | LocalInstant, Text("N617", "a moment", parse_moment, "+14h", "-40d")]


InstantField = Annotated[LocalInstant, Text("N617", "an instant", parse_instant, "2026-10-24T20:00 Europe/Berlin")]


PercentField = Annotated[float, PlainValidator(_percent), WithJsonSchema({"type": "string", "examples": ["2%"]})]


RateField = Annotated[Rate, Text("N619", "a rate", parse_rate, "3 per 30 days", "1 per 2 hours")]


TimesField = Annotated[
    tuple[int, int],
    PlainValidator(_times),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "examples": [2, "1-4"]}),
]


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


TextList = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1), OrOne()]


HolidaysField = Annotated[
    Holidays,
    PlainValidator(_holidays),
    WithJsonSchema({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "format": "date"}}],
        "examples": ["FI", ["2026-12-24"]],
    }),
]  # fmt: skip
