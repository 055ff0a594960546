"""A log of every on-disk version is opened and read for ever.

log-1.txt holds the files of one, a line each: name, bytes in hex. It has several journal
files and segments, versions and an alias, a producer, a claim, a voided append, dead
letters, a deleted topic, retention, and a compacted segment. Such files are only added.
"""

from __future__ import annotations

from pathlib import Path

from kappa.log import Log
from kappa.log.memory import MemoryFile, MemoryFiles
from kappa.log.verify import verify
from kappa.time import ManualClock


def stored(name: str) -> MemoryFiles:
    """The files of a stored log."""
    files = MemoryFiles()
    lines = (Path(__file__).parent / name).read_text(encoding="ascii").splitlines()
    for path, _, data in (line.partition(" ") for line in lines):
        files.make_folder(path.rpartition("/")[0])
        files.files[path] = MemoryFile()
        files.files[path].data = bytearray.fromhex(data)
    return files


def make() -> MemoryFiles:
    """What log-1.txt was made with; its bytes may differ in a later version."""
    files = MemoryFiles()
    clock = ManualClock(1_700_000_000_000)
    log = Log(files=files, clock=clock, fsync="never", segment_bytes=120, journal_bytes=900)
    log.create_topic("bids", partitions=2, key="auction", time="ts", max_future_skew="1h")
    log.create_topic("prices", key="of", compact=True)
    log.create_topic("old", retention="1m")
    log.create_topic("gone")
    for version in (1, 2):
        log.create_topic("hot", version=version, owner=f"hot-items@{version}")
    log.control("alias", {"outputs": {"hot": 1}, "pipeline": "hot-items"})
    log.control("version", {"pipeline": "hot-items", "version": 1, "status": "live"})
    for n in range(6):
        log.append("old", [f"{n}" * 30])
        log.append("prices", [{"of": n % 2, "price": n + 0.5, "pad": "x" * 30}])
        clock.advance("20s")
    future = 1_800_000_000_000
    log.append(
        "bids", [{"auction": 1, "ts": 5}, {"auction": 2, "ts": 7}, {"ts": future, "auction": 3}]
    )
    with log.producer("bids", id="loader", mode="dense") as producer:
        producer.send({"auction": (1, "a"), "ts": 9}, sequence=41)
        producer.send({"auction": None, "ts": 8}, sequence=42)
        producer.heartbeat(100)
    log.control("void", {"lsn": log.append("prices", [{"of": 9, "price": 0.0}]).lsn})
    log.control("alias", {"outputs": {"hot": 2}, "pipeline": "hot-items"})
    log.append("gone", ["x"])
    log.delete_topic("gone")
    log.retain()
    log.compact()
    log.close()
    return files


def check(files: MemoryFiles) -> None:
    """What every version must read from it."""
    assert verify(files)
    log = Log(files=files, clock=ManualClock(1_700_000_000_000), fsync="never")
    assert [topic.full_name for topic in log.topics()] == [
        "bids", "bids.dead_letters", "hot@1", "hot@2", "old", "prices",
    ]  # fmt: skip
    assert {(r.key, r.time, r.partition, r.offset) for r in log.read("bids")} == {
        (1, 5, 0, 0), (2, 7, 0, 1), ((1, "a"), 9, 0, 2), (None, 8, 1, 0),
    }  # fmt: skip
    (letter,) = log.read("bids.dead_letters")
    assert letter.value["record"] == {"ts": 1_800_000_000_000, "auction": 3}
    assert [r.value[0] for r in log.read("old")] == ["2", "3", "4", "5"]
    assert log.start_offset("old", 0) == 2
    assert [(r.offset, r.key, r.value["price"]) for r in log.read("prices")] == [
        (4, 0, 4.5), (5, 1, 5.5),
    ]  # fmt: skip
    assert (log.topic("hot").version, log.catalog.earlier["hot"]) == (2, [1])
    assert log.catalog.versions["hot-items", 1]["status"] == "live"
    loader = log.catalog.producers["loader"]
    assert (loader.mode, loader.epoch, loader.last) == ("dense", 1, 42)
    assert [claim for entry in log.entries(0) for claim in entry.claims] == [(2, 100)]
    log.append("bids", [{"auction": 1, "ts": 6}])


def test_a_log_of_version_1() -> None:
    check(stored("log-1.txt"))


def test_a_log_of_this_version() -> None:
    check(make())
