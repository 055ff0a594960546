"""A quantile sketch: counts of buckets whose bounds grow by a constant factor.

Every power of two is cut into 50 buckets of equal width, so a bucket is at most 2 % wide
and its representative within 1 % of every value in it. A bucket's number comes from the
bits of the float (`frexp`), never from a logarithm, whose last digit differs between
machines; so the sketch of a set of values is the same everywhere and in any order.

Source: Masson, Rim, Lee, "DDSketch", VLDB 2019, with the linearly interpolated mapping.
"""

from __future__ import annotations

from math import floor, frexp, isinf, ldexp
from typing import Any

STEPS = 50
"""Buckets per power of two."""

ACCURACY = 0.01
"""Largest relative error of a representative."""

LOW, HIGH = -64, 128
"""Powers of two that are told apart."""

Buckets = dict[int, int]


def observe(positive: Buckets, negative: Buckets, value: Any) -> int:
    """Counts a value in its bucket; returns 1 if it counts as zero, to be counted there.

    >>> positive, negative = {}, {}
    >>> observe(positive, negative, 1.0), observe(positive, negative, -3), positive, negative
    (0, 0, {0: 1}, {75: 1})
    """
    if value != value:
        return 0
    number = bucket(abs(value))
    if number is None:
        return 1
    side = positive if value > 0 else negative
    side[number] = side.get(number, 0) + 1
    return 0


def bucket(magnitude: Any) -> int | None:
    """The number of the bucket of a magnitude; None for what counts as zero."""
    try:
        fraction, power = frexp(magnitude)
    except OverflowError:  # an int beyond the largest float
        return HIGH * STEPS
    if isinf(fraction) or power > HIGH:
        return HIGH * STEPS
    if power - 1 < LOW or not fraction:
        return None
    return (power - 1) * STEPS + int((2 * fraction - 1) * STEPS)


def representative(number: int) -> float:
    """A value within 1 % of all of the bucket's."""
    power, step = divmod(number, STEPS)
    low, high = 1 + step / STEPS, 1 + (step + 1) / STEPS
    return ldexp(2 * low * high / (low + high), power)


def merge_buckets(into: Buckets, others: Buckets) -> None:
    """Adds the counts of `others`."""
    for number, count in others.items():
        into[number] = into.get(number, 0) + count


def estimate(positive: Buckets, negative: Buckets, zeros: int, q: float) -> float | None:
    """A value within 1 % of the one at place floor((n - 1) q); None of nothing.

    >>> positive = {}
    >>> for value in range(1, 101):
    ...     _ = observe(positive, {}, value)
    >>> abs(estimate(positive, {}, 0, 0.5) - 50) < 0.5
    True
    """
    below = sum(negative.values())
    count = below + zeros + sum(positive.values())
    if not count:
        return None
    place = floor((count - 1) * q)
    if place < below:
        return -_at(negative, below - 1 - place)
    if place < below + zeros:
        return 0.0
    return _at(positive, place - below - zeros)


def _at(buckets: Buckets, place: int) -> float:
    """The representative at a place, counted from the smallest magnitude."""
    number = 0
    for number in sorted(buckets):
        place -= buckets[number]
        if place < 0:
            break
    return representative(number)
