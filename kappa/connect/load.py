"""Load a source into a topic, once.

Invariants:
- A record's sequence is the line it begins on, so what was appended before is never
  appended again, whatever happened in between.
- Lines are sent in order. What cannot be read is stopped at, skipped, or sent to the
  topic `<topic>.dead_letters`, which is a producer of its own over the same lines.
- A source is known by its topic and an `id`; for a file that is its path and a fingerprint,
  so that another file put under the same name is not taken for the old one.
- A file is loaded with one choice of columns and range; with another it would double.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kappa.batch import Frame
from kappa.connect.lines import Broken, Lines
from kappa.connect.listing import Listed, check_loaded, listed
from kappa.connect.places import is_url
from kappa.connect.shaped import Shaped
from kappa.connect.sources import Reading, Source
from kappa.connect.times import TimeField
from kappa.errors import ConfigError, SourceError
from kappa.log import Log, Producer, Topic
from kappa.time import Clock, SystemClock

OnError = Literal["stop", "skip", "dead_letter"]
REPORT_EVERY = 5_000


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


def load(
    log: Log,
    topic: str,
    source: str | Path | Source,
    *,
    reading: Reading | None = None,
    time: TimeField | None = None,
    key: str | None = None,
    id: str | None = None,
    on_error: OnError = "stop",
    batch: int = 4096,
    extra: Mapping[str, Any] | None = None,
    at: str | None = None,
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
        extra: fields that every record gets, unless it has them itself.
        at: where the source is to be read, if it has moved from where it is known.
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
    name = f"load:{target.full_name}.{target.id}:{id or source_id(source, reading, at=at)}"
    if id is None:
        taken = f"|{reading.described()}" if not reading.whole else ""
        _check_once(log, name, taken, source)
        name += taken
    if time is None and target.time is not None:
        time = TimeField(target.time)  # so that a record without one is named by its line
    extra = extra or {}
    if reading.columns is not None:
        extra = {name: value for name, value in extra.items() if name in reading.columns}
        reading = replace(reading, told=frozenset(extra))
    opened = reading.open(at or source) if isinstance(source, str | Path) else source
    shaped = _shaped(log, target)
    reading = replace(reading, rows=batch)
    if shaped is not None:
        reading = replace(reading, types=replace(reading.types, hints=shaped.cells))
    feed = _Feed(opened, reading, time, key, extra, progress, shaped)
    try:
        feed.send(log, topic, name, on_error, batch)
    finally:
        opened.close()
    seconds = clock.monotonic() - started
    return LoadResult(name, feed.appended, feed.repeated, feed.broken, seconds)


def _shaped(log: Log, topic: Topic) -> Shaped | None:
    """How rows become what the topic's schema has; a contract that diverts judges the others."""
    schema = log.schema((topic.name, topic.version))
    if schema is None:
        return None
    contracts = log.catalog.contracts.get(topic.id)
    return Shaped(schema, breaks=not contracts or contracts[-1]["contract"] is None)


def load_all(
    log: Log,
    topic: str,
    place: str | Path,
    *,
    reading: Reading | None = None,
    on_file: Callable[[str, LoadResult], None] | None = None,
    stop: Callable[[], bool] | None = None,
    **options: Any,
) -> list[LoadResult]:
    """Loads every file of a place, in the order of their names; what was loaded is passed over.

    Args:
        log, topic: as for `load`.
        place: a file, a folder with all below it, or a pattern; a path or a URL. Of a table
            that kappa wrote, the files that its ledger shows, by time.
        reading: as for `load`.
        on_file: called after each file with its name and what was done.
        stop: asked between two files whether to stop.
        options: of `load`.

    Raises:
        SourceError: there is nothing there, or a file cannot be read; those before it are
            loaded. Or the topic holds rows that the table has replaced since.
    """
    reading = reading or Reading()
    results = []
    files = listed(place, reading)
    check_loaded(log, topic, files)
    for file in files:
        if stop is not None and stop():
            break
        results.append(load_listed(log, topic, file, reading=reading, **options))
        if on_file is not None:
            on_file(file.name, results[-1])
    return results


def load_listed(log: Log, topic: str, file: Listed, **options: Any) -> LoadResult:
    """Loads one file of a listing; `options` as for `load`.

    Raises:
        SourceError: it cannot be read, or was replaced so long ago that it is gone.
    """
    given = {"extra": file.told, **options}
    while True:
        at = file.lies()
        try:
            return load(log, topic, file.name, at=at, **given)
        except SourceError:
            if file.table is None or file.lies() == at:
                raise  # else it was put aside between the look and the opening


def source_id(source: str | Path | Source, reading: Reading, *, at: str | None = None) -> str:
    """The id of a file: its full path, a fingerprint, and what is taken of it.

    Raises:
        ConfigError: the source is a stream and has neither.
    """
    if not isinstance(source, str | Path) or str(source) == "-":
        name = "standard input" if isinstance(source, str | Path) else source.name
        raise ConfigError(
            f"{name} has no path to know it by when it is loaded again:"
            " give it a name of your choice with --id (id=)"
        )
    place = str(source) if is_url(str(source)) else str(Path(source).resolve())
    return f"file:{place}:{reading.fingerprint(at or source)}"


