"""Parts of instants: year to second, dates, text, and rounding down.

An instant is int milliseconds since the epoch, or an aware datetime; a date stands for its
midnight in the zone. Everything is computed in a zone, UTC unless another is given.

Where a rule has arithmetic for int columns (`rules`), the function here does the same with
an int, however far from any calendar: what a row gives must not depend on its neighbours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from kappa.errors import ConfigError
from kappa.time import format_duration

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY_MS = 86_400_000
CALENDAR = ("day", "week", "month", "quarter", "year")


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ConfigError: there is no such zone on this machine.
    """
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # milliseconds that `import kappa` need not pay

    try:
        return ZoneInfo(name)
    except Exception as cause:
        raise ConfigError(
            f"unknown time zone {name!r}; give a name such as 'Europe/Berlin'"
        ) from cause


def moment(value: object, zone: tzinfo = UTC) -> datetime:
    """An instant as a datetime in `zone`.

    >>> moment(0, zone_of("America/New_York")).isoformat()
    '1969-12-31T19:00:00-05:00'
    """
    if type(value) is int:
        utc = EPOCH + timedelta(milliseconds=value)
        return utc if zone is UTC else utc.astimezone(zone)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value.astimezone(zone)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    raise TypeError(
        f"{value!r} is no instant: give int milliseconds since the epoch or an aware datetime"
    )


def year(value: object, zone: tzinfo = UTC) -> int:
    """The calendar year."""
    return moment(value, zone).year


def month(value: object, zone: tzinfo = UTC) -> int:
    """The month, 1 to 12."""
    return moment(value, zone).month


def day(value: object, zone: tzinfo = UTC) -> int:
    """The day of the month."""
    return moment(value, zone).day


def hour(value: object, zone: tzinfo = UTC) -> int:
    """The hour, 0 to 23."""
    if type(value) is int and zone is UTC:
        return value // 3_600_000 % 24
    return moment(value, zone).hour


def minute(value: object, zone: tzinfo = UTC) -> int:
    """The minute, 0 to 59."""
    if type(value) is int and zone is UTC:
        return value // 60_000 % 60
    return moment(value, zone).minute


def second(value: object, zone: tzinfo = UTC) -> int:
    """The second, 0 to 59."""
    if type(value) is int and zone is UTC:
        return value // 1_000 % 60
    return moment(value, zone).second


def weekday(value: object, zone: tzinfo = UTC) -> int:
    """The day of the week, Monday 0 to Sunday 6."""
    if type(value) is int and zone is UTC:
        return (value // DAY_MS + 3) % 7
    return moment(value, zone).weekday()


def date_of(value: object, zone: tzinfo = UTC) -> date:
    """The calendar date.

    >>> date_of(0)
    datetime.date(1970, 1, 1)
    """
    return moment(value, zone).date()


def text_of(value: object, pattern: str, zone: tzinfo = UTC) -> str:
    """`strftime` text.

    >>> text_of(0, "%Y-%m-%d %H:%M")
    '1970-01-01 00:00'
    """
    return moment(value, zone).strftime(pattern)


def truncate(value: Any, unit: int | str, zone: tzinfo = UTC) -> Any:
    """The start of the unit that an instant lies in, in the type of the instant.

    Args:
        unit: milliseconds, counted from the zone's midnight of 1970-01-01 by the offset
            that holds at the instant; or one of day, week (from Monday), month, quarter,
            year: right over daylight-saving changes.

    >>> truncate(90_061_001, 60_000), truncate(90_061_001, "day")
    (90060000, 86400000)
    """
    if type(value) is type(unit) is int and zone is UTC:
        return value // unit * unit
    local = moment(value, zone)
    if isinstance(unit, str):
        start = _start(local, unit, zone)
    else:
        offset = (local.utcoffset() or timedelta()) // MILLISECOND
        time_ms = (local - EPOCH) // MILLISECOND + offset
        start = EPOCH + timedelta(milliseconds=time_ms - time_ms % unit - offset)
    return (start - EPOCH) // MILLISECOND if type(value) is int else start.astimezone(zone)


def _start(local: datetime, unit: str, zone: tzinfo) -> datetime:
    first = local.date()
    if unit == "week":
        first -= timedelta(days=first.weekday())
    elif unit == "month":
        first = first.replace(day=1)
    elif unit == "quarter":
        first = first.replace(month=first.month - (first.month - 1) % 3, day=1)
    elif unit == "year":
        first = first.replace(month=1, day=1)
    return datetime(first.year, first.month, first.day, tzinfo=zone)


def unit_text(unit: int | str) -> str:
    """How a unit was written, or the same thing written shorter.

    >>> unit_text(900_000), unit_text("month")
    ('15m', 'month')
    """
    return unit if isinstance(unit, str) else format_duration(unit)
