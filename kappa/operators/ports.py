"""Steps with several inputs: each row says which input it came by, and under which key.

A fan-in puts the rows of all its edges into one order, (LSN, rank), and hands them on as
one batch. So that a join can tell its inputs apart, every edge into it passes a `Port`,
which makes `(port, key, row)` of each row. Keys are computed and checked there, for each
input by its own selector; order, ranks, LSNs and dead letters need nothing more.

Rows of a table (see `tables`) also carry their sign and the table's own key:
`(port, key, row, sign, own)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, ClassVar

from kappa.batch import Batch, located
from kappa.codec import check_key
from kappa.expressions import Selector
from kappa.expressions.bound import Computed
from kappa.operators.contract import Fields, Instance, Operator, OperatorContext, both
from kappa.operators.failing import evaluate
from kappa.operators.keyed import as_mapping
from kappa.operators.signs import own_keys, signs_of

LEFT, RIGHT = 0, 1
SAFE_KEYS = frozenset({int, str, bool, type(None)})
"""Types of which every value can be a key."""
PLAIN = frozenset({dict, type(None)})


@dataclass(frozen=True, slots=True)
class Port(Operator):
    """Marks the rows of one input of the step behind it.

    Args:
        port: number of the input, from 0.
        key: what brings its rows together with those of the other inputs; None for the
            table's own key.
        table: the rows are a table's, with signs.
        mappings: rows become mappings, which state can hold; else they stay what they are.
    """

    kind: ClassVar[str] = "port"
    port: int
    key: Selector | None
    table: bool = False
    mappings: bool = True

    def open(self, context: OperatorContext) -> Instance:
        return PortInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        return wanted if self.key is None else both(wanted, self.key.fields)

    def yields(self, inputs: Sequence[tuple[str, ...] | None]) -> tuple[str, ...] | None:
        return inputs[0]

    def describe(self) -> str:
        """Which input it is."""
        by = "the table's key" if self.key is None else self.key.name or "nothing"
        return f"input {self.port} of the step behind it, by {by}"


class PortInstance(Instance):
    """A key, bound and checked."""

    def __init__(self, step: Port, context: OperatorContext) -> None:
        self._port = step.port
        self._table = step.table
        self._mappings = step.mappings
        self._context = context
        key = step.key
        self._parts: list[Computed] = (
            [] if key is None else [CheckedKey(key.bind(context.params, fresh=context.shared))]
        )

    def process(self, batch: Batch) -> Sequence[Batch]:
        left, columns, dead = evaluate(self._parts, batch, self._context)
        if not left.count:
            return dead
        keys = columns[0] if columns else own_keys(left)
        rows = left.rows(fresh=self._context.shared)
        if self._mappings and not PLAIN.issuperset(map(type, rows)):
            rows = [None if row is None else as_mapping(row) for row in rows]
        marked: list[Any]
        if self._table:
            marked = list(zip(repeat(self._port), keys, rows, signs_of(left), own_keys(left)))
        else:
            marked = list(zip(repeat(self._port), keys, rows))
        return [left.with_rows(marked), *dead]


class CheckedKey:
    """A computed key of which every value is known to be one."""

    __slots__ = ("part",)

    def __init__(self, part: Computed) -> None:
        self.part = part

    def __call__(self, batch: Batch) -> list[Any]:
        keys = self.part(batch)
        if not SAFE_KEYS.issuperset(map(type, keys)):
            located(check_key, keys)
        return keys

    def kind(self, batch: Batch) -> type | None:
        """What is known of the keys."""
        return self.part.kind(batch)
