"""What a window is: a frozen description of how event time (or arrival) is cut.

A window is half-open, `[start, end)`, in milliseconds since the epoch. It fires when the
watermark reaches end - 1, and a row of its has that event time.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from kappa.errors import ConfigError
from kappa.time import MAX_TIME, MIN_TIME, Duration, duration_ms

Span: TypeAlias = tuple[int, int]
"""Start and end of a window; the end is not part of it."""

LONGEST = MAX_TIME - MIN_TIME


class Window:
    """A description of windows; subclasses are frozen dataclasses.

    `kind` names it in messages. `timed` says that event time ends its windows, so records
    can be late, and `merging` that a record may join windows that were two.
    """

    kind: ClassVar[str]
    timed: ClassVar[bool] = True
    merging: ClassVar[bool] = False

    def windows_of(self, time: int) -> list[Span]:
        """The windows that a record of this event time belongs to, by ascending start."""
        raise NotImplementedError

    def bound(self, min_time: int) -> int:
        """The earliest watermark at which a record of that time, or later, has an effect."""
        raise NotImplementedError

    @property
    def margin(self) -> int | None:
        """Event time in ms that one window may span; None where there is no limit."""
        raise NotImplementedError


def length(value: Duration, name: str) -> int:
    """A window's length, gap or slide in ms.

    Raises:
        ConfigError: not positive, or longer than all of time.
    """
    result = duration_ms(value, name=name, minimum=1)
    if result > LONGEST:
        raise ConfigError(f"{name} is {value!r}: longer than years 1 to 9999")
    return result


def alignment(value: Duration, of: int, name: str) -> int:
    """An offset in ms.

    Raises:
        ConfigError: it is not smaller than `of`, the `name` that it shifts.
    """
    result = duration_ms(value, name="offset")
    if abs(result) >= of:
        raise ConfigError(
            f"offset is {value!r}, but must be smaller than the {name}: an offset of"
            f" {result % of} ms gives the same windows"
        )
    return result
