"""Parquet in folders by time or by fields: statistics, dictionaries, zstd.

A file's bytes follow from its rows, the schema and the version of pyarrow. Without a schema
the type of a column follows from the values in the file; give one where values are rare or
often null, so that all files of a table agree.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.codec import decode, encode
from kappa.connect.tables.columns import Columns, array, arrow_type, columns_of
from kappa.connect.tables.formats import Format, Piece, plain_rows
from kappa.connect.tables.sink import TableSink
from kappa.errors import ConfigError

ROW_GROUP = 122_880
"""Rows of a row group: what DuckDB reads at once, so that one thread takes one group."""

VALUE_BYTES = 8
"""What a value that is no text counts for towards the size of a file."""

Values = dict[str, list[Any]]
Content = tuple[int, Values]
"""Rows as columns, with their number: a row may have no field at all."""


@dataclass(frozen=True, slots=True)
class ParquetFormat:
    """Files of Parquet.

    Args:
        schema: type of columns by name, see `columns`; others go by their values.
        without: fields that are left out, since the path says them.
        codec: of the pages: "zstd", "snappy", "gzip" or "none".
    """

    schema: Columns = ()
    without: frozenset[str] = frozenset()
    codec: str = "zstd"

    @property
    def suffix(self) -> str:
        """What the name of a file ends in."""
        return ".parquet"

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
        known = {name: kind for name, kind in self.schema if name not in self.without}
        names = [*known, *sorted(name for name in columns if name not in known)]
        arrays = [array(name, columns.get(name), count, known.get(name)) for name in names]
        table = pa.Table.from_arrays(arrays, names=names)
        target = io.BytesIO()
        pq.write_table(
            table,
            target,
            row_group_size=ROW_GROUP,
            compression=None if self.codec == "none" else self.codec,
            use_dictionary=True,
            write_statistics=True,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSink(TableSink):
    """Files of Parquet, partitioned by event time or fields, exactly once (extra `lake`).

    Args:
        path, by, zone, rows, size, every, delay, late_delay, success, generations: see
            `TableSink`.
        schema: what a topic's rows are declared as: a class, a `kappa.schemas.Schema`; or types
            of columns by name: bool, int, float, str, bytes, date, datetime, "timestamp" (of
            milliseconds since the epoch), "decimal(10, 2)", or a name or type of Arrow's.
            Columns that it does not name follow, by name, with the type that their values ask
            for.
        codec: "zstd", "snappy", "gzip" or "none".

    >>> ParquetSink("lake", by="date", schema={"window_start": "timestamp"}).describe()
    'files by date in lake, visible at the checkpoint after one is closed'
    """

    schema: Any = ()
    codec: str = "zstd"

    kind: ClassVar[str] = "parquet"

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", columns_of(self.schema))
        TableSink.__post_init__(self)
        for _, kind in self.schema:
            arrow_type(kind)
        if self.codec not in ("zstd", "snappy", "gzip", "none"):
            raise ConfigError(f'codec is {self.codec!r}: give "zstd", "snappy", "gzip" or "none"')

    def format(self) -> Format:
        """Parquet, less what the path says."""
        return ParquetFormat(self.schema, frozenset(self.partitioning.fields), self.codec)
