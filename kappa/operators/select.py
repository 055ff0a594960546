"""Steps that work on columns: `Select`, `WithColumns`, `Without`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch, RowFailure, field_names, plain
from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector
from kappa.expressions.bound import Computed
from kappa.operators.contract import (
    Fields,
    Instance,
    Names,
    Operator,
    OperatorContext,
    both,
    widened,
)
from kappa.operators.failing import evaluate

Parts = tuple[tuple[str, Selector], ...]

SMALL = 64
"""Batches with fewer rows are not asked which of their columns are solid."""


@dataclass(frozen=True, slots=True)
class Select(Operator):
    """Rows of just these fields, in this order.

    Args:
        columns: (name, what to compute).

    Raises:
        ConfigError: there are none, or two of one name.

    >>> from kappa.expressions import col
    >>> Select.of("bidder", dollars=col("price") * 0.9)
    Select(columns=(('bidder', col('bidder')), ('dollars', (col('price') * 0.9))))
    """

    kind: ClassVar[str] = "select"
    columns: Parts

    def __post_init__(self) -> None:
        _check(self.kind, self.columns)

    @classmethod
    def of(cls, *fields: str | Expression, **named: Any) -> Select:
        """From fields that keep their names, and from new ones by name."""
        kept = [(_name(field), Selector.of(field)) for field in fields]
        return cls((*kept, *_parts(named)))

    def open(self, context: OperatorContext) -> Instance:
        return ColumnsInstance(self.columns, context, keep=False)

    def required(self, wanted: Fields) -> Fields:
        return _fields(self.columns, frozenset())

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Its columns."""
        return tuple(name for name, _ in self.columns)


@dataclass(frozen=True, slots=True)
class WithColumns(Operator):
    """The row with fields added or replaced; each is computed from the row before the step.

    Args:
        columns: (name, what to compute).

    Raises:
        ConfigError: there are none.
    """

    kind: ClassVar[str] = "with_columns"
    columns: Parts

    def __post_init__(self) -> None:
        _check(self.kind, self.columns)

    @classmethod
    def of(cls, **named: Any) -> WithColumns:
        """From what to compute, by name."""
        return cls(_parts(named))

    def open(self, context: OperatorContext) -> Instance:
        return ColumnsInstance(self.columns, context, keep=True)

    def required(self, wanted: Fields) -> Fields:
        if wanted is not None:
            wanted -= {name for name, _ in self.columns}
        return _fields(self.columns, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input and the new ones."""
        return widened(inputs[0], (name for name, _ in self.columns))


class ColumnsInstance(Instance):
    """Columns, bound."""

    def __init__(self, columns: Parts, context: OperatorContext, *, keep: bool) -> None:
        self.context = context
        self.names = [name for name, _ in columns]
        self.parts = [part.bind(context.params, fresh=context.shared) for _, part in columns]
        self.keep = keep

    def process(self, batch: Batch) -> Sequence[Batch]:
        left, values, dead = evaluate(self.parts, batch, self.context)
        if not left.count:
            return dead
        columns = dict(zip(self.names, values))
        solid = self._solid(left)
        if not self.keep:
            return [left.with_columns(columns, solid=solid), *dead]
        what, old = left.columns_or_rows()
        if what == "rows":
            return [left.with_rows(_widened(old, columns, left)), *dead]
        solid |= left.solid.difference(self.names)
        return [left.with_columns({**old, **columns}, solid=solid), *dead]

    def _solid(self, batch: Batch) -> frozenset[str]:
        if batch.count < SMALL:
            return frozenset()
        kinds = zip(self.names, self.parts)
        return frozenset(name for name, part in kinds if _is_solid(part, batch))


def _is_solid(part: Computed, batch: Batch) -> bool:
    return part.kind(batch) in (int, float)


def _widened(rows: list[Any], columns: dict[str, list[Any]], batch: Batch) -> list[Any]:
    """Rows of different fields, each with the new ones."""
    out: list[Any] = []
    for row, *values in zip(rows, *columns.values()):
        if not isinstance(row, dict):
            error = TypeError(f"a {type(row).__name__} has no fields to add to; map it to a dict")
            raise RowFailure(len(out), error, batch)
        out.append({**row, **dict(zip(columns, values))})
    return out


@dataclass(frozen=True, slots=True)
class Without(Operator):
    """The row less some fields; those that it does not have are no error.

    Args:
        fields: their names.

    Raises:
        ConfigError: there are none.
    """

    kind: ClassVar[str] = "without"
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.fields or not all(type(name) is str for name in self.fields):
            raise ConfigError(f"without{self.fields!r}: give names of fields")

    def open(self, context: OperatorContext) -> Instance:
        return WithoutInstance(frozenset(self.fields))

    def required(self, wanted: Fields) -> Fields:
        return None if wanted is None else wanted - frozenset(self.fields)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those that are left."""
        return None if inputs[0] is None else tuple(n for n in inputs[0] if n not in self.fields)


class WithoutInstance(Instance):
    """Names to leave out."""

    def __init__(self, fields: frozenset[str]) -> None:
        self.fields = fields

    def process(self, batch: Batch) -> Sequence[Batch]:
        if batch.names is not None:
            left = [name for name in batch.names if name not in self.fields]
            columns = {name: batch.column(name) for name in left}
            return [batch.with_columns(columns, solid=batch.solid - self.fields)]
        rows = [
            {name: value for name, value in plain(row).items() if name not in self.fields}
            if field_names(row)
            else row
            for row in batch.rows()
        ]
        return [batch.with_rows(rows)]


def _parts(named: dict[str, Any]) -> Parts:
    return tuple((name, Selector.of(what)) for name, what in named.items())


def _name(field: str | Expression) -> str:
    name = field if isinstance(field, str) else getattr(field, "name", None)
    if not isinstance(name, str):
        raise ConfigError(f"select: {field!r} has no name; write name=... or .named(...)")
    return name


def _check(kind: str, columns: Parts) -> None:
    names = [name for name, _ in columns]
    if not names:
        raise ConfigError(f"{kind} needs at least one field")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{kind}: {', '.join(twice)} is named twice")


def _fields(columns: Parts, wanted: Fields) -> Fields:
    for _, part in columns:
        wanted = both(wanted, part.fields)
    return wanted
