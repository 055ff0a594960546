"""Making appends durable: group commit, the interval, and what a failed sync means.

The synced LSN is the one up to which everything is durable: journal, segments and the
names of their files. `through(lsn)` returns once it has reached `lsn`; of several threads
that wait one syncs for all. A sync that fails is never tried again, since the system may
have dropped the bytes and say nothing the next time: the log is poisoned and must be
opened anew.
"""

from __future__ import annotations

import threading
import weakref
from typing import Protocol

from kappa.errors import LogError
from kappa.log.files import Files
from kappa.log.heads import topic_folder
from kappa.log.journal import journal_name
from kappa.log.ledger import Dirty
from kappa.log.segments import Segments

__all__ = ["Interval", "Syncer"]


class Source(Protocol):
    """Where a syncer learns what to sync."""

    def take_dirty(self) -> tuple[int, Dirty]:
        """The LSN reached, and what was written since the last call."""
        ...

    def removed(self, topic_id: int, partition: int, segment: int) -> bool:
        """Whether another process has removed that segment since, as retention does."""
        ...


class Syncer:
    """Syncs what was appended, once for all who wait.

    Args:
        files: the log's folder.
        segments: its open segments.
        source: the log's state.
        synced: the LSN known to be durable.
    """

    def __init__(self, files: Files, segments: Segments, source: Source, *, synced: int) -> None:
        self._files = files
        self._segments = segments
        self._source = source
        self._turn = threading.Condition()
        self._busy = False
        self.synced = synced
        self.failure: BaseException | None = None

    def check(self) -> None:
        """Raises if a sync has failed."""
        if self.failure is not None:
            raise LogError(
                f"a sync of {self._files.path()} failed ({self.failure}), so what was appended"
                " since the last one may be lost: close the log and open it again"
            ) from self.failure

    def through(self, lsn: int) -> None:
        """Returns when everything up to `lsn` is durable.

        Raises:
            LogError: a sync failed, now or before.
        """
        with self._turn:
            while True:
                self.check()
                if self.synced >= lsn:
                    return
                if not self._busy:
                    self._busy = True
                    break
                self._turn.wait()
        self._lead()

    def _lead(self) -> None:
        try:
            reached, dirty = self._source.take_dirty()
            self._sync(dirty)
        except BaseException as error:
            with self._turn:
                self._busy = False
                self.failure = error
                self._turn.notify_all()
            if isinstance(error, OSError):
                self.check()
            raise
        with self._turn:
            self._busy = False
            self.synced = max(self.synced, reached)
            self._turn.notify_all()

    def _sync(self, dirty: Dirty) -> None:
        for key in dirty.segments:
            try:
                self._segments.file(key).sync()
            except FileNotFoundError:
                if not self._source.removed(*key):
                    raise
        for topic_id in dirty.topics:
            if self._files.exists(topic_folder(topic_id)):
                self._files.sync_folder(topic_folder(topic_id))
        if dirty.new_topic or dirty.topics:
            self._files.sync_folder("topics")
        for first_lsn in sorted(dirty.journals):
            self._files.open(journal_name(first_lsn)).sync()
        if dirty.new_journal:
            self._files.sync_folder("journal")


class Interval:
    """A thread that syncs every so often, as long as the syncer lives.

    Args:
        syncer: what it calls.
        target: the LSN that has been appended.
        seconds: between two syncs.
    """

    def __init__(self, syncer: Syncer, *, seconds: float) -> None:
        self._stop = threading.Event()
        self._appended = threading.Event()
        self._lsn = 0
        self._thread = threading.Thread(
            target=_sync_every,
            args=(weakref.ref(syncer), weakref.ref(self), self._stop, self._appended, seconds),
            name="kappa log sync",
            daemon=True,
        )
        self._thread.start()

    @property
    def lsn(self) -> int:
        """The LSN that was last appended."""
        return self._lsn

    def appended(self, lsn: int) -> None:
        """Has `lsn` synced within the interval."""
        self._lsn = lsn
        if not self._appended.is_set():
            self._appended.set()

    def stop(self) -> None:
        """Ends the thread; what is not synced yet stays so."""
        self._stop.set()
        self._appended.set()
        self._thread.join()


def _sync_every(
    syncer_of: weakref.ref[Syncer],
    interval_of: weakref.ref[Interval],
    stop: threading.Event,
    appended: threading.Event,
    seconds: float,
) -> None:
    while not stop.is_set():
        # Idle logs cost nothing: the wait ends with the next append, or now and then to see
        # whether the log still exists.
        if not appended.wait(10.0):
            if syncer_of() is None:
                return
            continue
        stop.wait(seconds)
        appended.clear()
        syncer, interval = syncer_of(), interval_of()
        if syncer is None or interval is None:
            return
        try:
            syncer.through(interval.lsn)
        except BaseException:
            return  # kept in the syncer; the next append says so
        del syncer, interval
