"""A topic as an Arrow dataset, read as DuckDB asks for it.

DuckDB passes the columns and conditions of a query to `scanner`, as it does with any Arrow
dataset. Conditions on `_time` and `_lsn` prune groups of parts by what the journal says of
them; Arrow itself decides which group may hold a row that meets them. Only the fields that
are asked for are decoded.

The schema is foretold from a sample. A scan that meets a value or field that does not fit
stops; the query is then run again with the wider schema, so a result never mixes two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from kappa.log.body import Decoded
from kappa.log.query.columns import NOTHING, UTC_TIME, Misfit, array_of, as_type, widened
from kappa.log.query.newest import key_fields
from kappa.log.query.pieces import Group, Piece, TopicParts
from kappa.log.query.statement import Statement
from kappa.log.reader import keys_of

__all__ = ["TopicTable"]

SAMPLED_GROUPS = 16
SAMPLED_PARTS = 8

VALUE = "_value"
"""The column of values that are no mappings."""

_FACTS: dict[str, tuple[Any, Callable[[Piece], Sequence[Any]]]] = {
    "_time": (UTC_TIME, lambda piece: piece.body.times),
    "_append_time": (UTC_TIME, lambda piece: piece.repeated(e.append_time for e in piece.entries)),
    "_lsn": (pa.int64(), lambda piece: piece.repeated(e.lsn for e in piece.entries)),
    "_partition": (pa.int64(), lambda piece: piece.repeated(p.partition for p in piece.parts)),
    "_offset": (pa.int64(), Piece.offsets),
}
"""The record's own facts: their types, and what makes them."""


