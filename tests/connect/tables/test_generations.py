"""The way back: what backfills replaced can be put back, byte for byte, or is refused whole.

Method: the folder after each replacement is remembered as bytes; a rollback must give these
bytes. It is broken at every call to the disk in turn.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings
from strategies import examples

from kappa import Log, ManualClock, Pipeline, col
from kappa.connect import JsonLinesSink, Lake
from kappa.errors import ConfigError, LogLocked, SinkError
from kappa.log.files import OsFiles
from kappa.sinks import lock_of

HOUR = 3_600_000
DAY = 24 * HOUR
CALLS = ("open", "rename", "exchange", "remove", "sync_folder", "make_folder")


def append(log: Log, first: int, last: int) -> None:
    """Rows of some hours, in appends of five."""
    for hour in range(first, last, 5):
        log.append("in", [{"x": n, "ts": n * HOUR} for n in range(hour, hour + 5)])
        log.clock.advance(1)


def raw(lake: Path, unit: int = 1, **options: Any) -> Pipeline:
    p = Pipeline("p")
    rows = p.source("in").with_columns(x=col("x") * unit)
    rows.sink(JsonLinesSink(lake, **{"by": "date", "rows": 10, **options}))
    return p


@pytest.fixture
def log():
    with Log.memory(clock=ManualClock(0)) as opened:
        opened.create_topic("in", time="ts")
        append(opened, 0, 100)
        yield opened


def tree(lake: Path) -> dict[str, bytes]:
    return {str(p.relative_to(lake)): p.read_bytes() for p in lake.rglob("*") if p.is_file()}


def xs(lake: Path) -> Counter[int]:
    """The values of a column, as SQL sees them."""
    with Log.memory() as log, log.sql("SELECT x FROM t", tables={"t": lake}) as result:
        return Counter(x for (x,) in result.tuples())


def mended(log: Log, lake: Path, unit: int, first: int, last: int, **options: Any) -> None:
    raw(lake, unit, **options).backfill(log, since=first * DAY, until=last * DAY)


def test_every_generation_comes_back_byte_for_byte_in_both_directions(log, tmp_path):
    lake = tmp_path / "raw"
    raw(lake).run(log, until_idle=True, drain=True)
    stops = {Lake(lake).history()[-1].number: tree(lake)}
    for unit, first, last in ((10, 0, 2), (100, 1, 4), (1000, 0, 1)):
        mended(log, lake, unit, first, last)
        stops[Lake(lake).history()[-1].number] = tree(lake)
    assert len({str(sorted(files)) for files in stops.values()}) == 4
    for number in (*reversed(stops), *stops):
        before = Lake(lake).history()
        now = Lake(lake).rollback(log, number)
        assert tree(lake) == stops[number]
        assert now.rows == 100
        lines = b"".join(stops[number].values()).splitlines()
        assert xs(lake) == Counter(json.loads(line)["x"] for line in lines)
        assert Lake(lake).history()[: len(before)] == before
        stops[now.number] = tree(lake)
    # A rollback keeps what it took out of view, as a backfill does: three at most are asked for.
    mended(log, lake, 7, 0, 1)
    assert [one.within_reach for one in Lake(lake).history()[-5:]] == [False, *[True] * 4]


def test_what_was_added_since_stays_and_the_live_run_goes_on(log, tmp_path):
    lake = tmp_path / "raw"
    raw(lake).run(log, until_idle=True)
    mended(log, lake, 10, 0, 5)
    before = Lake(lake).history()[-2].number
    append(log, 100, 160)
    raw(lake).run(log, until_idle=True)
    assert xs(lake) == Counter([n * 10 for n in range(96)] + [*range(96, 154)])
    Lake(lake).rollback(log, before)
    assert xs(lake) == Counter(range(154))
    raw(lake).run(log, until_idle=True, drain=True)
    assert xs(lake) == Counter(range(160))
    mended(log, lake, 10, 0, 10)
    assert xs(lake) == Counter(range(0, 1600, 10))


def test_what_is_gone_cannot_come_back_and_nothing_is_touched(log, tmp_path):
    lake = tmp_path / "raw"
    raw(lake).run(log, until_idle=True, drain=True)
    first = Lake(lake).history()[-1].number
    mended(log, lake, 10, 0, 2, generations=1)
    second, files = Lake(lake).history()[-1].number, tree(lake)
    mended(log, lake, 100, 1, 3, generations=1)
    reach = {one.number: one.within_reach for one in Lake(lake).history()}
    assert (reach[first], reach[second], reach[second + 1]) == (False, True, True)
    with pytest.raises(SinkError, match="is not kept any more"):
        Lake(lake).rollback(log, first)
    Lake(lake).rollback(log, second)
    assert tree(lake) == files
    assert Lake(lake).collect(log, keep=0) > 0
    assert not list((tmp_path / ".raw.kappa").rglob("kept/*"))
    assert [one.within_reach for one in Lake(lake).history()][:-1] == [False] * (second + 1)
    assert tree(lake) == files


def test_nothing_goes_back_behind_rows_that_were_taken_back(log, tmp_path):
    lake = tmp_path / "raw"
    raw(lake).replay(log, version=1)
    closed = Lake(lake).history()[-1].number
    append(log, 100, 130)
    raw(lake).run(log, until_idle=True, version=1)  # the last day goes on
    assert "reopen" in [one.kind for one in Lake(lake).history()]
    with pytest.raises(SinkError, match="p@1 has taken rows back since"):
        Lake(lake).rollback(log, closed)
    assert xs(lake) == Counter(range(130))


def test_who_may_not_and_where_nothing_is(log, tmp_path):
    lake = tmp_path / "raw"
    with pytest.raises(ConfigError, match="is no table that kappa wrote"):
        Lake(lake)
    raw(lake).run(log, until_idle=True, drain=True)
    number = Lake(lake).history()[-1].number
    mended(log, lake, 10, 0, 2)
    with pytest.raises(ConfigError, match="has commits 1 to 4, and no 9"):
        Lake(lake).rollback(log, 9)
    with Log.memory() as other, pytest.raises(SinkError, match="rests on another log"):
        Lake(lake).rollback(other, number)
    with log.lock(lock_of(str(lake), 1)), pytest.MonkeyPatch.context() as patch:
        patch.setattr("kappa.connect.lake.WAIT", "1ms")
        with pytest.raises(LogLocked):
            Lake(lake).rollback(log, number)
    before = tree(lake)
    (lake / "date=1970-01-01" / "notes.txt").write_text("mine")
    with pytest.raises(SinkError, match=r"notes\.txt was not written by kappa"):
        Lake(lake).rollback(log, number)
    (lake / "date=1970-01-01" / "notes.txt").unlink()
    assert tree(lake) == before


class Fuse:
    """Lets the disk fail from the n-th call on."""

    left: int | None = None

    def guarded(self, call: Any) -> Any:
        def guarded(*args: Any, **options: Any) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise OSError(5, "Input/output error")
            return call(*args, **options)

        return guarded


@pytest.mark.slow
def test_broken_at_every_call_it_ends_the_same_when_it_is_done_again(log, tmp_path):
    """Whole for readers of the ledger; for others, each partition is the one or the other."""
    made, fuse, calls, broken, seen = tmp_path / "made", Fuse(), 0, True, set()
    raw(made / "raw").run(log, until_idle=True, drain=True)
    first, old = Lake(made / "raw").history()[-1].number, tree(made / "raw")
    mended(log, made / "raw", 10, 0, 3)
    new = tree(made / "raw")
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(OsFiles, name, fuse.guarded(getattr(OsFiles, name)))
        while broken:
            lake = tmp_path / str(calls) / "raw"
            shutil.copytree(made, lake.parent)
            fuse.left = calls
            try:
                Lake(lake).rollback(log, first)
                broken = False
            except OSError:
                calls += 1
            fuse.left = None
            for folder in {name.partition("/")[0] for name in old}:
                shown = {name for name in tree(lake) if name.startswith(folder)}
                choices = [{n for n in files if n.startswith(folder)} for files in (old, new)]
                assert shown in choices, folder
            seen.add(max(xs(lake)))
            Lake(lake).rollback(log, first)
            assert tree(lake) == old
            shutil.rmtree(lake.parent)
    assert calls > 30
    assert seen == {710, 99}


@given(st.data())
@settings(examples(15), phases=[Phase.generate])
def test_any_walk_of_backfills_and_ways_back_ends_where_the_history_says(tmp_path_factory, data):
    lake = tmp_path_factory.mktemp("walk") / "raw"
    with Log.memory(clock=ManualClock(0)) as log:
        log.create_topic("in", time="ts")
        append(log, 0, 100)
        raw(lake, generations=99).run(log, until_idle=True, drain=True)
        stops = {Lake(lake).history()[-1].number: tree(lake)}
        for _ in range(data.draw(st.integers(1, 6))):
            if data.draw(st.booleans()):
                first = data.draw(st.integers(0, 4))
                unit, last = data.draw(st.integers(1, 3)), data.draw(st.integers(first + 1, 5))
                mended(log, lake, unit, first, last, generations=99)
            else:
                number = data.draw(st.sampled_from(sorted(stops)))
                Lake(lake).rollback(log, number)
                assert tree(lake) == stops[number]
            stops[Lake(lake).history()[-1].number] = tree(lake)
            assert all(one.within_reach for one in Lake(lake).history())
