"""The metrics of expectations as aggregates, and the columns these take in.

    rows              how many records
    present           … have a value in at least one of the columns
    strangers         values that are no numbers, where numbers are wanted
    sum mean median stdev quantiles       of the values that are numbers
    min max           (value, how many could not be compared with it)
    distinct approx_distinct repeats value_counts observed disorder       of all values

A column is taken in without NaN; combinations of columns as tuples.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any

from kappa.aggregates import Aggregate, agg
from kappa.aggregates.tallies import (
    Disorder,
    Distinct,
    Extreme,
    NearestQuantiles,
    Places,
    Repeats,
    Tally,
)
from kappa.batch import Batch
from kappa.contracts.expectations.expectation import Metric, has_missing, is_missing

NUMERIC = frozenset({"sum", "mean", "median", "stdev", "quantiles"})
_NUMBERS = frozenset({int, float})
_ALSO_NUMBERS = frozenset({bool, Decimal})

AGGREGATES: dict[str, Callable[..., Aggregate]] = {
    "rows": lambda column: agg.count(),
    "present": agg.count,
    "strangers": agg.count,
    "sum": agg.sum,
    "mean": agg.mean,
    "median": lambda column: agg.quantile(column, 0.5),
    "stdev": agg.stddev,
    "quantiles": lambda column, *quantiles: NearestQuantiles(column, quantiles),
    "min": lambda column: Extreme(column, largest=False),
    "max": lambda column: Extreme(column, largest=True),
    "distinct": Distinct,
    "approx_distinct": lambda column, precision: agg.approx_distinct(column, precision=precision),
    "repeats": Repeats,
    "value_counts": Tally,
    "observed": Places,
    "disorder": Disorder,
}


def column_name(metric: Metric) -> str:
    """The column that a metric is computed from."""
    kind = metric.kind
    form = "numbers" if kind in NUMERIC else "strangers" if kind == "strangers" else "values"
    return f"{form} of {', '.join(metric.columns)}"


def aggregate(metric: Metric) -> Aggregate:
    """The aggregate of a metric over its column."""
    return AGGREGATES[metric.kind](column_name(metric), *metric.args)


def column_of(metric: Metric, batch: Batch) -> list[Any]:
    """The column of a metric in a batch."""
    if len(metric.columns) != 1:
        return _together(batch, metric.columns)
    column = batch.column(metric.columns[0], None)
    if metric.kind in NUMERIC:
        return numbers(column)
    if metric.kind == "strangers":
        return strangers(column)
    if not has_missing(column):
        return column
    return [None if is_missing(value) else value for value in column]


def _together(batch: Batch, names: tuple[str, ...]) -> list[Any]:
    rows = zip(*(batch.column(name, None) for name in names))
    return [None if all(map(is_missing, row)) else row for row in rows]


def numbers(column: list[Any]) -> list[Any]:
    """The values that are numbers, decimals as float; None in place of all else.

    >>> numbers([1, "x", None, True, Decimal("0.5")])
    [1, None, None, 1, 0.5]
    """
    if set(map(type, column)) <= _NUMBERS and not has_missing(column):
        return column
    return [_number(value) for value in column]


def _number(value: Any) -> Any:
    kind = type(value)
    if kind in _NUMBERS:
        return None if is_missing(value) else value
    if kind is bool:
        return int(value)
    return float(value) if kind is Decimal and isfinite(value) else None


def strangers(column: list[Any]) -> list[Any]:
    """True for every value that is there and no number, else None."""
    if set(map(type, column)) <= _NUMBERS:
        return [None] * len(column)
    known = _NUMBERS | _ALSO_NUMBERS
    return [True if value is not None and type(value) not in known else None for value in column]
