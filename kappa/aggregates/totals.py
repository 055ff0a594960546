"""count, sum, min, max, mean, variance and stddev.

A float sum adds in the order in which rows arrive, one addition per record.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from kappa.aggregates.contract import Aggregate, Code, Exactness, Source, given
from kappa.expressions import Selector


@dataclass(frozen=True)
class Count(Aggregate):
    """The number of rows, or of rows whose `source` is not null.

    Args:
        source: a field, an expression or a function; every row counts without it.
        where: only rows for which this holds (null does not) are counted.

    >>> Count(), Count("price").sources[0].name
    (Count(source=None, where=None), 'price')
    """

    source: Any = None
    where: Any = None

    kind: ClassVar[str] = "count"
    whole: ClassVar[bool] = True
    exact_merge: ClassVar[Exactness] = "always"

    def __init__(self, source: Source | None = None, *, where: Source | None = None) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The source, if there is one."""
        return () if self.source is None else (self.source,)

    def code(self) -> Code:
        """One slot: the number."""
        return Code(
            empty=("0",),
            first=("1",),
            add=("{a0} += 1",),
            merge=("{a0} += {b0}",),
            grouped=("len({v})",),
            result="{a0}",
        )


@dataclass(frozen=True)
class Numeric(Aggregate):
    """An aggregate of one source.

    Args:
        source: a field, an expression or a function; null values are skipped.
        where: only rows for which this holds are taken in.
    """

    source: Any = None
    where: Any = None

    def __init__(self, source: Source, *, where: Source | None = None) -> None:
        object.__setattr__(self, "source", given(source, self.kind))
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)


class Sum(Numeric):
    """The sum of the values that are not null; None if there are none.

    Exact for int and Decimal; floats are added in order of arrival.
    """

    kind: ClassVar[str] = "sum"
    exact_merge: ClassVar[Exactness] = "ints"

    def code(self) -> Code:
        """One slot: the sum so far, or None."""
        return Code(
            empty=("None",),
            first=("{n}",),
            unset="{a0} is None",
            add=("{a0} += {x}",),
            merge=("{a0} += {b0}",),
            grouped=("sum({v})",),
            result="{a0}",
        )


class Mean(Numeric):
    """The sum divided by the count, of the values that are not null; None if there are none."""

    kind: ClassVar[str] = "mean"
    exact_merge: ClassVar[Exactness] = "ints"

    def code(self) -> Code:
        """Two slots: the sum and the count."""
        return Code(
            empty=("None", "0"),
            first=("{n}", "1"),
            unset="not {a1}",
            add=("{a0} += {x}", "{a1} += 1"),
            merge=("{a0} += {b0}", "{a1} += {b1}"),
            grouped=("sum({v})", "len({v})"),
            result="{a0} / {a1} if {a1} else None",
        )


class Min(Numeric):
    """The smallest value that is not null; None if there are none.

    Of equal values the first to arrive; NaN is larger than all numbers, as in SQL engines.
    """

    kind: ClassVar[str] = "min"
    shares: ClassVar[bool] = True
    exact_merge: ClassVar[Exactness] = "ints"

    def code(self) -> Code:
        """One slot: the smallest so far."""
        return Code(
            empty=("None",),
            first=("{x}",),
            unset="{a0} is None",
            add=("if not {x} >= {a0} and {x} == {x}: {a0} = {x}",),
            merge=("if not {b0} >= {a0} and {b0} == {b0}: {a0} = {b0}",),
            grouped=("min({v})",),
            result="{a0}",
        )


class Max(Numeric):
    """The largest value that is not null; None if there are none.

    Of equal values the first to arrive; NaN is larger than all numbers, as in SQL engines.
    """

    kind: ClassVar[str] = "max"
    shares: ClassVar[bool] = True
    exact_merge: ClassVar[Exactness] = "ints"

    def code(self) -> Code:
        """One slot: the largest so far."""
        return Code(
            empty=("None",),
            first=("{x}",),
            unset="{a0} is None",
            add=("if not {x} <= {a0} and {a0} == {a0}: {a0} = {x}",),
            merge=("if not {b0} <= {a0} and {a0} == {a0}: {a0} = {b0}",),
            grouped=("max({v})",),
            result="{a0}",
        )


@dataclass(frozen=True)
class Variance(Aggregate):
    """The variance of the values that are not null.

    Welford's update, so there is no cancellation; accumulators merge by Chan's formula.

    Args:
        source: a field, an expression or a function.
        sample: divide by n - 1, and give None for fewer than two values; else by n.
        where: only rows for which this holds are taken in.

    Source: Welford 1962; Chan, Golub, LeVeque, "Updating formulae", 1979.
    """

    source: Any = None
    sample: bool = True
    where: Any = None

    kind: ClassVar[str] = "variance"

    def __init__(self, source: Source, *, sample: bool = True, where: Source | None = None) -> None:
        object.__setattr__(self, "source", given(source, self.kind))
        object.__setattr__(self, "sample", sample)
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    def code(self) -> Code:
        """Three slots: count, mean, and the sum of squared differences from the mean."""
        return Code(
            empty=("0", "0", "0"),
            add=(
                "{a0} += 1",
                "_d = {x} - {a1}",
                "{a1} += _d / {a0}",
                "{a2} += _d * ({x} - {a1})",
            ),
            merge=(
                "if {b0}:",
                "    _n = {a0} + {b0}",
                "    _d = {b1} - {a1}",
                "    {a1} += _d * {b0} / _n",
                "    {a2} += {b2} + _d * _d * {a0} * {b0} / _n",
                "    {a0} = _n",
            ),
            result="{a2} / ({a0} - 1) if {a0} > 1 else None"
            if self.sample
            else "{a2} / {a0} if {a0} else None",
        )


class Stddev(Variance):
    """The square root of the variance, of a sample by default."""

    kind: ClassVar[str] = "stddev"

    def code(self) -> Code:
        """As the variance; the root is taken of the result."""
        code = super().code()
        value, _, rest = code.result.partition(" if ")
        return Code(
            empty=code.empty,
            add=code.add,
            merge=code.merge,
            result=f"{{root}}({value}) if {rest}",
            names={"root": sqrt},
        )
