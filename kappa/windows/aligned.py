"""Tumbling and sliding windows: of one length, aligned to the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import ClassVar

from kappa.time import Duration
from kappa.windows.contract import Span, Window, alignment, length


@dataclass(frozen=True, slots=True, init=False)
class Tumbling(Window):
    """Windows of one length, side by side; every record is in exactly one.

    Half-open, `[start, end)`, aligned to the epoch plus `offset`. One division per record.

    Args:
        size: length, as a duration ("10s", timedelta, int milliseconds), at least 1 ms.
        offset: shift of the alignment, smaller than the size; "-8h" makes days of UTC+8.

    Raises:
        ConfigError: `size` is not positive, or `offset` not smaller.

    >>> Tumbling("10s").window_of(30_000)
    (30000, 40000)
    >>> Tumbling(10).window_of(-1)
    (-10, 0)

    Source: Akidau et al., The Dataflow Model, VLDB 2015, section 2.2.
    """

    size: int
    offset: int

    kind: ClassVar[str] = "tumbling"

    def __init__(self, size: Duration, offset: Duration = 0) -> None:
        object.__setattr__(self, "size", length(size, "size"))
        object.__setattr__(self, "offset", alignment(offset, self.size, "size"))

    def window_of(self, time: int) -> Span:
        """The window of a record's event time."""
        start = time - (time - self.offset) % self.size
        return start, start + self.size

    def windows_of(self, time: int) -> list[Span]:
        """The one window."""
        return [self.window_of(time)]

    def bound(self, min_time: int) -> int:
        """The end - 1 of the window."""
        return self.window_of(min_time)[1] - 1

    @property
    def margin(self) -> int:
        """The size."""
        return self.size


@dataclass(frozen=True, slots=True, init=False)
class Sliding(Window):
    """Windows of one length, a new one every `slide`; a record is in size / slide of them.

    With a slide longer than the size, records between two windows are in none: they are
    counted and go to the late output, without a window.

    Args:
        size: length, as a duration, at least 1 ms.
        slide: from one start to the next, at least 1 ms.
        offset: shift of the alignment, smaller than the slide.

    Raises:
        ConfigError: a length is not positive, or `offset` not smaller than the slide.

    >>> Sliding(10, 5).windows_of(12)
    [(5, 15), (10, 20)]
    >>> Sliding(2, slide=5).windows_of(3)
    []
    """

    size: int
    slide: int
    offset: int

    kind: ClassVar[str] = "sliding"

    def __init__(self, size: Duration, slide: Duration, offset: Duration = 0) -> None:
        object.__setattr__(self, "size", length(size, "size"))
        object.__setattr__(self, "slide", length(slide, "slide"))
        object.__setattr__(self, "offset", alignment(offset, self.slide, "slide"))

    @property
    def slice(self) -> int:
        """The longest length that divides windows such that each is made of whole slices."""
        return gcd(self.size, self.slide)

    def first_start(self, time: int) -> int:
        """The start of the earliest window that ends after `time`.

        >>> Sliding(10, 5).first_start(12), Sliding(2, 5).first_start(3)
        (5, 5)
        """
        beyond = time - self.size  # a start must lie behind this
        return beyond + self.slide - (beyond - self.offset) % self.slide

    def last_start(self, time: int) -> int:
        """The start of the latest window that has begun at `time`."""
        return time - (time - self.offset) % self.slide

    def windows_of(self, time: int) -> list[Span]:
        """Every window that holds `time`, by ascending start."""
        starts = range(self.first_start(time), time + 1, self.slide)
        return [(start, start + self.size) for start in starts]

    def bound(self, min_time: int) -> int:
        """The end - 1 of the earliest window that holds the time, or comes behind it."""
        return self.first_start(min_time) + self.size - 1

    @property
    def margin(self) -> int:
        """The size."""
        return self.size