class TopicTable(ds.Dataset):  # type: ignore[misc,unused-ignore]
    """One topic in one query; kept over the runs that widen its schema.

    Args:
        source: what of the topic there is to see.
        statement: the query; decides which columns there are.
        newest: offset of the last record of each key by partition, if only those are to
            be seen.
    """

    def __init__(
        self,
        source: TopicParts,
        statement: Statement,
        *,
        newest: Mapping[int, Mapping[Any, int]] | None = None,
    ) -> None:
        self.source = source
        self.statement = statement
        self.newest = newest
        self.failure: BaseException | None = None
        self.types: dict[str, Any] = {}
        self.seen: set[str] = set()
        self.read_records = 0
        self.groups = list(source.groups())
        self._sample()

    # The schema.

    @property
    def schema(self) -> Any:
        """The columns: fields that the query may use, and the facts that it names."""
        return pa.schema([*self.types.items(), *self._facts().items()])

    def _facts(self) -> dict[str, Any]:
        """The record's own facts that the query names; a table needs one column at least."""
        named = {name for name in _FACTS if name in self.statement.mentioned} - self.types.keys()
        if not named and not self.types:
            named = {"_time"}
        return {name: kind for name, (kind, _) in _FACTS.items() if name in named}

    def widen(self, misfit: Misfit) -> None:
        """Takes in what a scan has found."""
        self.types[misfit.name] = misfit.type

    def look_everywhere(self) -> bool:
        """Reads the whole topic for fields that the sample missed; whether there are any."""
        before = set(self.types)
        self._learn(self.groups, parts=None)
        return set(self.types) != before

    def _sample(self) -> None:
        step = max(1, (len(self.groups) + SAMPLED_GROUPS - 1) // SAMPLED_GROUPS)
        if self.statement.describes:
            self._learn(self.groups, parts=None)
        else:
            self._learn([*self.groups[::step], *self.groups[-1:]], parts=SAMPLED_PARTS)
        if not self.groups:
            self.types = dict.fromkeys(sorted(self._guessed()), NOTHING)

    def _guessed(self) -> set[str]:
        """The fields of a topic without records: what the query asks for, if it is alone."""
        words, tables = self.statement.words, self.statement.tables
        named = key_fields(self.source.topic.key) | {self.source.topic.time or ""} - {""}
        return named if words is None or len(tables) > 1 else named | set(words - _FACTS.keys())

    def _learn(self, groups: Iterable[Group], *, parts: int | None) -> None:
        for group in groups:
            for piece in self.source.pieces(group, None, each=True, at_most=parts):
                for name, values in self._columns_of(piece).items():
                    self.seen.add(name)
                    if self.statement.uses(name):
                        kind = array_of(values).type
                        self.types[name] = widened(kind, self.types.get(name, NOTHING))

    # Scanning.

    def scanner(
        self, columns: Sequence[str] | None = None, filter: Any = None, **options: Any
    ) -> Any:
        """Rows as DuckDB asks for them.

        Args:
            columns: to return; all by default.
            filter: an Arrow expression that the rows must meet.
            options: of Arrow's scanner, such as `batch_size`.
        """
        read = self._read_for(columns, filter)
        schema = pa.schema([field for field in self.schema if field.name in read])
        batches = self._watched(self._batches(schema, self._groups_for(filter)))
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        return ds.Scanner.from_batches(reader, columns=columns, filter=filter, **options)

    def _read_for(self, columns: Sequence[str] | None, filter: Any) -> set[str]:
        """Names of the columns to make: those asked for, and those that the filter names."""
        names = set(self.schema.names)
        if columns is None:
            return names
        text = "" if filter is None else str(filter)
        found = {name for name in names if name in columns or name in text}
        return found or {min(names)}  # a count of rows needs one column, whichever

    def _groups_for(self, filter: Any) -> list[Group]:
        facts = self._facts()
        known = [name for name in ("_time", "_lsn") if name in facts]
        if filter is None or not known or not self.groups:
            return self.groups
        dataset = ds.FileSystemDataset.from_paths(
            [str(number) for number in range(len(self.groups))],  # names only; nothing is opened
            self.schema,
            ds.ParquetFileFormat(),
            LocalFileSystem(),
            partitions=[_promise(group, known) for group in self.groups],
        )
        kept = sorted(int(fragment.path) for fragment in dataset.get_fragments(filter=filter))
        return [self.groups[number] for number in kept]

    def _watched(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Keeps the error that ends a scan: Arrow and DuckDB pass on its text alone."""
        try:
            yield from batches
        except BaseException as error:
            self.failure = error
            raise

    def _batches(self, schema: Any, groups: Sequence[Group]) -> Iterator[Any]:
        facts = self._facts()
        every = self.statement.words is None
        fields = None if every or VALUE in schema.names else set(schema.names) - set(facts)
        each = "_offset" in schema.names or self.newest is not None
        for group in groups:
            for piece in self.source.pieces(group, self._decoded_fields(fields), each=each):
                self.read_records += piece.body.count
                found = self._columns_of(piece)
                if every:
                    self._check_known(found)
                count = piece.body.count
                arrays = [
                    _fact(piece, name) if name in facts else self._field(name, found, count)
                    for name in schema.names
                ]
                yield self._kept(piece, pa.RecordBatch.from_arrays(arrays, schema=schema))

    def _decoded_fields(self, fields: set[str] | None) -> set[str] | None:
        """What to decode: with it the fields of the key, where the key decides."""
        if fields is None or (self.newest is None and "_key" not in fields):
            return fields
        return fields | key_fields(self.source.topic.key)

    def _field(self, name: str, found: Mapping[str, Sequence[Any]], count: int) -> Any:
        wanted = self.types[name]
        values = found.get(name)
        if values is None:
            return pa.nulls(count, type=wanted)
        return as_type(name, values, wanted)

    def _check_known(self, found: Mapping[str, Sequence[Any]]) -> None:
        for name, values in found.items():
            if name not in self.types and self.statement.uses(name):
                raise Misfit(name, array_of(values).type)

    def _kept(self, piece: Piece, batch: Any) -> Any:
        """The rows that are the last of their key, where only those are asked for."""
        if self.newest is None:
            return batch
        newest = self.newest[piece.parts[0].partition]
        keys, offsets = keys_of(self.source.topic, piece.body), piece.offsets()
        mask = [
            key is None or (newest.get(key) == offset and not dead)
            for key, offset, dead in zip(keys, offsets, _dead(piece.body), strict=True)
        ]
        return batch.filter(pa.array(mask, type=pa.bool_()))

    def _columns_of(self, piece: Piece) -> dict[str, Sequence[Any]]:
        """The fields of a piece by name, and what else a query can name."""
        body = piece.body
        found: dict[str, Sequence[Any]] = {}
        if body.columns is not None:
            found |= body.columns
        else:
            found |= _of_values(body.values or [])
        if "_key" in self.statement.mentioned and "_key" not in found:
            found["_key"] = list(keys_of(self.source.topic, body))
        return found


def _of_values(values: Sequence[Any]) -> dict[str, Sequence[Any]]:
    rows = [value if isinstance(value, dict) else {} for value in values]
    names = dict.fromkeys(name for row in rows for name in row)
    found: dict[str, Sequence[Any]] = {str(name): [row.get(name) for row in rows] for name in names}
    others = [None if isinstance(value, dict) else value for value in values]
    if any(value is not None for value in others):
        found[VALUE] = others
    return found


def _dead(body: Decoded) -> Sequence[bool]:
    """Whether a record is a tombstone: its value is None."""
    if body.values is None:
        return [False] * body.count
    return [value is None for value in body.values]


def _fact(piece: Piece, name: str) -> Any:
    kind, make = _FACTS[name]
    values = make(piece)
    if kind == UTC_TIME:
        return pa.array(values, type=pa.timestamp("ms", tz="UTC")).cast(UTC_TIME)
    return pa.array(values, type=kind)


def _promise(group: Group, known: Sequence[str]) -> Any:
    """What holds for every row of a group, as an Arrow expression."""
    bounds = {
        "_time": (group.min_time * 1000, group.max_time * 1000, UTC_TIME),
        "_lsn": (group.first_lsn, group.last_lsn, pa.int64()),
    }
    promise = None
    for name in known:
        low, high, kind = bounds[name]
        field = ds.field(name)
        both = (field >= pa.scalar(low, type=kind)) & (field <= pa.scalar(high, type=kind))
        promise = both if promise is None else promise & both
    return promise
