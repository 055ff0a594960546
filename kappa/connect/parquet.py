"""Parquet files, columns first: only the asked columns and the row groups of a time range."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, BinaryIO

from kappa.batch import Frame
from kappa.connect.arrow import frame_of
from kappa.connect.times import TimeField
from kappa.errors import MissingExtra, SourceError
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

if TYPE_CHECKING:
    import pyarrow.parquet as pq

FOOTER = 8


class ParquetRows:
    """The rows of one Parquet file, in frames.

    Args:
        file: its bytes; closed by `close`.
        name: what to call it in messages.
        size: in bytes.

    Attributes:
        number: rows in the file.
        skipped: rows that were passed over because they had been loaded before.

    Raises:
        SourceError: it is not a whole Parquet file.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, file: BinaryIO, name: str, size: int | None) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            file.close()
            raise MissingExtra.of("pyarrow", extra="lake") from error
        self.name = name
        self.size = size
        self.skipped = 0
        self._raw = file
        self._done = 0
        try:
            self._file: pq.ParquetFile = pq.ParquetFile(file, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            file.close()
            raise SourceError(
                f"{name} is not a whole Parquet file: {error}", path=name, retryable=True
            ) from error
        self.number: int = self._file.metadata.num_rows

    @property
    def bytes_read(self) -> int:
        """How far it was read, as a share of its size."""
        return round((self.size or 0) * self._done / max(1, self.number))

    def frames(
        self,
        *,
        columns: Sequence[str] | None = None,
        told: Collection[str] = (),
        time: TimeField | None = None,
        since: int = MINUS_INFINITY,
        until: int = PLUS_INFINITY,
        after: int = -1,
        rows: int = 4096,
        zone: tzinfo = UTC,
    ) -> Iterator[tuple[int, Frame]]:
        """Frames with the number of their first row, from 0.

        Args:
            columns: the fields to read; all by default.
            told: those that the file need not have, since its folders tell them.
            time: the event time, which the range is about.
            since, until: row groups of which no row can lie within are not read.
            after: rows up to this number are not wanted; whole groups of them not read.
            rows: in a frame, at most.
            zone: of timestamps that name none.

        Raises:
            SourceError: a column is not there, or the file is damaged.
        """
        import pyarrow as pa

        wanted = self._wanted(columns, told)
        first = 0
        for group in range(self._file.num_row_groups):
            facts = self._file.metadata.row_group(group)
            stop = first + facts.num_rows
            if stop <= after + 1:
                self.skipped += facts.num_rows
            elif self._within(facts, time, since, until):
                try:
                    batches = self._file.iter_batches(rows, row_groups=[group], columns=wanted)
                    for batch in batches:
                        yield first, self._frame(batch, zone)
                        first += batch.num_rows
                        self._done = first
                except (pa.ArrowException, OSError) as error:
                    raise SourceError(
                        f"{self.name}, row group {group}: {error}", path=self.name, position=first
                    ) from error
            first = self._done = stop

    def _frame(self, batch: Any, zone: tzinfo) -> Frame:
        try:
            return frame_of(batch, zone)
        except SourceError as error:
            raise SourceError(f"{self.name}: {error.message}", path=self.name) from error

    def _wanted(self, columns: Sequence[str] | None, told: Collection[str]) -> list[str] | None:
        if columns is None:
            return None
        known = self._file.schema_arrow.names
        missing = [name for name in columns if name not in known and name not in told]
        if missing:
            raise SourceError(
                f"{self.name} has no column {missing[0]!r}; it has {', '.join(known)}",
                path=self.name,
            )
        return [name for name in columns if name in known]

    def _within(self, facts: Any, time: TimeField | None, since: int, until: int) -> bool:
        """Whether a row of a group may lie in the range, by its statistics."""
        if time is None or (since == MINUS_INFINITY and until == PLUS_INFINITY):
            return True
        for at in range(facts.num_columns):
            column = facts.column(at)
            if column.path_in_schema == time.name and column.is_stats_set:
                found = column.statistics
                return not found.has_min_max or _meets(time, found.min, found.max, since, until)
        return True

    def fingerprint(self) -> str:
        """A checksum of its footer, which says what the file is."""
        self._raw.seek(-FOOTER, 2)
        length = int.from_bytes(self._raw.read(4), "little")
        self._raw.seek(-(FOOTER + length), 2)
        return f"{zlib.crc32(self._raw.read(length)):08x}"

    def close(self) -> None:
        """Closes the file."""
        self._file.close(force=True)
        self._raw.close()


def _meets(time: TimeField, low: Any, high: Any, since: int, until: int) -> bool:
    """Whether some instant between two may lie in a range; yes where they are none."""
    try:
        return time.moment(high) >= since and time.moment(low) < until
    except ValueError:
        return True
