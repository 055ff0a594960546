"""R2 on damaged bytes: cut at every byte, flip every bit, of journal and segment.

Method: a log of a few appends in memory. What is opened after the damage is a prefix that
holds everything synced, or the damage is named by CorruptBatch; nothing else ever.
"""

from __future__ import annotations

import pytest
from crash.disks import copy_of
from crash.workload import Truth, check_prefix, open_log, truth_of

from kappa.errors import CorruptBatch
from kappa.log.journal import journal_name
from kappa.log.memory import MemoryFiles

JOURNAL = journal_name(1)


def small_log(*, sync_after: int = 0) -> tuple[MemoryFiles, Truth]:
    """A log of one topic and four appends, of which some were synced."""
    files = MemoryFiles()
    log = open_log(files, segment_bytes=1 << 20, journal_bytes=1 << 20)
    log.create_topic("a", time="t")
    for n in range(4):
        log.append("a", [{"t": n, "v": "x" * n}])
        if n + 1 == sync_after:
            log.sync()
    return copy_of(files), truth_of(log)


def segment_of(files: MemoryFiles) -> str:
    return next(name for name in files.files if name.endswith(".seg"))


def opened_or_refused(files: MemoryFiles, truth: Truth, where: str, *, use: bool = True) -> str:
    try:
        check_prefix(files, truth, 0, where, use=use)
    except CorruptBatch as error:
        assert error.path and error.position is not None, where
        return "refused"
    return "opened"


@pytest.mark.parametrize("synced", [0, 2])
def test_journal_cut_at_every_byte(synced: int) -> None:
    whole, truth = small_log(sync_after=synced)
    durable = synced + 1 if synced else 0
    for cut in range(len(whole.files[JOURNAL].data)):
        files = copy_of(whole)
        files.files[JOURNAL].truncate(cut)
        outcome = opened_or_refused(files, truth, f"cut at {cut}")
        # The synced LSN stands in the records behind it; cut with them, nobody knows of it.
        if cut > _head_end(whole):
            assert outcome == "opened", f"cut at {cut}, durable {durable}"


@pytest.mark.parametrize("synced", [0, 2])
def test_segment_cut_at_every_byte(synced: int) -> None:
    whole, truth = small_log(sync_after=synced)
    name = segment_of(whole)
    durable = truth[synced][0].parts[0] if synced else None
    for cut in range(len(whole.files[name].data)):
        files = copy_of(whole)
        files.files[name].truncate(cut)
        if durable is None or cut >= durable.position + durable.length:
            check_prefix(files, truth, synced + 1 if synced else 0, f"cut at {cut}")
        else:
            with pytest.raises(CorruptBatch):
                truth_of(open_log(files))


@pytest.mark.parametrize("synced", [0, 2])
def test_every_bit_of_the_journal(synced: int) -> None:
    whole, truth = small_log(sync_after=synced)
    durable_end = _record_ends(whole)[synced] if synced else 0
    for place in range(len(whole.files[JOURNAL].data)):
        for bit in range(8):
            files = copy_of(whole)
            files.files[JOURNAL].data[place] ^= 1 << bit
            where = f"bit {bit} of byte {place}"
            outcome = opened_or_refused(files, truth, where, use=bit == 0)
            refused = place < max(durable_end, _head_end(whole))
            assert outcome == ("refused" if refused else "opened"), where


@pytest.mark.parametrize("synced", [0, 2])
def test_every_bit_of_a_segment(synced: int) -> None:
    whole, truth = small_log(sync_after=synced)
    name = segment_of(whole)
    parts = [entry.parts[0] for entry, _ in truth if entry.parts]
    for place in range(16, len(whole.files[name].data)):
        hit = next(n for n, part in enumerate(parts) if place < part.position + part.length)
        for bit in range(8):
            files = copy_of(whole)
            files.files[name].data[place] ^= 1 << bit
            if hit < synced:
                log = open_log(files)
                with pytest.raises(CorruptBatch) as raised:
                    truth_of(log)
                assert raised.value.position == parts[hit].position
            else:
                log = check_prefix(files, truth, synced, f"bit {bit} of byte {place}", use=bit == 0)
                assert log.recovery.lsn == hit + 1  # the topic's record, and those before


def test_damage_below_the_synced_lsn_changes_nothing() -> None:
    whole, _ = small_log(sync_after=3)
    whole.files[JOURNAL].data[_record_ends(whole)[1] - 1] ^= 1
    before = copy_of(whole)
    with pytest.raises(CorruptBatch, match=r"durable up to LSN 4; nothing was changed") as raised:
        open_log(whole)
    assert (raised.value.lsn, raised.value.path) == (2, f"memory:{JOURNAL}")
    assert {n: f.data for n, f in whole.files.items()} == {
        n: f.data for n, f in before.files.items()
    }


def test_what_is_cut_is_set_aside_and_the_epoch_rises() -> None:
    whole, truth = small_log()
    data = whole.files[JOURNAL].data
    cut = _record_ends(whole)[2]
    tail = bytes(data[cut:])
    data[cut + 3] ^= 1
    log = open_log(whole)
    report = log.recovery
    assert (report.lsn, report.epoch, log.epoch, report.synced) == (3, 2, 2, 0)
    assert "LSN 4" in report.reason
    aside = [whole.files[name].data for name in report.aside]
    assert len(aside[0]) == len(tail)
    assert report.cut_bytes == sum(map(len, aside))
    assert [entry.kind for entry in log.entries(3)] == ["recovered"]
    assert log.chain_crc(3) == _chain(truth, 3)


def test_a_body_that_is_lost_ends_the_log_there() -> None:
    whole, truth = small_log()
    part = truth[2][0].parts[0]
    whole.files[segment_of(whole)].data[part.position] ^= 1
    log = check_prefix(whole, truth, 0)
    assert log.recovery.lsn == 2
    assert "the body of LSN 3" in log.recovery.reason


def test_garbage_behind_the_end_of_a_segment_is_overwritten() -> None:
    whole, truth = small_log()
    whole.files[segment_of(whole)].data += b"torn by a dead writer"
    log = check_prefix(whole, truth, len(truth))
    assert not log.recovery.reason


def _head_end(files: MemoryFiles) -> int:
    from kappa.log.journal import read_head

    found = read_head(files.open(JOURNAL))
    assert found is not None
    return found[1]


def _record_ends(files: MemoryFiles) -> list[int]:
    from kappa.log.journal import Scan

    reading = Scan(files.open(JOURNAL), _head_end(files), 0, 0)
    ends = []
    for _ in reading:
        ends.append(reading.position)
    return ends


def _chain(truth: Truth, lsn: int) -> int:
    files = small_log()[0]
    from kappa.log.journal import Scan

    reading = Scan(files.open(JOURNAL), _head_end(files), 0, 0)
    for entry in reading:
        if entry.lsn == lsn:
            return reading.chain
    raise AssertionError(lsn)
