"""Rules about the records of a window seen together: unique, increasing, decreasing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, ClassVar

from kappa.contracts.expectations.expectation import (
    Judged,
    Metric,
    WindowExpectation,
    listed,
    named,
)

PRECISION = 14
"""Of the sketch for approximate uniqueness: 16 KiB per window, standard error 0.8 %."""
ERROR = 1.04 / sqrt(2**PRECISION)


@dataclass(frozen=True)
class Series(WindowExpectation):
    """A rule about the values of a field in a window.

    Args:
        mostly: the least share of the values that are as expected.
    """

    mostly: float = field(default=1.0, kw_only=True)

    def judged(self, count: int, missing: int, unexpected: int, examples: Sequence[Any]) -> Judged:
        """The verdict on `count` values."""
        good = count == 0 or (count - unexpected) / count >= self.mostly
        return Judged(good, None, unexpected, tuple(examples), missing)


@dataclass(frozen=True)
class Unique(Series):
    """No value occurs twice in a window. All records of a value that does are unexpected.

    Args:
        column: the field.
        approximate: estimate by HyperLogLog, in 16 KiB: duplicates are seen if they are
            more than 3 standard errors (2.4 %) of the values.
        mostly: the least share of the values that occur once.
    """

    column: str
    approximate: bool = field(default=False, kw_only=True)

    name: ClassVar[str] = "expect_column_values_to_be_unique"

    def check(self) -> None:
        named(self, "column")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        rows = (Metric("rows"), Metric("present", self.columns))
        if self.approximate:
            return (*rows, Metric("approx_distinct", self.columns, (PRECISION,)))
        return (*rows, Metric("repeats", self.columns))

    def judge(self, values: Sequence[Any]) -> Judged:
        rows, present, found = values
        if not self.approximate:
            unexpected, examples = found
            return self.judged(present, rows - present, unexpected, examples)
        repeated = max(0, present - found)
        good = repeated <= present * (1 - self.mostly + 3 * ERROR)
        return Judged(good, found, repeated, (), rows - present)


@dataclass(frozen=True)
class UniqueTogether(Series):
    """No combination of values of several fields occurs twice in a window.

    A record in which all of them are missing is not judged.

    Args:
        column_list: the fields.
        mostly: the least share of the combinations that occur once.
    """

    column_list: Collection[str]

    name: ClassVar[str] = "expect_compound_columns_to_be_unique"

    def check(self) -> None:
        listed(self, "column_list")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.column_list)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (
            Metric("rows"),
            Metric("present", self.columns),
            Metric("repeats", self.columns),
        )

    def judge(self, values: Sequence[Any]) -> Judged:
        rows, present, (unexpected, examples) = values
        return self.judged(present, rows - present, unexpected, examples)


@dataclass(frozen=True)
class Increasing(Series):
    """Values do not decrease from one record of a window to the next, as they arrived.

    Each is compared with the one before it, missing values left out. What cannot be
    compared is unexpected.

    Args:
        column: the field.
        strictly: equal neighbours are unexpected too.
        mostly: the least share of the values that are as expected.
    """

    column: str
    strictly: bool = False

    name: ClassVar[str] = "expect_column_values_to_be_increasing"
    down: ClassVar[bool] = False

    def check(self) -> None:
        named(self, "column")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (
            Metric("rows"),
            Metric("present", self.columns),
            Metric("disorder", self.columns, (self.down, bool(self.strictly))),
        )

    def judge(self, values: Sequence[Any]) -> Judged:
        rows, present, (unexpected, examples) = values
        return self.judged(present, rows - present, unexpected, examples)


@dataclass(frozen=True)
class Decreasing(Increasing):
    """Values do not increase from one record of a window to the next, as they arrived."""

    name: ClassVar[str] = "expect_column_values_to_be_decreasing"
    down: ClassVar[bool] = True
