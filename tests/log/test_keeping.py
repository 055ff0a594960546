"""Retention and compaction: what goes, what stays, and that no watermark could change.

Method: logs of tiny segments in memory. The journal before and after must name the same
times; a crash at every file call leaves either the old content or the new.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from crash.disks import FaultyFiles, copy_of
from crash.workload import open_log
from hypothesis import given, settings
from hypothesis import strategies as st

from kappa.errors import LogError, OffsetOutOfRange
from kappa.log import CLOSING, Draft, Log, encode_body
from kappa.log.memory import MemoryFiles
from kappa.time import ManualClock


def segments(log: Log) -> list[str]:
    return [n for topic in log.topics() for n in log.files.names(f"topics/{topic.id:06d}")]


def filled(files: Any = None, **options: Any) -> Log:
    """Ten appends, a second apart, of 60 bytes each: a segment holds two."""
    clock = ManualClock(0)
    log = Log(files=files or MemoryFiles(), clock=clock, fsync="never", segment_bytes=160)
    log.create_topic("a", **options)
    for n in range(10):
        clock.advance("1s")
        log.append("a", [f"{n}" * 40], key=f"k{n % 3}")
    return log


# ---- retention


def test_segments_older_than_asked_go() -> None:
    log = filled(retention="5s")
    journal = list(log.entries(0))
    (removed,) = log.retain()
    assert removed.records == removed.starts[0] == log.start_offset("a", 0) == 4
    assert [record.offset for record in log.read("a")] == [4, 5, 6, 7, 8, 9]
    assert list(log.entries(0))[: len(journal)] == journal
    assert len(segments(log)) == 3
    with pytest.raises(OffsetOutOfRange, match="offset 2 of a, partition 0"):
        log.read("a", start=2)
    with pytest.raises(OffsetOutOfRange, match="removed by retention; the partition starts at 4"):
        log.read_parts(journal[1].parts)
    assert not log.retain()[0].starts


def test_segments_beyond_the_size_go() -> None:
    log = filled(retention_bytes=320)
    (removed,) = log.retain()
    assert removed.starts == {0: 6}
    assert removed.size > 300


def test_the_segment_being_written_stays() -> None:
    log = filled(retention="0ms", retention_bytes=0)
    log.retain()
    assert [record.offset for record in log.read("a")] == [8, 9]
    log.append("a", ["next"])
    assert log.end_offset("a", 0) == 11


def test_retention_survives_opening_again() -> None:
    files = MemoryFiles()
    log = filled(files, retention="5s")
    log.retain()
    log.close()
    with open_log(files) as again:
        assert [record.offset for record in again.read("a")] == [4, 5, 6, 7, 8, 9]
        assert again.append("a", ["x"]).offsets[0].offset == 10


def test_a_reader_that_is_overtaken_is_told() -> None:
    log = filled(retention="5s")
    journal = list(log.entries(0))
    other = open_log(log.files)
    log.retain()
    with pytest.raises(OffsetOutOfRange):
        other.read_parts(journal[1].parts)


# ---- compaction


def compacted(**options: Any) -> Log:
    log = filled(compact=True, **options)
    log.compact()
    return log


def test_only_the_last_record_of_each_key_is_kept_in_sealed_segments() -> None:
    before = [(r.offset, r.key, r.value) for r in filled(compact=True).read("a")]
    log = compacted()
    after = [(r.offset, r.key, r.value) for r in log.read("a")]
    assert after == [record for record in before if record[0] in (7, 8, 9)]
    assert after == [(r.offset, r.key, r.value) for r in log.read("a", start=0)]
    assert [r.offset for r in log.read("a", start=8)] == [8, 9]
    entries = [part.count for entry in log.entries(0) for part in entry.parts]
    assert entries == [1] * 10


def test_compacted_bodies_are_read_like_others() -> None:
    log = Log.memory(clock=ManualClock(0), segment_bytes=90)
    log.create_topic("a", key="k", compact=True)
    for n in range(8):
        log.append("a", [{"k": k, "n": n} for k in range(n % 4 + 1)])
    whole = list(log.read("a"))
    last = {record.key: record.offset for record in whole}
    (done,) = log.compact()
    assert done.segments and done.records and done.size
    sealed = log._store.ledger.heads[1][0].sealed[-1].end_offset
    kept = [r for r in whole if r.offset >= sealed or last[r.key] == r.offset]
    assert list(log.read("a")) == kept
    parts = [part for entry in log.entries(0) for part in entry.parts]
    bodies = log.read_parts(parts)
    assert [log.read_parts([part])[0] for part in parts] == bodies
    assert b"" in bodies
    (again,) = log.compact()
    assert not again.segments


def test_tombstones_hide_and_go_once_they_are_old() -> None:
    clock = ManualClock(0)
    log = Log.memory(clock=clock, segment_bytes=60)
    log.create_topic("a", compact=True)
    for key, value in (("x", "1" * 30), ("y", "2" * 30), ("x", None), ("z", "3" * 30)):
        log.append("a", [value], key=key)
    log.append("a", ["end" * 20], key="end")
    log.compact()
    assert [(r.key, r.value) for r in log.read("a")][:2] == [("y", "2" * 30), ("x", None)]
    clock.advance("2d")
    log.append("a", ["end" * 20], key="end")
    log.compact()
    assert [r.key for r in log.read("a")] == ["y", "z", "end"]


def test_closing_appends_hide_nothing_and_stay() -> None:
    log = Log.memory(clock=ManualClock(0), segment_bytes=60)
    log.create_topic("a", compact=True)
    log.append("a", ["old" * 10], key="x")
    closing = Draft([(1, 0, encode_body([0], ["closing" * 5], ["x"]))], flags=CLOSING)
    log.commit([closing])
    log.append("a", ["end" * 20], key="end")
    log.compact()
    assert [r.value[:3] for r in log.read("a")] == ["old", "clo", "end"]
    log.control("void", {"lsn": 3})
    assert [r.value[:3] for r in log.read("a")] == ["old", "end"]


def test_who_has_a_segment_open_reads_its_next_generation() -> None:
    log = filled(compact=True)
    other = open_log(log.files)
    parts = [part for entry in other.entries(0) for part in entry.parts]
    whole = other.read_parts(parts)
    log.compact()
    assert other.read_parts(parts) in (whole, log.read_parts(parts))
    assert list(other.read("a")) == list(log.read("a"))
    assert other.read_parts(parts) == log.read_parts(parts)


@pytest.mark.parametrize("short", [False, True])
def test_keeping_fails_at_every_call_and_the_process_dies(short: bool) -> None:
    for n in count(1):
        inner = MemoryFiles()
        files = FaultyFiles(inner, short=short)
        log = filled(files, compact=True, retention="5s")
        whole = list(log.read("a"))
        files.calls, files.fail_at = 0, n
        try:
            log.compact()
            log.retain()
        except (LogError, OSError):
            assert files.failed
        left = copy_of(inner)
        with open_log(left) as again:
            now = list(again.read("a"))
            assert {r.offset for r in now} >= {7, 8, 9}
            assert set(now) <= set(whole)
            again.compact()
            again._store.clock.advance("60s")  # type: ignore[attr-defined]
            again.retain()
            assert [r.offset for r in again.read("a")] == [8, 9]
            assert len(segments(again)) == 1
        if not files.failed:
            assert n > 30
            return


@given(
    appends=st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 99)), min_size=1),
        max_size=12,
    ),
    compact_at=st.sets(st.integers(0, 12)),
)
@settings(max_examples=60, deadline=None)
def test_the_last_value_of_every_key_survives(appends: Any, compact_at: set[int]) -> None:
    log = Log.memory(clock=ManualClock(0), segment_bytes=60)
    log.create_topic("a", partitions=2, key="k", compact=True)
    latest: dict[int, Any] = {}
    offsets: dict[tuple[int, int], Any] = {}
    for n, rows in enumerate(appends):
        log.append("a", [{"k": k, "v": v} for k, v in rows])
        latest |= dict(rows)
        if n in compact_at:
            log.compact()
    for record in log.read("a"):
        offsets[record.partition, record.offset] = record.value
    found: dict[int, Any] = {}
    for _, value in sorted(offsets.items()):
        found[value["k"]] = value["v"]
    assert found == latest
