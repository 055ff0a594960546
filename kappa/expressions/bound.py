"""Selectors at work: from a batch to a list of values, and which row failed.

A bound expression compiles a variant per combination of what is known of its columns
(see `compiler`), when a batch first needs it. Where a compiled comprehension fails, it is
run again row by row to find the row: expressions have no effects, so that is safe.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kappa.batch import MISSING, Batch, RowFailure, unknown_field
from kappa.errors import ConfigError
from kappa.expressions.compiler import Kind, compiled, leaves_of
from kappa.expressions.nodes import Column, Matched, Meta, Node, Param, Required, Secret, walk


class Computed(Protocol):
    """What computes one value for every row of a batch."""

    def __call__(self, batch: Batch) -> list[Any]:
        """The values; a list of the batch's own perhaps, so not to be changed."""
        ...

    def kind(self, batch: Batch) -> Kind:
        """What is known of them: int, float or bool exactly, `object`: not None, None."""
        ...


INT_FACTS = ("time", "lsn", "append_time", "partition", "offset")
MAX_VARIANTS = 16


class BoundExpression:
    """An expression with its parameters, ready for batches.

    Args:
        node: the tree.
        params: values of the pipeline's parameters.
        mask: only the truth of the result counts.

    Raises:
        ConfigError: a parameter or secret is missing, or of another type.
    """

    __slots__ = ("constants", "leaves", "mask", "node", "variants")

    def __init__(self, node: Node, params: Mapping[str, Any], *, mask: bool = False) -> None:
        self.node = node
        self.mask = mask
        self.leaves = leaves_of(node)
        self.constants: dict[Node, Any] = {
            part: resolved(part, params) for part in walk(node) if isinstance(part, Param | Secret)
        }
        self.variants: dict[tuple[Kind, ...], tuple[Callable[..., list[Any]], Kind]] = {}

    def __call__(self, batch: Batch) -> list[Any]:
        columns = [read(leaf, batch) for leaf in self.leaves]
        kinds = tuple([kind_of(leaf, batch, column) for leaf, column in zip(self.leaves, columns)])
        function = (self.variants.get(kinds) or self._variant(kinds))[0]
        return self._run(function, columns, batch)

    def over(
        self, columns: Sequence[list[Any]], count: int, kinds: Sequence[Kind] = ()
    ) -> list[Any]:
        """The values from columns in the order of `leaves`, without a batch.

        Raises:
            RowFailure: a row fails.
        """
        known = tuple(kinds) or (None,) * len(self.leaves)
        function = (self.variants.get(known) or self._variant(known))[0]
        return self._compute(function, columns, count)

    def kind(self, batch: Batch) -> Kind:
        """What is known of the result: int, float or bool exactly, or less."""
        columns = [read(leaf, batch) for leaf in self.leaves]
        kinds = tuple([kind_of(leaf, batch, column) for leaf, column in zip(self.leaves, columns)])
        return (self.variants.get(kinds) or self._variant(kinds))[1]

    def _variant(self, kinds: tuple[Kind, ...]) -> tuple[Callable[..., list[Any]], Kind]:
        if len(self.variants) >= MAX_VARIANTS:
            kinds = (None,) * len(kinds)
        made = compiled(self.node, self.leaves, kinds, self.constants, mask=self.mask)
        self.variants[kinds] = made
        return made

    def _run(
        self, function: Callable[..., list[Any]], columns: Sequence[list[Any]], batch: Batch
    ) -> list[Any]:
        try:
            return self._compute(function, columns, batch.count)
        except RowFailure as failure:
            failure.batch = batch
            raise

    def _compute(
        self, function: Callable[..., list[Any]], columns: Sequence[list[Any]], count: int
    ) -> list[Any]:
        try:
            return function(*columns) if columns else function(count)
        except Exception as cause:
            raise _failing_row(function, columns, count, cause) from cause


def _failing_row(
    function: Callable[..., list[Any]],
    columns: Sequence[list[Any]],
    count: int,
    cause: Exception,
) -> RowFailure:
    done: list[Any] = []
    for index in range(count):
        try:
            one = [column[index : index + 1] for column in columns]
            done += function(*one) if one else function(1)
        except Exception as error:
            return RowFailure(index, error, done=done)
    return RowFailure(0, cause)


def read(leaf: Node, batch: Batch) -> list[Any]:
    """The column of a leaf."""
    if isinstance(leaf, Column):
        default = MISSING if isinstance(leaf.default, Required) else leaf.default
        return batch.column(leaf.field, default)
    if isinstance(leaf, Matched):
        raise ConfigError(f"{leaf!r} has a meaning only in a pattern")
    if not isinstance(leaf, Meta):
        raise ConfigError(f"{leaf!r} has a meaning only in a join's where= and select=")
    if leaf.fact == "time":
        return batch.times
    if leaf.fact == "lsn":
        return batch.lsns()
    found = batch.hidden.get(leaf.fact)
    if found is None:
        if not batch.count:
            return []
        known = ["meta.time", "meta.lsn", *(f"meta.{name}" for name in batch.hidden)]
        raise RowFailure(0, unknown_field(f"meta.{leaf.fact}", known), batch)
    return found


def kind_of(leaf: Node, batch: Batch, column: Sequence[Any]) -> Kind:
    """What is known of a leaf's column in this batch."""
    if isinstance(leaf, Column):
        return type(column[0]) if leaf.field in batch.solid and column else None
    if isinstance(leaf, Meta):
        return int if leaf.fact in INT_FACTS else object if leaf.fact == "topic" else None
    return None


def resolved(node: Param | Secret, params: Mapping[str, Any]) -> Any:
    """The value of a parameter, or of the environment's variable.

    Raises:
        ConfigError: it has none.
    """
    if isinstance(node, Param):
        return node.resolved(params)
    value = os.environ.get(node.variable)
    if value is None:
        raise ConfigError(
            f"secret {node.variable!r}: the environment has no variable of that name; set it"
            " before the run"
        )
    return value


class BoundField:
    """A bare field: the batch's own column."""

    __slots__ = ("default", "name")

    def __init__(self, column: Column) -> None:
        self.name = column.field
        self.default = MISSING if isinstance(column.default, Required) else column.default

    def __call__(self, batch: Batch) -> list[Any]:
        return batch.column(self.name, self.default)

    def kind(self, batch: Batch) -> Kind:
        """What is known of the field in this batch."""
        if self.name not in batch.solid or not batch.count:
            return None
        return type(batch.column(self.name)[0])


class BoundTuple:
    """Several at once: a tuple for each row."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Computed]) -> None:
        self.parts = parts

    def __call__(self, batch: Batch) -> list[Any]:
        if not self.parts:
            return [()] * batch.count
        return list(zip(*[part(batch) for part in self.parts]))

    def kind(self, batch: Batch) -> Kind:
        """Tuples, and never None."""
        return object
