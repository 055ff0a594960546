"""Which windows an instant is in, by the definition and by every candidate.

Method: random instants, sizes, slides and offsets, negative and at the ends of time, are
compared with windows found by trying; calendar windows with midnights found by walking.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import examples
from window_model import midnight, windows_of

from kappa.errors import ConfigError
from kappa.time import MAX_TIME, MIN_TIME, PLUS_INFINITY
from kappa.windows import Calendar, Count, Global, Session, Sliding, Tumbling

HOUR = 3_600_000
DAY = 24 * HOUR
times = st.integers(-300, 300) | st.sampled_from([MIN_TIME, MAX_TIME, MAX_TIME - 1])


@given(time=times, size=st.integers(1, 40), offset=st.integers(-39, 39))
@examples(200)
def test_tumbling(time: int, size: int, offset: int) -> None:
    window = Tumbling(size, offset=offset % size)
    assert window.windows_of(time) == windows_of(time, ("tumbling", size, offset % size))
    assert window.bound(time) == window.window_of(time)[1] - 1
    assert (window.window_of(time)[0] - offset) % size == 0


@given(time=times, size=st.integers(1, 40), slide=st.integers(1, 50), offset=st.integers(0, 49))
@examples(300)
def test_sliding(time: int, size: int, slide: int, offset: int) -> None:
    window = Sliding(size, slide, offset=offset % slide)
    found = window.windows_of(time)
    assert found == windows_of(time, ("sliding", size, slide, offset % slide))
    assert window.bound(time) == window.first_start(time) + size - 1
    if found:
        assert window.first_start(time) == found[0][0]
        assert window.last_start(time) == found[-1][0]
    assert size % window.slice == 0 == slide % window.slice


@given(time=st.integers(-200, 200), size=st.integers(1, 40), slide=st.integers(1, 50))
@examples(100)
def test_no_later_record_has_an_earlier_effect(time: int, size: int, slide: int) -> None:
    for window in (Tumbling(size), Sliding(size, slide), Session(size)):
        assert window.bound(time) <= window.bound(time + 1)


@given(
    hours=st.integers(-200_000, 400_000),
    minutes=st.integers(0, 59),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
         "America/Sao_Paulo", "Pacific/Apia", "America/St_Johns", "Africa/Cairo", "Asia/Gaza"]
    ),
)  # fmt: skip
@examples(150)
def test_days_begin_at_the_first_instant_of_their_date(hours: int, minutes: int, zone: str) -> None:
    time = hours * HOUR + minutes * 60_000
    window = Calendar("day", zone)
    start, end = window.window_of(time)
    assert start <= time < end
    assert [(start, end)] == windows_of(time, ("calendar", zone))
    assert window.window_of(start) == window.window_of(end - 1) == (start, end)
    assert window.window_of(end)[0] == end


def local(zone: str, *, day: str) -> tuple[int, int]:
    return Calendar("day", zone).window_of(midnight(date.fromisoformat(day), zone))


@pytest.mark.parametrize(
    "zone, day, hours",
    [
        ("America/New_York", "2013-03-10", 23),
        ("America/New_York", "2013-11-03", 25),
        ("America/New_York", "2013-07-04", 24),
        ("Europe/Berlin", "2024-03-31", 23),
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("America/Sao_Paulo", "2018-11-04", 23),  # midnight itself is skipped
        ("America/Sao_Paulo", "2018-02-17", 25),  # the hour before midnight comes twice
        ("Pacific/Apia", "2011-12-31", 24),  # the day before it does not exist
        ("America/Havana", "2023-11-05", 25),  # midnight to one comes twice
    ],
)
def test_days_over_changes_of_clocks(zone: str, day: str, hours: float) -> None:
    start, end = local(zone, day=day)
    assert (end - start) / HOUR == hours


def test_a_skipped_date_has_no_records() -> None:
    zone = "Pacific/Apia"
    assert local(zone, day="2011-12-30") == local(zone, day="2011-12-31")
    assert local(zone, day="2011-12-29")[1] == local(zone, day="2011-12-31")[0]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    "period, time, start, end",
    [
        ("week", "2024-02-29T12:00", "2024-02-26", "2024-03-04"),
        ("week", "1969-12-28T23:00", "1969-12-22", "1969-12-29"),
        ("month", "2024-02-29T12:00", "2024-02-01", "2024-03-01"),
        ("month", "1969-12-31T23:59", "1969-12-01", "1970-01-01"),
        ("quarter", "2024-02-29T12:00", "2024-01-01", "2024-04-01"),
        ("quarter", "1900-12-31T00:00", "1900-10-01", "1901-01-01"),
        ("year", "2000-02-29T12:00", "2000-01-01", "2001-01-01"),
    ],
)
def test_longer_periods(period: str, time: str, start: str, end: str) -> None:
    assert Calendar(period).window_of(ms(time)) == (ms(start), ms(end))


@given(day=st.integers(-719_162, 2_932_896))
@examples(300)
def test_months_equal_those_of_the_standard_library(day: int) -> None:
    known = date(1970, 1, 1) + timedelta(days=day)
    start, end = Calendar("month").window_of(day * DAY)
    assert start == (known.replace(day=1) - date(1970, 1, 1)).days * DAY
    if known.year < 9999:
        following = (known.replace(day=1) + timedelta(days=31)).replace(day=1)
        assert end == (following - date(1970, 1, 1)).days * DAY


@pytest.mark.parametrize("period", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_the_ends_of_time(period: str, zone: str) -> None:
    window = Calendar(period, zone)
    for time in (MIN_TIME, MIN_TIME + 1, MAX_TIME - 1, MAX_TIME):
        start, end = window.window_of(time)
        assert start <= time < end
        assert end - start <= window.margin
    assert Calendar("day", "Asia/Tokyo").window_of(MIN_TIME)[0] < MIN_TIME
    assert Calendar("day", "America/New_York").window_of(MAX_TIME)[1] > MAX_TIME


def test_offsets_of_the_reference_documentation() -> None:
    quarter = Tumbling("1h", offset="15m")
    assert quarter.window_of(ms("2024-01-01T01:20")) == (
        ms("2024-01-01T01:15"),
        ms("2024-01-01T02:15"),
    )
    assert Tumbling("1d", offset="-8h").window_of(ms("2024-01-01T15:59")) == (
        ms("2023-12-31T16:00"),
        ms("2024-01-01T16:00"),
    )


def test_sessions_join() -> None:
    for window, touching in ((Session(10), False), (Session(10, inclusive=True), True)):
        assert window.joins(window.window_of(0), window.window_of(9))
        assert window.joins(window.window_of(9), window.window_of(0))
        assert window.joins(window.window_of(0), window.window_of(10)) is touching
        assert window.joins(window.window_of(10), window.window_of(0)) is touching
        assert not window.joins(window.window_of(0), window.window_of(11))
        assert window.bound(7) == 16


def test_descriptions_compare_and_print() -> None:
    assert Tumbling("10s") == Tumbling(10_000) == Tumbling(timedelta(seconds=10))
    assert repr(Sliding("10s", slide="2s")) == "Sliding(size=10000, slide=2000, offset=0)"
    assert Count(3) == Count(3, slide=3) and hash(Global()) == hash(Global())
    assert Count(3).bound(0) == Global().bound(0) == PLUS_INFINITY
    assert Session(5).margin is Count(2).margin is Global().margin is None


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Tumbling(0), "size"),
        (lambda: Tumbling("-1s"), "size"),
        (lambda: Tumbling("999999999d"), "longer than years 1 to 9999"),
        (lambda: Tumbling(10, offset=10), "offset is 10, but must be smaller than the size"),
        (lambda: Tumbling(10, offset="-10ms"), "offset"),
        (lambda: Sliding(10, 0), "slide"),
        (lambda: Sliding(10, 4, offset=5), "smaller than the slide"),
        (lambda: Session(0), "gap"),
        (lambda: Calendar("fortnight"), "use one of day, week, month, quarter, year"),
        (lambda: Calendar("day", "Mars/Olympus"), "does not know"),
        (lambda: Count(0), "size is 0"),
        (lambda: Count(True), "size is True"),
        (lambda: Count(2, slide=3), "would be lost"),
    ],
)
def test_wrong_use(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
