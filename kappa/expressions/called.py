"""Functions of the row at work: from a batch to a list of values, and which row failed.

Three ways, by what is known of the function: written out as text over the columns (see
`inline`); called with one dict that is refilled for every row, where it reads single fields
only (see `reads`); or called with whole rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import length_hint
from typing import Any, NamedTuple

from kappa.batch import Batch, RowFailure, located, unknown_field
from kappa.batch.generated import row_filler, row_mapper
from kappa.expressions.compiler import Kind
from kappa.expressions.inline import Inlined, inlined
from kappa.expressions.reads import is_lazy


class Loops(NamedTuple):
    """Loops over columns; the first argument is the function, or the constants of its text."""

    one_by_one: Callable[..., Iterator[Any]]
    at_once: Callable[..., list[Any]]


class BoundFunction:
    """A function of the row.

    Where it is known to read some fields only, and rows have not been made yet, it gets
    one dict that is refilled for every row: it cannot keep or change it (see `reads`).
    Half as dear as making rows of five fields, a tenth for forty.

    Args:
        function: gets a row.
        reads: the fields it reads, None for all or not known.
        fresh: rows must be ones that no other consumer sees.
    """

    __slots__ = ("called", "fields", "fresh", "function", "inline", "reads", "split", "written")

    def __init__(
        self, function: Callable[[Any], Any], reads: frozenset[str] | None, *, fresh: bool
    ) -> None:
        self.function = function
        self.reads = reads
        self.fields = None if reads is None or is_lazy(function) else tuple(sorted(reads))
        self.fresh = fresh and reads is None
        self.called: Loops | None = None
        self.written: Loops | None = None
        self.split: Callable[..., dict[str, list[Any]]] | None = None
        self.inline: Inlined | None = None
        if self.fields is None:
            return
        self.called = Loops(row_filler(self.fields), row_mapper(self.fields))
        self.inline = inlined(function, self.fields)
        if self.inline is not None:
            self.written = Loops(self.inline.filler(), self.inline.mapper())
            self.split = self.inline.splitter()

    def __call__(self, batch: Batch) -> list[Any]:
        return self._values(batch, at_once=False)

    def all_or_none(self, batch: Batch) -> list[Any]:
        """The values, a tenth faster: where a row fails, those before it are lost."""
        return self._values(batch, at_once=True)

    def columns(self, batch: Batch) -> dict[str, list[Any]] | None:
        """The columns of the results, where they are dicts of the same names, else None.

        None as well where a row fails; its values say which.
        """
        if self.split is None or not self._reads_columns(batch):
            return None
        constants = self._constants()
        if constants is None:
            return None
        try:
            return self.split(constants, *self._columns(batch))
        except Exception:  # `all_or_none` finds the row and the reason
            return None

    @property
    def passed(self) -> dict[str, str]:
        """Which of `columns` are fields of the batch as they are."""
        return {} if self.inline is None else self.inline.passed

    def kind(self, batch: Batch) -> Kind:
        """Nothing is known of what a function returns."""
        return None

    def _values(self, batch: Batch, *, at_once: bool) -> list[Any]:
        try:
            if not self._reads_columns(batch):
                return located(self.function, batch.rows(fresh=self.fresh))
            constants = None if self.written is None else self._constants()
            if self.written is None or constants is None:
                assert self.called is not None
                return _looped(self.called, self.function, batch, self._columns(batch), at_once)
            try:
                return _looped(self.written, constants, batch, self._columns(batch), at_once)
            except RowFailure as failure:
                failure.cause = self._own_error(batch, failure)
                raise
        except RowFailure as failure:
            failure.batch = batch
            failure.cause = self._explained(failure)
            raise

    def _reads_columns(self, batch: Batch) -> bool:
        return self.fields is not None and batch.columnar and all(map(batch.has, self.fields))

    def _columns(self, batch: Batch) -> list[list[Any]]:
        return [batch.column(name) for name in self.fields or ()] or [batch.times]

    def _constants(self) -> tuple[Any, ...] | None:
        return None if self.inline is None else self.inline.constants(self.function)

    def _own_error(self, batch: Batch, failure: RowFailure) -> BaseException:
        """What the function itself raises for a row on which its text failed."""
        row = {name: batch.column(name)[failure.index] for name in self.fields or ()}
        try:
            self.function(row)
        except Exception as error:
            return error
        return failure.cause

    def _explained(self, failure: RowFailure) -> BaseException:
        """A KeyError about a field says which fields there are."""
        cause = failure.cause
        name = cause.args[0] if isinstance(cause, KeyError) and cause.args else None
        if name not in (self.reads or ()):
            return cause
        row = failure.row
        if not isinstance(row, dict) or name in row:
            return cause
        error = unknown_field(name, row)
        error.__cause__ = cause
        return error


def _looped(
    loops: Loops, lead: Any, batch: Batch, columns: list[list[Any]], at_once: bool
) -> list[Any]:
    """The values of a loop over columns.

    Raises:
        RowFailure: with what came before it, unless all are made at once.
    """
    if not at_once:
        done: list[Any] = []
        try:
            done.extend(loops.one_by_one(lead, *columns))  # keeps what came before an error
        except Exception as cause:
            raise RowFailure(len(done), cause, done=done) from cause
        return done
    first, *others = columns
    left = iter(first)
    try:
        return loops.at_once(lead, left, *others)
    except Exception as cause:
        # The failing row is the one before what is left.
        raise RowFailure(batch.count - length_hint(left) - 1, cause) from cause
