"""The unit that flows between steps.

Invariants:

- `times` has `count` items, and so has every column, `rows()`, `ranks` and every hidden
  column. Lists are shared between batches and never changed once they are in one.
- The content is columns or rows, each made from the other on demand and kept.
- What is made from a batch (`compress`, `take`, `slice`, `with_*`, `emitted`) keeps the
  LSN, rank and hidden columns of the rows it came from, and goes to the main output
  unless it is `marked` for another. Runs, ranks and columns of a pick are made when they
  are asked for: a column that nobody reads is never compressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, compress
from typing import Any, Final

from kappa.batch.failures import RowFailure, unknown_field
from kappa.batch.generated import row_maker
from kappa.batch.places import LATER, Columns, Places
from kappa.batch.rows import (
    MISSING,
    column_of,
    columns_of,
    field_names,
    fresh_rows,
    plain,
)
from kappa.batch.runs import Pick, Runs, cut_runs, joined_runs
from kappa.errors import InternalError

NONE: Final[frozenset[str]] = frozenset()


class Batch(Places):
    """Rows with their event times, and where they come from.

    Make one with `of_rows`, `of_columns` or `fired`, or from another batch.

    Attributes, besides those of `Places`:
        solid: columns known to be exactly int throughout, or exactly float (no None).
        borrowed: another consumer sees the rows; `rows()` copies them first.
        known: all fields of the records, decoded or not; only for error messages.

    >>> batch = Batch.of_columns({"price": [5, 7, 9]}, [10, 20, 30], lsn=4)
    >>> batch.compress([True, False, True]).rows()
    [{'price': 5}, {'price': 9}]
    """

    __slots__ = ("_columns", "_lazy", "_made", "_rows", "borrowed", "known", "solid")

    def __init__(
        self,
        times: list[int],
        columns: Columns | None,
        rows: list[Any] | None,
        runs: Runs | None,
    ) -> None:
        super().__init__(times, runs)
        self.solid = NONE
        self.borrowed = False
        self.known: Iterable[str] | None = None
        self._columns = columns
        self._rows = rows
        self._lazy = False  # columns not in `_columns` are picked from the origin's
        self._made: Columns | None = None  # columns made from rows

    # -- making ------------------------------------------------------------------------

    @classmethod
    def of_rows(cls, rows: list[Any], times: list[int], *, lsn: int | None = None) -> Batch:
        """A batch of rows; all of one append if `lsn` is given."""
        return cls(times, None, rows, _whole(lsn, len(times)))

    @classmethod
    def of_columns(
        cls,
        columns: Columns,
        times: list[int],
        *,
        lsn: int | None = None,
        solid: frozenset[str] = NONE,
        known: Iterable[str] | None = None,
    ) -> Batch:
        """A batch of columns; all of one append if `lsn` is given."""
        batch = cls(times, columns, None, _whole(lsn, len(times)))
        batch.solid = solid
        batch.known = known
        return batch

    @classmethod
    def fired(
        cls,
        *,
        times: list[int],
        columns: Columns | None = None,
        rows: list[Any] | None = None,
        order: list[tuple[Any, ...]] | None = None,
        output: str = "",
        solid: frozenset[str] = NONE,
    ) -> Batch:
        """What a watermark or a timer made; the runtime stamps LSN and watermark.

        Args:
            order: (due time, key bytes, tag) of each row, ascending; only where something
                behind depends on order.
        """
        if (columns is None) == (rows is None):
            raise InternalError("a fired batch has either columns or rows")
        batch = cls(times, columns, rows, None)
        batch._ranks = order
        batch.output = output
        batch.solid = solid
        return batch

    @classmethod
    def concat(cls, batches: Sequence[Batch]) -> Batch:
        """Batches of one output and port laid end to end; LSNs must ascend throughout.

        Columns stay columns if all have the same ones, else rows are made. `solid` keeps
        columns of one type in all of them; the watermark is the first batch's.
        """
        if len(batches) == 1:
            return batches[0]
        if len({(batch.output, batch.port) for batch in batches}) != 1:
            raise InternalError("only batches of one output and port can be laid end to end")
        out = cls(_joined(batch.times for batch in batches), None, None, None)
        first = batches[0]
        out.watermark, out.port, out.output = first.watermark, first.port, first.output
        out.known = first.known
        out.checked = all(batch.checked for batch in batches)
        names = {None if batch.names is None else frozenset(batch.names) for batch in batches}
        if len(names) == 1 and None not in names:
            out._columns = _joined_columns(batches, first.names or ())
            out.solid = _joined_solid(batches)
        else:
            out._rows = _joined(batch.rows() for batch in batches)
        parts = [(batch.runs, batch.count) for batch in batches]
        known = [(runs, rows) for runs, rows in parts if runs is not None]
        if known and len(known) != len(parts):
            raise InternalError("stamped and unstamped batches cannot be laid end to end")
        out._runs = joined_runs(known) if known else None
        ranks = [batch.ranks for batch in batches]
        if all(rank is not None for rank in ranks):
            out._ranks = _joined(rank or () for rank in ranks)
        hidden = [batch.hidden for batch in batches]
        shared = set(hidden[0]).intersection(*hidden[1:])
        out._hidden = {
            name: _joined(part[name] for part in hidden) for name in hidden[0] if name in shared
        }
        return out

    # -- content -------------------------------------------------------------------------

    @property
    def columnar(self) -> bool:
        """Whether the content is columns; else it is rows."""
        return self._columns is not None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns at hand; None where the content is rows."""
        if self._columns is None:
            return None
        return self._origin.names if self._lazy and self._origin else tuple(self._columns)

    @property
    def columns(self) -> Columns | None:
        """All columns at hand, which may be fewer than were stored; None for rows."""
        if self._lazy:
            self._columns = {name: self.column(name) for name in self.names or ()}
            self._lazy = False
        return self._columns

    def has(self, name: str) -> bool:
        """Whether every row has the field."""
        if self._columns is None:
            return all(name in field_names(row) for row in self._rows or ())
        return name in self._columns or bool(self._lazy and self._origin and self._origin.has(name))

    def column(self, name: str, default: object = MISSING) -> list[Any]:
        """The field of every row; made from rows once and kept. Not to be changed.

        Args:
            default: stands in where a row does not have the field (None it may have).

        Raises:
            RowFailure: a row does not have it and there is no default; names the known.
        """
        columns = self._columns
        if columns is None:
            return self._column_of_rows(name, default)
        found = columns.get(name)
        if found is not None:
            return found
        origin, pick = self._origin, self._pick
        if self._lazy and origin is not None and pick is not None and origin.has(name):
            columns[name] = found = pick(origin.column(name))
            return found
        if default is MISSING and self.count:
            raise RowFailure(0, unknown_field(name, self.known or self.names or ()), self)
        return [default] * self.count

    def _column_of_rows(self, name: str, default: object) -> list[Any]:
        if self._made is None:
            self._made = {}
        found = self._made.get(name)
        if found is None:
            try:
                found = column_of(self._rows or (), name, default)
            except RowFailure as failure:
                failure.batch = self
                raise
            if default is MISSING:  # else it may hold values that no row has
                self._made[name] = found
        return found

    def rows(self, *, fresh: bool = False) -> list[Any]:
        """Every row; dicts are made from columns once and kept.

        Args:
            fresh: copies that no other consumer sees, for code that may change them.
        """
        if self._columns is None:
            rows = self._rows or []
            if fresh:
                return fresh_rows(rows)
            if self.borrowed:
                self._rows, self.borrowed = fresh_rows(rows), False
            return self._rows or []
        if fresh:
            return self._rows_of_columns()
        if self._rows is None:
            origin = self._origin
            pick = None if self.borrowed or not self._lazy else self._pick
            if pick is not None and origin._rows is not None:
                self._rows = pick(origin._rows)
            else:
                self._rows, self.borrowed = self._rows_of_columns(), False
        return self._rows

    def _rows_of_columns(self) -> list[Any]:
        columns = self.columns
        if not columns:
            return [{} for _ in range(self.count)]
        return row_maker(tuple(columns))(*columns.values())

    def columns_or_rows(self) -> tuple[str, Any]:
        """("columns", dict) where all rows have the same fields, else ("rows", list).

        What a sink writes: instances of dataclasses have become columns, or dicts.
        """
        columns = self.columns if self.columnar else columns_of(self._rows or ())
        if columns:
            return "columns", columns
        return "rows", list(map(plain, self._rows or self.rows()))

    # -- picking rows --------------------------------------------------------------------

    def compress(self, mask: Sequence[object]) -> Batch:
        """The rows whose item of `mask` is true (None is not).

        >>> Batch.of_rows([1, 2], [0, 0], lsn=1).compress([None, True]).rows()
        [2]
        """
        return self._picked(lambda values: list(compress(values, mask)))

    def take(self, indices: Sequence[int]) -> Batch:
        """The rows at these indices, which must not go back across LSNs."""
        return self._picked(lambda values: [values[index] for index in indices])

    def slice(self, start: int, stop: int) -> Batch:
        """Rows [start, stop)."""
        start, stop, _ = slice(start, stop).indices(self.count)
        if start == 0 and stop == self.count:
            return self.marked(output="")
        out = self._picked(lambda values: list(values[start:stop]))
        if self._runs is not LATER:
            out._runs = cut_runs(self._runs, start, max(start, stop))
        return out

    def _picked(self, pick: Pick) -> Batch:
        out = self._positions(pick)
        if self._columns is None:
            out._rows = pick(self._rows or ())
        else:
            out._columns, out._lazy = {}, True
        out.solid, out.known, out.borrowed = self.solid, self.known, self.borrowed
        return out

    def _positions(self, pick: Pick, times: list[int] | None = None) -> Batch:
        """A batch without content for the picked rows."""
        out = Batch(pick(self.times) if times is None else times, None, None, LATER)
        out._picked_from(self, pick)
        out.checked = self.checked and times is None
        return out

    # -- new content ---------------------------------------------------------------------

    def marked(
        self, *, port: int | None = None, output: str | None = None, watermark: int | None = None
    ) -> Batch:
        """The same rows for another port, output or watermark; costs no copy of them."""
        out = self._twin()
        out._columns, out._rows, out._made = self._columns, self._rows, self._made
        out._lazy, out.solid, out.known = self._lazy, self.solid, self.known
        out.borrowed = self.borrowed
        out.port = self.port if port is None else port
        out.output = self.output if output is None else output
        out.watermark = self.watermark if watermark is None else watermark
        return out

    def stamped(self, lsn: int, phase: tuple[Any, ...] | None = None) -> Batch:
        """A fired batch as part of one LSN; its ranks start with `phase` if that is given."""
        out = self.marked()
        out._runs = _whole(lsn, self.count)
        if phase is None:
            out._ranks = None
        else:
            ranks = self.ranks or [(number,) for number in range(self.count)]
            out._ranks = [(*phase, *rank) for rank in ranks]
        return out

    def lent(self) -> Batch:
        """The same rows for a consumer that must not change those that others see."""
        out = self.marked(output="")
        out.borrowed = True
        if self._columns is not None:
            out._rows = None
        return out

    def with_rows(self, rows: list[Any], times: list[int] | None = None) -> Batch:
        """As many rows with new content (and times), in the places of these."""
        out = self._twin(times)
        out._rows = self._fitting(rows)
        return out

    def with_columns(
        self, columns: Columns, times: list[int] | None = None, *, solid: frozenset[str] = NONE
    ) -> Batch:
        """As many rows with these columns (and times) and no others, in the same places."""
        out = self._twin(times)
        out._columns = columns
        out.solid = solid
        return out

    def with_times(self, times: list[int]) -> Batch:
        """The same rows with new event times."""
        out = self.marked()
        out.times = self._fitting(times)
        return out

    def _twin(self, times: list[int] | None = None) -> Batch:
        """A batch without content in the places of this one."""
        out = Batch([] if times is None else self._fitting(times), None, None, self._runs)
        out._same_as(self)
        if times is None:
            out.later(self.count, lambda: self.times)
            out._min_time, out._max_time = self._min_time, self._max_time
        else:
            out.checked = False
        return out

    def emitted(
        self,
        indices: Sequence[int],
        *,
        columns: Columns | None = None,
        rows: list[Any] | None = None,
        times: list[int] | None = None,
        output: str = "",
        solid: frozenset[str] = NONE,
    ) -> Batch:
        """Rows that these input rows caused, several or none of each.

        Each has the LSN of its input row, and its rank extended by the number among the
        rows of this call that the same input row caused.

        Args:
            indices: the input row of each new row; must not decrease.
            times: event times; those of the input rows if not given.

        >>> batch = Batch.of_rows(["a", "b"], [10, 20], lsn=3)
        >>> batch.emitted([0, 0, 1], rows=["x", "y", "z"]).times
        [10, 10, 20]
        """
        out = self._positions(lambda values: [values[index] for index in indices], times)
        if (columns is None) == (rows is None) or out.count != len(indices):
            raise InternalError("emitted rows need an input row, and either columns or rows")
        ranks = self.ranks
        if ranks is not None:
            numbers = _numbers(indices)
            out._ranks = [(*ranks[index], number) for index, number in zip(indices, numbers)]
        out._columns, out._rows, out.solid, out.output = columns, rows, solid, output
        return out

    def __repr__(self) -> str:
        what = "rows" if self._columns is None else f"rows of {', '.join(self.names or ())}"
        side = f" to {self.output!r}" if self.output else ""
        return f"<Batch of {self.count} {what}{side}, runs {self.runs!r:.60}>"


def _whole(lsn: int | None, count: int) -> Runs | None:
    if lsn is None:
        return None
    return [(lsn, count)] if count else []


def _joined(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def _joined_columns(batches: Sequence[Batch], names: Iterable[str]) -> Columns:
    return {name: _joined(batch.column(name) for batch in batches) for name in names}


def _joined_solid(batches: Sequence[Batch]) -> frozenset[str]:
    """Columns solid in all batches and of one type: int here and float there is neither."""
    solid = batches[0].solid.intersection(*(batch.solid for batch in batches[1:]))
    filled = [batch for batch in batches if batch.count]
    return frozenset(
        name for name in solid if len({type(batch.column(name)[0]) for batch in filled}) <= 1
    )


def _numbers(indices: Sequence[int]) -> list[int]:
    """How many equal indices come before each.

    >>> _numbers([0, 0, 3])
    [0, 1, 0]
    """
    out: list[int] = []
    previous = number = -1
    for index in indices:
        number = number + 1 if index == previous else 0
        previous = index
        out.append(number)
    return out
