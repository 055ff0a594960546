"""A log whose hours have late rows, pipelines with tables over it, and what lies in them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kappa import (
    Calendar,
    Log,
    ManualClock,
    Pipeline,
    Session,
    Tumbling,
    agg,
    col,
    left,
    right,
)
from kappa.connect import JsonLinesSink
from kappa.plan import SourceSpec

HOUR = 3_600_000
ZONE = "America/New_York"
START = round(datetime(2013, 3, 8, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
"""Two days before the clocks go forward."""
QUIET = range(60, 90)
"""Hours without a record: a whole day of New York among them."""


def new_log(hours: int = 140, log: Log | None = None) -> Log:
    """A log with some rows an hour; each fifth is far behind, so that windows fire again."""
    log = Log.memory(clock=ManualClock(START)) if log is None else log
    log.create_topic("in", partitions=2, key="k", time="ts")
    fill(log, 0, hours)
    return log


def fill(log: Log, first: int, last: int) -> None:
    """Appends the rows of some hours."""
    for hour in range(first, last):
        if isinstance(log.clock, ManualClock):
            log.clock.advance(HOUR)
        if hour not in QUIET:
            log.append("in", [_row(hour, n) for n in range(6)])


def _row(hour: int, n: int) -> dict[str, Any]:
    back = 9 * HOUR if (hour + n) % 5 == 0 else (n * 7 % 5) * HOUR // 4
    return {"k": n % 3, "x": hour * 10 + n, "ts": START + hour * HOUR + n * 60_000 - back}


def tables(out: Path, unit: int = 1, *, name: str = "p") -> Pipeline:
    """Hourly sums by date, with late panes; sessions by month and field; days; raw rows by hour;
    pairs of rows close to each other, and rows that found none.

    Args:
        out: folder of the tables.
        unit: another one is a mended pipeline: other sums, the same rows.
        name: of the pipeline.
    """
    p = Pipeline(name)
    rows = p.source("in", out_of_orderness="2h")
    scaled = rows.with_columns(x=col("x") * unit)
    keyed = scaled.key_by("k")
    sums = {"n": agg.count(), "s": agg.sum("x")}
    by_date = {"by": "date", "zone": ZONE, "rows": 40, "late_delay": "3h"}
    hourly = keyed.window(Tumbling("1h"), lateness="12h").aggregate(sums).named("hourly")
    hourly.sink(JsonLinesSink(out / "hourly", **by_date))
    sessions = keyed.window(Session("100m")).aggregate(sums).named("sessions")
    sessions.sink(JsonLinesSink(out / "sessions", by=("month", "k"), size=700))
    days = keyed.window(Calendar("day", ZONE)).aggregate(sums).named("days")
    days.sink(JsonLinesSink(out / "days", by="month", zone=ZONE))
    scaled.sink(JsonLinesSink(out / "raw", by=("date", "hour"), zone=ZONE, delay="1h"))
    even, odd = (scaled.filter(col("x") // unit % 2 == rest) for rest in (0, 1))
    pairs = even.key_by("k").left_join(
        odd.key_by("k"),
        within=("-90m", "2h"),
        select={"x": left("x"), "y": right("x"), "k": left("k")},
    )
    pairs.named("pairs").sink(JsonLinesSink(out / "pairs", by="date", zone=ZONE, rows=60))
    hourly.to(f"{name}-sums")
    return p


def sources(pipeline: Pipeline) -> int:
    """How many topics it reads."""
    return sum(isinstance(node.part, SourceSpec) for node in pipeline.graph.nodes)


Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """Every file that a reader sees, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.endswith(".kappa") for part in path.parts)
    }


def times(folder: Path) -> dict[str, int]:
    """When each of them was changed last."""
    return {name: (folder / name).stat().st_mtime_ns for name in tree(folder)}


def partitions(files: Tree) -> dict[str, Tree]:
    """The files by table and partition."""
    found: dict[str, Tree] = {}
    for name, data in files.items():
        folder, _, last = name.rpartition("/")
        found.setdefault(folder, {})[last] = data
    return found


def rows_of(files: Tree) -> dict[str, Counter[str]]:
    """The rows by table and partition, in any order."""
    found: dict[str, Counter[str]] = {}
    for folder, inside in partitions(files).items():
        lines = [json.loads(line) for data in inside.values() for line in data.splitlines()]
        if lines:
            found[folder] = Counter(json.dumps(line, sort_keys=True) for line in lines)
    return found


def touched(folder: str, since: int, until: int) -> bool:
    """Whether a partition has event times of a range, by its name alone."""
    zone = ZoneInfo("UTC" if folder.startswith("sessions") else ZONE)
    words = dict(part.split("=") for part in folder.split("/")[1:])
    if "month" in words:
        first = datetime.strptime(words["month"] + "-01", "%Y-%m-%d").replace(tzinfo=zone)
        after = (first + timedelta(days=31)).replace(day=1)
    else:
        first = datetime.strptime(words["date"], "%Y-%m-%d").replace(tzinfo=zone)
        after = first + timedelta(days=1)
        if "hour" in words:
            first = first.replace(hour=int(words["hour"]))
            return first.timestamp() * 1000 < until and since < first.timestamp() * 1000 + HOUR
    return first.timestamp() * 1000 < until and since < after.timestamp() * 1000
