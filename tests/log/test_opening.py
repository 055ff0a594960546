"""Opening: where a log may lie, and what a forked child or a dying recoverer leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from crash.workload import open_log

from benchmarks.journal import figures
from kappa.errors import LogError, LogLocked
from kappa.log import Log, opening
from kappa.log.memory import MemoryFiles


def test_a_file_system_that_is_not_local_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = opening._file_system(str(tmp_path / "not there yet"))
    if not kind:
        pytest.skip("this system does not say what is mounted")
    monkeypatch.setattr(opening, "REMOTE", (kind,))
    with pytest.raises(LogError, match=f"is on {kind}: a log needs a local file system"):
        Log(tmp_path / "log")


FORKING = """
import os, sys
from kappa.errors import LogError
from kappa.log import Log
with Log(sys.argv[1]) as log:
    log.create_topic("a")
    child = os.fork()
    if not child:
        for use in (lambda: log.append("a", ["child"]), lambda: list(log.read("a")), log.sync):
            try:
                use()
            except LogError as error:
                assert "must open the log itself" in str(error)
            else:
                os._exit(1)
        log.close()
        with Log(sys.argv[1]) as own:
            own.append("a", ["child's own"])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    log.append("a", ["parent"])
    print([record.value for record in log.read("a")])
"""


@pytest.mark.slow
def test_a_forked_child_opens_the_log_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[\"child's own\", 'parent']"


def test_who_comes_second_waits_for_the_recovery_of_the_first() -> None:
    files = MemoryFiles()
    open_log(files).close()
    recovering = files.lock("locks/open")
    assert recovering.try_acquire()
    recovering.describe("recovering pid=7")
    with pytest.raises(LogLocked, match="recovering pid=7"):
        open_log(files, timeout="10ms")
    recovering.release()
    with open_log(files, timeout="10ms") as log:
        assert not log.recovery.reason


def test_who_finds_that_a_recoverer_has_died_does_its_work() -> None:
    files = MemoryFiles()
    open_log(files).close()
    other = files.lock("locks/open")
    assert other.try_acquire(shared=True)
    other.describe("recovering pid=7")
    with pytest.raises(LogLocked, match="being recovered by recovering pid=7"):
        open_log(files, timeout="10ms")
    other.release()
    with open_log(files, timeout="10ms"):
        assert not other.described().startswith("recovering")


def test_opening_beside_others_knows_what_is_not_synced() -> None:
    files = MemoryFiles()
    first = open_log(files)
    first.create_topic("a", partitions=2)
    for n in range(30):
        first.append("a", [f"{n}" * 20])
    assert len(files.names("journal")) > 3
    second = open_log(files)
    ours, theirs = first._store.ledger.dirty, second._store.ledger.dirty
    assert theirs.segments >= ours.segments
    assert theirs.journals >= ours.journals
    assert theirs.topics >= ours.topics


def test_the_costs_are_measured_by_something_that_runs() -> None:
    assert all(microseconds > 0 for _, microseconds in figures(1_000))
