"""Several processes append to one log, and are killed with SIGKILL at random moments.

Method: a few appenders, each with a producer of its own, are started and killed again and
again while this process reads. At the end every producer's records are there once, in
order and without a gap, and none that was acknowledged is missing.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kappa.errors import LogLocked
from kappa.log import Log

APPENDER = Path(__file__).with_name("appender.py")
SEED = 20261123


Process = subprocess.Popen[str]


@pytest.fixture
def started() -> Iterator[Callable[..., Process]]:
    """Starts Python processes, and ends them with the test."""
    running: list[Process] = []

    def start(*arguments: object) -> Process:
        command = [sys.executable, *map(str, arguments)]
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            kill(process)


def kill(process: Process) -> list[int]:
    """Kills a process; the sequences it had been told are there."""
    process.kill()
    out, _ = process.communicate()
    return [int(line) for line in out.split("\n")[:-1] if line]


@pytest.mark.slow
@pytest.mark.parametrize("fsync", ["never", "interval"])
def test_processes_killed_while_appending(
    tmp_path: Path, fsync: str, started: Callable[..., Process]
) -> None:
    draw = random.Random(SEED)
    acked: dict[str, int] = {"one": -1, "two": -1, "three": -1}

    def start(name: str) -> Process:
        return started(APPENDER, tmp_path, name, fsync)

    def stop(name: str) -> None:
        acked[name] = max([acked[name], *kill(running[name])])

    running = {name: start(name) for name in acked}
    for round_number in range(6):
        time.sleep(draw.uniform(0.15, 0.45))
        # In one round all at once: who comes next is alone, and recovers.
        killed = sorted(acked) if round_number == 3 else [draw.choice(sorted(acked))]
        for name in killed:
            stop(name)
        running |= {name: start(name) for name in killed}
        if round_number == 2:
            check(tmp_path, dict.fromkeys(acked, -1))
    for name in running:
        stop(name)
    counts = check(tmp_path, acked)
    assert min(counts.values()) > 20, f"seed {SEED}: {counts}"


def check(folder: Path, acked: dict[str, int]) -> dict[str, int]:
    """Every producer's records, once and in order, in both topics alike."""
    with Log(folder, fsync="never") as log:
        assert not log.recovery.reason or "LSN" in log.recovery.reason
        if len(log.topics()) < 2:
            return {}
        end = log.end_lsn
        found: dict[str, dict[str, list[int]]] = {}
        ends: dict[tuple[str, int], int] = {}
        for topic in "ab":
            for record in log.read(topic):
                place = (topic, record.partition)
                assert record.offset == ends.get(place, 0)
                ends[place] = record.offset + 1
                if record.lsn <= end:
                    numbers = found.setdefault(record.value["name"], {"a": [], "b": []})
                    numbers[topic].append(record.value["n"])
        for name, numbers in found.items():
            assert numbers["a"] == list(range(len(numbers["a"]))), f"seed {SEED}, {name}"
            assert len(numbers["b"]) == len(numbers["a"]), f"seed {SEED}, {name}"
        for name, last in acked.items():
            assert last < len(found.get(name, {"a": []})["a"]), f"seed {SEED}, {name}"
        return {name: len(numbers["a"]) for name, numbers in found.items()}


@pytest.mark.slow
def test_a_killed_process_leaves_no_lock(tmp_path: Path, started: Callable[..., Process]) -> None:
    process = started(APPENDER, tmp_path, "one", "never")
    assert process.stdout is not None
    process.stdout.readline()
    hold = f"held = Log({str(tmp_path)!r}).lock('p@1'); print(flush=True); input()"
    holder = started("-c", f"from kappa.log import Log; {hold}")
    assert holder.stdout is not None
    holder.stdout.readline()
    with Log(tmp_path) as log:
        with pytest.raises(LogLocked, match=f"pid={holder.pid}"):
            log.lock("p@1")
        kill(holder)
        kill(process)
        with log.lock("p@1"):
            log.append("a", ["mine"])
        assert [record.value for record in log.read("a")][-1] == "mine"


@pytest.mark.slow
def test_what_another_process_appends_is_seen_soon(
    tmp_path: Path, started: Callable[..., Process]
) -> None:
    with Log(tmp_path) as log:
        started(APPENDER, tmp_path, "one", "never")
        seen = 0
        while seen < 200:
            assert log.wait(seen, 20.0)
            seen = log.end_lsn
