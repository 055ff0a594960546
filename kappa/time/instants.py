"""Instants: milliseconds since the epoch, UTC, and saturating arithmetic on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from kappa.errors import ConfigError

Instant: TypeAlias = "int | str | datetime"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MIN_TIME = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
MAX_TIME = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
MINUS_INFINITY = -(1 << 62)
PLUS_INFINITY = 1 << 62


def instant_ms(value: Instant, *, name: str = "time") -> int:
    """An instant in milliseconds since the epoch.

    Args:
        value: int milliseconds, an aware `datetime`, or ISO 8601 text with an offset
            (a date alone is midnight UTC).
        name: what the instant is for, named in the error.

    Raises:
        ConfigError: naive, outside years 1 to 9999, or not an instant at all.

    >>> instant_ms("2013-03-10T01:00:00-05:00"), instant_ms("1970-01-02")
    (1362895200000, 86400000)
    """
    if type(value) is int:
        return check_time(value, name=name)
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{name} is {value!r}: not an ISO 8601 time") from None
        value = parsed.replace(tzinfo=UTC) if len(value) == 10 else parsed
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ConfigError(f"{name} is {value.isoformat()}, which has no time zone; add one")
        return (value - EPOCH) // timedelta(milliseconds=1)
    raise ConfigError(
        f"{name} is {value!r} ({type(value).__name__}): give int milliseconds since the epoch,"
        " an aware datetime, or ISO 8601 text with an offset"
    )


def span_ms(since: Instant | None, until: Instant | None) -> tuple[int, int]:
    """A range of event times in milliseconds; infinite where no end is given.

    Raises:
        ConfigError: naming `since` or `until`, as `instant_ms`.

    >>> span_ms(None, "1970-01-02") == (MINUS_INFINITY, 86_400_000)
    True
    """
    return (
        MINUS_INFINITY if since is None else instant_ms(since, name="since"),
        PLUS_INFINITY if until is None else instant_ms(until, name="until"),
    )


def check_time(value: int, *, name: str = "time") -> int:
    """`value` itself if it lies within years 1 to 9999.

    Raises:
        ConfigError: it does not; the message guesses at seconds or microseconds.
    """
    if MIN_TIME <= value <= MAX_TIME:
        return value
    raise ConfigError(
        f"{name} is {value}, outside years 1 to 9999 in milliseconds since the epoch"
        " (microseconds or nanoseconds by mistake?)"
    )


def shift(time_ms: int, by_ms: int) -> int:
    """`time_ms + by_ms`, where either infinity stays what it is.

    >>> shift(PLUS_INFINITY, -5) == PLUS_INFINITY, shift(100, -5)
    (True, 95)
    """
    if time_ms <= MINUS_INFINITY or time_ms >= PLUS_INFINITY:
        return time_ms
    return max(MINUS_INFINITY, min(PLUS_INFINITY, time_ms + by_ms))


def format_time(time_ms: int | None) -> str:
    """ISO 8601 in UTC, or a word where there is no such instant.

    >>> format_time(0), format_time(MINUS_INFINITY)
    ('1970-01-01T00:00:00.000Z', '-inf')
    """
    if time_ms is None:
        return "none"
    if time_ms <= MINUS_INFINITY:
        return "-inf"
    if time_ms >= PLUS_INFINITY:
        return "+inf"
    if not MIN_TIME <= time_ms <= MAX_TIME:
        return f"{time_ms} ms"
    moment = EPOCH + timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.").zfill(20) + f"{time_ms % 1000:03d}Z"
