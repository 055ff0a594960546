"""Selectors at work: from a batch to a list of values, and which row failed.

A bound expression compiles a variant per combination of what is known of its columns
(see `compiler`), when a batch first needs it. Where a compiled comprehension fails, it is
run again row by row to find the row: expressions have no effects, so that is safe.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from kappa.batch import MISSING, Batch, RowFailure, located, unknown_field
from kappa.errors import ConfigError
from kappa.expressions.compiler import Kind, compiled, leaves_of
from kappa.expressions.nodes import (
    Column,
    Literal,
    Meta,
    Named,
    Node,
    Param,
    Required,
    Secret,
    walk,
)

Computed: TypeAlias = Callable[[Batch], list[Any]]

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
            part: _resolved(part, params) for part in walk(node) if isinstance(part, Param | Secret)
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
        return int if leaf.fact in INT_FACTS else object
    return None


def _resolved(node: Param | Secret, params: Mapping[str, Any]) -> Any:
    if isinstance(node, Param):
        return node.resolved(params)
    value = os.environ.get(node.variable)
    if value is None:
        raise ConfigError(
            f"secret {node.variable!r}: the environment has no variable of that name; set it"
            " before the run"
        )
    return value


def bound_expression(node: Node, params: Mapping[str, Any], *, mask: bool) -> Computed:
    """What computes a tree: a bare field is the column itself."""
    bare = node.child if isinstance(node, Named) else node
    if isinstance(bare, Column):
        default = MISSING if isinstance(bare.default, Required) else bare.default
        name = bare.field
        return lambda batch: batch.column(name, default)
    if isinstance(bare, Literal):
        value = bare.value
        return lambda batch: [value] * batch.count
    return BoundExpression(node, params, mask=mask)


def bound_function(function: Callable[[Any], Any], *, fresh: bool) -> Computed:
    """What calls a function with every row."""

    def compute(batch: Batch) -> list[Any]:
        try:
            return located(function, batch.rows(fresh=fresh))
        except RowFailure as failure:
            failure.batch = batch
            raise

    return compute
