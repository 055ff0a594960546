"""Moments as a schedule names them: "yesterday", "this month", "today-7d", "2013-03-10".

    moment := (now | day | [this|last|next] period) [(+|-) number unit] | ISO 8601
    day    := today | yesterday | tomorrow
    period := hour | day | week | month | quarter | year
    unit   := s | m | h | d | w

A day, week, month … is named for its first instant in a time zone, so that days are 23, 24
or 25 hours long over a change of clocks. Behind it, `d` and `w` count days of the calendar;
behind `now` they are 24 hours each. Weeks begin on Monday.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from kappa.errors import ConfigError
from kappa.time import instant_ms
from kappa.windows import Calendar
from kappa.windows.calendar import DAY_MS, first_instant, offset_at

HOUR_MS = 3_600_000
UNITS_MS = {"s": 1000, "m": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
DAYS = {"d": 1, "w": 7}
WORDS = {"today": ("this", "day"), "yesterday": ("last", "day"), "tomorrow": ("next", "day")}

_MOMENT = re.compile(
    r"(?:(?P<word>now|today|yesterday|tomorrow)"
    r"|(?P<which>this|last|next)\s+(?P<period>hour|day|week|month|quarter|year))"
    r"\s*(?:(?P<sign>[+-])\s*(?P<number>\d{1,6})\s*(?P<unit>[smhdw]))?"
)


def moment(text: str | None, *, zone: str | None, now: int) -> int | None:
    """An instant from text, in milliseconds since the epoch.

    Args:
        text: as above; None stays None.
        zone: IANA name of the time zone; None is UTC, and times must then say theirs.
        now: the present, in milliseconds.

    Raises:
        click.UsageError: it is no moment, or one that the zone's clocks skip.
        ConfigError: the zone is not known.

    >>> noon = 1_362_931_200_000  # 10 March 2013, 12:00 in New York, which lost an hour
    >>> (noon - moment("today", zone="America/New_York", now=noon)) / HOUR_MS
    11.0
    >>> moment("2013-03-10", zone=None, now=0)
    1362873600000
    """
    if text is None:
        return None
    found = _MOMENT.fullmatch(text.strip().lower())
    if found is None:
        return _written(text, zone)
    place = zone or "UTC"
    by = int(f"{found['sign']}{found['number']}") if found["number"] else 0
    if found["word"] == "now":
        return now + by * UNITS_MS.get(found["unit"], 0)
    which, period = WORDS.get(found["word"]) or (found["which"], found["period"])
    return _shifted(_start(now, which, period, place), by, found["unit"], place)


def _start(now: int, which: str, period: str, zone: str) -> int:
    """The first instant of this, the last or the next period."""
    start, end = _period(now, period, zone)
    if which == "next":
        return end
    return start if which == "this" else _period(start - 1, period, zone)[0]


def _period(time: int, period: str, zone: str) -> tuple[int, int]:
    if period != "hour":
        return Calendar(period, zone).window_of(time)
    start = time - (time + offset_at(time, zone)) % HOUR_MS
    return start, start + HOUR_MS


def _shifted(start: int, by: int, unit: str | None, zone: str) -> int:
    if unit not in DAYS:
        return start + by * UNITS_MS.get(unit or "", 0)
    day = (start + offset_at(start, zone)) // DAY_MS
    rest = start - first_instant(day, zone)  # an hour may begin within the day
    return first_instant(day + by * DAYS[unit], zone) + rest


def _written(text: str, zone: str | None) -> int:
    """An ISO 8601 date, which is its first instant, or time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"{text!r} is no moment: give an ISO 8601 date or time, or such as"
            ' "yesterday", "this month", "today-7d", "now-2h"'
        ) from None
    if time.tzinfo is None and len(text) == 10:
        Calendar("day", zone or "UTC")  # says what is wrong with the zone
        return first_instant(time.replace(tzinfo=UTC).toordinal() - _EPOCH, zone or "UTC")
    if time.tzinfo is None:
        time = _local(time, text, zone)
    try:
        return instant_ms(time)
    except ConfigError as error:
        raise click.UsageError(f"{text!r}: {error.message}") from None


_EPOCH = datetime(1970, 1, 1).toordinal()


def _local(time: datetime, text: str, zone: str | None) -> datetime:
    """A wall-clock time in a zone; of one that comes twice, the first."""
    if zone is None:
        raise click.UsageError(
            f"{text!r} has no time zone; add one, such as Z or -05:00, or give --zone"
        )
    Calendar("day", zone)
    there = time.replace(tzinfo=ZoneInfo(zone))
    back = there.astimezone(UTC).astimezone(there.tzinfo).replace(tzinfo=None)
    if abs(back - time) >= timedelta(milliseconds=1):
        raise click.UsageError(f"{text!r} does not exist in {zone}: its clocks skip it")
    return there
