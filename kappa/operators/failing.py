"""Stateless steps and rows that fail: stop, or set the row aside and go on behind it.

The law: no function of the user's is called twice with a row because another row failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kappa.batch import Batch, RowFailure, describe_error, located
from kappa.expressions import Selector
from kappa.expressions.bound import Computed
from kappa.expressions.called import BoundFunction
from kappa.operators.contract import OperatorContext
from kappa.operators.letters import letters


def evaluate(
    parts: Sequence[Computed], batch: Batch, context: OperatorContext
) -> tuple[Batch, list[list[Any]], list[Batch]]:
    """Values for every row of a batch, and dead letters for the rows where that failed.

    Args:
        parts: what to compute; each sees only the rows on which those before it succeeded.
        batch: the rows.
        context: says what to do with a failing row.

    Returns:
        The batch without the failing rows, the values of each part, the dead letters.

    Raises:
        RowFailure: a row failed, and the pipeline does not set failing rows aside.
    """
    left = batch
    places: Sequence[int] = range(batch.count)
    columns: list[list[Any]] = []
    failures: dict[int, BaseException] = {}
    for part in parts:
        values, failed = _values(part, left, context)
        if failed:
            failures |= {places[index]: cause for index, cause in failed.items()}
            kept = [index for index in range(left.count) if index not in failed]
            columns = [[column[index] for index in kept] for column in columns]
            places = [places[index] for index in kept]
            left = left.take(kept)
        columns.append(values)
    return left, columns, [_dead_letters(batch, failures, context)] if failures else []


def _values(
    part: Computed, batch: Batch, context: OperatorContext
) -> tuple[list[Any], dict[int, BaseException]]:
    """The values of the rows that do not fail, and the errors of those that do."""
    if not context.dead_letters:  # the first failure ends the run: nothing to keep
        return _all(part, batch), {}
    values: list[Any] = []
    failed: dict[int, BaseException] = {}
    rest = batch
    while True:
        try:
            return values + part(rest) if values else part(rest), failed
        except RowFailure as failure:
            done = failure.done
            values += part(rest.slice(0, failure.index)) if done is None else done
            failed[batch.count - rest.count + failure.index] = failure.cause
            rest = rest.slice(failure.index + 1, rest.count)


def _all(part: Computed, batch: Batch) -> list[Any]:
    try:
        return part.all_or_none(batch) if isinstance(part, BoundFunction) else part(batch)
    except RowFailure as failure:
        failure.batch = batch
        raise


def _dead_letters(
    batch: Batch, failures: Mapping[int, BaseException], context: OperatorContext
) -> Batch:
    indices = sorted(failures)
    errors = [describe_error(failures[index]) for index in indices]
    return letters(batch, indices, errors, context)


class Then:
    """A computed value, and a function of each: what `bound_then` gives for expressions."""

    __slots__ = ("after", "first")

    def __init__(self, first: Computed, after: Callable[[Any], Any]) -> None:
        self.first = first
        self.after = after

    def __call__(self, batch: Batch) -> list[Any]:
        return located(self.after, self.first(batch))

    def kind(self, batch: Batch) -> None:
        """Nothing is known of the values."""


def bound_then(
    selector: Selector, after: Callable[[Any], Any], context: OperatorContext
) -> Computed:
    """`after` of what a selector computes, in one go for each row.

    With a function of the user's the two are one call, so that a row on which `after`
    fails does not have the function called again for the rows behind it.
    """
    function = selector.source
    if isinstance(function, tuple) or not callable(function):
        return Then(selector.bind(context.params, fresh=context.shared), after)
    return BoundFunction(lambda row: after(function(row)), selector.fields, fresh=context.shared)


def passed(batch: Batch, context: OperatorContext) -> Batch:
    """A batch that goes through a step as it is."""
    if context.shared:
        return batch.lent()
    return batch.marked(output="") if batch.output or batch.port else batch
