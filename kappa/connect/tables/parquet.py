"""Parquet in folders by time or by fields: statistics, dictionaries, zstd.

All files of a table have the same columns of the same types: readers take those of the one
file that they open first. What a schema does not say is fixed by the rows of the table's
first file, and kept in its ledger; a later row that does not fit stops the run. So a file's
bytes follow from its rows, the table's columns and the version of pyarrow.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.codec import decode, encode
from kappa.connect.tables.cells import Misfit, array_of, is_known, type_of
from kappa.connect.tables.columns import (
    Column,
    Columns,
    arrow,
    arrow_type,
    columns_from,
    columns_known,
    columns_of,
    kind_of,
    plain,
)
from kappa.connect.tables.formats import Format, Piece, plain_rows
from kappa.connect.tables.sink import TableSink
from kappa.errors import ConfigError, SinkError
from kappa.schemas import Schema

ROW_GROUP = 122_880
"""Rows of a row group: what DuckDB reads at once, so that one thread takes one group."""

VALUE_BYTES = 8
"""What a value that is no text counts for towards the size of a file."""

ANEW = "write the table anew, with a replay into a new version"

Values = dict[str, list[Any]]
Content = tuple[int, Values]
"""Rows as columns, with their number: a row may have no field at all."""


@dataclass(frozen=True, slots=True)
class ParquetFormat:
    """Files of Parquet.

    Args:
        schema: the columns that were declared; once `fixed`, all that there are.
        without: fields that are left out, since the path says them.
        codec: of the pages: "zstd", "snappy", "gzip" or "none".
        fixed: whether `schema` is what the table's first file was written with.
        topic: columns that the topic of the rows declares, for the table's first file.
    """

    schema: Columns = ()
    without: frozenset[str] = frozenset()
    codec: str = "zstd"
    fixed: bool = False
    topic: Columns = ()

    @property
    def suffix(self) -> str:
        """What the name of a file ends in."""
        return ".parquet"

    def informed(self, schema: Schema | None) -> ParquetFormat:
        if schema is None:
            return self
        known = self.without.union(one.name for one in self.schema)
        found = tuple(one for one in columns_known(schema) if one.name not in known)
        return replace(self, topic=found)

    @property
    def columns(self) -> list[Any]:
        """The columns of the table; empty before its first file."""
        return plain(self.schema) if self.fixed else []

    def bound(self, columns: Sequence[Any]) -> ParquetFormat:
        found = columns_from(columns)
        here = {one.name: one for one in found}
        for one in self.schema:
            if here.get(one.name) != one:
                was = here[one.name].kind if one.name in here else "none"
                raise SinkError(
                    f"column {one.name!r} is {_shown(one)} in the sink's schema and"
                    f" {was} in the table: {ANEW}, or give the schema that it had",
                    field=one.name,
                )
        return replace(self, schema=found, fixed=True)

    def settled(self, contents: Sequence[Content]) -> ParquetFormat:
        if self.fixed:
            return self
        declared = (*self.schema, *self.topic)
        known = {one.name for one in declared}
        _, columns = _joined(contents)
        asked = [_asked(name, columns[name]) for name in sorted(columns.keys() - known)]
        return replace(self, schema=(*declared, *asked), fixed=True)

    def piece(self, batch: Batch) -> Piece:
        rows = plain_rows(batch, self.without)
        columns = _columns(rows)
        return Piece((len(rows), columns), len(rows), _size(columns, len(rows)))

    def pack(self, contents: Sequence[Content]) -> bytes:
        return encode(list(_joined(contents)))

    def unpack(self, packed: bytes) -> Content:
        count, columns = decode(packed)
        return count, columns

    def file(self, contents: Sequence[Content]) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        count, columns = _joined(contents)
        schema = self.settled(contents).schema
        _check_names(columns, schema)
        arrays = [_array(one, columns.get(one.name) or [None] * count) for one in schema]
        fields = [pa.field(one.name, arrow_type(one.kind), one.nullable) for one in schema]
        table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
        target = io.BytesIO()
        pq.write_table(
            table,
            target,
            row_group_size=ROW_GROUP,
            compression=None if self.codec == "none" else self.codec,
            use_dictionary=True,
            write_statistics=True,
            write_page_checksum=True,
        )
        return target.getvalue()

    def rows(self, data: bytes) -> list[Any]:
        import pyarrow.parquet as pq

        found: list[Any] = pq.read_table(io.BytesIO(data)).to_pylist()
        return found


def _columns(rows: Sequence[Any]) -> Values:
    """Rows as columns; a row that is no mapping is one of a field `value`."""
    found = [row if isinstance(row, dict) else {"value": row} for row in rows]
    names = dict.fromkeys(name for row in found for name in row)
    return {str(name): [row.get(name) for row in found] for name in names}


def _joined(contents: Sequence[Content]) -> Content:
    """Columns one behind the other; null where one has none of a name."""
    names = sorted({name for _, columns in contents for name in columns})
    joined = {
        name: [
            value for count, columns in contents for value in columns.get(name) or [None] * count
        ]
        for name in names
    }
    return sum(count for count, _ in contents), joined


def _size(columns: Values, count: int) -> int:
    texts = (value for column in columns.values() for value in column)
    return VALUE_BYTES * count * len(columns) + sum(
        len(value) for value in texts if type(value) in (str, bytes)
    )


def _asked(name: str, values: list[Any]) -> Column:
    """The column that the values of a table's first file ask for."""
    try:
        found = type_of(values)
    except Misfit as misfit:
        raise SinkError(
            f"field {name!r}: {_told(misfit)}: make them of one type before the sink",
            field=name,
        ) from None
    if not is_known(found):
        raise SinkError(
            f"field {name!r} has no value in the table's first file that tells its type"
            f' ({found}): say it, as in schema={{{name!r}: "float"}}, or leave the field out'
            f" with .without({name!r})",
            field=name,
        )
    return Column(name, kind_of(found))


