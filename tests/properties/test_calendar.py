"""Any zone, any date between 2000 and 2040: local intent becomes exactly one instant, and mail goes once a day."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.domain.timing import Calendar, Hours, add, at_local, next_allowed, next_clock, parse_duration, subtract

ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix", "right", "Etc")))
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(2000, 1, 1), date(2040, 12, 28))
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
instants = st.datetimes(datetime(2000, 1, 1), datetime(2040, 12, 1), timezones=st.just(UTC))
hours = st.tuples(clocks, clocks).filter(lambda ends: ends[0] != ends[1]).map(lambda ends: Hours(*ends))


def exists(day: date, clock: time, zone: ZoneInfo) -> bool:
    local = datetime.combine(day, clock, tzinfo=zone)
    return local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)


@settings(max_examples=250)
@given(days, clocks, zones)
def test_a_local_time_that_exists_is_kept_and_the_first_of_two_is_taken(day: date, clock: time, zone: ZoneInfo) -> None:
    instant = at_local(day, clock, zone)
    local = instant.astimezone(zone)
    if exists(day, clock, zone):
        assert (local.date(), local.time().replace(fold=0)) == (day, clock)
        assert local.fold == 0
    else:
        assert local.replace(tzinfo=None) > datetime.combine(day, clock)
        assert local.replace(tzinfo=None) - datetime.combine(day, clock) <= timedelta(days=1)


@settings(max_examples=150)
@given(days, clocks, zones)
def test_a_daily_mail_goes_exactly_once_for_every_day_that_exists(day: date, clock: time, zone: ZoneInfo) -> None:
    """A year of "tomorrow at nine": no day twice, no day left out, always forward."""
    instant = at_local(day, clock, zone)
    wanted = day
    for _ in range(60):
        following = next_clock(instant + timedelta(minutes=1), clock, None, zone)
        assert following > instant
        wanted += timedelta(days=1)
        if at_local(wanted, clock, zone) <= instant:  # a day that was skipped is the day after it
            wanted += timedelta(days=1)
        assert following == at_local(wanted, clock, zone)
        instant = following


@settings(max_examples=250)
@given(instants, zones, hours, st.none() | hours, st.none() | st.sets(st.integers(0, 6), min_size=1).map(frozenset))
def test_what_is_allowed_is_outside_quiet_hours_inside_the_window_and_the_first_such(
    instant: datetime, zone: ZoneInfo, quiet: Hours, window: Hours | None, weekdays: frozenset[int] | None
) -> None:
    def fits(at: datetime) -> bool:
        local = at.astimezone(zone)
        clock = local.time().replace(fold=0)
        return (
            not quiet.contains(clock)
            and (window is None or window.contains(clock))
            and (weekdays is None or local.weekday() in weekdays)
        )

    found = next_allowed(instant, zone, quiet=quiet, window=window, days=weekdays)
    assert found >= instant
    if fits(instant):
        assert found == instant
    if found == instant and not fits(instant):
        minutes = range(0, 24 * 60, 1)  # nothing fits on any day: validation refuses such a programme
        noon = [time(minute // 60, minute % 60) for minute in minutes]
        assert not any(not quiet.contains(clock) and (window is None or window.contains(clock)) for clock in noon)
        return
    assert fits(found)
    step = max((found - instant) / 200, timedelta(seconds=1))
    earlier = [instant + step * number for number in range(200) if instant + step * number < found]
    if all(exists(each.astimezone(zone).date(), quiet.end, zone) for each in (instant, found)):
        assert not any(fits(each) for each in earlier if found - each > timedelta(hours=2))


@settings(max_examples=150)
@given(
    instants,
    zones,
    st.integers(0, 400),
    st.sampled_from(["days", "hours", "minutes", "months", "business days", "weeks"]),
)
def test_durations_go_forward_and_elapsed_ones_are_exact(
    instant: datetime, zone: ZoneInfo, number: int, unit: str
) -> None:
    duration = parse_duration(f"{min(number, 200 if unit == 'months' else 400)} {unit}")
    later = add(instant, duration, zone, Calendar())
    assert later.tzinfo is UTC
    if unit in {"hours", "minutes"}:
        assert later - instant == duration.elapsed
        assert subtract(later, duration, zone, Calendar()) == instant
    else:
        assert later >= instant - timedelta(hours=26)  # a skipped day or a change of the clocks, at most
        gap = abs(later - instant - duration.approximate)
        assert gap <= timedelta(days=4) + 0.5 * duration.approximate


@settings(max_examples=150)
@given(days, zones, st.integers(1, 24))
def test_months_end_where_the_month_ends(day: date, zone: ZoneInfo, months: int) -> None:
    start = at_local(day, time(12), zone)
    later = add(start, parse_duration(f"{months} months"), zone, Calendar()).astimezone(zone).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    wanted = date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    assert later == (wanted if exists(wanted, time(12), zone) else wanted + timedelta(days=1))
