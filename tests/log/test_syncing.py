"""Durability: what each fsync mode promises, group commit, and no sync under the lock.

Method: files that count their syncs, and can be held in one to let others come.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from crash.disks import FaultyFiles
from crash.workload import open_log

from kappa.errors import LogError
from kappa.log import Log
from kappa.log.files import File
from kappa.log.memory import MemoryFile, MemoryFiles
from kappa.time import SystemClock


class CountingFile(MemoryFile):
    """Tells its folder of each sync."""

    __slots__ = ("files", "name")

    def sync(self) -> None:
        self.files.synced(self.name)  # type: ignore[has-type]


class CountingFiles(MemoryFiles):
    """Counts syncs by name; `gate` holds them up."""

    def __init__(self) -> None:
        super().__init__()
        self.syncs: list[str] = []
        self.gate: threading.Event | None = None
        self.entered = threading.Event()
        self.held: Any = None

    def synced(self, name: str) -> None:
        assert self.held is None or not self.held(), f"{name} is synced under the append lock"
        self.syncs.append(name)
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(10)

    def sync_folder(self, name: str = "") -> None:
        self.synced(f"{name}/")

    def open(self, name: str, *, create: bool = False) -> File:
        if create and name not in self.files and name.rpartition("/")[0] in self.folders:
            self.files[name] = file = CountingFile()
            file.files, file.name = self, name
        return super().open(name, create=create)


def counting(fsync: str, **options: Any) -> tuple[CountingFiles, Log]:
    files = CountingFiles()
    log = open_log(files, fsync=fsync, segment_bytes=1 << 20, journal_bytes=1 << 20, **options)
    log.create_topic("a")
    log.append("a", [0])
    log.sync()
    files.held = lambda: log._store._depth > 0
    files.syncs.clear()
    files.entered.clear()
    return files, log


def test_always_syncs_each_append_and_never_none() -> None:
    files, log = counting("always")
    log.append("a", [1])
    assert sorted(name[-4:] for name in files.syncs) == [".jnl", ".seg"]
    assert log.synced_lsn == log.end_lsn
    files, log = counting("never")
    log.append("a", [1])
    assert not files.syncs
    assert log.synced_lsn == log.end_lsn - 1
    log.sync()
    assert len(files.syncs) == 2
    log.sync()
    assert len(files.syncs) == 2


def test_a_new_segment_and_a_new_topic_sync_their_folders() -> None:
    files, log = counting("always")
    log.create_topic("b")
    assert "topics/" in files.syncs
    files.syncs.clear()
    log.append("b", [1])
    assert "topics/000002/" in files.syncs


def test_one_sync_serves_all_who_wait() -> None:
    files, log = counting("always")
    files.gate = threading.Event()
    threads = [threading.Thread(target=log.append, args=("a", [n])) for n in range(8)]
    threads[0].start()
    assert files.entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    assert log.wait(log._store.ledger.lsn, 0) is False
    while len(list(log.read("a"))) < 9:
        pass  # the others append while the first syncs
    files.gate.set()
    for thread in threads:
        thread.join()
    assert sum(name.endswith(".jnl") for name in files.syncs) == 2
    assert log.synced_lsn == log.end_lsn


def test_the_interval_syncs_soon_and_only_after_appends() -> None:
    files = CountingFiles()
    with Log(files=files, clock=SystemClock(), fsync="interval", fsync_interval=1) as log:
        log.create_topic("a")
        while log.synced_lsn < log.end_lsn:
            assert log._store._interval is not None
        files.entered.clear()
        log.append("a", [1])
        assert files.entered.wait(10)
        while log.synced_lsn < log.end_lsn:
            pass
        count = len(files.syncs)
        assert not log.wait(log.end_lsn, 0.02)
        assert len(files.syncs) == count


def test_what_another_process_appended_is_synced_too() -> None:
    files, log = counting("never")
    other = open_log(files, fsync="always", segment_bytes=1 << 20, journal_bytes=1 << 20)
    log.append("a", ["by the first"])
    files.syncs.clear()
    other.append("a", ["by the second"])
    assert {name[-4:] for name in files.syncs} >= {".jnl", ".seg"}
    assert other.synced_lsn == other.end_lsn


def test_a_sync_that_fails_in_the_background_is_said_by_the_next_append() -> None:
    files = FaultyFiles(MemoryFiles(), only="sync")
    log = Log(files=files, fsync="interval", fsync_interval=1)
    log.create_topic("a")
    log.sync()
    files.fail_at = files.calls + 1
    log.append("a", [1])
    with pytest.raises(LogError, match="open it again"):
        while True:
            log.append("a", [2])
    log.close()


def test_closing_leaves_everything_durable_and_noted() -> None:
    files, log = counting("never")
    log.append("a", [1])
    log.close()
    with open_log(files) as again:
        assert again.recovery.verified == 0
        assert again.synced_lsn == again.end_lsn - 1
