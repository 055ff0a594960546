"""A log, a pipeline with sinks outside it, and what lies in their folders afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kappa import Log, ManualClock, Pipeline, Tumbling, agg
from kappa.connect import JsonLinesSink

START = 1_362_027_600_000  # 2013-02-28T05:00Z
MINUTE = 60_000


def row(number: int) -> dict[str, Any]:
    """The n-th row: times go forward, some far back; a field of text with odd signs."""
    back = 200 * MINUTE if number % 41 == 40 else (number * 7919 % 17) * MINUTE
    name = ("a", "b/c", "ü", None, "..")[number % 5]
    return {"n": number, "name": name, "ts": START + number * 3 * MINUTE - back}


def fill(log: Log, rows: int, *, first: int = 0) -> None:
    """Appends of one to seven rows; fields in changing order, which is no part of a record."""
    number = first
    while number < first + rows:
        size = 1 + number % 7
        some = [row(n) for n in range(number, min(number + size, first + rows))]
        if number % 2:
            some = [dict(reversed(one.items())) for one in some]
        log.append("in", some)
        log.clock.advance(20_000)
        number += size


def new_log(rows: int = 400) -> Log:
    """A log in memory whose topic `in` has rows."""
    log = Log.memory(clock=ManualClock(START))
    log.create_topic("in", time="ts")
    fill(log, rows)
    return log


def pipeline(out: Path, **options: Any) -> Pipeline:
    """Raw rows by date and hour, hourly counts by a field, and all in one folder."""
    p = Pipeline("p")
    rows = p.source("in", out_of_orderness="20m")
    by_time = {"by": ("date", "hour"), "zone": "America/New_York", "delay": "30m", "rows": 13}
    rows.sink(JsonLinesSink(out / "raw", **{**by_time, **options}))
    hourly = rows.key_by("name").window(Tumbling("1h")).aggregate(n=agg.count())
    hourly.sink(JsonLinesSink(out / "hourly", by="name", every="9m", late_delay="10m"))
    rows.filter(lambda row: row["n"] % 3).sink(JsonLinesSink(out / "flat", size=900))
    return p


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that a reader sees, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.endswith(".kappa") for part in path.parts)
    }


def changed(tree_: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """The paths that two trees do not agree on."""
    return sorted(
        path for path in tree_.keys() | other.keys() if tree_.get(path) != other.get(path)
    )


Make = Callable[..., Pipeline]
