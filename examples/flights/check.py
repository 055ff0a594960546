"""Are two runs' outputs equal, append for append?"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Any

from examples.flights.history import OUTPUTS
from kappa import Log


@dataclass(frozen=True)
class Outcome:
    """How two outputs compare; `difference` is None if they are equal."""

    appends: int
    rows: int
    digest: str
    difference: str | None


def compare(one: Log, other: Log, *, version: int) -> Outcome:
    """Compares all outputs of a version in two logs, append by append.

    An append is equal if it holds the same rows, with the same keys, values, event times,
    append times, partitions and offsets. Only the LSN may differ: it counts what else was
    written in between, such as the checkpoints' records of another process.
    """
    digest = hashlib.sha256()
    appends = rows = 0
    for left, right in itertools.zip_longest(_appends(one, version), _appends(other, version)):
        if left != right:
            where = f"append {appends + 1}: {_first_difference(left, right)}"
            return Outcome(appends, rows, digest.hexdigest(), where)
        assert left is not None
        appends += 1
        rows += len(left[1])
        digest.update(repr(left).encode())
    return Outcome(appends, rows, digest.hexdigest(), None)


def _appends(log: Log, version: int) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    times = append_times(log)
    records = merge(*(log.read(f"{name}@{version}") for name in OUTPUTS), key=attrgetter("lsn"))
    for lsn, group in itertools.groupby(records, key=attrgetter("lsn")):
        yield (
            times[lsn],
            [(r.topic, r.partition, r.offset, r.time, r.key, r.value) for r in group],
        )


def append_times(log: Log) -> dict[int, int]:
    """The append time of every LSN."""
    return {entry.lsn: entry.append_time for entry in log.entries(0)}


def _first_difference(left: Any, right: Any) -> str:
    if left is None or right is None:
        return "one of the two has no more"
    if left[0] != right[0]:
        return f"append time {left[0]} against {right[0]}"
    for one, other in itertools.zip_longest(left[1], right[1]):
        if one != other:
            return f"{one} against {other}"
    return "different"
