"""What is loaded out of a table: what its ledger shows, one generation, and nothing beside it.

Method: a lake of raw rows by date, read back into a new log. The same pipeline must give the
same results there. A reader that looks before every single call of a swap must see the
table before it or after it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kappa import Log, ManualClock, Pipeline, Session, Tumbling, agg, col
from kappa.connect import Files, ParquetSink, Reading, TimeField, load_all
from kappa.connect.celltypes import CellTypes
from kappa.errors import SourceError
from kappa.log.files import OsFiles

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_356_998_400_000  # 2013-01-01
TIME = TimeField("ts")


def rows(days: int) -> list[dict[str, Any]]:
    """Some rows an hour, up to two hours out of order; a field that is often missing."""
    found = []
    for hour in range(days * 24):
        for n in range(3):
            back = (hour * 7 + n * 5) % 8 * HOUR // 4
            at = max(START, START + hour * HOUR + n * 60_000 - back)
            found.append({"k": "abc"[n], "n": hour % 4, "x": hour * 10 + n, "y": None, "ts": at})
    return found


def filled(path: Path | None = None, *, days: int) -> Log:
    log = Log.memory(clock=ManualClock(START)) if path is None else Log(path)
    log.create_topic("in", time="ts")
    some = rows(days)
    for at in range(0, len(some), 50):
        log.append("in", some[at : at + 50])
    return log


def raw(lake: Path, unit: int = 1, **options: Any) -> Pipeline:
    """All rows, as they are."""
    p = Pipeline("raw")
    scaled = p.source("in", out_of_orderness="3h").with_columns(x=col("x") * unit)
    scaled.sink(ParquetSink(lake, **{"by": "date", "rows": 50, "schema": {"y": "null"}, **options}))
    return p


def results(log: Log, late: str = "as_live") -> Counter[str]:
    """Windows and sessions of what a log holds."""
    p = Pipeline("results")
    keyed = p.source("in", out_of_orderness="3h").key_by("k")
    sums = {"n": agg.count(), "x": agg.sum("x"), "last": agg.last("x"), "y": agg.count("y")}
    keyed.window(Tumbling("6h")).aggregate(sums).named("six hours").to("hours")
    keyed.window(Session("3h")).aggregate(sums).named("sessions").to("sessions")
    p.replay(log, late=late)
    return Counter(str(record.value) for name in ("hours", "sessions") for record in log.read(name))


def held(log: Log) -> Counter[str]:
    """The rows of the topic, in any order of rows and fields."""
    return Counter(str(sorted(record.value.items())) for record in log.read("in"))


def rebuilt(lake: Path, **options: Any) -> Log:
    log = Log.memory(clock=ManualClock(START))
    log.create_topic("in", time="ts")
    load_all(log, "in", lake, time=TIME, **options)
    return log


def test_a_year_is_rebuilt_from_the_raw_parquet_alone(tmp_path: Path):
    with filled(days=365) as log:
        raw(tmp_path / "raw").run(log, until_idle=True, drain=True)
        want = results(log)
        assert sum(want.values()) > 365 * 4 * 3
        with rebuilt(tmp_path / "raw") as again:
            assert held(again) == held(log)
            assert results(again) == want
            assert sum(one.appended for one in load_all(again, "in", tmp_path / "raw")) == 0


def test_folders_by_fields_are_loaded_by_time_and_typed(tmp_path: Path):
    with filled(days=20) as log:
        raw(tmp_path / "raw", by=("n", "date")).run(log, until_idle=True, drain=True)
        reading = Reading(types=CellTypes({"n": "int"}))
        with rebuilt(tmp_path / "raw", reading=reading) as again:
            assert held(again) == held(log)
            # A day of one `n` comes behind the day of another, so more would be late.
            assert results(again, late="complete") == results(log)
        wrong = Reading(types=CellTypes({"k": "int", "n": "bool"}))
        with pytest.raises(SourceError, match="its folder says that n is '2', which is no bool"):
            rebuilt(tmp_path / "raw", reading=wrong)


def test_only_what_a_commit_has_added_is_read(tmp_path: Path):
    lake = tmp_path / "raw"
    with filled(days=4) as log:
        raw(lake).run(log, until_idle=True, drain=True)
        file = min(lake.rglob("*.parquet"))
        at = [record.time for record in log.read("in")]
        shutil.copy(file, file.with_name("part-000000000999-0badcafe.parquet"))  # of no commit
        shutil.copy(file, file.with_name("notes.parquet"))  # somebody else's
        with rebuilt(lake) as again:
            assert held(again) == held(log)
        with rebuilt(tmp_path) as again:  # a folder of tables
            assert held(again) == held(log)
        assert asked(lake) == sum(record.value["x"] for record in log.read("in"))
        with rebuilt(lake / "date=2013-01-02") as again:
            found = {int(record.value["ts"] - START) // DAY for record in again.read("in")}
            assert found == {1}
            assert sum(held(again).values()) == sum(START + DAY <= t < START + 2 * DAY for t in at)
        with rebuilt(f"{lake}/date=2013-01-0[!2]/*.parquet") as again:
            found = {int(record.value["ts"] - START) // DAY for record in again.read("in")}
            assert found == {0, 2, 3}


def test_the_table_may_be_replaced_while_it_is_read_and_generations_do_not_mix(tmp_path: Path):
    lake = tmp_path / "raw"
    with filled(days=6) as log:
        raw(lake).run(log, until_idle=True, drain=True)
        swapped = []

        def swap(*_: object) -> None:
            if not swapped:
                swapped.append(1)
                raw(lake, 10).backfill(log, since=START + DAY, until=START + 5 * DAY)

        with rebuilt(lake, on_file=swap) as again:
            assert held(again) == held(log)
            with pytest.raises(SourceError, match="shows other rows in its place now"):
                load_all(again, "in", lake, time=TIME)
            pipeline = Pipeline("p")
            pipeline.source(Files(lake, topic="in", time="ts")).to("out")
            with pytest.raises(SourceError, match="load the table into a new topic"):
                pipeline.replay(again)
        with rebuilt(lake) as now:
            assert held(now) != held(log)
            assert sum(held(now).values()) == sum(held(log).values())


def asked(lake: Path) -> int:
    """The sum of a column, by SQL."""
    with Log.memory() as log, log.sql("SELECT sum(x) FROM raw", tables={"raw": lake}) as result:
        return int(result.scalar())


def test_before_every_call_of_a_swap_a_reader_sees_one_generation(tmp_path: Path):
    """By `load` and by SQL, although the folder itself changes partition by partition."""
    lake, looks, sums = tmp_path / "raw", [], []
    with filled(days=5) as log:
        raw(lake, rows=1000, by="date").run(log, until_idle=True, drain=True)
        old, before = held(rebuilt(lake)), asked(lake)

        def watched(call: Any) -> Any:
            def before(*args: Any) -> Any:
                if str(args[1]).startswith(("raw", ".raw")):
                    with pytest.MonkeyPatch.context() as quiet:
                        for name, real in calls.items():
                            quiet.setattr(OsFiles, name, real)
                        looks.append(held(rebuilt(lake)))
                        sums.append(asked(lake))
                return call(*args)

            return before

        calls = {name: getattr(OsFiles, name) for name in ("rename", "exchange", "remove")}
        with pytest.MonkeyPatch.context() as patch:
            for name, real in calls.items():
                patch.setattr(OsFiles, name, watched(real))
            raw(lake, 10, rows=1000, by="date").backfill(log, since=START, until=START + 3 * DAY)
        new, after = held(rebuilt(lake)), asked(lake)
    assert old != new
    first = looks.index(new)
    assert looks == [old] * first + [new] * (len(looks) - first)
    assert first > 5
    assert sums == [before] * first + [after] * (len(sums) - first)
    assert before < after


def test_a_damaged_ledger_and_a_lost_file_are_named(tmp_path: Path):
    lake = tmp_path / "raw"
    with filled(days=3) as log:
        raw(lake).run(log, until_idle=True, drain=True)
    lost = min(lake.rglob("*.parquet"))
    lost.rename(tmp_path / "lost")
    for read in (asked, rebuilt):
        with pytest.raises(SourceError, match=f"{lost.name}.* gone"):
            read(lake)
    (tmp_path / "lost").rename(lost)
    commit = max((tmp_path / ".raw.kappa").glob("*.json"))
    commit.write_text('{"format": 1, "add": [{"path": "../x"}]}')
    with pytest.raises(SourceError, match=f"{commit.name} does not read back"):
        asked(lake)


def test_a_table_is_followed_from_before_it_is_there(tmp_path: Path):
    """One pipeline's table is the source of another's, commit by commit."""
    lake, counts = tmp_path / "raw", []
    down = Pipeline("down")
    files = Files(lake, topic="in", time="ts", follow="1h")
    down.source(files).to("out")
    with Log.memory(clock=ManualClock(START)) as log, Log.memory() as again:
        log.create_topic("in", time="ts")
        for day in range(4):
            down.run(again, until_idle=True)
            counts.append(len(list(again.read("in"))) if day else 0)
            log.append("in", [{"x": h, "ts": START + (day * 24 + h) * HOUR} for h in range(24)])
            raw(lake).run(log, until_idle=True)
        down.run(again, until_idle=True)
        assert [*counts, len(list(again.read("out")))] == [0, 0, 24, 48, 72]
    with pytest.raises(SourceError, match="there is no file at"):
        load_all(Log.memory(), "in", tmp_path / "nowhere")
