"""Durations, local time and windows.

Instants are aware UTC datetimes; intent is local. Hours and minutes are elapsed time; days, weeks, months and business
days are calendar time in the person's zone, so "1 day" after 09:00 is 09:00 also when the clocks change. A local time
that does not exist moves forward by the gap; one that exists twice is taken the first time. All arithmetic on elapsed
time is done in UTC, because Python's is wall-clock arithmetic inside a zone.
"""

from __future__ import annotations

import calendar as months_of
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_UNITS = {
    "second": "seconds", "seconds": "seconds", "minute": "minutes", "minutes": "minutes", "min": "minutes",
    "hour": "hours", "hours": "hours", "day": "days", "days": "days", "week": "weeks", "weeks": "weeks",
    "month": "months", "months": "months", "year": "years", "years": "years",
    "business day": "business", "business days": "business",
}  # fmt: skip
_WORDS = re.compile(r"(?P<number>\d{1,6}) +(?P<unit>business days?|[a-z]+)")
_ISO = re.compile(
    r"P(?:(?P<years>\d{1,3})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?"
)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as an author means it: elapsed time, or calendar days, months or business days."""

    elapsed: timedelta = timedelta()
    days: int = 0
    business_days: int = 0
    months: int = 0
    text: str = ""

    @property
    def approximate(self) -> timedelta:
        """For comparing durations: a month is 30 days, a business day 1.4."""
        return self.elapsed + DAY * (self.days + 30 * self.months + 1.4 * self.business_days)

    def __str__(self) -> str:
        return self.text or str(self.approximate)


def parse_duration(text: str) -> Duration:
    """`90 minutes`, `2 days`, `3 business days`, `1 month` or ISO 8601 `P2D`. Raises a ValueError that teaches."""
    cleaned = " ".join(text.split())
    if match := _WORDS.fullmatch(cleaned.lower()):
        number, unit = int(match["number"]), _UNITS.get(match["unit"])
        if unit is None:
            raise ValueError(
                f'"{match["unit"]}" is not a unit of time; use minutes, hours, days, business days, weeks or months'
            )
        parts = {unit: number}
    elif (match := _ISO.fullmatch(cleaned)) and cleaned not in {"P", "PT"} and not cleaned.endswith("T"):
        parts = {unit: int(value) for unit, value in match.groupdict().items() if value}
    elif re.fullmatch(r"\d+(\.\d+)?", cleaned):
        raise ValueError(f'a duration needs a unit: write "{cleaned} hours" or "{cleaned} days", not "{cleaned}"')
    elif cleaned.startswith("-"):
        raise ValueError(f'a duration cannot be negative: "{cleaned}"')
    else:
        raise ValueError(
            f'"{cleaned}" is not a duration; write it like "90 minutes", "2 days", "3 business days" or "P2D"'
        )
    duration = Duration(
        elapsed=timedelta(
            hours=parts.get("hours", 0), minutes=parts.get("minutes", 0), seconds=parts.get("seconds", 0)
        ),
        days=parts.get("days", 0) + 7 * parts.get("weeks", 0),
        business_days=parts.get("business", 0),
        months=parts.get("months", 0) + 12 * parts.get("years", 0),
        text=cleaned,
    )
    if duration.approximate > timedelta(days=366 * 20):
        raise ValueError(f'"{cleaned}" is longer than 20 years')
    return duration


def parse_clock(text: str) -> time:
    """`09:30`, 24 hours, two digits each. Raises ValueError."""
    if match := _CLOCK.fullmatch(text.strip()):
        return time(int(match[1]), int(match[2]))
    raise ValueError(f'"{text}" is not a time of day; write it in quotes with two digits each, like "09:30"')


@dataclass(frozen=True, slots=True)
class Hours:
    """A daily span of local time, start included, end not; it may cross midnight."""

    start: time
    end: time

    def contains(self, clock: time) -> bool:
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def parse_hours(text: str) -> Hours:
    """`21:00-08:00`. Raises ValueError, also when both ends are the same."""
    start, dash, end = text.replace("–", "-").partition("-")
    if not dash:
        raise ValueError(f'"{text}" is not a span of hours; write it like "21:00-08:00"')
    hours = Hours(parse_clock(start), parse_clock(end))
    if hours.start == hours.end:
        raise ValueError(f'"{text}" begins and ends at the same time; leave it out to mean the whole day')
    return hours


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are business days: Monday to Friday, without the holidays."""

    holidays: frozenset[date] = frozenset()

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays


UTC_ZONE = ZoneInfo("UTC")


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # KeyError is ZoneInfoNotFoundError; OSError a directory name
        return None


def is_zone(name: str) -> bool:
    return _zone(name) is not None