def _check_once(log: Log, name: str, taken: str, place: object) -> None:
    """Refuses to load a file with other columns or another range than before."""
    others = [
        known
        for known in log.catalog.producers
        if known.startswith(name)
        and known[len(name) : len(name) + 1] in ("", "|")
        and known != name + taken
    ]
    if others:
        raise SourceError(
            f"{place} was loaded into this topic before with other columns or another range:"
            " its records would be there twice; give it another id with --id (id=) if they should",
            path=str(place),
        )


@dataclass
class _Feed:
    """One load under way."""

    source: Source
    reading: Reading
    time: TimeField | None
    key: str | None
    extra: Mapping[str, Any]
    progress: Callable[[LoadProgress], None] | None
    shaped: Shaped | None = None
    appended: int = 0
    repeated: int = 0
    broken: int = 0

    def send(self, log: Log, topic: str, name: str, on_error: OnError, batch: int) -> None:
        """Sends what is new, and counts."""
        self.dead = _DeadLetters(log, topic, name, self.source.name)
        self.on_error = on_error
        with log.producer(topic, id=name, batch=batch) as producer:
            known = -1 if producer.last_sequence is None else producer.last_sequence
            self.known = known
            reported = 0
            for position, value in self.reading.records(self.source, self.time, after=known):
                if isinstance(value, Frame):
                    self._send_frame(producer, position, self._widened(value))
                else:
                    self._send(producer, position, value)
                if self._count - reported >= REPORT_EVERY:
                    reported = self._count
                    self._report()
        self.repeated += getattr(self.source, "skipped", 0)
        self.dead.close()
        if known > self.source.number:
            raise SourceError(
                f"{self.source.name} has {self.source.number} lines, but {known} were loaded"
                " before: it was cut, or it is another source; give that one its own --id",
                path=self.source.name,
            )
        self._report()

    @property
    def _count(self) -> int:
        return self.appended + self.repeated + self.broken

    def _widened(self, frame: Frame) -> Frame:
        new = {n: [v] * len(frame) for n, v in self.extra.items() if n not in frame.columns}
        return Frame({**frame.columns, **new}, len(frame)) if new else frame

    def _send_frame(self, producer: Producer, first: int, frame: Frame) -> None:
        try:
            times, keys = self._read(frame)
        except (ValueError, KeyError):  # the records one by one say which it is
            for position, row in enumerate(frame, first):
                self._send(producer, position, row)
            return
        before = producer.repeated
        producer.send_columns(frame, key=keys, time=times, sequence=first)
        known = producer.repeated - before
        self.repeated += known
        self.appended += len(frame) - known

    def _read(self, frame: Frame) -> tuple[list[int] | None, list[Any] | None]:
        times = None
        if self.time is not None:
            times = list(map(self.time.moment, frame.columns[self.time.name]))
        return times, None if self.key is None else frame.columns[self.key]

    def _send(self, producer: Producer, position: int, value: object) -> None:
        if self.extra and isinstance(value, dict):
            value = {**self.extra, **value}
        value, time_ms, key = self._prepared(position, value)
        if isinstance(value, Broken):
            if self.on_error == "stop":
                producer.flush()
                raise self._stopped(position, value)
            if self.on_error == "dead_letter":
                self.dead.send(position, value)
            self.broken += 1
        elif position <= self.known:
            self.repeated += 1
        else:
            producer.send(value, key=key, time=time_ms, sequence=position)
            self.appended += 1

    def _prepared(self, position: int, value: object) -> tuple[object, int | None, object]:
        """The value with its time and key, or a `Broken` that says what it lacks."""
        if isinstance(value, Broken):
            return value, None, None
        time_ms = key = None
        try:
            if self.time is not None:
                time_ms = self.time.read(value)
            if self.key is not None:
                key = _key(value, self.key)
        except ValueError as error:
            return Broken(str(error), repr(value)), None, None
        # What is there already may be of an older schema; but its letters may be missing.
        if self.shaped is not None and (position > self.known or self.on_error == "dead_letter"):
            at = None if self.time is None or time_ms is None else (self.time.name, time_ms)
            value = self.shaped.row(value, time=at)
            if self.key is not None and isinstance(value, dict):
                key = value[self.key]
        return value, time_ms, key

    def _stopped(self, position: int, broken: Broken) -> SourceError:
        shown = broken.text if len(broken.text) <= 80 else broken.text[:77] + "..."
        what = "line" if isinstance(self.source, Lines) else "row"
        return SourceError(
            f"{self.source.name}, {what} {position}: {broken.reason}: {shown!r}."
            f" What comes before it is loaded; mend the {what} and load again,"
            " or use --on-error dead_letter or skip",
            path=self.source.name,
            position=position,
        )

    def _report(self) -> None:
        if self.progress is not None:
            progress = LoadProgress(self._count, self.source.bytes_read, self.source.size)
            self.progress(progress)


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
