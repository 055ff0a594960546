"""Rows as instances of the user's dataclass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from kappa.batch import Batch, RowFailure
from kappa.batch.failures import unknown_field
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext


@dataclass(frozen=True, slots=True)
class Typed(Operator):
    """Makes each row an instance of a dataclass, for functions to take.

    Where only expressions follow, which read single fields, the columns stay columns.
    Fields that the class does not have are dropped; a missing one takes its default.

    Args:
        rows: the dataclass.
    """

    kind: ClassVar[str] = "rows"
    rows: type

    def open(self, context: OperatorContext) -> Instance:
        return TypedInstance(self.rows)

    def required(self, wanted: Fields) -> Fields:
        return wanted

    def yields(self, inputs: Sequence[Names]) -> Names:
        return tuple(field.name for field in fields(self.rows))


class TypedInstance(Instance):
    """The class, and which of its fields a row must have."""

    def __init__(self, rows: type) -> None:
        self.rows = rows
        own = [field for field in fields(rows) if field.init]
        self.names = [field.name for field in own]
        self.needed = [
            field.name
            for field in own
            if field.default is MISSING and field.default_factory is MISSING
        ]
        self.positional = not any(field.kw_only for field in own)

    def process(self, batch: Batch) -> Sequence[Batch]:
        if batch.columnar:
            missing = [name for name in self.names if not batch.has(name)]
            projected = batch.known is not None and not set(missing).isdisjoint(batch.known)
            if projected:
                return [batch]  # the plan reads single fields only
            if not missing and self.positional:
                columns = [batch.column(name) for name in self.names]
                return [batch.with_rows(list(map(self.rows, *columns)))]
        return [batch.with_rows(self._each(batch))]

    def _each(self, batch: Batch) -> list[Any]:
        made: list[Any] = []
        for row in batch.rows():
            lacking = [name for name in self.needed if name not in row]
            if lacking:
                raise RowFailure(len(made), unknown_field(lacking[0], row), batch)
            given = [name for name in self.names if name in row]
            values = map(row.__getitem__, given)
            try:
                made.append(self.rows(**dict(zip(given, values, strict=True))))
            except Exception as error:
                raise RowFailure(len(made), error, batch) from error
        return made
