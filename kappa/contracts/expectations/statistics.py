"""Rules about a number of a window: how many rows, and statistics of a field."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kappa.contracts.expectations.bounds import Bounds
from kappa.contracts.expectations.expectation import (
    Judged,
    Metric,
    WindowExpectation,
    is_missing,
    listed,
    named,
)


@dataclass(frozen=True)
class RowCount(Bounds, WindowExpectation):
    """The number of records lies in a range. A window without records has no result."""

    name: ClassVar[str] = "expect_table_row_count_to_be_between"

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("rows"),)

    def judge(self, values: Sequence[Any]) -> Judged:
        return Judged(self.inside(values[0]), values[0])


@dataclass(frozen=True)
class RowCountEquals(WindowExpectation):
    """The number of records is this one.

    Args:
        value: the number.
    """

    value: int

    name: ClassVar[str] = "expect_table_row_count_to_equal"

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("rows"),)

    def judge(self, values: Sequence[Any]) -> Judged:
        return Judged(values[0] == self.value, values[0])


@dataclass(frozen=True)
class _Column(WindowExpectation):
    column: str

    def __post_init__(self) -> None:
        named(self, "column")
        super().__post_init__()

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True)
class Statistic(Bounds, _Column):
    """A statistic of the values that are not missing lies in a range.

    Of no values there is none, and then it does not hold; nor does it if some of the values
    are no numbers (for the smallest and largest: cannot be compared with each other).

    Args:
        column: the field.
        min_value, max_value: the bounds; None for none. Both are inside.
        strict_min, strict_max: the bound itself is outside.
    """

    metric: ClassVar[str] = ""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(self.metric, self.columns), Metric("strangers", self.columns))

    def judge(self, values: Sequence[Any]) -> Judged:
        value, strangers = values
        good = not strangers and not is_missing(value) and self._inside(value)
        return Judged(good, value, strangers or None)

    def _inside(self, value: Any) -> bool:
        try:
            return self.inside(value)
        except TypeError:  # of another type than the bounds
            return False


class Mean(Statistic):
    """The mean lies in a range."""

    name: ClassVar[str] = "expect_column_mean_to_be_between"
    metric: ClassVar[str] = "mean"


class Median(Statistic):
    """The median lies in a range; of an even number of values the mean of the middle two."""

    name: ClassVar[str] = "expect_column_median_to_be_between"
    metric: ClassVar[str] = "median"


class Stdev(Statistic):
    """The standard deviation (of a sample) lies in a range."""

    name: ClassVar[str] = "expect_column_stdev_to_be_between"
    metric: ClassVar[str] = "stdev"


class Sum(Statistic):
    """The sum lies in a range."""

    name: ClassVar[str] = "expect_column_sum_to_be_between"
    metric: ClassVar[str] = "sum"


class Extreme(Statistic):
    """The smallest or largest value lies in a range."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(self.metric, self.columns),)

    def judge(self, values: Sequence[Any]) -> Judged:
        ((value, strangers),) = values
        good = not strangers and not is_missing(value) and self._inside(value)
        return Judged(good, value, strangers or None)


class Min(Extreme):
    """The smallest value lies in a range."""

    name: ClassVar[str] = "expect_column_min_to_be_between"
    metric: ClassVar[str] = "min"


class Max(Extreme):
    """The largest value lies in a range."""

    name: ClassVar[str] = "expect_column_max_to_be_between"
    metric: ClassVar[str] = "max"


class DistinctCount(Statistic):
    """The number of different values lies in a range."""

    name: ClassVar[str] = "expect_column_unique_value_count_to_be_between"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("distinct", self.columns),)

    def judge(self, values: Sequence[Any]) -> Judged:
        return Judged(self._inside(values[0]), values[0])


class Share(Statistic):
    """A share of the records or values lies in a range."""

    def judge(self, values: Sequence[Any]) -> Judged:
        part, whole = values
        share = part / whole if whole else None
        return Judged(share is not None and self._inside(share), share)


class DistinctShare(Share):
    """The number of different values, divided by that of values, lies in a range."""

    name: ClassVar[str] = "expect_column_proportion_of_unique_values_to_be_between"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("distinct", self.columns), Metric("present", self.columns))


