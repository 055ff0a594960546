"""Sums from which values can be taken back, without a trace of rounding.

Floats are kept as one whole number of 2**-1074, the smallest float; so adding and taking
back commute, and the sum is rounded once, when it is read: to the float nearest to the true
sum. What is not finite is counted.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

from kappa.aggregates.contract import number

SHIFT = 1074
SCALE = 1 << SHIFT

WHOLE, SCALED, FLOATS, NANS, UP, DOWN = range(6)

Exact = list[Any]
"""[sum of what is no float or None, sum of floats in 2**-1074, how many floats, NaN, inf, -inf]"""


def empty() -> Exact:
    """A sum of nothing."""
    return [None, 0, 0, 0, 0, 0]


def add(total: Exact, value: Any, sign: int) -> None:
    """Adds a value to a sum, or takes it back.

    Args:
        total: changed in place.
        value: a number.
        sign: 1, or -1 for a value that was added before.

    Raises:
        TypeError: the value is no number, or does not add to those before it.

    >>> total = empty()
    >>> for value in (1e100, 1.5, -3): add(total, value, 1)
    >>> add(total, 1e100, -1)
    >>> result(total)
    -1.5
    """
    if type(value) is not float:
        known = total[WHOLE]
        value = number(value)
        if known is None:
            total[WHOLE] = value if sign > 0 else -value
        else:
            total[WHOLE] = known + value if sign > 0 else known - value
        return
    if value - value == 0:  # finite
        top, bottom = value.as_integer_ratio()
        total[SCALED] += sign * (top << (SHIFT - bottom.bit_length() + 1))
    else:
        total[UP if value > 0 else DOWN if value < 0 else NANS] += sign
    total[FLOATS] += sign


def result(total: Exact) -> Any:
    """The sum; None if nothing ever entered it."""
    return _divided(total, 1)


def mean(total: Exact, count: int) -> Any:
    """The sum divided by a count, None if that is 0."""
    if not count:
        return None
    return _divided(total, count) if total[FLOATS] else total[WHOLE] / count


def _divided(total: Exact, count: int) -> Any:
    if not total[FLOATS]:
        return total[WHOLE]
    if total[NANS] or (total[UP] and total[DOWN]):
        return nan
    if total[UP] or total[DOWN]:
        return inf if total[UP] else -inf
    scaled = total[SCALED] + (0 if total[WHOLE] is None else total[WHOLE] * SCALE)
    try:
        return scaled / (SCALE * count)
    except OverflowError:
        return inf if scaled > 0 else -inf
