"""A stream becomes a table, and a table a stream of its changes.

A table holds one row per key: the last to arrive. It changes once per LSN: of several rows
of one key and LSN only the last counts (see `signs`). A row that says `retraction: True`
takes back an equal row, as do a row that `delete` holds for and a record without a value
(a tombstone of an upsert topic).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.expressions import Selector
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext, both
from kappa.operators.failing import evaluate, passed
from kappa.operators.keyed import as_mapping
from kappa.operators.ports import CheckedKey
from kappa.operators.signs import ADDED, REMOVED, Changes, signed, signs_of
from kappa.time import PLUS_INFINITY

RETRACTION = "retraction"


@dataclass(frozen=True)
class Upsert(Operator):
    """The last row of every key, as a table.

    Args:
        key: what rows replace each other by.
        delete: rows for which it holds take the row of their key back; or None.

    >>> Upsert(Selector.of("id")).describe()
    'keeps the last row per id, for ever'
    """

    key: Selector
    delete: Selector | None = None

    kind: ClassVar[str] = "table"
    stateful: ClassVar[bool] = True

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return UpsertInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, the key, and what takes a row back."""
        delete = frozenset() if self.delete is None else self.delete.fields
        return both(both(both(wanted, self.key.fields), delete), frozenset((RETRACTION,)))

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the rows."""
        known = inputs[0]
        return None if known is None else tuple(name for name in known if name != RETRACTION)

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        return f"keeps the last row per {self.key.name or 'group'}, for ever"


class UpsertInstance(Instance):
    """The present row of every key."""

    def __init__(self, operator: Upsert, context: OperatorContext) -> None:
        self._context = context
        self._parts = upsert_parts(operator.key, operator.delete, context)
        self._rows = context.state.keyed("rows")

    def process(self, batch: Batch) -> Iterable[Batch]:
        """What the rows of each LSN change."""
        left, (keys, *deletes), dead = evaluate(self._parts, batch, self._context)
        rows = left.rows(fresh=self._context.shared)
        changes, state = Changes(), self._rows
        start = 0
        for _, stop in left.runs or ():
            before: dict[Any, Any] = {}
            last: dict[Any, int] = {}
            for index in range(start, stop):
                key, row = keys[index], rows[index]
                if key in before:
                    last.pop(key)
                else:
                    before[key] = state.get(key)
                last[key] = index
                self._take(key, row, bool(deletes and deletes[0][index]))
            for key, index in last.items():
                after = state.get(key)
                if not same(before[key], after):
                    changes.add(index, key, before[key], after)
            start = stop
        return [*changes.batches(left), *dead]

    def _take(self, key: Any, row: Any, gone: bool) -> None:
        state = self._rows
        if row is None or gone:
            state.delete(key)
            return
        fields, taken_back = without_retraction(row)
        if not taken_back:
            state.put(key, fields)
        elif same(state.get(key), fields):
            state.delete(key)


def without_retraction(row: Any) -> tuple[Mapping[str, Any], bool]:
    """A row less its field `retraction`, and whether that was true."""
    fields = as_mapping(row)
    if RETRACTION not in fields:
        return fields, False
    left = {name: value for name, value in fields.items() if name != RETRACTION}
    return left, bool(fields[RETRACTION])


@dataclass(frozen=True)
class Versions(Operator):
    """The rows of a stream as versions of a table's rows, each of them, with signs.

    What takes a row back has the sign -1: it ends a version.

    Args:
        key, delete: as of `Upsert`.
    """

    key: Selector
    delete: Selector | None = None

    kind: ClassVar[str] = "versions"

    def open(self, context: OperatorContext) -> Instance:
        return VersionsInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        return Upsert(self.key, self.delete).required(wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        return Upsert(self.key, self.delete).yields(inputs)


class VersionsInstance(Instance):
    """Rows get a key and a sign."""

    def __init__(self, operator: Versions, context: OperatorContext) -> None:
        self._context = context
        self._parts = upsert_parts(operator.key, operator.delete, context)

    def process(self, batch: Batch) -> Iterable[Batch]:
        left, (keys, *deletes), dead = evaluate(self._parts, batch, self._context)
        if not left.count:
            return dead
        rows: list[Any] = []
        signs: list[int] = []
        for index, row in enumerate(left.rows(fresh=self._context.shared)):
            fields, gone = ({}, True) if row is None else without_retraction(row)
            rows.append(fields)
            signs.append(REMOVED if gone or (deletes and deletes[0][index]) else ADDED)
        return [signed(left.with_rows(rows), signs, keys), *dead]


def upsert_parts(key: Selector, delete: Selector | None, context: OperatorContext) -> list[Any]:
    """What computes the key of every row, and whether it takes a row out."""
    parts: list[Any] = [CheckedKey(key.bind(context.params, fresh=context.shared))]
    return parts if delete is None else [*parts, OfValues(delete, context)]


class OfValues:
    """A condition on rows that are there; of a tombstone it does not hold."""

    def __init__(self, condition: Selector, context: OperatorContext) -> None:
        self._part = condition.bind(context.params, fresh=context.shared, mask=True)

    def __call__(self, batch: Batch) -> list[Any]:
        if batch.columnar or None not in batch.rows():
            return self._part(batch)
        there = [index for index, row in enumerate(batch.rows()) if row is not None]
        holds = dict(zip(there, self._part(batch.take(there)), strict=True))
        return [holds.get(index, False) for index in range(batch.count)]

    def kind(self, batch: Batch) -> None:
        """Nothing is known of the values."""


def same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two rows are equal in fields, values and types.

    >>> same({"a": 1, "b": 2}, {"b": 2, "a": 1}), same({"a": 1}, {"a": 1.0})
    (True, False)
    """
    if one is other:
        return True
    if one is None or other is None or one != other:
        return False
    return all(type(value) is type(other[name]) for name, value in one.items())


@dataclass(frozen=True)
class TableChanges(Operator):
    """A table's changes as rows of a stream, with a field `retraction`.

    A row that is taken back comes with True, then what takes its place with False.
    """

    kind: ClassVar[str] = "changes"

    @property
    def retracts(self) -> bool:
        """Always."""
        return True

    def open(self, context: OperatorContext) -> Instance:
        return ChangesInstance()

    def required(self, wanted: Fields) -> Fields:
        return wanted

    def yields(self, inputs: Sequence[Names]) -> Names:
        return None if inputs[0] is None else (*inputs[0], RETRACTION)


class ChangesInstance(Instance):
    """Signs become a field."""

    def process(self, batch: Batch) -> Sequence[Batch]:
        rows = [
            {**as_mapping(row), RETRACTION: sign == REMOVED}
            for row, sign in zip(batch.rows(), signs_of(batch), strict=True)
        ]
        return [batch.with_rows(rows)]


@dataclass(frozen=True)
class TableRows(Operator):
    """What a table holds after a change, as rows of a stream; what is removed does not show."""

    kind: ClassVar[str] = "rows"

    def open(self, context: OperatorContext) -> Instance:
        return RowsInstance(context)

    def required(self, wanted: Fields) -> Fields:
        return wanted

    def yields(self, inputs: Sequence[Names]) -> Names:
        return inputs[0]


class RowsInstance(Instance):
    """Rows that were put in."""

    def __init__(self, context: OperatorContext) -> None:
        self._context = context

    def process(self, batch: Batch) -> Sequence[Batch]:
        return [passed(batch.compress([sign > 0 for sign in signs_of(batch)]), self._context)]
