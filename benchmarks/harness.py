"""A workload, and how one is measured."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from benchmarks.data import Row, bids, chunks
from kappa import Log
from kappa.runtime.tuning import tuned

APPEND = 4096


@dataclass
class Case:
    """What a workload runs on.

    Args:
        folder: for logs; removed at the end.
        records, keys, text: the size and shape of the data.
        rows: the data; empty in the process that measures the engine's memory.
    """

    folder: Path
    records: int
    keys: int
    text: bool = False
    rows: list[Row] = field(default_factory=list)


class Workload:
    """One thing to measure: the engine's way and the loop's.

    A subclass says how to `prepare` (untimed), the two ways (timed), and the rows of both
    (untimed), which must be equal.

    Attributes:
        sizes: number of records by size.
        needs_rows: the engine's way needs rows in memory, so its peak says nothing.
        paced: records come at their own pace, so that only latency means something.
        rounds: how often it is measured.
    """

    name: ClassVar[str]
    does: ClassVar[str]
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 4_000, "real": 1_000_000}
    needs_rows: ClassVar[bool] = False
    paced: ClassVar[bool] = False
    rounds: ClassVar[int] = 5

    def __init__(self, case: Case) -> None:
        self.case = case

    def prepare(self) -> None:
        """Writes the log that the engine reads."""
        write_bids(self.case.folder / "log", self.case.rows)

    def ready(self) -> None:
        """Called before the engine's way each time, untimed."""

    def engine(self) -> Any:
        """The engine's way; returns what `engine_rows` needs."""
        raise NotImplementedError

    def loop(self) -> Any:
        """The hand-written loop over the same rows; returns what `loop_rows` needs."""
        raise NotImplementedError

    def engine_rows(self, result: Any) -> Iterable[Any]:
        """What the engine made."""
        rows: Iterable[Any] = result
        return rows

    def loop_rows(self, result: Any) -> Iterable[Any]:
        """What the loop made."""
        rows: Iterable[Any] = result
        return rows

    def others(self) -> Mapping[str, Callable[[], Any]]:
        """More ways to compare with, by name; their results are not compared."""
        return {}

    def latencies(self) -> Mapping[str, Sequence[float]]:
        """Seconds of each event, by name, where latency counts."""
        return {}

    def work(self) -> int:
        """The number of records that both ways handle."""
        return self.case.records

    def close(self) -> None:
        """Lets go of what `prepare` took."""


@dataclass
class Measured:
    """What came out; seconds are medians.

    Args:
        ratio: median over the rounds of loop / engine, wall time; `cpu_ratio` the same of
            processor time, which a busy machine disturbs less.
        others: ratio of each other way, likewise.
        percentiles: by name, (p50, p99) in ms.
        peak_mb: of a process that runs only the engine, and how much of it was there before.
    """

    workload: str
    records: int
    engine_s: float
    loop_s: float
    ratio: float
    cpu_ratio: float
    spread: tuple[float, float]
    digest: str
    others: dict[str, float] = field(default_factory=dict)
    percentiles: dict[str, tuple[float, float]] = field(default_factory=dict)
    peak_mb: tuple[float, float] | None = None

    @property
    def rate(self) -> float:
        """Records per second of the engine."""
        return self.records / self.engine_s


def write_bids(
    folder: Path, rows: Sequence[Row], *, per_append: int = APPEND, partitions: int = 1
) -> None:
    """A log with the topic "bids"."""
    with Log(folder, fsync="never") as log:
        log.create_topic("bids", time="ts", partitions=partitions)
        for piece in chunks(rows, per_append):
            log.append("bids", piece)


def digest(rows: Iterable[Any]) -> str:
    """A hash of rows, whatever their order and that of their fields.

    >>> digest([{"a": 1, "b": 2}, {"a": 0, "b": 0}]) == digest([{"b": 0, "a": 0}, {"b": 2, "a": 1}])
    True
    """
    found = list(rows)
    if found and isinstance(found[0], dict):
        found = list(map(itemgetter(*sorted(found[0])), found))
    found.sort()
    text = hashlib.sha256()
    for piece in chunks(found, 10_000):
        text.update(repr(piece).encode())
    return text.hexdigest()[:16]


def measure(
    kind: type[Workload],
    *,
    records: int,
    keys: int,
    text: bool = False,
    rounds: int | None = None,
    memory: bool = True,
) -> Measured:
    """Runs one workload.

    Raises:
        AssertionError: engine and loop do not give the same result.
    """
    with tempfile.TemporaryDirectory(prefix="kappa-bench-") as folder, tuned():
        case = Case(Path(folder), records, keys, text, bids(records, keys=keys, text=text))
        workload = kind(case)
        workload.prepare()
        try:
            proof = _proof(workload)
            times = [_round(workload, number) for number in range(rounds or kind.rounds)]
            measured = _measured(workload, times, proof)
        finally:
            workload.close()
        if memory and not kind.needs_rows:
            measured.peak_mb = _peak(workload)
    return measured


def _proof(workload: Workload) -> str:
    workload.ready()
    ours = digest(workload.engine_rows(workload.engine()))
    plain = digest(workload.loop_rows(workload.loop()))
    if ours != plain:
        raise AssertionError(f"{workload.name}: the engine's result {ours} is not {plain}")
    return ours


Times = dict[str, tuple[float, float]]


def _round(workload: Workload, number: int) -> Times:
    """Wall and processor seconds of every way; engine and loop take turns in going first."""
    ways = {"engine": workload.engine, "loop": workload.loop, **workload.others()}
    names = list(ways) if number % 2 else list(ways)[::-1]
    times: Times = {}
    for name in names:
        way = ways[name]
        if name == "engine":
            workload.ready()
        wall, cpu = time.perf_counter(), time.process_time()
        result = way()
        times[name] = (time.perf_counter() - wall, time.process_time() - cpu)
        del result
    return times


def _measured(workload: Workload, times: Sequence[Times], proof: str) -> Measured:
    def ratios(name: str, which: int) -> list[float]:
        return [one[name][which] / max(one["engine"][which], 1e-9) for one in times]

    walls = ratios("loop", 0)
    names = [name for name in times[0] if name not in ("engine", "loop")]
    return Measured(
        workload=workload.name,
        records=workload.work(),
        engine_s=median(one["engine"][0] for one in times),
        loop_s=median(one["loop"][0] for one in times),
        ratio=median(walls),
        cpu_ratio=median(ratios("loop", 1)),
        spread=(min(walls), max(walls)),
        digest=proof,
        others={name: median(ratios(name, 0)) for name in sorted(names)},
        percentiles={
            name: (1000 * percentile(found, 50), 1000 * percentile(found, 99))
            for name, found in workload.latencies().items()
        },
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile.

    >>> percentile([3.0, 1.0, 2.0], 50)
    2.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


# -- memory ------------------------------------------------------------------------------


def _peak(workload: Workload) -> tuple[float, float]:
    case = workload.case
    told = [workload.name, str(case.folder), str(case.records), str(case.keys), str(int(case.text))]
    command = [sys.executable, "-m", "benchmarks.peak", *told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, before = json.loads(done.stdout)
    return peak, before


@contextmanager
def opened(folder: Path) -> Iterator[Log]:
    """The log in a folder, without waiting for the disk."""
    with Log(folder, fsync="never") as log:
        yield log


def read_rows(folder: Path, topic: str, version: int) -> list[Any]:
    """The values in one version of an output topic."""
    with opened(folder) as log:
        return [record.value for record in log.read((topic, version))]


def first(rows: Iterable[Row], count: int) -> list[Row]:
    """The first few of many."""
    return list(islice(rows, count))
