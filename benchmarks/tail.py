"""Tailing: the delay from just before an append to its record in another process's hands.

A child process appends one row every few milliseconds; this one waits and reads. The plain
way is a child that writes lines into a pipe. Run as a module it is that child.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.harness import Workload, opened
from kappa import Log
from kappa.log import LSN

EVERY_S = 0.003


class Tail(Workload):
    """Follows a log that another process appends to."""

    name: ClassVar[str] = "tail"
    does: ClassVar[str] = "delay from append to read in another process; to a pipe"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 50, "real": 1_000}
    needs_rows = True
    paced = True
    rounds = 1

    def prepare(self) -> None:
        """An empty topic."""
        self.found: dict[str, list[float]] = {"log": [], "pipe": []}
        with Log(self.case.folder / "log", fsync="never") as log:
            log.create_topic("ticks")

    def engine(self) -> list[int]:
        """The numbers in the order in which they came."""
        seen: list[int] = []
        with opened(self.case.folder / "log") as log, self._child("log") as child:
            after = log.end_lsn
            assert child.stdin is not None
            child.stdin.close()
            while len(seen) < self.case.records:
                log.wait(after, 1.0)
                now = time.monotonic_ns()
                for record in log.read("ticks", start=LSN(after + 1)):
                    number, at = record.value
                    seen.append(number)
                    self.found["log"].append((now - at) / 1e9)
                    after = record.lsn
        return seen

    def loop(self) -> list[int]:
        """The same from a pipe."""
        seen: list[int] = []
        with self._child("pipe") as child:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.close()
            for line in child.stdout:
                number, at = map(int, line.split())
                self.found["pipe"].append((time.monotonic_ns() - at) / 1e9)
                seen.append(number)
        return seen

    def _child(self, kind: str) -> subprocess.Popen[str]:
        told = [kind, str(self.case.folder / "log"), str(self.case.records)]
        command = [sys.executable, "-m", "benchmarks.tail", *told]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def latencies(self) -> Mapping[str, Sequence[float]]:
        """Of both."""
        return self.found


def ticks(count: int) -> Iterator[tuple[int, int]]:
    """Numbers with the time, one every `EVERY_S`."""
    for number in range(count):
        time.sleep(EVERY_S)
        yield number, time.monotonic_ns()


def main(kind: str, folder: str, count: str) -> None:
    """The child: begins when its input ends."""
    log = Log(Path(folder), fsync="never") if kind == "log" else None
    sys.stdin.read()
    for tick in ticks(int(count)):
        if log is None:
            print(*tick, flush=True)
        else:
            log.append("ticks", [tick])
    if log is not None:
        log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
