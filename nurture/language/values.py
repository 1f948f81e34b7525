"""The words inside values: durations, clocks, days, percentages, late rules ... from text to what they mean.

Every `parse_*` raises a ValueError that says what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from nurture.domain.campaign import Again
from nurture.domain.steps import OnCap
from nurture.domain.timing import WEEKDAYS, Duration, at_local, is_zone, parse_duration, zone_of
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


def positive_duration(text: str) -> Duration:
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


def parse_percent(text: str) -> float:
    """`2%` as 0.02. Raises ValueError."""
    match = _PERCENT.fullmatch(text.strip())
    if not match or float(match[1]) > 100:
        raise ValueError(f'"{text}" is not a percentage; write it like "2%"')
    return float(match[1]) / 100


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in a span of time."""

    times: float
    per: timedelta

    @property
    def a_day(self) -> float:
        return self.times * timedelta(days=1) / self.per


def parse_rate(text: str) -> Rate:
    """`3 per 30 days`. Raises ValueError."""
    times, per, span = (part.strip() for part in text.partition(" per "))
    if not per or not re.fullmatch(r"\d{1,6}(\.\d{1,4})?", times):
        raise ValueError(f'"{text}" is not a rate; write it like "3 per 30 days"')
    span = span if span[:1].isdigit() else f"1 {span}"
    return Rate(float(times), positive_duration(span).approximate)


def parse_times(value: object) -> tuple[int, int]:
    """`3`, or `1-4`: from, to. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,3})(?: ?- ?(\d{1,3}))?", str(value)) if isinstance(value, int | str) else None
    if match is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number of times; write 2, or a range like 1-4")
    low, high = int(match[1]), int(match[2] or match[1])
    if high < low:
        raise ValueError(f'"{value}" ends before it begins; write {high}-{low}')
    return low, high


def parse_again(text: str) -> Again:
    words = " ".join(text.split())
    if words == "never":
        return Again(never=True)
    if words == "always":
        return Again()
    if words.startswith("after "):
        return Again(after=positive_duration(words.removeprefix("after ")))
    raise ValueError(f'"{text}" is not a rule of re-entry; write never, always or after 7 days')


def parse_late(text: str) -> Duration:
    words = " ".join(text.split())
    if words.startswith("drop after "):
        return positive_duration(words.removeprefix("drop after "))
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
        return CapRule(OnCap.POSTPONE, positive_duration(words.removeprefix("postpone up to ")))
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


def parse_discount(text: str) -> str:
    words = " ".join(text.split())
    if match := _PERCENT.fullmatch(words):
        if 0 < float(match[1]) <= 100:
            return words
        raise ValueError(f'"{text}" must be more than 0% and at most 100%')
    if _AMOUNT.fullmatch(words) and float(words[:-3]) > 0:
        return words
    raise ValueError(f'"{text}" is not a discount; write a percentage like "10%" or an amount like "5 EUR"')


def parse_code(text: str) -> str:
    if _CODE.fullmatch(text):
        return text
    raise ValueError(f'"{text}" is not a code rule; write "fixed:THANKS10" or "unique:CART", in capitals and digits')


def parse_zone(text: str) -> str:
    if not is_zone(text):
        raise ValueError(f'"{text}" is not a time zone; write its IANA name, like "Europe/Helsinki"')
    return text


def parse_address(text: str) -> str:
    if not ADDRESS.fullmatch(text) or ".." in text or text.endswith("."):
        raise ValueError(f'"{text}" is not an e-mail address; write it like "hello@shop.example", without a name')
    return text


def parse_name(text: str) -> str:
    if not NAME.fullmatch(text):
        better = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:64]
        raise ValueError(
            f'"{text}" cannot be a name here: small letters, digits, - and _ only'
            + (f'; write "{better}"' if NAME.fullmatch(better) else "")
        )
    return text


def parse_url(text: str) -> str:
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


@dataclass(frozen=True, slots=True)
class Holidays:
    """A country of the holidays library (FI, US-NY), or days."""

    country: str | None = None
    days: frozenset[date] = frozenset()
