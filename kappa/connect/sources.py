"""One source opened: a file or stream of any format, as positions and what stands there.

What stands at a position is a record, a `Broken`, or a `Frame` of records, of which the
position is that of the first. Positions ascend: lines from 1, rows of Parquet and Avro from 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from kappa.batch import Frame
from kappa.connect.avro import AvroRows
from kappa.connect.celltypes import CellTypes
from kappa.connect.csvrows import read_csv
from kappa.connect.jsonlines import read_json_lines
from kappa.connect.lines import Broken, Lines
from kappa.connect.parquet import ParquetRows
from kappa.connect.places import FORMATS, format_of, is_url, open_file
from kappa.connect.times import TimeField
from kappa.errors import ConfigError
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

Found = Iterator[tuple[int, object]]


class Source(Protocol):
    """What every kind of opened source tells."""

    name: str
    size: int | None
    number: int

    @property
    def bytes_read(self) -> int:
        """How far it was read."""
        ...

    def close(self) -> None:
        """Closes it."""
        ...


@dataclass(frozen=True)
class Reading:
    """How sources are read.

    Args:
        format: csv, tsv, jsonl, parquet or avro; else the name's ending says.
        types: what the cells of a CSV become.
        fields: the names of a CSV's columns, if it has no header line.
        delimiter: between the cells of a CSV.
        columns: the fields to take; all by default.
        since, until: only records with since <= event time < until, ms.
        folders: whether folders named `date=2013-03-01` tell fields that the files lack.
        rows: of a column format taken at once.
        growing: a last line without an end is still being written, and left.
        told: fields among `columns` that a source need not have, since its folders tell them.
    """

    format: str | None = None
    types: CellTypes = field(default_factory=CellTypes)
    fields: Sequence[str] | None = None
    delimiter: str | None = None
    columns: Sequence[str] | None = None
    since: int = MINUS_INFINITY
    until: int = PLUS_INFINITY
    folders: bool = True
    rows: int = 4096
    growing: bool = False
    told: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether all records with all their fields are wanted."""
        return self.columns is None and not self.ranged

    @property
    def ranged(self) -> bool:
        """Whether only records of a range are wanted."""
        return self.since > MINUS_INFINITY or self.until < PLUS_INFINITY

    def kind_of(self, name: str) -> str:
        """The format of a source called `name`.

        Raises:
            ConfigError: neither `format` nor the name says.
        """
        known = ", ".join(dict.fromkeys(FORMATS.values()))
        kind = self.format or format_of(name)
        if kind is None:
            raise ConfigError(f"{name} does not say what it is: give --format, one of {known}")
        if kind not in FORMATS.values():
            raise ConfigError(f"the format {kind!r} is unknown: give one of {known}")
        return kind

    def open(self, place: str | Path) -> Source:
        """Opens a file, or standard input for "-".

        Raises:
            SourceError: it cannot be read, or is not of its format.
            MissingExtra: what reads its format is not installed.
        """
        kind = self.kind_of(str(place))
        if kind in ("parquet", "avro"):
            file, size = open_file(str(place))
            return (ParquetRows if kind == "parquet" else AvroRows)(file, str(place), size)
        if is_url(str(place)):
            file, size = open_file(str(place))
            return Lines.of(file, str(place), size)
        return Lines.open(place)

    def records(self, source: Source, time: TimeField | None = None, after: int = -1) -> Found:
        """What a source holds, by position.

        Args:
            source: opened by `open`, or lines of the caller's.
            time: the event time, which a range is about.
            after: what stands up to this position has been loaded before.
        """
        if isinstance(source, ParquetRows):
            zone = UTC if time is None else _zone(time)
            frames = source.frames(
                columns=self.columns, told=self.told, time=time, since=self.since, until=self.until,
                after=-1 if self.ranged else after, rows=self.rows, zone=zone,
            )  # fmt: skip
            return self._within(frames, time)
        found: Found
        if isinstance(source, AvroRows):
            found = source.records()
        else:
            assert isinstance(source, Lines)
            source.growing = self.growing
            found = self._lines(source)
        if self.columns is not None:
            found = _narrowed(found, self.columns, self.told)
        return self._within(found, time)

    def _lines(self, lines: Lines) -> Found:
        kind = self.kind_of(lines.name)
        if kind == "jsonl":
            return read_json_lines(lines)
        delimiter = self.delimiter or ("\t" if kind == "tsv" else ",")
        return read_csv(lines, types=self.types, fields=self.fields, delimiter=delimiter)

    def _within(self, found: Iterator[tuple[int, object]], time: TimeField | None) -> Found:
        """Only the records of the range; what has no time stays, to be complained about."""
        if not self.ranged:
            yield from found
            return
        if time is None:
            raise ConfigError("since and until need the event time: give time=")
        for position, value in found:
            if isinstance(value, Frame):
                yield from self._cut(position, value, time)
            elif not isinstance(value, Mapping) or self._holds(value.get(time.name), time):
                yield position, value

    def _cut(self, first: int, frame: Frame, time: TimeField) -> Found:
        column = frame.columns.get(time.name)
        if column is None:
            yield first, frame
            return
        kept = [at for at, value in enumerate(column) if self._holds(value, time)]
        # A frame's records follow each other: gaps make several of it.
        start = 0
        for at in range(1, len(kept) + 1):
            if at == len(kept) or kept[at] != kept[at - 1] + 1:
                yield first + kept[start], frame[kept[start] : kept[at - 1] + 1]
                start = at

    def _holds(self, value: object, time: TimeField) -> bool:
        try:
            return self.since <= time.moment(value) < self.until
        except ValueError:
            return True

    def fingerprint(self, place: str | Path) -> str:
        """What tells a file from another one put under its name.

        Of lines, a checksum of the first record (and the header): a file that grows keeps
        it. Of Parquet the footer's, of Avro the marker that its writer drew.
        """
        source = self.open(place)
        try:
            if isinstance(source, ParquetRows | AvroRows):
                return source.fingerprint()
            assert isinstance(source, Lines)
            headed = self.kind_of(source.name) != "jsonl" and self.fields is None
            return f"{zlib.crc32(b''.join(islice(source, 2 if headed else 1))):08x}"
        finally:
            source.close()

    def described(self) -> str:
        """What of a source is taken, as a text; empty for all of it."""
        if self.whole:
            return ""
        columns = "*" if self.columns is None else ",".join(self.columns)
        since = "" if self.since == MINUS_INFINITY else str(self.since)
        until = "" if self.until == PLUS_INFINITY else str(self.until)
        return f"{columns}[{since},{until})"


def _narrowed(found: Found, columns: Sequence[str], told: frozenset[str]) -> Found:
    for position, value in found:
        if isinstance(value, Mapping):
            missing = [name for name in columns if name not in value and name not in told]
            if missing:
                yield position, Broken(f"there is no field {missing[0]!r}", repr(value))
                continue
            yield position, {name: value[name] for name in columns if name in value}
        else:
            yield position, value


def _zone(time: TimeField) -> tzinfo:
    return UTC if time.zone is None else ZoneInfo(time.zone)
