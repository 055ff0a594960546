"""A small log's life, and what of it must be found again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kappa.log import Draft, Entry, Log
from kappa.log.files import Files
from kappa.log.memory import MemoryFiles
from kappa.time import ManualClock

Truth = list[tuple[Entry, list[bytes]]]

SMALL: dict[str, Any] = {"segment_bytes": 160, "journal_bytes": 400}
"""Sizes at which even a small log rolls its files."""


def open_log(files: Files, **options: Any) -> Log:
    return Log(files=files, clock=ManualClock(1_000), **{"fsync": "never", **SMALL, **options})


def live(files: Files, fsync: str, acked: Callable[[int], None]) -> Log:
    """Appends of every kind; `acked` is told each LSN that is promised to be durable."""
    log = open_log(files, fsync=fsync)

    def done(lsn: int) -> None:
        if fsync == "always":
            acked(lsn)

    log.create_topic("a", partitions=2, key="k", time="t")
    log.create_topic("b")
    for n in range(3):
        done(log.append("a", [{"k": n, "t": n}, {"k": n + 1, "t": n + 5}]).lsn)
    if fsync != "always":
        acked(log.sync())
    done(log.append_many({"a": [{"k": 9, "t": 9}], "b": ["x" * 60]}).lsn)
    producer = log.open_producer("p")
    a = log.topic("a").id
    drafts = [Draft((), ((a, n),), producer.index, producer.epoch, n, n, n) for n in range(2)]
    done(log.commit(drafts)[-1].lsn)
    log.control("run", {"what": "z" * 30})
    done(log.append("b", ["y" * 70, "z" * 70]).lsn)
    if fsync != "always":
        acked(log.sync())
    done(log.append("b", [1]).lsn)
    done(log.append("a", [{"k": 7, "t": 70}]).lsn)
    return log


def truth_of(log: Log) -> Truth:
    """Every record with the bodies it names."""
    return [(entry, log.read_parts(entry.parts)) for entry in log.entries(0)]


def check_prefix(
    files: MemoryFiles, truth: Truth, acked: int, where: str = "", *, use: bool = True
) -> Log:
    """Opens what a crash left, and compares: a prefix, and all that was acknowledged.

    `use`: appends to it and opens it again, too.
    """
    log = open_log(files)
    found = truth_of(log)
    kept = log.recovery.lsn if log.recovery.reason else len(found)
    assert kept >= acked, f"{where}: {acked} were acknowledged, {kept} are left: {log.recovery}"
    assert found[:kept] == truth[:kept], where
    if use:
        check_usable(log, files)
    return log


def check_usable(log: Log, files: MemoryFiles) -> None:
    """An append after recovery is there when the log is opened again."""
    log.create_topic("after", if_exists="ok")
    before = [record.value for record in log.read("after")]
    log.append("after", [len(before)])
    log.close()
    with open_log(files) as again:
        assert [record.value for record in again.read("after")] == [*before, len(before)]
        assert not again.recovery.reason
