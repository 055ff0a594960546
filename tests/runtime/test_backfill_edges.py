"""Backfills at the edges: days on which the clocks change, and folders that others wrote into.

The oracle deals rows to local days and hours with `zoneinfo` alone.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from runtime.backfills import tree

from kappa import Log, ManualClock, Pipeline, Tumbling, agg, col
from kappa.connect import JsonLinesSink
from kappa.connect.tables import Table
from kappa.errors import SinkError

MINUTE = 60_000
STEP = 10 * MINUTE


def pipeline(lake: Path, zone: str, unit: int = 1) -> Pipeline:
    p = Pipeline("p")
    rows = p.source("in", out_of_orderness="1h").with_columns(x=col("x") * unit)
    rows.sink(JsonLinesSink(lake / "raw", by=("date", "hour"), zone=zone))
    sums = rows.key_by().window(Tumbling("30m")).aggregate(n=agg.count(), s=agg.sum("x"))
    sums.sink(JsonLinesSink(lake / "sums", by="date", zone=zone, rows=20))
    return p


def midnight(day: date, zone: str) -> int:
    """The first instant of a local day, ms: also of one whose midnight the clocks leave out."""
    at = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    ms = round(at.timestamp() * 1000)
    while local(ms, zone).date() < day:
        ms += STEP
    return ms


def local(ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(ms / 1000, ZoneInfo(zone))


def rows_by_folder(files: dict[str, bytes], table: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, data in files.items():
        if name.startswith(table):
            found[name.removeprefix(f"{table}/").rpartition("/")[0]] += len(data.splitlines())
    return {folder: count for folder, count in found.items() if count}


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2024, 3, 31), 23),
        ("Europe/Berlin", date(2024, 10, 27), 25),
        ("America/New_York", date(2024, 3, 10), 23),
        ("America/New_York", date(2024, 11, 3), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # it has no midnight
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        ("Asia/Kathmandu", date(2024, 3, 31), 24),
    ],
)
def test_a_day_of_another_length_is_made_anew_as_one(tmp_path, zone, day, hours):
    start, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    assert end - start == hours * 60 * MINUTE
    times = range(midnight(day - timedelta(days=2), zone), end + 48 * 60 * MINUTE, STEP)
    with Log.memory(clock=ManualClock(times[0])) as log:
        log.create_topic("in", time="ts")
        for at in range(0, len(times), 40):
            log.append("in", [{"x": 1, "ts": ts} for ts in times[at : at + 40]])
        pipeline(tmp_path, zone).run(log, until_idle=True, drain=True)
        before = tree(tmp_path)
        wanted = Counter(local(ts, zone).strftime("date=%Y-%m-%d/hour=%H") for ts in times)
        assert rows_by_folder(before, "raw") == wanted
        # Any instant of the day stands for all of it, and nothing else.
        report = pipeline(tmp_path, zone, 10).backfill(log, since=start + 1, until=end)
        after = tree(tmp_path)
    name = f"date={day.isoformat()}"
    assert {one.partition for one in report.partitions} == {
        name, *(folder for folder in wanted if folder.startswith(name)),
    }  # fmt: skip
    for file in before.keys() | after.keys():
        _, folder, *_ = file.split("/")
        if folder != name:
            assert before.get(file) == after.get(file), file
    assert rows_by_folder(after, "raw") == wanted
    mended = [
        json.loads(line)["s"]
        for file, data in after.items()
        if file.startswith(f"sums/{name}/")
        for line in data.splitlines()
    ]
    assert mended == [30] * int(hours * 2)


@pytest.fixture
def days(tmp_path):
    """A log of four days, and their table with the bug."""
    with Log.memory(clock=ManualClock(0)) as log:
        log.create_topic("in", time="ts")
        log.append("in", [{"x": 1, "ts": n * 60 * MINUTE} for n in range(96)])
        pipeline(tmp_path, "UTC").run(log, until_idle=True, drain=True)
        yield log


def test_what_others_wrote_outside_the_range_stays_as_it_is(days, tmp_path):
    other = tmp_path / "sums" / "date=1970-01-04" / "theirs.jsonl"
    other.write_text('{"n": 7}\n')
    (tmp_path / "sums" / "README").write_text("about")
    before = tree(tmp_path)
    report = pipeline(tmp_path, "UTC", 10).backfill(days, since=0, until="1970-01-03")
    assert (report.added, report.removed, report.altered) == (96, 96, 0)
    after = tree(tmp_path)
    theirs = {name for name in before if "01-04" in name or name.endswith("README")}
    assert all(before[name] == after[name] for name in theirs)


def test_a_partition_that_others_made_is_not_taken_over(days, tmp_path):
    """Where the mended pipeline gives rows for a day that had none, and somebody's folder is."""
    days.append("in", [{"x": 1, "ts": (24 * 9 + n) * 60 * MINUTE} for n in range(3)])
    theirs = tmp_path / "sums" / "date=1970-01-10" / "part-mine.jsonl"
    theirs.parent.mkdir()
    theirs.write_text('{"n": 7}\n')
    before = tree(tmp_path)
    with pytest.raises(SinkError, match=r"part-mine\.jsonl was not written by kappa"):
        pipeline(tmp_path, "UTC", 10).backfill(days, since="1970-01-10", until="1970-01-11")
    assert tree(tmp_path) == before
    theirs.unlink()
    report = pipeline(tmp_path, "UTC", 10).backfill(days, since="1970-01-10", until="1970-01-11")
    assert report.added == 6


def test_broken_behind_the_swap_it_still_tells_what_it_changed(days, tmp_path):
    """The disk fails when the new files are in view, and before that is written down."""
    before, swept = tree(tmp_path), []

    def sweep(table, owner, but=()):
        swept.append(table.name)
        if len(swept) == 2:
            raise OSError(5, "Input/output error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "sweep", sweep)
        with pytest.raises(SinkError):
            pipeline(tmp_path, "UTC", 10).backfill(days, since=0, until="1970-01-03")
    assert tree(tmp_path) != before
    report = pipeline(tmp_path, "UTC", 10).backfill(days, since=0, until="1970-01-03")
    assert (report.added, report.removed, report.altered) == (96, 96, 0)
    assert len(report.partitions) == 48 + 2
    again = pipeline(tmp_path, "UTC", 10).backfill(days, since=0, until="1970-01-03")
    assert (again.added, again.removed, sum(one.same for one in again.partitions)) == (0, 0, 96)


@pytest.mark.parametrize(("since", "until"), [("1960-01-01", "1969-12-31"), ("2100", "2101")])
def test_a_range_before_the_first_record_or_in_the_future_reads_and_changes_nothing(
    days, tmp_path, since, until
):
    since, until = (text if len(text) > 4 else f"{text}-01-01" for text in (since, until))
    before = tree(tmp_path)
    report = pipeline(tmp_path, "UTC", 10).backfill(days, since=since, until=until)
    assert (report.records_in, report.records_out, report.partitions) == (0, 0, ())
    assert tree(tmp_path) == before
