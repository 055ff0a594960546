"""Load a source into a topic, once.

Invariants:
- A record's sequence is the line it begins on, so what was appended before is never
  appended again, whatever happened in between.
- Lines are sent in order. What cannot be read is stopped at, skipped, or sent to the
  topic `<topic>.dead_letters`, which is a producer of its own over the same lines.
- A source is known by its topic and an `id`; for a file that is its path and its first
  record, so that another file put under the same name is not taken for the old one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from kappa.connect.celltypes import CellTypes
from kappa.connect.csvrows import read_csv
from kappa.connect.jsonlines import read_json_lines
from kappa.connect.lines import Broken, Lines
from kappa.connect.times import TimeField
from kappa.errors import ConfigError, SourceError
from kappa.log import Log, Producer
from kappa.time import Clock, SystemClock

OnError = Literal["stop", "skip", "dead_letter"]
REPORT_EVERY = 5_000
FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load has come; `size` is None where nobody can know."""

    records: int
    bytes_read: int
    size: int | None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load did.

    Args:
        id: the producer that the source is known by in the log.
        appended: records that are new in the topic.
        repeated: records that were there already.
        broken: records that could not be read: skipped, or sent to the dead letters.
        seconds: how long it took.
    """

    id: str
    appended: int
    repeated: int
    broken: int
    seconds: float


@dataclass(frozen=True)
class Reading:
    """How a source is read; see `load` for the fields."""

    format: str | None = None
    types: CellTypes = field(default_factory=CellTypes)
    fields: Sequence[str] | None = None
    delimiter: str | None = None

    def records(self, lines: Lines) -> Iterator[tuple[int, object]]:
        """The records of `lines` with the number of the line each begins on."""
        kind = self.kind_of(lines.name)
        if kind == "jsonl":
            return read_json_lines(lines)
        delimiter = self.delimiter or ("\t" if kind == "tsv" else ",")
        return read_csv(lines, types=self.types, fields=self.fields, delimiter=delimiter)

    def kind_of(self, name: str) -> str:
        """The format of a source called `name`: csv, tsv or jsonl.

        Raises:
            ConfigError: neither `format` nor the name says.
        """
        kind = self.format or _format_of(name)
        if kind not in FORMATS.values():
            raise ConfigError(f"the format {kind!r} is unknown: give csv, tsv or jsonl")
        return kind


def load(
    log: Log,
    topic: str,
    source: str | Path | Lines,
    *,
    reading: Reading | None = None,
    time: TimeField | None = None,
    key: str | None = None,
    id: str | None = None,
    on_error: OnError = "stop",
    batch: int = 4096,
    progress: Callable[[LoadProgress], None] | None = None,
    clock: Clock | None = None,
) -> LoadResult:
    """Appends the records of a file or stream that are not in `topic` yet.

    Args:
        log: where to.
        topic: an existing topic of it.
        source: a path, "-" for standard input, or open `Lines`.
        reading: format and cell types; the format follows from the name if not given.
        time: the field that is the event time; else the topic's own field, if it has one.
        key: the field that is the key; else the topic's own.
        id: what the source is known by. Needed for a stream, which has no name.
        on_error: what to do with a record that cannot be read.
        batch: records per append.
        progress: called now and then.
        clock: for the seconds in the result.

    Raises:
        SourceError: the source cannot be read, or a record of it and `on_error` is
            "stop"; what comes before that record is in the topic.
        ConfigError: no `id` for a stream, or a field that is not there.

    Cost: one pass; about the time that parsing takes.

    >>> import io
    >>> log = Log.memory()
    >>> _ = log.create_topic("ages")
    >>> people = b'{"name": "ann", "age": 7}\\n'
    >>> reading = Reading(format="jsonl")
    >>> load(log, "ages", Lines(io.BytesIO(people), "in"), reading=reading, id="in").appended
    1
    >>> load(log, "ages", Lines(io.BytesIO(people), "in"), reading=reading, id="in").repeated
    1
    """
    clock = clock or SystemClock()
    started = clock.monotonic()
    reading = reading or Reading()
    target = log.topic(topic)
    # A source may be loaded into several topics, and a topic made anew is another one.
    name = f"load:{target.full_name}.{target.id}:{id or source_id(source, reading)}"
    if time is None and target.time is not None:
        time = TimeField(target.time)  # so that a record without one is named by its line
    lines = source if isinstance(source, Lines) else Lines.open(source)
    try:
        feed = _Feed(lines, reading.records(lines), time, key, progress)
        counts = feed.send(log, topic, name, on_error, batch)
    finally:
        lines.close()
    return LoadResult(name, *counts, seconds=clock.monotonic() - started)


def source_id(source: str | Path | Lines, reading: Reading) -> str:
    """The id of a file: its full path and a checksum of its first record.

    Two lines of a CSV with a header, which all files of a kind share; else one. A file
    that grows keeps its id.

    Raises:
        ConfigError: the source is a stream and has neither.
    """
    if isinstance(source, Lines) or str(source) == "-":
        name = source.name if isinstance(source, Lines) else "standard input"
        raise ConfigError(
            f"{name} has no path to know it by when it is loaded again:"
            " give it a name of your choice with --id (id=)"
        )
    head = Lines.open(source)
    try:
        count = 2 if reading.kind_of(head.name) != "jsonl" and reading.fields is None else 1
        first = b"".join(islice(head, count))
    finally:
        head.close()
    return f"file:{Path(source).resolve()}:{zlib.crc32(first):08x}"


def _format_of(name: str) -> str:
    suffixes = [suffix for suffix in Path(name).suffixes if suffix != ".gz"]
    kind = FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise ConfigError(f"{name} does not say what it is: give --format csv, tsv or jsonl")
    return kind


@dataclass
class _Feed:
    """One load under way."""

    lines: Lines
    records: Iterable[tuple[int, object]]
    time: TimeField | None
    key: str | None
    progress: Callable[[LoadProgress], None] | None

    def send(
        self, log: Log, topic: str, name: str, on_error: OnError, batch: int
    ) -> tuple[int, int, int]:
        """Sends what is new; returns how many records were new, repeated and broken."""
        appended = repeated = broken = 0
        dead = _DeadLetters(log, topic, name, self.lines.name)
        with log.producer(topic, id=name, batch=batch) as producer:
            known = -1 if producer.last_sequence is None else producer.last_sequence
            for count, (line, value) in enumerate(self.records, 1):
                value, time_ms, key = self._prepared(value)
                if isinstance(value, Broken):
                    if on_error == "stop":
                        producer.flush()
                        raise self._stopped(line, value)
                    if on_error == "dead_letter":
                        dead.send(line, value)
                    broken += 1
                elif line <= known:
                    repeated += 1
                else:
                    producer.send(value, key=key, time=time_ms, sequence=line)
                    appended += 1
                if count % REPORT_EVERY == 0:
                    self._report(count)
        dead.close()
        if known > self.lines.number:
            raise SourceError(
                f"{self.lines.name} has {self.lines.number} lines, but {known} were loaded before:"
                " it was cut, or it is another source; give that one its own --id",
                path=self.lines.name,
            )
        self._report(appended + repeated + broken)
        return appended, repeated, broken

    def _prepared(self, value: object) -> tuple[object, int | None, object]:
        """The value with its time and key, or a `Broken` that says what it lacks."""
        if isinstance(value, Broken) or (self.time is None and self.key is None):
            return value, None, None
        try:
            time_ms = None if self.time is None else self.time.read(value)
            return value, time_ms, None if self.key is None else _key(value, self.key)
        except ValueError as error:
            return Broken(str(error), repr(value)), None, None

    def _stopped(self, line: int, broken: Broken) -> SourceError:
        shown = broken.text if len(broken.text) <= 80 else broken.text[:77] + "..."
        return SourceError(
            f"{self.lines.name}, line {line}: {broken.reason}: {shown!r}."
            " What comes before it is loaded; mend the line and load again,"
            " or use --on-error dead_letter or skip",
            path=self.lines.name,
            position=line,
        )

    def _report(self, count: int) -> None:
        if self.progress is not None:
            self.progress(LoadProgress(count, self.lines.bytes_read, self.lines.size))


def _key(value: object, name: str) -> object:
    if not isinstance(value, Mapping) or name not in value:
        raise ValueError(f"no key: field {name!r} is missing")
    return value[name]


class _DeadLetters:
    """The topic for what could not be read, made when the first such record comes."""

    def __init__(self, log: Log, topic: str, producer_id: str, source: str) -> None:
        self._log = log
        self._topic = f"{topic}.dead_letters"
        self._id = f"{producer_id}:dead_letters"
        self._source = source
        self._producer: Producer | None = None
        self._known = -1

    def send(self, line: int, broken: Broken) -> None:
        """Appends one, unless it was appended before."""
        if self._producer is None:
            self._log.create_topic(self._topic, if_exists="ok")
            self._producer = self._log.producer(self._topic, id=self._id)
            last = self._producer.last_sequence
            self._known = -1 if last is None else last
        if line > self._known:
            letter = {
                "error": broken.reason,
                "source": self._source,
                "line": line,
                "record": broken.text,
            }
            self._producer.send(letter, sequence=line)

    def close(self) -> None:
        """Appends what is waiting."""
        if self._producer is not None:
            self._producer.close()
