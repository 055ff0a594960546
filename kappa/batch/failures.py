"""How a failing row is named between the place where it fails and the runtime.

`RowFailure` never reaches a user: the runtime turns it into `OperatorError`, with step,
topic, partition and offset, or a step sets the row aside as a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kappa.errors import UnknownField

if TYPE_CHECKING:
    from kappa.batch.batch import Batch

T = TypeVar("T")
U = TypeVar("U")


class RowFailure(Exception):
    """The user's code, or an expression, failed on one row of a batch.

    Args:
        index: row of the batch, from 0.
        cause: the original exception.
        batch: the batch, where known; the runtime finds the record's origin through it.
        done: results of the rows before `index`, so that whoever goes on behind the row
            calls no function twice; None where they were not kept.
    """

    def __init__(
        self,
        index: int,
        cause: BaseException,
        batch: Batch | None = None,
        done: list[Any] | None = None,
    ) -> None:
        super().__init__(index, cause)
        self.index = index
        self.cause = cause
        self.batch = batch
        self.done = done

    @property
    def lsn(self) -> int | None:
        """The LSN of the append that the row answers, where it is known."""
        found = self._found()
        return found.lsns()[0] if found is not None and found.runs else None

    @property
    def row(self) -> Any:
        """The row itself, or None where the batch is not known."""
        found = self._found()
        return None if found is None else found.rows()[0]

    def _found(self) -> Batch | None:
        inside = self.batch is not None and self.index < self.batch.count
        return self.batch.slice(self.index, self.index + 1) if inside and self.batch else None

    def __str__(self) -> str:
        return f"row {self.index}: {describe_error(self.cause)}"


def describe_error(cause: BaseException) -> str:
    """One line for an exception, as the last line of its traceback would say it.

    >>> describe_error(ValueError("too small")), describe_error(KeyError("price"))
    ('ValueError: too small', "KeyError: 'price'")
    """
    text = str(cause)
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


def unknown_field(name: object, known: Iterable[object]) -> UnknownField:
    """The error for a field that a row does not have; names the known ones.

    >>> print(unknown_field("prise", ["price", "bidder"]))
    unknown field 'prise'; known fields: bidder, price; did you mean 'price'?
    """
    from difflib import get_close_matches  # a millisecond that `import kappa` need not pay

    names = sorted(map(str, known))
    text = f"unknown field {name!r}; known fields: {', '.join(names) or 'none'}"
    close = get_close_matches(str(name), names, n=1)
    if close:
        text += f"; did you mean {close[0]!r}?"
    return UnknownField(text, field=str(name))


def located(function: Callable[[T], U], rows: Sequence[T]) -> list[U]:
    """`function` of every row; a failure says which row it was.

    `list.extend` keeps what the iterator gave before it raised, so the length of the
    result is the failing row and nothing is called twice. As fast as `list(map(...))`.

    Raises:
        RowFailure: `function` raised, with its index, error and the results before it.

    >>> located(lambda row: 6 // row, [1, 2, 3])
    [6, 3, 2]
    """
    out: list[U] = []
    try:
        out.extend(map(function, rows))
    except Exception as cause:
        raise RowFailure(len(out), cause, done=out) from cause
    if len(out) != len(rows):  # `map` takes a StopIteration of the function for its end
        raise RowFailure(len(out), RuntimeError("the function raised StopIteration"), done=out)
    return out
