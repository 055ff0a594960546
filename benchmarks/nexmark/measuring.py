"""Measure a query in a process of its own, which holds no events: called by `measure`.

    python -m benchmarks.nexmark.measuring FOLDER QUERY

replays a log that is there and prints what was measured as JSON. Time is that of the whole
replay, opening and closing included; the peak is taken before the output is read again.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import digest
from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.events import APPEND, create_topics, load
from benchmarks.nexmark.generator import Event
from benchmarks.nexmark.running import final_rows
from benchmarks.peak import resident_mb
from kappa import KappaError, Log, ManualClock
from kappa.errors import ConfigError

REFUSED = 3


@dataclass(frozen=True)
class Measured:
    """What one replay took and gave.

    Args:
        query: its name.
        records: that it read.
        seconds: wall time.
        written: rows that it wrote; `rows` is how many of them stand in the end.
        late: records that it left out as late.
        peak_mb: largest resident size of the process, and `before_mb` that of before.
        digest: a hash of the final rows, whatever their order.
    """

    query: str
    records: int
    seconds: float
    written: int
    rows: int
    late: int
    peak_mb: float
    before_mb: float
    digest: str

    @property
    def rate(self) -> float:
        """Records read per second."""
        return self.records / self.seconds


def fill(
    folder: Path, events: Iterable[Event], *, partitions: int = 1, per_append: int = APPEND
) -> int:
    """Writes a log of events into a folder; returns how many there are."""
    with Log(folder, fsync="never", clock=ManualClock()) as log:
        create_topics(log, partitions)
        return load(log, events, per_append=per_append)


def measure(folder: Path, name: str) -> Measured:
    """Runs a query over the log in a folder, in another process.

    Raises:
        ConfigError: it cannot do with these events; with what it said.
        RuntimeError: it failed otherwise.
    """
    command = [sys.executable, "-m", "benchmarks.nexmark.measuring", str(folder), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == REFUSED:
        raise ConfigError(f"{name}: {done.stderr.strip()}")
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr.strip()}")
    return Measured(**json.loads(done.stdout))


def measured_here(folder: Path, name: str) -> Measured:
    """Runs a query over the log in a folder, in this process."""
    query = QUERIES[name]
    place = folder / "files"
    with Log(folder, fsync="never") as log:
        before = resident_mb()
        result = query.pipeline(folder=place).replay(log, checkpoint_every=None)
        peak = resident_mb()
        rows = final_rows(query, log, result.version, place)
    return Measured(
        query=name,
        records=result.records_in,
        seconds=result.seconds,
        written=result.records_out,
        rows=len(rows),
        late=result.late,
        peak_mb=round(peak, 1),
        before_mb=round(before, 1),
        digest=digest(tuple(map(repr, row.values())) for row in rows),
    )


def main(folder: str, name: str) -> int:
    """Prints what was measured."""
    try:
        found = measured_here(Path(folder), name)
    except KappaError as error:
        print(error, file=sys.stderr)
        return REFUSED
    print(json.dumps(dataclasses.asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
