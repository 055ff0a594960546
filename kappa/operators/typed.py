"""Rows as instances of the user's class: a dataclass, TypedDict, msgspec Struct, pydantic model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch, RowFailure
from kappa.batch.failures import unknown_field
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext
from kappa.schemas.instances import RowMaker


@dataclass(frozen=True, slots=True)
class Typed(Operator):
    """Makes each row an instance of a class, for functions to take.

    Where only expressions follow, which read single fields, the columns stay columns.
    Fields that the class does not have are dropped; a missing one takes its default.
    Values become what the class declares, enums, sets and classes within included.

    Args:
        rows: the class.
    """

    kind: ClassVar[str] = "rows"
    rows: type

    def open(self, context: OperatorContext) -> Instance:
        return TypedInstance(self.rows)

    def required(self, wanted: Fields) -> Fields:
        return wanted

    def yields(self, inputs: Sequence[Names]) -> Names:
        return tuple(RowMaker(self.rows).names)


class TypedInstance(Instance):
    """What makes instances, and which fields a row must have."""

    def __init__(self, rows: type) -> None:
        self.maker = RowMaker(rows)

    def process(self, batch: Batch) -> Sequence[Batch]:
        if batch.columnar:
            names = self.maker.names
            missing = [name for name in names if not batch.has(name)]
            projected = batch.known is not None and not set(missing).isdisjoint(batch.known)
            if projected:
                return [batch]  # the plan reads single fields only
            if not missing:
                made = self._of_columns([batch.column(name) for name in names])
                if made is not None:
                    return [batch.with_rows(made)]
        return [batch.with_rows(self._each(batch))]

    def _of_columns(self, columns: Sequence[list[Any]]) -> list[Any] | None:
        try:
            return self.maker.columns(columns)
        except Exception:  # some row cannot be one; row by row it is found
            return None

    def _each(self, batch: Batch) -> list[Any]:
        made: list[Any] = []
        for row in batch.rows():
            lacking = [name for name in self.maker.needed if name not in row]
            if lacking:
                raise RowFailure(len(made), unknown_field(lacking[0], row), batch)
            try:
                made.append(self.maker.row(row))
            except Exception as error:
                raise RowFailure(len(made), error, batch) from error
        return made
