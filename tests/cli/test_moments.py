"""Moments against `zoneinfo` and `datetime`, day by day over changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kappa.cli.moments import moment
from kappa.errors import ConfigError

ZONES = st.sampled_from(["UTC", "Europe/Zurich", "America/New_York", "Asia/Kathmandu"])
NOWS = st.datetimes(datetime(1990, 1, 1), datetime(2035, 12, 31)).map(
    lambda found: found.replace(tzinfo=UTC, microsecond=0)
)


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def midnight(day: date, zone: str) -> int:
    """These zones have every midnight, none of them twice."""
    return ms(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))


@given(NOWS, ZONES, st.integers(-800, 800))
def test_days_are_those_of_the_calendar(now, zone, shift):
    here = now.astimezone(ZoneInfo(zone)).date()
    for text, day in {
        "today": here,
        "Yesterday": here - timedelta(days=1),
        "tomorrow": here + timedelta(days=1),
        f"today{shift:+}d": here + timedelta(days=shift),
        f"today {shift // 7:+} w": here + timedelta(weeks=shift // 7),
        "this month": here.replace(day=1),
        "last month": (here.replace(day=1) - timedelta(days=1)).replace(day=1),
        "next month": (here.replace(day=28) + timedelta(days=4)).replace(day=1),
        "this week": here - timedelta(days=here.weekday()),
        "last week": here - timedelta(days=here.weekday() + 7),
        "last year": date(here.year - 1, 1, 1),
        here.isoformat(): here,
    }.items():
        assert moment(text, zone=zone, now=ms(now)) == midnight(day, zone), text


@given(NOWS, ZONES)
def test_hours_and_durations(now, zone):
    here = now.astimezone(ZoneInfo(zone))
    hour = ms(here) - (here.minute * 60 + here.second) * 1000
    assert moment("this hour", zone=zone, now=ms(now)) == hour
    assert moment("now", zone=zone, now=ms(now)) == ms(now)
    assert moment("now-90m", zone=zone, now=ms(now)) == ms(now) - 5_400_000
    assert moment("now - 7d", zone=zone, now=ms(now)) == ms(now) - 7 * 86_400_000
    assert moment("today+2h", zone=zone, now=ms(now)) == midnight(here.date(), zone) + 7_200_000
    assert moment(here.isoformat(), zone=None, now=0) == ms(now)


def test_a_day_that_loses_an_hour_is_23_hours_long():
    now = ms(datetime(2013, 3, 11, 5, tzinfo=ZoneInfo("America/New_York")))
    since = moment("yesterday", zone="America/New_York", now=now)
    until = moment("today", zone="America/New_York", now=now)
    assert (until - since) / 3_600_000 == 23


def test_wall_clock_times_need_a_zone_that_has_them():
    assert moment("2013-11-03T01:30", zone="America/New_York", now=0) == ms(
        datetime(2013, 11, 3, 5, 30, tzinfo=UTC)
    )
    with pytest.raises(click.UsageError, match="clocks skip it"):
        moment("2013-03-10T02:30", zone="America/New_York", now=0)
    with pytest.raises(click.UsageError, match="has no time zone"):
        moment("2013-03-10T02:30", zone=None, now=0)


@pytest.mark.parametrize("text", ["", "yester", "last fortnight", "today-1y", "2013-02-30", "7"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(click.UsageError, match="is no moment"):
        moment(text, zone="UTC", now=0)


def test_an_unknown_zone_is_refused():
    for text in ("today", "2013-01-01", "2013-01-01T00:00"):
        with pytest.raises(ConfigError, match="Mars"):
            moment(text, zone="Mars/Base", now=0)
