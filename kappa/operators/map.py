"""Steps that make rows of rows: `Map` one of one, `FlatMap` any number of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.expressions import Selector
from kappa.expressions.called import BoundFunction
from kappa.operators.contract import Fields, Instance, Operator, OperatorContext
from kappa.operators.failing import bound_then, evaluate


@dataclass(frozen=True, slots=True)
class Map(Operator):
    """One row out for one row in, in its place and with its time.

    Args:
        function: what the row becomes: a mapping, an instance of a dataclass, or a plain
            value.
    """

    kind: ClassVar[str] = "map"
    function: Selector

    def open(self, context: OperatorContext) -> Instance:
        return MapInstance(self.function, context)

    def required(self, wanted: Fields) -> Fields:
        return self.function.fields


class MapInstance(Instance):
    """A function, bound."""

    def __init__(self, function: Selector, context: OperatorContext) -> None:
        self.context = context
        self.parts = [function.bind(context.params, fresh=context.shared)]

    def process(self, batch: Batch) -> Sequence[Batch]:
        function = self.parts[0]
        if isinstance(function, BoundFunction):
            columns = function.columns(batch)
            if columns is not None:
                known = function.passed.items()
                solid = frozenset(name for name, field in known if field in batch.solid)
                return [batch.with_columns(columns, solid=solid)]
        left, (rows,), dead = evaluate(self.parts, batch, self.context)
        return [left.with_rows(rows), *dead] if rows else dead


@dataclass(frozen=True, slots=True)
class FlatMap(Operator):
    """Any number of rows out for one row in, each with its time.

    Args:
        function: gives the rows: a list, a generator, any iterable that is not itself a
            row or text. It is read to its end before the next row.
    """

    kind: ClassVar[str] = "flat_map"
    function: Selector

    def open(self, context: OperatorContext) -> Instance:
        return FlatMapInstance(self.function, context)

    def required(self, wanted: Fields) -> Fields:
        return self.function.fields


class FlatMapInstance(Instance):
    """A function, bound."""

    def __init__(self, function: Selector, context: OperatorContext) -> None:
        self.context = context
        self.parts = [bound_then(function, rows_of, context)]

    def process(self, batch: Batch) -> Sequence[Batch]:
        left, (lists,), dead = evaluate(self.parts, batch, self.context)
        rows = [row for many in lists for row in many]
        if not rows:
            return dead
        indices = [index for index, many in enumerate(lists) for _ in many]
        return [left.emitted(indices, rows=rows), *dead]


def rows_of(result: Any) -> list[Any]:
    """What a function of `flat_map` returned, as a list.

    Raises:
        TypeError: it is one row or a text, or cannot be iterated.

    >>> rows_of(range(2))
    [0, 1]
    """
    if isinstance(result, str | bytes | Mapping):
        raise TypeError(
            f"flat_map takes a list of rows from its function, which returned one"
            f" {type(result).__name__}; return [row], or use map"
        )
    return list(result)