def zone_of(*names: str | None) -> ZoneInfo:
    """The first name that is a real zone, else UTC: an odd zone in somebody's data must never stop her mail."""
    for name in names:
        if name and (zone := _zone(name)) is not None:
            return zone
    return UTC_ZONE


def at_local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a local time. In a gap: as far after the gap as it was into it; in an overlap: the first."""
    # With fold=0 Python reads a time in a gap with the offset from before it: "forward by the gap", also where the gap
    # is a whole day (Apia, 2011-12-30).
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """The same day of a later month, clamped to its end (31 January + 1 month is 28 or 29 February)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, months_of.monthrange(year, month + 1)[1]))


def add(instant: datetime, duration: Duration, zone: ZoneInfo, calendar: Calendar) -> datetime:
    """`instant` and then `duration`: calendar parts first, on the local clock, then elapsed parts."""
    days = duration.days
    if duration.months or duration.business_days:
        local = instant.astimezone(zone)
        day = add_months(local.date(), duration.months) + DAY * days
        for _ in range(duration.business_days):
            day += DAY
            while not calendar.is_business_day(day):
                day += DAY
        instant = at_local(day, _clock_of(local), zone)
    elif days:  # inside a zone, Python's arithmetic is that of the clock on the wall, with fold=0
        instant = (instant.astimezone(zone) + DAY * days).astimezone(UTC)
    return instant + duration.elapsed if duration.elapsed else instant


def subtract(instant: datetime, duration: Duration, zone: ZoneInfo, calendar: Calendar) -> datetime:
    """As long before `instant`: calendar parts first, on the local clock, then elapsed parts."""
    if duration.days or duration.months or duration.business_days:
        local = instant.astimezone(zone)
        day = add_months(local.date(), -duration.months) - DAY * duration.days
        for _ in range(duration.business_days):
            day -= DAY
            while not calendar.is_business_day(day):
                day -= DAY
        instant = at_local(day, _clock_of(local), zone)
    return instant - duration.elapsed


def _clock_of(local: datetime) -> time:
    """The time of day alone: which pass of an overlap it was says nothing about another day."""
    return local.time().replace(fold=0)


def add_approximately(instant: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """`add` where business days do not matter."""
    return add(instant, duration, zone, Calendar())


def next_clock(
    instant: datetime,
    clock: time | None,
    days: frozenset[int] | None,
    zone: ZoneInfo,
    calendar: Calendar | None = None,
    business_days: bool = False,
) -> datetime:
    """The first instant, not before `instant`, at local `clock` (None: any time) on one of `days` (Monday is 0).

    An instant that already fits is returned unchanged; with no clock, a later day begins at the same local time.
    """
    local = instant.astimezone(zone)
    wanted = clock if clock is not None else _clock_of(local)
    for ahead in range(400):
        day = local.date() + DAY * ahead
        if days is not None and day.weekday() not in days:
            continue
        if business_days and calendar is not None and not calendar.is_business_day(day):
            continue
        candidate = instant if clock is None and ahead == 0 else at_local(day, wanted, zone)
        if candidate >= instant:
            return candidate
    return instant


def next_allowed(
    instant: datetime,
    zone: ZoneInfo,
    quiet: Hours | None = None,
    window: Hours | None = None,
    days: frozenset[int] | None = None,
    business_days: bool = False,
    calendar: Calendar | None = None,
) -> datetime:
    """The first instant, not before `instant`, outside quiet hours, inside the window, on an allowed local day.

    A window that crosses midnight belongs to the day on which the instant falls. Returns `instant` itself when nothing
    ever fits, which validation refuses beforehand.
    """
    if quiet is None and window is None and days is None and not business_days:
        return instant
    candidate = instant
    for _ in range(1200):
        local = candidate.astimezone(zone)
        clock, day = local.time().replace(fold=0), local.date()
        if quiet is not None and quiet.contains(clock):
            candidate = _next_local(candidate, quiet.end, zone)
        elif (days is not None and day.weekday() not in days) or (
            business_days and not (calendar or Calendar()).is_business_day(day)
        ):
            candidate = max(_start_of(day + DAY, zone), candidate + timedelta(minutes=1))
        elif window is not None and not window.contains(clock):
            candidate = _next_local(candidate, window.start, zone)
        else:
            return candidate
    return instant


def _next_local(instant: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """The next time the local clock shows `clock`, strictly after `instant`."""
    day = instant.astimezone(zone).date()
    for ahead in range(3):
        for fold in (0, 1):  # inside an overlap the clock shows each time twice
            candidate = at_local(day + DAY * ahead, clock.replace(fold=fold), zone)
            if candidate > instant:
                return candidate
    return instant + DAY
