"""The one door to the wall clock and to waiting."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from kappa.time.durations import duration_ms


class Clock(Protocol):
    """What kappa asks of a clock: the wall time, a monotonic time, and to wait."""

    def now_ms(self) -> int:
        """Wall time, milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for time-outs and rates."""
        ...

    def wait(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Waits, at most until `stop` is set."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_ms(self) -> int:
        """Wall time, milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Sleeps, or waits for `stop`."""
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)


class ManualClock:
    """A clock that moves only when told, for tests.

    >>> clock = ManualClock(1_000)
    >>> clock.advance("5s")
    >>> clock.now_ms()
    6000
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The time it was last set to."""
        return self._now_ms

    def monotonic(self) -> float:
        """The same time in seconds."""
        return self._now_ms / 1000

    def wait(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Moves the clock on instead of waiting."""
        self._now_ms += max(1, round(seconds * 1000))

    def advance(self, by: int | str) -> None:
        """Moves the clock on by a duration."""
        self._now_ms += duration_ms(by)