def _check_names(columns: Values, schema: Sequence[Column]) -> None:
    known = {one.name for one in schema}
    for name in sorted(columns.keys() - known):
        value = next((one for one in columns[name] if one is not None), None)
        if value is not None:
            raise SinkError(
                f"field {name!r} ({value!r:.80}) is no column of the table, which has"
                f" {', '.join(sorted(known)) or 'none'} by its schema or its first file: readers"
                f" would miss it. Name it in schema= and {ANEW}, or leave the field out with"
                f" .without({name!r})",
                field=name,
            )


def _array(column: Column, values: list[Any]) -> Any:
    try:
        found = array_of(values, arrow_type(column.kind))
    except Misfit as misfit:
        raise SinkError(
            f"field {column.name!r}: {_told(misfit)}, but the column is {_shown(column)} by the"
            f" table's schema or its first file: say in schema= what holds all values and {ANEW}",
            field=column.name,
        ) from None
    if found.null_count and not column.nullable:
        raise SinkError(
            f"field {column.name!r} is null or missing, which the table's schema does not allow",
            field=column.name,
        )
    return found


def _told(misfit: Misfit) -> str:
    kind = type(misfit.value).__name__
    return f"{misfit.value!r:.80} is {kind}" + (f" ({misfit.why})" if misfit.why else "")


def _shown(column: Column) -> str:
    return f"{arrow_type(column.kind)}{'' if column.nullable else ' and never null'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSink(TableSink):
    """Files of Parquet, partitioned by event time or fields, exactly once (extra `lake`).

    Args:
        path, by, zone, rows, size, every, delay, late_delay, success, generations: see
            `TableSink`.
        schema: types of columns by name: bool, int, float, str, bytes, date, time, datetime,
            "timestamp" (of milliseconds since the epoch), duration, uuid, "decimal(10, 2)",
            a name or type of Arrow's, or a type of `kappa.schemas`. What it does not name
            is that of the topic's schema where the rows are a topic's as they are, and else
            fixed by the table's first file. A whole schema of Arrow's or of
            `kappa.schemas`, or a class that declares one, does as well.
        codec: "zstd", "snappy", "gzip" or "none".

    >>> ParquetSink("lake", by="date", schema={"window_start": "timestamp"}).describe()
    'files by date in lake, visible at the checkpoint after one is closed'
    """

    schema: Any = ()
    codec: str = "zstd"

    kind: ClassVar[str] = "parquet"

    def __post_init__(self) -> None:
        arrow()
        object.__setattr__(self, "schema", columns_of(self.schema))
        TableSink.__post_init__(self)
        if self.codec not in ("zstd", "snappy", "gzip", "none"):
            raise ConfigError(f'codec is {self.codec!r}: give "zstd", "snappy", "gzip" or "none"')

    def format(self) -> Format:
        """Parquet, less what the path says."""
        fields = frozenset(self.partitioning.fields)
        schema = tuple(one for one in self.schema if one.name not in fields)
        return ParquetFormat(schema, fields, self.codec)
