"""Durations: milliseconds as int, `timedelta`, or text such as "250ms" and "7d"."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TypeAlias

from kappa.errors import ConfigError

Duration: TypeAlias = "int | str | timedelta"

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TEXT = re.compile(r"\s*(-?)(\d{1,15})\s*(ms|s|m|h|d)\s*")


def duration_ms(value: Duration, *, name: str = "duration", minimum: int | None = None) -> int:
    """A duration in milliseconds.

    Args:
        value: int milliseconds, a `timedelta` of whole milliseconds, or text: a whole
            number and one of ms, s, m, h, d.
        name: what the duration is for, named in the error.
        minimum: smallest allowed value in milliseconds.

    Raises:
        ConfigError: `value` is none of these, or smaller than `minimum`.

    >>> duration_ms("15m"), duration_ms("-8h"), duration_ms(250)
    (900000, -28800000, 250)
    """
    result = _parse(value, name)
    if minimum is not None and result < minimum:
        raise ConfigError(f"{name} is {value!r}, but must be at least {format_duration(minimum)}")
    return result


def optional_ms(value: Duration | None, *, name: str, minimum: int = 1) -> int | None:
    """`duration_ms` of what may be left out.

    >>> optional_ms(None, name="retention"), optional_ms("7d", name="retention")
    (None, 604800000)
    """
    return None if value is None else duration_ms(value, name=name, minimum=minimum)


def _parse(value: Duration, name: str) -> int:
    if type(value) is int:
        return value
    if isinstance(value, timedelta):
        whole, rest = divmod(value, timedelta(milliseconds=1))
        if rest:
            raise ConfigError(f"{name} is {value!r}: durations are whole milliseconds")
        return whole
    if isinstance(value, str):
        match = _TEXT.fullmatch(value)
        if match:
            sign, number, unit = match.groups()
            return int(number) * UNITS_MS[unit] * (-1 if sign else 1)
    raise ConfigError(
        f"{name} is {value!r}: give int milliseconds, a timedelta, or text such as"
        ' "250ms", "10s", "15m", "1h", "7d"'
    )


def format_duration(ms: int) -> str:
    """The shortest text that `duration_ms` reads back as `ms`.

    >>> format_duration(90_000), format_duration(3_600_000), format_duration(0)
    ('90s', '1h', '0ms')
    """
    for unit in ("d", "h", "m", "s"):
        if ms and ms % UNITS_MS[unit] == 0:
            return f"{ms // UNITS_MS[unit]}{unit}"
    return f"{ms}ms"
