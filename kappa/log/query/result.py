"""What a query gave: rows in Python, an Arrow table, a file, or records of a topic."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kappa.errors import ConfigError
from kappa.log.files import OsFiles

if TYPE_CHECKING:
    from kappa.log.log import Log

__all__ = ["FORMATS", "Result"]

FETCHED_ROWS = 4096
RESULT = "kappa_result"
"""The table of the query's connection that holds the rows."""

FORMATS: Mapping[str, str] = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
"""Formats of files, and how DuckDB writes them."""


class Result:
    """The rows of a query, kept by DuckDB in memory, or on disk where they are many.

    A context manager; closing it lets go of the rows.

    Attributes:
        columns: names, in order.
        types: DuckDB's types of the columns, as text.
        count: number of rows.
        lsn: the log as of this LSN was asked.
        read: records that were decoded, by topic: what pushdown has left of it.
    """

    def __init__(self, connection: Any, *, lsn: int, read: Mapping[str, int]) -> None:
        self._connection = connection
        self.lsn = lsn
        self.read = dict(read)
        rows = connection.execute(f"DESCRIBE {RESULT}").fetchall()
        self.columns = tuple(row[0] for row in rows)
        self.count: int
        self.types = tuple(str(row[1]) for row in rows)
        ((self.count,),) = connection.execute(f"SELECT count(*) FROM {RESULT}").fetchall()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows as mappings; instants are aware datetimes in the query's zone."""
        for row in self.tuples():
            yield dict(zip(self.columns, row, strict=True))

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """The rows as tuples."""
        cursor = self._connection.cursor().execute(f"SELECT * FROM {RESULT}")
        while rows := cursor.fetchmany(FETCHED_ROWS):
            yield from rows

    def rows(self) -> list[dict[str, Any]]:
        """All rows as mappings."""
        return list(self)

    def scalar(self) -> Any:
        """The only value of the only row.

        Raises:
            ConfigError: there is not one of each.
        """
        if self.count != 1 or len(self.columns) != 1:
            raise ConfigError(f"{self.count} rows of {len(self.columns)} columns: not one value")
        return next(self.tuples())[0]

    def arrow(self) -> Any:
        """The rows as a `pyarrow.Table`."""
        return self._connection.sql(f"SELECT * FROM {RESULT}").to_arrow_table()

    def df(self) -> Any:
        """The rows as a pandas DataFrame; needs pandas."""
        return self.arrow().to_pandas()

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Writes the rows to a file, which is there whole or not at all.

        Args:
            path: of the file; one that exists is replaced.
            format: csv, json, jsonl or parquet; by the file's ending if left out.

        Raises:
            ConfigError: an unknown format.
        """
        target = Path(path)
        format = target.suffix.removeprefix(".") if format is None else format
        if format not in FORMATS:
            raise ConfigError(f"{target}: format {format!r}: give one of {', '.join(FORMATS)}")
        files = OsFiles(target.parent)
        aside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            place = str(aside).replace("'", "''")
            self._connection.execute(
                f"COPY ({self._exact(format)}) TO '{place}' ({FORMATS[format]})"
            ).fetchall()
            files.open(aside.name).sync()
            files.rename(aside.name, target.name)
            files.sync_folder()
        finally:
            aside.unlink(missing_ok=True)
        return target

    def _exact(self, format: str) -> str:
        """The query for a file: a sum of ints is not a double in Parquet."""
        if format != "parquet" or "HUGEINT" not in self.types:
            return f"SELECT * FROM {RESULT}"
        casts = [
            f"CAST({_quoted(name)} AS DECIMAL(38, 0)) AS {_quoted(name)}"
            for name, kind in zip(self.columns, self.types, strict=True)
            if kind == "HUGEINT"
        ]
        return f"SELECT * REPLACE ({', '.join(casts)}) FROM {RESULT}"

    def into(
        self,
        log: Log,
        topic: str,
        *,
        key: str | Callable[[Any], Any] | None = None,
        time: str | Callable[[Any], Any] | None = None,
        id: str | None = None,
        batch: int = 4096,
    ) -> int:
        """Appends the rows to a topic; the number of records appended.

        Args:
            log: where the topic is; most often the one that was asked.
            topic: that exists.
            key, time: field, or function of the row, where the topic has none of its own.
            id: a producer's, which makes it once: a row is known by its number, so the
                query needs an ORDER BY that leaves nothing open. Called again, only rows
                beyond the last one are appended.
            batch: records per append.
        """
        with log.producer(topic, id=id, batch=batch) as producer:
            for number, row in enumerate(self):
                record = {name: _stored(value) for name, value in row.items()}
                producer.send(
                    record,
                    key=_asked(key, record),
                    time=_asked(time, record),
                    sequence=None if id is None else number,
                )
        return self.count - producer.repeated

    def close(self) -> None:
        """Lets go of the rows."""
        self._connection.close()

    def __enter__(self) -> Result:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Result of {self.count} rows: {', '.join(self.columns)}; LSN {self.lsn}>"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _stored(value: Any) -> Any:
    """A value as a topic takes it: instants in plain UTC."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def _asked(what: str | Callable[[Any], Any] | None, record: Mapping[str, Any]) -> Any:
    if what is None:
        return None
    if callable(what):
        return what(record)
    if what not in record:
        raise ConfigError(f"the query gives no column {what!r}: it has {', '.join(record)}")
    return record[what]
