"""The log of the demo: the year's half-hours appended at the instants they were complete.

Append time comes from the log's clock. Here it is a clock that is set by hand, so that
the log is what it would be if it had been written in 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from examples.flights.data import Slot, planes, weather
from kappa import Log
from kappa.time import SystemClock

OUTPUTS = ("delays_per_hour", "delays_per_day", "rotations", "too_late")


class HistoryClock(SystemClock):
    """A clock whose wall time is set by hand; waiting and time-outs are those of the machine."""

    def __init__(self) -> None:
        self.time_ms = 0

    def now_ms(self) -> int:
        """The time it was set to."""
        return self.time_ms


class History:
    """A log whose clock follows what is loaded.

    Args:
        directory: where the log is.
    """

    def __init__(self, directory: Path) -> None:
        self._clock = HistoryClock()
        self.directory = directory
        self.log = Log(directory, clock=self._clock)

    def create(self, began: int) -> None:
        """Makes the topics, at the instant `began`, and loads what is known beforehand."""
        self._clock.time_ms = began
        for name in ("departures", "arrivals"):
            self.log.create_topic(name, partitions=3, key="origin", time="scheduled")
        self.log.create_topic("planes", key="tail")
        self.log.create_topic("weather", key="origin", time="hour")
        self.log.append("planes", planes())
        self.log.append("weather", weather())

    def load(self, slots: Sequence[Slot], *, seen: Callable[[int], None] | None = None) -> None:
        """Appends slots, departures and arrivals of one in one append."""
        for number, slot in enumerate(slots, 1):
            self._clock.time_ms = slot.end
            reports = {"departures": slot.departures, "arrivals": slot.arrivals}
            self.log.append_many({topic: rows for topic, rows in reports.items() if rows})
            if seen is not None:
                seen(number)

    def close(self) -> None:
        """Closes the log."""
        self.log.close()
