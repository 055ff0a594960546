"""Functions on instants, as `meta.time.dt...` or `col("ts").dt...`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from kappa.expressions.clockwork import CALENDAR, DAY_MS, zone_of
from kappa.expressions.expression import Expression, call
from kappa.expressions.nodes import Literal
from kappa.time import Duration, duration_ms, format_duration


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Parts of an instant: int milliseconds since the epoch, or an aware datetime.

    Every method takes a zone by name, "UTC" unless given. Null stays null. On int columns
    without nulls, in UTC, hour to second, weekday and fixed units are plain arithmetic.

    >>> from kappa.expressions import meta
    >>> meta.time.dt.hour(zone="Europe/Berlin")
    meta.time.dt.hour(zone='Europe/Berlin')
    """

    of: Expression

    def year(self, zone: str = "UTC") -> Expression:
        """The calendar year."""
        return self._call("year", zone)

    def month(self, zone: str = "UTC") -> Expression:
        """The month, 1 to 12."""
        return self._call("month", zone)

    def day(self, zone: str = "UTC") -> Expression:
        """The day of the month."""
        return self._call("day", zone)

    def hour(self, zone: str = "UTC") -> Expression:
        """The hour, 0 to 23."""
        return self._call("hour", zone)

    def minute(self, zone: str = "UTC") -> Expression:
        """The minute, 0 to 59."""
        return self._call("minute", zone)

    def second(self, zone: str = "UTC") -> Expression:
        """The second, 0 to 59."""
        return self._call("second", zone)

    def weekday(self, zone: str = "UTC") -> Expression:
        """The day of the week, Monday 0 to Sunday 6."""
        return self._call("weekday", zone)

    def date(self, zone: str = "UTC") -> Expression:
        """The calendar date, a `datetime.date`."""
        return self._call("date", zone)

    def format(self, pattern: str, zone: str = "UTC") -> Expression:
        """As text, by a pattern of `strftime`."""
        return self._call("format", zone, pattern)

    def truncate(self, unit: Duration, zone: str = "UTC") -> Expression:
        """The start of the unit it lies in, as an instant of the same type.

        Args:
            unit: a duration such as "15m", or day, week (from Monday), month, quarter,
                year. "1d" is a calendar day.

        Raises:
            ConfigError: the unit is neither, or not positive.
        """
        fixed = unit not in CALENDAR
        size = duration_ms(unit, name="unit", minimum=1) if fixed else 0
        if fixed and size == DAY_MS and zone != "UTC":
            return self._call("start_of", zone, "day")
        if unit == "day" and zone == "UTC":
            fixed, size = True, DAY_MS
        if fixed:
            return self._call("truncate", zone, Literal(size, repr(format_duration(size))))
        return self._call("start_of", zone, unit)

    def _call(self, name: str, zone: str, *operands: object) -> Expression:
        found = zone_of(zone)
        if found is UTC:
            return call(f"dt_{name}", self.of, *operands)
        return call(f"dt_{name}_in", self.of, *operands, Literal(found, repr(zone)))
