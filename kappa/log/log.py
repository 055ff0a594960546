"""`Log`: topics, append, read, and what the runtime needs of a log.

A face: what it does is done by `Store` (writing and following), `rows` (encoding),
`reader`, `producer`, `recovery`, `retention`, `compaction` and `verify`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kappa.errors import ConfigError
from kappa.log import compare, promotion
from kappa.log.admission import Admission
from kappa.log.catalog import Catalog, Topic, check_name
from kappa.log.compaction import Compacted, compact_all
from kappa.log.files import Files, OsFiles
from kappa.log.journal import Entry, Part
from kappa.log.lock import NamedLock
from kappa.log.memory import MemoryFiles
from kappa.log.opening import open_store
from kappa.log.producer import Mode, Producer, ProducerHandle, open_producer
from kappa.log.reader import LSN, Record, read
from kappa.log.recovery import RecoveryReport
from kappa.log.registry import Registry
from kappa.log.retention import Removed, retain_all
from kappa.log.rows import Limits, Times
from kappa.log.schemas import Schemas, made_rows
from kappa.log.settings import Settings
from kappa.log.staging import AppendResult, Draft
from kappa.log.store import Store
from kappa.log.topics import TopicOptions, create_topic, delete_topic
from kappa.log.verify import Repair, Verification, repair, verify
from kappa.log.views import View
from kappa.schemas import DEFAULT_MODE
from kappa.time import Clock, Duration, Instant, SystemClock, duration_ms, instant_ms, optional_ms

if TYPE_CHECKING:
    from kappa.log.query import Result
__all__ = ["Log"]


class Log(Schemas):
    """A log: a folder, or memory, with topics of immutable records in one order.

    Any number of processes may have a log open, append and read at once. A log does not
    survive a fork: the child opens it anew.

    Args:
        path: the folder; created if it is missing.
        fsync: when an append is durable: "always" before it returns, "interval" within
            `fsync_interval`, "never" when the system likes. `sync` and `close` make
            everything durable in each mode.
        fsync_interval: between two syncs in mode "interval".
        clock: for append times and waiting.
        timeout: how long to wait for other processes.
        segment_bytes, journal_bytes: sizes at which a file is left for a new one.
        max_append_bytes, max_record_bytes: larger ones are refused.
        files: the folder as `Files`, in place of `path`.

    Raises:
        LogError: not a kappa log, a newer format, or a file system that is not local.
        CorruptBatch: something that had been made durable does not read back.
        LogLocked: another process is recovering the log for longer than the time-out.

    >>> with Log.memory() as log:
    ...     _ = log.create_topic("bids", partitions=2, key="auction", time="ts")
    ...     _ = log.append("bids", [{"auction": 1, "price": 250, "ts": 1_000}])
    ...     [(record.key, record.value["price"]) for record in log.read("bids")]
    [(1, 250)]
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        fsync: str = "interval",
        fsync_interval: Duration = "50ms",
        clock: Clock | None = None,
        timeout: Duration = "10s",
        segment_bytes: int = 64 << 20,
        journal_bytes: int = 4 << 20,
        max_append_bytes: int = 256 << 20,
        max_record_bytes: int = 16 << 20,
        files: Files | None = None,
    ) -> None:
        if (path is None) == (files is None):
            raise ConfigError("give a path, or files, or use Log.memory()")
        settings = Settings(
            fsync,
            duration_ms(fsync_interval, name="fsync_interval", minimum=1) / 1000,
            duration_ms(timeout, name="timeout", minimum=0) / 1000,
            segment_bytes,
            journal_bytes,
            max_append_bytes,
            max_record_bytes,
        )
        self.clock: Clock = SystemClock() if clock is None else clock
        self.files: Files = OsFiles(Path(path)) if files is None and path is not None else files  # type: ignore[assignment]
        opened = open_store(self.files, settings, self.clock)
        self.recovery: RecoveryReport = opened.report
        self._store: Store = opened.store
        self._held = opened.held
        self._registry = Registry(self._store)
        limits = Limits(max_record_bytes, max_append_bytes)
        self._admission = Admission(self._store, limits, self._registry)

    @classmethod
    def memory(cls, *, clock: Clock | None = None, **options: Any) -> Log:
        """A log in memory: the same code over files that live as long as the object."""
        return cls(files=MemoryFiles(), clock=clock, **{"fsync": "never", **options})

    @staticmethod
    def repair(path: str | os.PathLike[str]) -> Repair:
        """Makes a damaged log usable and says what that gave up; nobody may have it open."""
        return repair(OsFiles(Path(path)), Settings(), SystemClock())

    def __repr__(self) -> str:
        state = "closed" if self._store.closed else f"LSN {self._store.ledger.lsn}"
        return f"<Log {self.files.path()}: {state}>"

    # Topics.

    def create_topic(
        self,
        name: str,
        *,
        partitions: int = 1,
        key: str | Sequence[str] | None = None,
        time: str | None = None,
        codec: str = "none",
        max_future_skew: Duration | None = None,
        retention: Duration | None = None,
        retention_bytes: int | None = None,
        compact: bool = False,
        version: int | None = None,
        owner: str | None = None,
        schema: Any = None,
        compatibility: str = DEFAULT_MODE,
        if_exists: str = "error",
    ) -> Topic:
        """Makes a topic; its settings never change, its schema may.

        Args:
            name: 1 to 200 of A-Z a-z 0-9 . _ -
            partitions: how many.
            key: field, or fields, that hold a record's key.
            time: field that holds its event time: int milliseconds, aware datetime, or
                ISO 8601 text with an offset. None: the append time, unless `append` says.
            codec: "none", "zlib" or "zstd".
            max_future_skew: records further ahead of their append go to
                `<name>.dead_letters`.
            retention, retention_bytes: what `retain` leaves of it.
            compact: whether `compact` keeps only the last record of each key.
            version: makes it `name@version`.
            owner: the pipeline version that alone may write it.
            schema, compatibility: what rows have to look like, as for `set_schema`.
            if_exists: "error", or "ok" to return an equal topic that is there. A schema
                that is none of its versions becomes the next one.

        Raises:
            ConfigError: it exists, or a setting makes no sense.
            IncompatibleSchema: it exists, and the schema does not go with its versions.
        """
        check_name(name)
        options = TopicOptions(
            partitions=partitions,
            key=key if key is None or isinstance(key, str) else tuple(key),
            time=time,
            codec=codec,
            max_future_skew_ms=optional_ms(max_future_skew, name="max_future_skew", minimum=0),
            retention_ms=optional_ms(retention, name="retention", minimum=0),
            retention_bytes=retention_bytes,
            compact=compact,
            owner=owner,
        )
        if schema is None:
            return create_topic(self._store, name, version, options, if_exists=if_exists)
        return self._declared(name, version, options, if_exists, schema, compatibility)

    def delete_topic(self, name: str) -> None:
        """Removes a topic and its records; a new one of that name is another topic."""
        delete_topic(self._store, self.topic(name))

    def topics(self) -> list[Topic]:
        """Every topic, by name and version."""
        return sorted(self.catalog, key=lambda topic: (topic.name, topic.version or 0))

    def topic(self, name: str | tuple[str, int | None]) -> Topic:
        """The topic of a name, "name@version" or (name, version); a bare name may be an alias.

        Raises:
            UnknownTopic: there is none.
        """
        return self.catalog.topic(name)

    def start_offset(self, topic: str, partition: int) -> int:
        """The first offset of a partition that retention left."""
        found = self.topic(topic)
        return self._store.ledger.topic_head(found, partition).start_offset

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record of a partition gets."""
        found = self.topic(topic)
        return self._store.ledger.topic_head(found, partition).next_offset

    # Appending.

    def append(
        self,
        topic: str,
        values: Iterable[Any],
        *,
        key: Any = None,
        time: Times = None,
        partition: int | None = None,
    ) -> AppendResult:
        """Appends records to a topic, all or none; an empty list is a tick.

        Args:
            topic: its name.
            values: the records, in order.
            key, time: where the topic has no field for them, or to override it: one for
                all, a list with one for each, or a function of the record.
            partition: overrides what the key says.

        Raises:
            UnknownTopic, RecordRefused, ConfigError: nothing was appended.
            ContractViolation: the topic's contract or schema refuses a record (a
                `SchemaViolation` says each field, row, what was expected and what was got).
            LogLocked, LogError: likewise, unless a sync failed.

        Cost: about 20 µs for one small dict, 0.3 µs per further record.
        """
        found = self._writable(topic)
        return self._admission.append(found, values, key=key, time=time, partition=partition)

    def append_many(self, values: Mapping[str, Iterable[Any]]) -> AppendResult:
        """Appends records to several topics as one append: all or none, one LSN."""
        given = [(self._writable(name), rows) for name, rows in values.items()]
        return self._admission.append_many(given)

    def heartbeat(self, topic: str, until: Instant) -> AppendResult:
        """Claims that no record of the topic will follow at or before `until`."""
        claim = (self._writable(topic).id, instant_ms(until, name="until"))
        return self._store.commit((Draft((), (claim,)),))[0]

    def producer(
        self,
        topic: str,
        *,
        id: str | None = None,
        batch: int = 4096,
        mode: Mode = "monotone",
    ) -> Producer:
        """Opens a producer, which appends in batches and may be idempotent; see `Producer`."""
        found = self._writable(topic)
        handle = None if id is None else self.open_producer(id, mode=mode)
        return Producer(self._store, found, handle, batch=batch, admission=self._admission)

    def open_producer(self, id: str, *, mode: Mode = "monotone") -> ProducerHandle:
        """Raises a producer's epoch, which fences whoever had it open; for `commit`."""
        return open_producer(self._store, id, mode)

    def _writable(self, name: str) -> Topic:
        topic = self._store.ledger.catalog.known(name) or self.topic(name)
        if topic.owner is not None:
            raise ConfigError(
                f"topic {topic.full_name} is written by {topic.owner} alone: append to another",
                topic=topic.full_name,
            )
        return topic

    # Reading.

    def read(
        self,
        topic: str | tuple[str, int | None],
        *,
        partition: int | None = None,
        start: int | LSN | Instant | None = None,
        stop: int | LSN | Instant | None = None,
        schema: str | int = "newest",
        rows: Any = None,
    ) -> Iterator[Record]:
        """The records of a topic in LSN order, up to the end as of now.

        Voided appends are left out; an alias is followed once, at the start.

        Args:
            topic: its name.
            partition: only this one.
            start, stop: from the first, up to and without the second: an int is an offset
                (needs `partition` unless the topic has just one), `LSN(n)` an LSN, an
                aware datetime or ISO text an event time.
            schema: how rows of a topic with a schema are seen: through the "newest" as of
                now, as they were "written", or through the version of a number.
            rows: a dataclass, TypedDict, msgspec Struct or pydantic model: values are
                instances of it.

        Raises:
            ConfigError: there is no such version of the schema, or `rows` is no such class.
            ContractViolation: while reading: a record cannot be an instance of `rows`.
            UnknownTopic: there is none of that name.
            OffsetOutOfRange: `start` is an offset that retention has removed.

        Cost: 0.5 µs per record; starting takes O(log n) and one file of the journal.
        """
        found = self.topic(topic)
        view = self._schema_view(found, schema)
        records = read(self._store, found, partition=partition, start=start, stop=stop, view=view)
        return records if rows is None else made_rows(records, rows)

    def sql(self, query: str, *, as_of: int | None = None, **options: Any) -> Result:
        """Asks topics with SQL, through DuckDB (extra `sql`); see `kappa.log.query.query`."""
        from kappa.log.query import query as ask

        return ask(self._store, self._registry, query, as_of=as_of, **options)

    def view(self, topic: str, *, as_of: int | None = None) -> View:
        """An upsert topic as a table, the last row of every key up to an LSN; see `View`."""
        return View(self, topic, as_of=as_of)

    def wait(self, after_lsn: int, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Whether a record behind `after_lsn` came in time; seen at once, from others in 5 ms."""
        return self._store.wait(after_lsn, timeout_s, stop)

    # For the runtime.

    @property
    def end_lsn(self) -> int:
        """The LSN of the newest record."""
        self._store.check()
        return self._store.refresh()

    @property
    def synced_lsn(self) -> int:
        """The LSN up to which the log is known to be durable."""
        return max(self._store.syncer.synced, self._store.ledger.synced)

    @property
    def epoch(self) -> int:
        """Rises whenever a recovery cut the log."""
        return self.catalog.epoch

    @property
    def catalog(self) -> Catalog:
        """Topics, aliases, versions and producers, as of now."""
        self._store.check()
        self._store.refresh()
        return self._store.ledger.catalog

    def entries(self, after_lsn: int) -> Iterator[Entry]:
        """The journal's records behind `after_lsn`, up to the end as of now."""
        return self._store.entries(after_lsn)

    def read_parts(self, parts: Sequence[Part]) -> list[bytes]:
        """The bodies of parts in their order, CRCs compared; neighbours are read together.

        Raises:
            OffsetOutOfRange: retention has removed one.
            CorruptBatch: one does not read back.
        """
        return self._store.read_parts(parts)

    def holds(self, part: Part) -> bool:
        """Whether retention has left the records of a part."""
        return not self._store.removed(part.topic_id, part.partition, part.segment)

    def commit(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        """Appends drafts under one lock, each whole; see `Store.commit`."""
        return self._store.commit(drafts)

    def chain_crc(self, lsn: int) -> int:
        """The CRC of the record of `lsn`, which stands for everything up to it."""
        self._store.refresh()
        return self._store.history.chain_crc(lsn)

    def control(self, kind: str, data: Mapping[str, Any]) -> int:
        """Appends a control record; its LSN."""
        return self._store.control(kind, dict(data))

    def lock(self, name: str, *, timeout: Duration = 0) -> NamedLock:
        """Holds a name against all others, or raises `LogLocked`, which names the holder."""
        self._store.check()
        timeout_s = duration_ms(timeout, name="timeout", minimum=0) / 1000
        return NamedLock(self.files, name, self.clock, timeout_s=timeout_s)

    # Versions.

    def diff(self, left: str, right: str, **span: Instant | None) -> compare.Diff:
        """What two topics, such as two versions of an output, differ in; see `compare.diff`."""
        return compare.diff(self, left, right, **span)

    def promote(self, name: str) -> promotion.Promotion:
        """Makes `name@version`, and all outputs beside it, what the bare names stand for."""
        return promotion.promote(self, name)

    def rollback(self, name: str) -> promotion.Promotion:
        """Goes back to the version that a bare name stood for before."""
        return promotion.rollback(self, name)

    # Keeping.

    def retain(self, topic: str | None = None) -> list[Removed]:
        """Removes sealed segments that topics need not keep; no watermark changes."""
        with self.lock("retain and compact", timeout="10s"):
            return retain_all(self._store, self._named(topic), now=self.clock.now_ms())

    def compact(
        self, topic: str | None = None, *, keep_tombstones: Duration = "24h"
    ) -> list[Compacted]:
        """Keeps only the last record of each key in the sealed segments of such topics.

        Those made with `compact=True`; a record without a value stays for `keep_tombstones`.
        """
        before = self.clock.now_ms() - duration_ms(keep_tombstones, name="keep_tombstones")
        with self.lock("retain and compact", timeout="10s"):
            return compact_all(self._store, self._named(topic), tombstones_before=before)

    def _named(self, topic: str | None) -> list[Topic]:
        return self.topics() if topic is None else [self.topic(topic)]

    def verify(self) -> Verification:
        """Reads every record and body for damage; changes nothing."""
        self._store.check()
        return verify(self.files)

    def sync(self) -> int:
        """Makes everything appended so far durable; the LSN reached."""
        return self._store.sync()

    def close(self) -> None:
        """Makes everything durable and lets go of the folder; does nothing the second time."""
        try:
            self._store.close()
        finally:
            self._held.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
