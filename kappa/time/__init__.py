"""Instants and durations as integers, and the one door to the clock.

An instant is milliseconds since the epoch, UTC, within years 1 to 9999. A duration
is milliseconds. Watermark arithmetic saturates at `MINUS_INFINITY` and
`PLUS_INFINITY`. Nothing else in kappa asks what time it is.
"""

from kappa.time.clock import Clock, ManualClock, SystemClock
from kappa.time.durations import Duration, duration_ms, format_duration, optional_ms
from kappa.time.instants import (
    MAX_TIME,
    MIN_TIME,
    MINUS_INFINITY,
    PLUS_INFINITY,
    Instant,
    check_time,
    format_time,
    instant_ms,
    shift,
    span_ms,
)

__all__ = [
    "MAX_TIME",
    "MINUS_INFINITY",
    "MIN_TIME",
    "PLUS_INFINITY",
    "Clock",
    "Duration",
    "Instant",
    "ManualClock",
    "SystemClock",
    "check_time",
    "duration_ms",
    "format_duration",
    "format_time",
    "instant_ms",
    "optional_ms",
    "shift",
    "span_ms",
]
