"""What the demo shows at its end: a table, and a page with plots that needs nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from examples.flights.check import append_times
from examples.flights.data import HOUR_MS, ZONE
from examples.flights.page import page
from kappa import Log

AIRPORTS = ("EWR", "JFK", "LGA")
SHOWN_DAYS = 8
Row = dict[str, Any]
DayKey = tuple[str, int]


@dataclass(frozen=True)
class Day:
    """One airport's day in both versions."""

    origin: str
    start: int
    hours: int
    flights: int
    cancelled: int
    believed: float
    true: float | None

    @property
    def date(self) -> str:
        """The calendar day in New York."""
        return datetime.fromtimestamp(self.start / 1000, ZONE).strftime("%a %d %b %Y")

    @property
    def share(self) -> float:
        """Share of the flights that were cancelled."""
        return self.cancelled / self.flights


@dataclass(frozen=True)
class Findings:
    """All that the table and the page show."""

    days: list[Day]
    odd_days: list[Day]
    hours: list[Row]
    hours_before: list[Row]
    visibility: dict[int, list[float]]
    rotations: Counter[int]
    by_seats: dict[str, float]
    disorder: Counter[int]
    too_late: int
    differences: dict[str, int]

    @property
    def worst(self) -> list[Day]:
        """The days on which cancellations hid most: version 1 was furthest below version 2."""
        known = [day for day in self.days if day.true is not None]
        return sorted(known, key=lambda day: day.believed - (day.true or 0.0))[:SHOWN_DAYS]


def findings(log: Log, differences: dict[str, int]) -> Findings:
    """Reads the outputs of both versions, the weather and the planes from the log."""
    before = _by_day(log, "delays_per_day@1")
    after = _by_day(log, "delays_per_day")
    days = [_day(before[key], after[key]) for key in sorted(before) if key in after]
    hours = [record.value for record in log.read("delays_per_hour")]
    turns = [record.value for record in log.read("rotations")]
    return Findings(
        days=days,
        odd_days=[day for day in days if day.hours != 24 and day.origin == "JFK"],
        hours=hours,
        hours_before=[record.value for record in log.read("delays_per_hour@1")],
        visibility=_by_visibility(log, hours),
        rotations=Counter(row["departures"] for row in turns if row["departures"]),
        by_seats=_by_seats(log, turns),
        disorder=_disorder(log),
        too_late=sum(1 for _ in log.read("too_late")),
        differences=differences,
    )


def table(found: Findings) -> Table:
    """The days that version 1 got most wrong."""
    title = "Days that looked better than they were (mean departure delay)"
    result = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE)
    for name in ("day in New York", "airport"):
        result.add_column(name, no_wrap=True)
    for name in ("flights", "cancelled", "version 1", "version 2"):
        result.add_column(name, justify="right", no_wrap=True)
    for day in found.worst:
        result.add_row(
            day.date,
            day.origin,
            f"{day.flights}",
            f"{day.share:.0%}",
            f"{day.believed:.1f} min",
            f"{day.true:.1f} min",
        )
    return result


def write(found: Findings, path: Path) -> Path:
    """Writes the page; returns its path."""
    path.write_text(page(found), encoding="utf-8")
    return path


def _by_day(log: Log, topic: str) -> dict[DayKey, Row]:
    rows = (record.value for record in log.read(topic))
    return {(row["origin"], row["window_start"]): row for row in rows}


def _day(before: Row, after: Row) -> Day:
    return Day(
        origin=after["origin"],
        start=after["window_start"],
        hours=(after["window_end"] - after["window_start"]) // HOUR_MS,
        flights=after["flights"],
        cancelled=after["cancelled"],
        believed=before["mean_delay"],
        true=after["mean_delay"],
    )


def _by_visibility(log: Log, hours: list[Row]) -> dict[int, list[float]]:
    seen = {
        (record.value["origin"], record.value["hour"]): record.value["visib"]
        for record in log.read("weather")
    }
    result: dict[int, list[float]] = defaultdict(list)
    for row in hours:
        miles = seen.get((row["origin"], row["window_start"]))
        if miles is not None and row["mean_delay"] is not None:
            result[round(miles)].append(row["mean_delay"])
    return dict(sorted(result.items()))


def _by_seats(log: Log, turns: list[Row]) -> dict[str, float]:
    seats = {record.value["tail"]: record.value["seats"] for record in log.read("planes")}
    bounds = (0, 60, 120, 180, 240, 1000)
    departures: dict[str, list[int]] = {
        f"{low}-{high - 1}" if high < 1000 else f"{low} and more": []
        for low, high in pairwise(bounds)
    }
    names = list(departures)
    for row in turns:
        count = seats.get(row["tail"])
        if count is not None and row["departures"]:
            index = next(i for i, high in enumerate(bounds[1:]) if count < high)
            departures[names[index]].append(row["departures"])
    return {name: fmean(values) for name, values in departures.items() if values}


def _disorder(log: Log) -> Counter[int]:
    times = append_times(log)
    return Counter(
        max(-2, min(12, (times[record.lsn] - record.time) // HOUR_MS))
        for record in log.read("departures")
    )
