"""Calendar windows: days, weeks, months, quarters and years of a time zone.

A day begins at the first instant whose local date is that day or later. So a day is 23,
24 or 25 hours long over a change of clocks, a midnight that is skipped or repeated is
nothing special, and a date that a zone skipped as a whole is an empty window.

Days are counted from the epoch, proleptic Gregorian, without the limits of `date`, so a
window may begin before year 1 and end after year 9999.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from kappa.errors import ConfigError
from kappa.time import MAX_TIME, MIN_TIME
from kappa.windows.contract import Span, Window

DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

PERIODS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""The longest of each, in days of 24 hours."""


@dataclass(frozen=True, slots=True, init=False)
class Calendar(Window):
    """Windows that are days, weeks, months, quarters or years as people of a zone see them.

    Weeks begin on Monday.

    Args:
        period: "day", "week", "month", "quarter" or "year".
        zone: name of the time zone, "Europe/Berlin" for example.

    Raises:
        ConfigError: `period` is none of these, or the zone is not known on this machine.

    >>> start, end = Calendar("day", "America/New_York").window_of(1_362_895_200_000)
    >>> (end - start) / 3_600_000  # 10 March 2013, when clocks went forward
    23.0

    Cost: about 2 µs for a time outside the window looked up last.
    """

    period: str
    zone: str

    kind: ClassVar[str] = "calendar"

    def __init__(self, period: str, zone: str = "UTC") -> None:
        if period not in PERIODS:
            raise ConfigError(f"period is {period!r}; use one of {', '.join(PERIODS)}")
        object.__setattr__(self, "period", period)
        object.__setattr__(self, "zone", zone)
        _zone(zone)

    def window_of(self, time: int) -> Span:
        """The window of a record's event time."""
        day = (time + offset_at(time, self.zone)) // DAY_MS
        # In an hour repeated before midnight the local date goes back once the day began.
        while time >= first_instant(day + 1, self.zone):
            day += 1
        first, following = period_of(day, self.period)
        return first_instant(first, self.zone), first_instant(following, self.zone)

    def windows_of(self, time: int) -> list[Span]:
        """The one window."""
        return [self.window_of(time)]

    def bound(self, min_time: int) -> int:
        """The end - 1 of the window."""
        return self.window_of(min_time)[1] - 1

    @property
    def margin(self) -> int:
        """The longest such period, and a day for changes of the zone itself."""
        return (PERIODS[self.period] + 1) * DAY_MS


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"zone is {name!r}, which this machine does not know; use an IANA name such as"
            ' "Europe/Berlin" (the package tzdata has them all)'
        ) from error


def offset_at(time: int, zone: str) -> int:
    """The zone's offset from UTC at an instant, in ms.

    >>> offset_at(0, "Asia/Tokyo") // 3_600_000
    9
    """
    # `datetime` ends with year 9999; no zone changes in the last days on either side.
    inside = max(MIN_TIME + 2 * DAY_MS, min(time, MAX_TIME - 2 * DAY_MS))
    local = (_EPOCH + inside * _MS).astimezone(_zone(zone))
    return (local.utcoffset() or timedelta()) // _MS


@lru_cache(maxsize=4096)
def first_instant(day: int, zone: str) -> int:
    """The first instant whose local date is that day (from the epoch) or a later one.

    Takes a zone to change at most once within two days.
    """
    midnight = day * DAY_MS
    before, after = offset_at(midnight - DAY_MS, zone), offset_at(midnight + DAY_MS, zone)
    if before == after:
        return midnight - before
    low, high = midnight - DAY_MS, midnight + DAY_MS
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(middle, zone) == before:
            low = middle
        else:
            high = middle
    if midnight - before < high:
        return midnight - before
    return max(high, midnight - after)


def period_of(day: int, period: str) -> tuple[int, int]:
    """The first day of the period that holds `day`, and of the next one.

    >>> period_of(0, "week"), period_of(0, "month")
    ((-3, 4), (0, 31))
    """
    if period == "day":
        return day, day + 1
    if period == "week":
        monday = day - (day + 3) % 7  # day 0 was a Thursday
        return monday, monday + 7
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    number = _month(day)
    first = number - number % months
    return _first_day(first), _first_day(first + months)


def _month(day: int) -> int:
    """The month of a day, counted from January of year 0.

    Source: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    """
    era, day_of_era = divmod(day + 719_468, 146_097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    from_march = (5 * day_of_year + 2) // 153
    return (era * 400 + year) * 12 + from_march + 2


def _first_day(month: int) -> int:
    """The first day of a month, counted from January of year 0; days_from_civil there."""
    year, from_march = divmod(month - 2, 12)
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * from_march + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468
