"""R2 under failing calls and power cuts, in every fsync mode.

Method: a small workload that rolls segments and journal files. The Nth file call fails
for N = 1, 2, ... until none does; and before every call that changes the disk, every image
that a power cut may leave is opened. Canaries: a disk whose syncs do nothing must be caught.
"""

from __future__ import annotations

import errno
from itertools import count

import pytest
from crash.disks import FaultyFiles, PowerFiles, copy_of
from crash.workload import Truth, check_prefix, live, open_log, truth_of

from kappa.errors import KappaError, LogError
from kappa.log.memory import MemoryFiles


def whole_truth() -> Truth:
    """What the workload appends when nothing fails."""
    return truth_of(live(MemoryFiles(), "never", lambda lsn: None))


def same_but_synced(truth: Truth) -> Truth:
    """Without the synced LSNs, which differ with the fsync mode and with what failed."""
    return [(entry._replace(synced=0), bodies) for entry, bodies in truth]


@pytest.mark.parametrize("fsync", ["always", "never"])
@pytest.mark.parametrize("short", [False, True])
def test_the_nth_call_fails_and_the_process_dies(fsync: str, short: bool) -> None:
    for n in count(1):
        inner = MemoryFiles()
        files = FaultyFiles(inner, n, short=short)
        acked = [0]
        truth: Truth = []
        try:
            log = live(files, fsync, lambda lsn, acked=acked: acked.append(lsn))
            files.fail_at = 0
            truth = truth_of(log)
        except (KappaError, OSError) as error:
            assert isinstance(error, KappaError), f"call {n}: {error!r}"
            truth = whole_truth()
        if not files.failed:
            assert n > 80
            return
        left = copy_of(inner)
        truth = same_but_synced(truth)
        log = open_log(left)
        found = same_but_synced(truth_of(log))
        assert log.recovery.lsn >= max(acked), f"call {n}: {files.failed}"
        kept = min(log.recovery.lsn, len(truth))
        assert found[:kept] == truth[:kept], f"call {n}: {files.failed}"


@pytest.mark.parametrize("short", [False, True])
def test_the_nth_call_fails_and_the_log_goes_on(short: bool) -> None:
    """A failed append is void: the next one takes its place, unless a sync had failed."""
    for n in count(1):
        files = FaultyFiles(MemoryFiles(), short=short)
        log = open_log(files)
        log.create_topic("a", partitions=2)
        files.calls, files.fail_at = 0, n
        kept: list[str] = []
        for at in range(6):
            try:
                log.append("a", [f"{at}" * 40])
                kept.append(f"{at}" * 40)
            except LogError as error:
                assert "not in the log" in str(error) or "cannot" in str(error), error
        files.fail_at = 0
        assert [record.value for record in log.read("a")] == kept
        log.close()
        with open_log(copy_of(files.inner)) as again:
            assert [record.value for record in again.read("a")] == kept
            assert not again.recovery.reason
        if not files.failed:
            assert n > 20
            return


def test_a_full_disk_is_said_and_leaves_the_log_whole() -> None:
    files = FaultyFiles(MemoryFiles(), short=True)
    log = open_log(files)
    log.create_topic("a")
    log.append("a", [1])
    files.fail_at, files.forever = files.calls + 1, True
    for _ in range(3):
        with pytest.raises(LogError, match="not in the log"):
            log.append("a", ["x" * 1000])
    files.fail_at = 0
    log.append("a", [2])
    assert [record.value for record in log.read("a")] == [1, 2]
    assert [record.lsn for record in log.read("a")] == [2, 3]


def test_a_failed_sync_poisons_the_log_until_it_is_opened_again() -> None:
    inner = MemoryFiles()
    files = FaultyFiles(inner, only="sync", code=errno.EIO)
    log = open_log(files, fsync="always")
    log.create_topic("a")
    files.fail_at = files.calls + 1
    with pytest.raises(LogError, match="open it again"):
        log.append("a", [1])
    files.fail_at = 0
    for use in (lambda: log.append("a", [2]), log.sync, lambda: list(log.read("a"))):
        with pytest.raises(LogError, match="open it again"):
            use()
    log.close()
    with open_log(copy_of(inner)) as again:
        again.append("a", [3])


def cuts(fsync: str, *, lies: str = "") -> int:
    """Opens every image of every moment; how many there were."""
    files = PowerFiles(lies=lies)
    acked = [0]
    images: list[tuple[MemoryFiles, int, str]] = []

    def moment() -> None:
        at = f"moment {len(images)}"
        images.extend((image, acked[-1], at) for image in files.images(seed=len(images)))

    files.watch = moment
    log = live(files, fsync, acked.append)
    moment()
    files.watch = None
    truth = truth_of(log)
    for number, (image, promised, at) in enumerate(images):
        check_prefix(image, truth, promised, f"{fsync}, {at}, image {number}")
    return len(images)


@pytest.mark.slow
@pytest.mark.parametrize("fsync", ["always", "never"])
def test_every_image_of_a_power_cut(fsync: str) -> None:
    assert cuts(fsync) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("lies", ["sync", "sync_folder"])
def test_canary_a_sync_that_does_nothing_is_caught(lies: str) -> None:
    with pytest.raises((AssertionError, KappaError, IndexError)):
        cuts("always", lies=lies)


def on_power(image: MemoryFiles) -> PowerFiles:
    """The same disk, all of it durable."""
    disk = PowerFiles()
    disk.folders, disk.durable_folders = set(image.folders), set(image.folders)
    for name, file in image.files.items():
        handle = disk.open(name, create=True)
        handle.write_at(0, bytes(file.data))
        handle.sync()
    for folder in disk.folders:
        disk.sync_folder(folder)
    return disk


def test_a_power_cut_during_recovery() -> None:
    """Recovery is cut at each of its own calls, and what it leaves recovers."""
    first = PowerFiles()
    acked = [0]
    live(first, "never", acked.append)
    truth = same_but_synced(whole_truth())
    for image in first.images(sampled=3):
        disk = on_power(image)
        left: list[MemoryFiles] = []
        disk.watch = lambda disk=disk, left=left: left.extend(disk.images(sampled=0))
        open_log(disk)
        disk.watch = None
        for cut in left[:: max(1, len(left) // 25)]:
            log = open_log(cut)
            found = same_but_synced(truth_of(log))
            cuts_at = [e.lsn - 1 for e, _ in found if e.kind == "recovered"]
            kept = min([len(found), *cuts_at])
            assert kept >= acked[-1]
            assert found[:kept] == truth[:kept]
