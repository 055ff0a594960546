"""Records as columns, on their way into a log: what reads columns need not make rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from kappa.batch.generated import row_maker
from kappa.errors import ConfigError


class Frame(Sequence[dict[str, Any]]):
    """Records of the same fields, given as columns; a sequence of dicts for who asks.

    Args:
        columns: the values of every field, all of one length.
        count: number of records, where there are no fields.
        solid: columns known to be exactly int throughout, or exactly float.

    Raises:
        ConfigError: columns of different lengths.

    >>> frame = Frame({"a": [1, 2], "b": [None, "x"]})
    >>> len(frame), frame[1], frame[1:].columns
    (2, {'a': 2, 'b': 'x'}, {'a': [2], 'b': ['x']})
    """

    __slots__ = ("_rows", "columns", "solid")

    def __init__(
        self,
        columns: Mapping[str, list[Any]],
        count: int = 0,
        *,
        solid: frozenset[str] = frozenset(),
    ) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ConfigError(f"columns of different lengths: {lengths}")
        self.columns = dict(columns)
        self.solid = solid
        self._rows = next(iter(lengths.values()), count)

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> Frame: ...

    def __getitem__(self, at: int | slice) -> dict[str, Any] | Frame:
        if isinstance(at, slice):
            rows = len(range(*at.indices(self._rows)))
            columns = {name: column[at] for name, column in self.columns.items()}
            return Frame(columns, rows, solid=self.solid)
        if not -self._rows <= at < self._rows:
            raise IndexError(at)
        return {name: column[at] for name, column in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if not self.columns:
            return iter([{} for _ in range(self._rows)])
        made: list[dict[str, Any]] = row_maker(tuple(self.columns))(*self.columns.values())
        return iter(made)

    def take(self, places: Sequence[int]) -> Frame:
        """The records at these places."""
        columns = {name: [column[at] for at in places] for name, column in self.columns.items()}
        return Frame(columns, len(places), solid=self.solid)