class PresentShare(Share):
    """The share of the records that have a value lies in a range: one less the null share."""

    name: ClassVar[str] = "expect_column_proportion_of_non_null_values_to_be_between"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("present", self.columns), Metric("rows"))


@dataclass(frozen=True)
class Quantiles(_Column):
    """Quantiles lie in ranges.

    A quantile is the value nearest to its place in the sorted values, as in Great
    Expectations; of a tie the one at the even place.

    Args:
        column: the field.
        quantile_ranges: {"quantiles": [0.05, 0.5], "value_ranges": [[0, 3], [2, None]]}.
    """

    quantile_ranges: Any = field(default_factory=dict)

    name: ClassVar[str] = "expect_column_quantile_values_to_be_between"

    def check(self) -> None:
        given = self.quantile_ranges
        if not isinstance(given, Mapping) or set(given) != {"quantiles", "value_ranges"}:
            raise self.wrong('quantile_ranges: give {"quantiles": […], "value_ranges": […]}')
        quantiles = tuple(given["quantiles"])
        ranges = tuple(tuple(pair) for pair in given["value_ranges"])
        if len(quantiles) != len(ranges) or not quantiles or any(len(r) != 2 for r in ranges):
            raise self.wrong("quantile_ranges: a range [low, high] for each quantile")
        if not all(isinstance(q, int | float) and 0 <= q <= 1 for q in quantiles):
            raise self.wrong(f"quantiles {list(quantiles)}: numbers from 0 to 1")
        self.put("quantile_ranges", {"quantiles": quantiles, "value_ranges": ranges})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("quantiles", self.columns, self.quantile_ranges["quantiles"]),)

    def judge(self, values: Sequence[Any]) -> Judged:
        (found,) = values
        ranges = self.quantile_ranges["value_ranges"]
        good = bool(found) and all(_within(v, *pair) for v, pair in zip(found, ranges))
        return Judged(good, found)


def _within(value: Any, low: Any, high: Any) -> bool:
    try:
        return (low is None or value >= low) and (high is None or value <= high)
    except TypeError:  # of another type than the bounds
        return False


@dataclass(frozen=True)
class DistinctInSet(_Column):
    """Every value that occurs is one of these.

    Args:
        column: the field.
        value_set: the values.
    """

    value_set: Collection[Any] = ()

    name: ClassVar[str] = "expect_column_distinct_values_to_be_in_set"

    def check(self) -> None:
        listed(self, "value_set", empty=True)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("value_counts", self.columns),)

    def judge(self, values: Sequence[Any]) -> Judged:
        (counts,) = values
        return Judged(self.holds(set(counts), set(self.value_set)), in_order(counts))

    def holds(self, seen: set[Any], given: set[Any]) -> bool:
        """Whether the values that occur are as expected."""
        return seen <= given


class DistinctContainsSet(DistinctInSet):
    """Each of these values occurs."""

    name: ClassVar[str] = "expect_column_distinct_values_to_contain_set"

    def holds(self, seen: set[Any], given: set[Any]) -> bool:
        return seen >= given


class DistinctEqualsSet(DistinctInSet):
    """The values that occur are these."""

    name: ClassVar[str] = "expect_column_distinct_values_to_equal_set"

    def holds(self, seen: set[Any], given: set[Any]) -> bool:
        return seen == given


@dataclass(frozen=True)
class MostCommonInSet(DistinctInSet):
    """The most common value is one of these.

    Args:
        column: the field.
        value_set: the values.
        ties_okay: of several that are equally common, one is enough; else all must be.
    """

    ties_okay: bool = field(default=False, kw_only=True)

    name: ClassVar[str] = "expect_column_most_common_value_to_be_in_set"

    def judge(self, values: Sequence[Any]) -> Judged:
        (counts,) = values
        most = max(counts.values(), default=0)
        modes = [value for value, count in counts.items() if count == most]
        test = any if self.ties_okay else all
        good = bool(modes) and test(value in self.value_set for value in modes)
        return Judged(good, in_order(modes))


def in_order(values: Any) -> list[Any]:
    """Values ascending where they can be compared, else by type and text."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda one: (type(one).__name__, repr(one)))
