"""The one writer and follower of a log's files, behind the face that `Log` is.

A `Store` holds the ledger as of the LSN it has read and moves it in two ways: `refresh`
reads what other processes appended, without a lock, since a record is either whole or not
there; and `commit` writes, under a thread lock and the append lock, after reading what
came before. An error in the middle of a commit takes everything back: what reached the
files lies behind the last valid record and is overwritten.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from kappa.errors import LogError, RecordRefused
from kappa.log.catalog import ProducerState
from kappa.log.damage import clear_tail
from kappa.log.failures import missing_part, not_written, unreadable
from kappa.log.files import File, Files
from kappa.log.history import History
from kappa.log.journal import (
    Entry,
    Part,
    RecordTooLong,
    Scan,
    control_entry,
    control_frame,
    head_frame,
    journal_name,
    read_head,
)
from kappa.log.ledger import Dirty, Ledger
from kappa.log.lock import acquire
from kappa.log.recovery import load
from kappa.log.segments import Segments
from kappa.log.settings import Settings
from kappa.log.staging import AppendResult, Draft, Stage
from kappa.log.syncing import Interval, Syncer
from kappa.log.tail import Waiters
from kappa.time import Clock

__all__ = ["Store", "Writing"]

LOOK_BYTES = 4096
READ_BYTES = 65_536


class Store:
    """A log's state and files.

    Args:
        files: the log's folder, recovered.
        ledger: the state at the newest record known.
        synced: the LSN known to be durable.
        settings: how to write.
        clock: for append times and waiting.
    """

    def __init__(
        self, files: Files, ledger: Ledger, *, synced: int, settings: Settings, clock: Clock
    ) -> None:
        self.files = files
        self.ledger = ledger
        self.settings = settings
        self.clock = clock
        self.segments = Segments(files, ledger.catalog.compacted)
        self.history = History(files)
        self.syncer = Syncer(files, self.segments, self, synced=synced)
        self.closed = False
        self._append_lock = files.lock("locks/append")
        self._mutex = threading.RLock()
        self._journal: File = files.open(ledger.journal)
        self._waiters = Waiters(clock, self._reached)
        self._interval: Interval | None = None
        self._process = os.getpid()
        self._unsure = False
        self._depth = 0

    # Use.

    def check(self) -> None:
        """Raises if the log can no longer be used.

        Raises:
            LogError: closed, forked, or poisoned by a failed sync.
        """
        if self.closed:
            raise LogError(f"the log {self.files.path()} is closed")
        if os.getpid() != self._process:
            raise LogError(
                f"the log {self.files.path()} was opened by process {self._process}: a forked"
                " child shares its locks and must open the log itself"
            )
        if self.syncer.failure is not None:
            self.syncer.check()

    # Reading on.

    def refresh(self) -> int:
        """Takes in what other processes appended; the LSN reached. Cost: 1 µs if nothing."""
        try:
            with self._mutex:
                self._read_on()
                return self.ledger.lsn
        except OSError as error:
            raise unreadable(self.files.path(), error) from error

    def _reached(self) -> int:
        self.check()
        return self.refresh()

    def _read_on(self) -> bool:
        """Whether invalid bytes lie behind the last valid record."""
        if self._unsure:
            self._reload()
        ledger = self.ledger
        while True:
            if ledger.rolled and not self._next_file():
                return False
            data = self._journal.read_at(ledger.position, LOOK_BYTES)
            if not data:
                return False
            self._unsure = True
            scan = Scan(self._journal, ledger.position, ledger.chain, ledger.lsn)
            for entry in scan.read(READ_BYTES):
                ledger.apply(entry)
                ledger.position, ledger.chain = scan.position, scan.chain
            self._unsure = False
            if not ledger.rolled:
                return self._journal.size() > ledger.position

    def _reload(self) -> None:
        """Makes the ledger anew after an interrupt (Ctrl-C) in the middle of moving it."""
        dirty = self.ledger.dirty
        opened = load(self.files)
        self.ledger = opened.ledger
        self.ledger.dirty.merge(dirty)
        self.segments.generations = self.ledger.catalog.compacted
        self._journal = self.files.open(self.ledger.journal)
        self._unsure = False

    def _next_file(self) -> bool:
        """Goes on to the journal file behind a roll, if it is there and whole."""
        name = journal_name(self.ledger.lsn + 1)
        if not self.files.exists(name):
            return False
        file = self.files.open(name)
        head = read_head(file)
        if head is None:
            return False
        self._enter(file, head[1])
        return True

    def _enter(self, file: File, position: int) -> None:
        ledger = self.ledger
        self._journal = file
        ledger.file_lsn = ledger.lsn + 1
        ledger.position = ledger.start = position
        ledger.rolled = False
        ledger.dirty.journals.add(ledger.file_lsn)
        ledger.dirty.new_journal = True

    # Writing.

    def commit(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        """Appends drafts in order, each whole, with one write of the journal.

        If one of them is refused none is appended. Durable on return in mode "always".

        Raises:
            LogLocked: another process writes for longer than the time-out.
            LogError: and its children, as `Stage.add` says; nothing was appended.
                the same where the file system fails or is full.

        Cost: 12 µs, and 4 µs per draft of one row, without syncs.
        """
        self.check()
        try:
            with self._mutex:
                depth = self._depth
                try:
                    self._lock()
                    results = self._commit(drafts)
                    reached = self.ledger.lsn
                finally:
                    self._unlock(depth)
        except OSError as error:
            raise not_written(self.files.path(), error) from error
        self._appended(reached)
        return results

    def _commit(self, drafts: Sequence[Draft]) -> list[AppendResult]:
        stage = self._stage()
        self._unsure = True
        try:
            add = stage.add
            results = [add(draft) for draft in drafts]
            written = self._write(stage) if stage.frames else 0
        except BaseException as error:
            stage.undo()
            self._unsure = False
            if isinstance(error, RecordTooLong):
                raise RecordRefused(f"too many parts for one append: {error}") from None
            raise
        stage.keep(written)
        self._unsure = False
        if self._is_full():
            # The append is made; a new file that cannot be is the next append's trouble.
            with suppress(OSError):
                self._roll()
        return results

    def _stage(self) -> Stage:
        ledger = self.ledger
        now = self.clock.now_ms()
        return Stage(
            ledger,
            now=now if now > ledger.append_time else ledger.append_time,
            synced=max(self.syncer.synced, ledger.synced),
            segment_bytes=self.settings.segment_bytes,
            lookup=self._first_result,
        )

    def _write(self, stage: Stage) -> int:
        segments = self.segments
        for key, (position, bodies) in stage.writes.items():
            segments.write(key, position, bodies[0] if len(bodies) == 1 else b"".join(bodies))
        frames = stage.frames
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        self._journal.write_at(self.ledger.position, data)
        return len(data)

    def control(self, kind: str, data: dict[str, Any]) -> int:
        """Appends a control record and takes it into the catalog; its LSN."""
        with self.writing() as writing:
            return writing.control(kind, data)

    def writing(self) -> Writing:
        """Holds the append lock, so that what is looked up stays true until it is written."""
        return Writing(self)

    def _control(self, kind: str, data: dict[str, Any]) -> int:
        ledger = self.ledger
        lsn = ledger.lsn + 1
        append_time = max(self.clock.now_ms(), ledger.append_time)
        synced = max(self.syncer.synced, ledger.synced)
        framed, chain = control_frame(lsn, append_time, synced, kind, data, ledger.chain)
        self._journal.write_at(ledger.position, framed)
        self._unsure = True
        ledger.apply(control_entry(lsn, append_time, synced, kind, data))
        ledger.chain = chain
        ledger.position += len(framed)
        self._unsure = False
        if not ledger.rolled and self._is_full():
            self._roll()
        return lsn

    def _is_full(self) -> bool:
        # Without the head, or a large catalog would fill every new file at once.
        return self.ledger.position - self.ledger.start > self.settings.journal_bytes

    def _roll(self) -> None:
        """Leaves the journal file for a new one, which starts with the whole ledger."""
        self._control("roll", {})
        self._start_file()

    def _start_file(self) -> None:
        file = self.files.open(journal_name(self.ledger.lsn + 1), create=True)
        head = head_frame(self.ledger.saved())
        file.truncate(0)
        file.write_at(0, head)
        self._enter(file, len(head))

    def _lock(self) -> None:
        """Takes the append lock and reads everything that was written before."""
        acquire(
            self._append_lock,
            self.clock,
            timeout_s=self.settings.timeout_s,
            what=f"the append lock of {self.files.path()}",
        )
        self._depth += 1
        if self._read_on():
            clear_tail(self._journal, self.ledger, self.files.path(self.ledger.journal))
        if self.ledger.rolled:
            self._start_file()

    def _unlock(self, depth: int) -> None:
        # The thread that holds the lock may ask for it again; only the last lets go.
        self._depth = depth
        if not depth:
            self._append_lock.release()

    def _appended(self, lsn: int) -> None:
        self._waiters.wake()
        mode = self.settings.fsync
        if mode == "always":
            self.syncer.through(lsn)
        elif mode == "interval":
            if self._interval is None:
                with self._mutex:
                    if self._interval is None:
                        self._interval = Interval(
                            self.syncer, seconds=self.settings.fsync_interval_s
                        )
            self._interval.appended(lsn)

    def _first_result(
        self, producer: ProducerState, last: int, origin: int | None
    ) -> tuple[Any, ...] | None:
        return self.history.result_of(producer, last, origin or 0, end=self.ledger.lsn)

    # Durability.

    def take_dirty(self) -> tuple[int, Dirty]:
        """What the syncer has to sync to make everything so far durable."""
        with self._mutex:
            dirty, self.ledger.dirty = self.ledger.dirty, Dirty()
            return self.ledger.lsn, dirty

    def removed(self, topic_id: int, partition: int, segment: int) -> bool:
        """Whether a segment was removed, by retention or with its topic."""
        with self._mutex:
            self._read_on()
            heads = self.ledger.heads.get(topic_id)
            return heads is None or segment < heads[partition].start_offset

    def sync(self) -> int:
        """Makes everything appended so far durable; the LSN reached."""
        self.check()
        reached = self.refresh()
        self.syncer.through(reached)
        return reached

    def close(self) -> None:
        """Syncs, notes in the journal that it did, and lets go of the files."""
        if self.closed or os.getpid() != self._process:
            self.closed = True
            return
        try:
            if self._interval is not None:
                self._interval.stop()
            if self.syncer.failure is None:
                self._close_clean()
        finally:
            self.closed = True
            self._append_lock.close()

    def _close_clean(self) -> None:
        self.sync()
        if self.ledger.noted < self.ledger.lsn == self.syncer.synced:
            self.note_synced()

    def note_synced(self) -> None:
        """Makes everything durable, and that a record says so.

        After it an opening need not verify bodies, and files that no record above the
        noted LSN names may go.
        """
        self.sync()
        self.control("synced", {})
        self.sync()

    # Following.

    def wait(self, after_lsn: int, timeout_s: float, stop: threading.Event | None) -> bool:
        """Whether a record behind `after_lsn` came before the time was up or `stop` set."""
        return self._waiters.wait(after_lsn, timeout_s, stop)

    def entries(self, after_lsn: int) -> Iterator[Entry]:
        """The journal's records behind `after_lsn`, up to the end as of now."""
        self.check()
        return self._reading(self.history.entries(after_lsn, end=self.refresh()))

    def _reading(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        try:
            yield from entries
        except OSError as error:
            raise unreadable(self.files.path(), error) from error

    def read_parts(self, parts: Sequence[Part]) -> list[bytes]:
        """The bodies of parts, CRCs compared; see `Segments.read`."""
        self.check()
        try:
            return self.segments.read(parts)
        except FileNotFoundError:
            return self._read_again(parts)
        except OSError as error:
            raise unreadable(self.files.path(), error) from error

    def _read_again(self, parts: Sequence[Part]) -> list[bytes]:
        # Another process may have removed or rewritten the segment a moment ago.
        self.refresh()
        try:
            return self.segments.read(parts)
        except FileNotFoundError:
            raise missing_part(self.segments, self.ledger.heads, parts) from None


class Writing:
    """The append lock as a context: the ledger is up to date and only this thread writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reached = 0
        self._depth = 0

    def __enter__(self) -> Writing:
        store = self._store
        store.check()
        store._mutex.acquire()
        self._depth = store._depth
        try:
            store._lock()
        except BaseException as error:
            store._unlock(self._depth)
            store._mutex.release()
            if isinstance(error, OSError):
                raise not_written(store.files.path(), error) from error
            raise
        self._reached = store.ledger.lsn
        return self

    def control(self, kind: str, data: dict[str, Any]) -> int:
        """Appends a control record; its LSN."""
        return self._store._control(kind, data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        store = self._store
        reached = store.ledger.lsn
        store._unlock(self._depth)
        store._mutex.release()
        if isinstance(error, OSError):
            raise not_written(store.files.path(), error) from error
        if reached > self._reached:
            store._appended(reached)
