"""A field's number or text as an event time, in milliseconds UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from kappa.errors import ConfigError
from kappa.time import check_time

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
MILLISECOND = timedelta(milliseconds=1)
TO_MS: dict[str, Callable[[float], int]] = {
    "s": lambda number: round(number * 1000),
    "ms": lambda number: round(number),
    "us": lambda number: int(number // 1000),
    "ns": lambda number: int(number // 1_000_000),
}


@dataclass(frozen=True)
class TimeField:
    """Where a record's event time is, and how it is written.

    Args:
        name: the field.
        format: "s", "ms", "us" or "ns" for numbers since the epoch; "iso" for ISO 8601
            text; a pattern with % as in `strptime`; "auto" takes whole numbers as
            milliseconds and text as ISO 8601.
        zone: the time zone of times that name none, such as "America/New_York". An hour
            that comes twice when clocks go back is read as the first.

    Raises:
        ConfigError: the format or the zone is none of these.

    >>> TimeField("at", zone="America/New_York").read({"at": "2013-03-10 03:00"})
    1362898800000
    """

    name: str
    format: str = "auto"
    zone: str | None = None

    def __post_init__(self) -> None:
        if self.format not in {"auto", "iso", *TO_MS} and "%" not in self.format:
            raise ConfigError(
                f"the time format {self.format!r} is unknown:"
                ' give "s", "ms", "us", "ns", "iso" or a pattern such as "%d.%m.%Y %H:%M"'
            )
        self._tzinfo()

    def read(self, record: object) -> int:
        """The event time of `record`.

        Raises:
            ValueError: it has none; the message says why.
        """
        if not isinstance(record, Mapping):
            raise ValueError(f"no field {self.name!r}: the record is a {type(record).__name__}")
        return self.moment(record.get(self.name))

    def moment(self, value: object) -> int:
        """The event time that a value of the field is.

        Raises:
            ValueError: it is none; the message says why.
        """
        if value is None:
            raise ValueError(f"no time: field {self.name!r} is missing or null")
        try:
            return check_time(self._instant(value))
        except ConfigError as error:
            raise ValueError(error.message) from None
        except (ValueError, OverflowError) as error:
            raise ValueError(f"field {self.name!r} is {value!r}: {error}") from None

    def _instant(self, value: object) -> int:
        if self.format in TO_MS:
            return TO_MS[self.format](_number(value))
        if self.format == "auto" and type(value) is int:
            return value
        if isinstance(value, datetime):
            return self._in_zone(value)
        if isinstance(value, date):
            return self._in_zone(datetime(value.year, value.month, value.day))
        if not isinstance(value, str):
            _fail(f"not a time as {self.format!r} has it")
        if "%" in self.format:
            return self._in_zone(datetime.strptime(value, self.format))
        return self._in_zone(datetime.fromisoformat(value))

    def _in_zone(self, moment: datetime) -> int:
        if moment.tzinfo is None:
            zone = self._tzinfo()
            if zone is None:
                _fail("no time zone; say which with --time-zone")
            moment = moment.replace(tzinfo=zone)
        return (moment - EPOCH) // MILLISECOND

    def _tzinfo(self) -> ZoneInfo | None:
        if self.zone is None:
            return None
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise ConfigError(
                f'there is no time zone {self.zone!r}; names are like "America/New_York"'
            ) from None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        _fail("not a number")
    return float(value) if isinstance(value, float | str) else value


def _fail(reason: str) -> NoReturn:
    raise ValueError(reason)
