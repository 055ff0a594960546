"""What keyed steps share: keys of a batch, key fields of a result, rows that fail.

A key is checked when a step first sees it: a key that is in its state has been. So NaN,
naive datetimes and unhashable keys are refused at no cost per record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from kappa.batch import Batch, RowFailure, describe_error, plain
from kappa.codec import check_key
from kappa.errors import ConfigError, RecordRefused
from kappa.expressions import Selector
from kappa.operators.contract import OperatorContext
from kappa.operators.letters import letters

Columns: TypeAlias = list[list[Any]]
Kernel: TypeAlias = Callable[..., None]


# ---- keys


def key_row(names: Sequence[str], key: Any) -> dict[str, Any]:
    """The key field(s) of one result row.

    >>> key_row(("auction",), 7), key_row(("a", "b"), (1, 2)), key_row((), ())
    ({'auction': 7}, {'a': 1, 'b': 2}, {})
    """
    return {names[0]: key} if len(names) == 1 else dict(zip(names, key, strict=True))


def key_columns(names: Sequence[str], keys: list[Any]) -> dict[str, list[Any]]:
    """The key field(s) of result rows as columns.

    >>> key_columns(("a", "b"), [(1, 2), (3, 4)])
    {'a': [1, 3], 'b': [2, 4]}
    """
    if len(names) == 1:
        return {names[0]: keys}
    if not keys:
        return {name: [] for name in names}
    return dict(zip(names, map(list, zip(*keys, strict=True)), strict=True))


def check_names(key: Selector, names: Sequence[str], kind: str) -> None:
    """Refuses result fields that would hide a key field.

    Raises:
        ConfigError: a name is among the key's.
    """
    for name in names:
        if name in key.names:
            raise ConfigError(
                f"{kind}: {name!r} is the name of the key and of a result; rename the result"
            )


def as_mapping(row: Any) -> Mapping[Any, Any]:
    """A row to which fields can be added: a plain value becomes the field `value`.

    >>> as_mapping(5)
    {'value': 5}
    """
    if type(row) is dict:
        return row
    row = plain(row)
    return row if isinstance(row, Mapping) else {"value": row}


def plain_rows(rows: list[Any]) -> list[Any]:
    """Rows that state can hold: instances of a dataclass as dicts of their fields."""
    return rows if set(map(type, rows)) == {dict} else list(map(plain, rows))


def told(batch: Batch, fields: Mapping[str, list[Any]], output: str) -> Batch:
    """The rows with fields added, for a side output; columns stay columns."""
    if batch.columnar:
        made = batch.with_columns({**(batch.columns or {}), **fields}, solid=batch.solid)
    else:
        rows = [
            {**as_mapping(row), **dict(zip(fields, values))}
            for row, *values in zip(batch.rows(), *fields.values())
        ]
        made = batch.with_rows(rows)
    return made.marked(output=output)


# ---- rows that fail


def dead_letter(batch: Batch, index: int, cause: BaseException, context: OperatorContext) -> Batch:
    """The failing row as a dead letter; where there are none, the error that stops the run.

    Raises:
        RowFailure: the pipeline does not set failing records aside.
    """
    if not context.dead_letters:
        raise RowFailure(index, cause, batch) from cause
    return letters(batch, [index], [describe_error(cause)], context)


def run_rows(
    kernel: Kernel,
    batch: Batch,
    keys: list[Any],
    columns: Columns,
    outs: list[Any],
    context: OperatorContext,
) -> list[Batch]:
    """Runs a kernel over all rows, going on behind rows that fail; gives the dead letters.

    Args:
        kernel: called with the keys and each column, from some row on. It appends exactly
            one item to `outs` per row, after all else it does for the row.
        batch: the rows.
        keys: the key of each row.
        columns: what the kernel needs of each row.
        outs: what the kernel fills; a failing row's item is None.
        context: says what to do with a failing row.

    Raises:
        RowFailure: a row failed, and failing records are not set aside.
    """
    dead: list[Batch] = []
    start = 0
    while start < batch.count:
        try:
            if start:
                kernel(keys[start:], *(column[start:] for column in columns))
            else:
                kernel(keys, *columns)
            return dead
        except Exception as error:
            index = len(outs)
            cause = refusal(keys[index]) or error
            dead.append(dead_letter(batch, index, cause, context))
            outs.append(None)
            start = index + 1
    return dead


def refusal(key: Any) -> RecordRefused | None:
    """Why `key` cannot be a key, or None if it can.

    >>> print(refusal([1]))
    key [1] is a list: cannot be a key; use a tuple
    """
    try:
        check_key(key)
    except RecordRefused as error:
        return error
    return None


def answered(batch: Batch, outs: list[Any]) -> Batch:
    """One row out per row in, where it is not None; each in its input row's place."""
    if type(None) not in set(map(type, outs)):  # by type: a value's `==` may be anything
        return batch.with_rows(outs)
    kept = [index for index, out in enumerate(outs) if out is not None]
    return batch.take(kept).with_rows([outs[index] for index in kept])
