"""`verify` names every damage there is, and `repair` makes the log usable at a named price.

Method: every byte of a durable log is damaged in turn; what verify says is compared with
where the byte lies, and after a repair the rest of the log must be as it was.
"""

from __future__ import annotations

import pytest
from crash.disks import copy_of
from crash.workload import open_log, truth_of

from kappa.errors import CorruptBatch, LogError, LogLocked
from kappa.log.journal import read_head
from kappa.log.memory import MemoryFiles
from kappa.log.settings import Settings
from kappa.log.verify import repair, verify
from kappa.time import ManualClock


def durable_log() -> MemoryFiles:
    """Closed cleanly, over several journal files and segments."""
    files = MemoryFiles()
    with open_log(files, segment_bytes=100, journal_bytes=150) as log:
        log.create_topic("a", partitions=2)
        for n in range(6):
            log.append("a", [f"{n}" * 20])
    return copy_of(files)


def test_a_whole_log_is_whole() -> None:
    found = verify(durable_log())
    assert found and found.lsn == found.records
    assert (found.bodies, found.torn) == (6, 0)
    assert "all whole" in str(found)
    with open_log(durable_log()) as log:
        assert log.verify()


def test_a_torn_end_is_no_damage() -> None:
    files = durable_log()
    log = open_log(files)
    log.append("a", ["unsynced"])
    last = sorted(name for name in files.files if name.startswith("journal/"))[-1]
    files.files[last].truncate(len(files.files[last].data) - 3)
    found = verify(files)
    assert found and found.torn > 0
    assert "never synced" in str(found)


def test_what_is_no_log_is_said() -> None:
    with pytest.raises(LogError, match="not a kappa log"):
        verify(MemoryFiles())


@pytest.mark.parametrize("bit", [0, 7])
def test_every_damaged_byte_is_found_and_repaired(bit: int) -> None:
    whole = durable_log()
    end = verify(whole).lsn
    truth = truth_of(open_log(copy_of(whole)))
    newest = sorted(name for name in whole.files if name.startswith("journal/"))[-1]
    for name in sorted(whole.files):
        if not name.startswith(("journal/", "topics/")):
            continue
        for place in range(16 if name.startswith("topics/") else 0, len(whole.files[name].data)):
            files = copy_of(whole)
            files.files[name].data[place] ^= 1 << bit
            where = f"{name}, byte {place}"
            found = verify(files)
            last_record = found.torn and name == newest
            assert found.damage or last_record, where
            if found.damage:
                assert found.damage[0].path == f"memory:{name}", where
            if place % 7 == 0:
                check_repair(files, found.damage, truth, end, where)


def check_repair(files: MemoryFiles, damage: object, truth: object, end: int, where: str) -> None:
    done = repair(files, Settings(), ManualClock(1_000))
    assert bool(done) == bool(damage), where
    assert verify(files) or done.voided, where
    with open_log(files) as log:
        kept = end if done.cut_after is None else done.cut_after
        kept = min([kept, *(e.lsn - 1 for e in log.entries(0) if e.kind == "recovered")])
        entries = [entry for entry in log.entries(0) if entry.lsn <= kept]
        assert entries == [entry for entry, _ in truth][: len(entries)], where  # type: ignore[attr-defined]
        log.create_topic("a", partitions=2, if_exists="ok")
        lost = {entry.lsn for entry in entries if entry.parts} - {r.lsn for r in log.read("a")}
        assert lost == set(done.voided), where
        log.append("a", ["after"])


def test_a_lost_head_is_rebuilt_without_loss() -> None:
    files = durable_log()
    names = sorted(name for name in files.files if name.startswith("journal/"))
    assert len(names) > 2
    records = list(open_log(copy_of(files)).read("a"))
    for name in names:
        files.files[name].data[20] ^= 1
    with pytest.raises(CorruptBatch):
        open_log(files)
    done = repair(files, Settings(), ManualClock(1_000))
    assert (done.cut_after, done.voided, list(done.rebuilt)) == (None, (), names)
    assert list(open_log(files).read("a")) == records
    assert read_head(files.open(names[1])) is not None


def test_a_missing_segment_is_found_and_its_appends_voided() -> None:
    files = durable_log()
    name = next(name for name in files.files if name.endswith(".seg"))
    del files.files[name]
    found = verify(files)
    assert {one.what for one in found.damage} == {"the segment is missing"}
    with open_log(copy_of(files)) as log, pytest.raises(CorruptBatch, match="is missing"):
        list(log.read("a"))
    done = repair(files, Settings(), ManualClock(1_000))
    assert set(done.voided) == {one.lsn for one in found.damage}
    assert len(list(open_log(files).read("a"))) == 6 - len(done.voided)


def test_a_log_that_is_open_is_not_repaired() -> None:
    files = durable_log()
    with open_log(files), pytest.raises(LogLocked, match="close it first"):
        repair(files, Settings(), ManualClock(1_000))
