"""Session, count and global windows: cut by the records themselves, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kappa.errors import ConfigError
from kappa.time import PLUS_INFINITY, Duration
from kappa.windows.contract import Span, Window, length


@dataclass(frozen=True, slots=True, init=False)
class Session(Window):
    """Windows of activity: a pause of `gap` or more between records of a key ends one.

    A session is `[first event time, last event time + gap)`. Records exactly `gap` apart
    are two sessions, so that data alone decides. With `inclusive` they are one, if the
    first is still kept when the second comes: Flink's rule.

    Args:
        gap: the pause, as a duration, at least 1 ms.
        inclusive: records exactly `gap` apart belong together.

    Raises:
        ConfigError: `gap` is not positive.

    >>> Session(10).joins((0, 10), (10, 20)), Session(10, inclusive=True).joins((0, 10), (10, 20))
    (False, True)
    """

    gap: int
    inclusive: bool

    kind: ClassVar[str] = "session"
    merging: ClassVar[bool] = True

    def __init__(self, gap: Duration, inclusive: bool = False) -> None:
        object.__setattr__(self, "gap", length(gap, "gap"))
        object.__setattr__(self, "inclusive", inclusive)

    def window_of(self, time: int) -> Span:
        """The session of one record alone."""
        return time, time + self.gap

    def windows_of(self, time: int) -> list[Span]:
        """The session of one record alone; others of its key may join it."""
        return [self.window_of(time)]

    def joins(self, one: Span, other: Span) -> bool:
        """Whether two sessions of a key are one."""
        if self.inclusive:
            return one[0] <= other[1] and other[0] <= one[1]
        return one[0] < other[1] and other[0] < one[1]

    def bound(self, min_time: int) -> int:
        """The end - 1 of the record's own session: one that it joins ends no earlier."""
        return min_time + self.gap - 1

    @property
    def margin(self) -> None:
        """A session may be of any length."""
        return None


@dataclass(frozen=True, slots=True, init=False)
class Count(Window):
    """Windows of `size` records of a key, by order of arrival; nothing is late.

    With `slide`, after every `slide` records a window of the last `size` (of all, while
    there are fewer). What is left comes when the pipeline is closed. `window_start` and
    `window_end` are the smallest and largest event time in the window.

    Args:
        size: number of records, at least 1.
        slide: from one window to the next, 1 to `size`; `size` by default.

    Raises:
        ConfigError: a number is out of range.

    >>> Count(10, slide=1)
    Count(size=10, slide=1)
    """

    size: int
    slide: int

    kind: ClassVar[str] = "count"
    timed: ClassVar[bool] = False

    def __init__(self, size: int, slide: int | None = None) -> None:
        slide = size if slide is None else slide
        for name, value in (("size", size), ("slide", slide)):
            if type(value) is not int or value < 1:
                raise ConfigError(f"{name} is {value!r}, but must be a number of at least 1")
        if slide > size:
            raise ConfigError(f"slide is {slide}: records between windows of {size} would be lost")
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "slide", slide)

    def windows_of(self, time: int) -> list[Span]:
        """None: event time does not decide."""
        return []

    def bound(self, min_time: int) -> int:
        """Never: what a record causes, it causes when it arrives."""
        return PLUS_INFINITY

    @property
    def margin(self) -> None:
        """Any earlier record moves where windows begin."""
        return None


@dataclass(frozen=True, slots=True)
class Global(Window):
    """One window per key, for ever; nothing is late.

    Without a trigger it fires when the pipeline is closed, and only then. `window_start`
    and `window_end` are the smallest and largest event time so far.

    >>> Global()
    Global()
    """

    kind: ClassVar[str] = "global"
    timed: ClassVar[bool] = False

    def windows_of(self, time: int) -> list[Span]:
        """None: it has no bounds."""
        return []

    def bound(self, min_time: int) -> int:
        """Never, unless its trigger says so."""
        return PLUS_INFINITY

    @property
    def margin(self) -> None:
        """All records of a key are in it."""
        return None
