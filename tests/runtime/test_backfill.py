"""Backfills against a full rebuild: partition by partition, byte by byte.

Method: a log with late rows, an empty day and a change of clocks; tables made by a pipeline
with a bug, backfilled by the mended one. What lies in the partitions of the range must be
what a rebuild of everything gives, and all others must keep every byte.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings
from runtime.backfills import (
    HOUR,
    START,
    ZONE,
    fill,
    new_log,
    partitions,
    rows_of,
    tables,
    times,
    touched,
    tree,
)
from small import counts
from small import new_log as small_log
from strategies import examples

from kappa import Log, Pipeline
from kappa.connect import JsonLinesSink
from kappa.errors import ConfigError, LogLocked, SinkError, Stopped
from kappa.log.files import OsFiles
from kappa.runtime.history import runs_of


def drawn(number: int) -> settings:
    """A failure is shown as it came: an example takes a second, so shrinking takes for ever."""
    return settings(examples(number), phases=[Phase.generate])


HOURS = st.integers(-30, 200)
DAY = timedelta(days=1)


class World:
    """A log, and the partitions that a rebuild of everything gives."""

    def __init__(self, log: Log, rebuilt: dict[str, dict[str, bytes]]) -> None:
        self.log = log
        self.rebuilt = rebuilt


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    """A log, and the partitions that a rebuild of everything gives."""
    out = tmp_path_factory.mktemp("rebuilt")
    with new_log() as log:
        tables(out, 10, name="rebuilt").replay(log)
        yield World(log, partitions(tree(out)))


def wrong(log: Log, out: Path, name: str) -> None:
    """The tables as the pipeline with the bug has made them, for good."""
    tables(out, 1, name=name).run(log, until_idle=True, drain=True)


def span_of(first: int, length: int) -> tuple[int, int]:
    since = START + first * HOUR + 11 * 60_000
    return since, since + length


@given(st.data())
@drawn(8)
def test_ranges_are_made_anew_and_nothing_else(world, tmp_path_factory, data):
    log, rebuilt = world.log, world.rebuilt
    out = tmp_path_factory.mktemp("lake")
    name = out.name
    wrong(log, out, name)
    for _ in range(data.draw(st.integers(1, 3))):
        since, until = span_of(data.draw(HOURS), data.draw(st.integers(1, 80 * HOUR)))
        before = partitions(tree(out))
        result = tables(out, 10, name=name).backfill(log, since=since, until=until)
        after = partitions(tree(out))
        for folder in before.keys() | after.keys() | rebuilt.keys():
            if touched(folder, since, until):
                assert after.get(folder) == rebuilt.get(folder), folder
            else:
                assert after.get(folder) == before.get(folder), folder
        reported = {f"{out.name}": one for one in result.partitions if one}
        assert bool(reported) == (before != after)


def test_the_same_again_touches_no_file(world, tmp_path):
    log = world.log
    wrong(log, tmp_path, "again")
    since, until = span_of(20, 30 * HOUR)
    first = tables(tmp_path, 10, name="again").backfill(log, since=since, until=until)
    assert first.altered > 0  # rows of windows; raw rows have no key by which to pair them
    assert first.added == first.removed > 0
    before = times(tmp_path)
    second = tables(tmp_path, 10, name="again").backfill(log, since=since, until=until)
    assert times(tmp_path) == before
    assert not any(second.partitions)
    assert sum(one.same for one in second.partitions) > first.altered


def test_all_there_is_gives_the_rebuild(world, tmp_path):
    log, rebuilt = world.log, world.rebuilt
    wrong(log, tmp_path, "all")
    tables(tmp_path, 10, name="all").backfill(log, since=None, until=None)
    assert partitions(tree(tmp_path)) == rebuilt


def test_without_a_table_it_makes_one(world, tmp_path):
    log, rebuilt = world.log, world.rebuilt
    since, until = span_of(0, 60 * HOUR)
    result = tables(tmp_path, 10, name="fresh").backfill(log, since=since, until=until)
    found = partitions(tree(tmp_path))
    assert found == {name: rebuilt[name] for name in rebuilt if touched(name, since, until)}
    assert result.added == sum(map(sum, (c.values() for c in rows_of(tree(tmp_path)).values())))


@pytest.mark.parametrize("first", [-5000, 5000])
def test_a_range_without_records_changes_nothing(world, tmp_path, first):
    log = world.log
    name = f"nothing{first}"
    wrong(log, tmp_path, name)
    before = times(tmp_path)
    since, until = span_of(first, 40 * HOUR)
    result = tables(tmp_path, 10, name=name).backfill(log, since=since, until=until)
    assert times(tmp_path) == before
    assert (result.records_out, result.partitions) == (0, ())
    forecast = tables(tmp_path, 10, name=name).forecast(log, since=since, until=until)
    assert set(forecast.partitions.values()) == {()}


def test_an_empty_day_vanishes_if_it_had_rows(world, tmp_path):
    """A day whose rows the mended pipeline no longer gives."""
    log = world.log

    def filtered(limit: int) -> Pipeline:
        p = Pipeline("empty-day")
        rows = p.source("in", out_of_orderness="2h").filter(lambda row: row["x"] < limit)
        rows.sink(JsonLinesSink(tmp_path / "t", by="date", zone=ZONE))
        return p

    filtered(10_000).run(log, until_idle=True, drain=True)
    day = "t/date=2013-03-09"
    assert day in partitions(tree(tmp_path))
    options = {"since": "2013-03-09T12:00-05:00", "until": "2013-03-09T13:00-05:00"}
    result = filtered(0).backfill(log, **options)
    assert day not in partitions(tree(tmp_path))
    (one,) = result.partitions
    assert (one.partition, one.added, one.altered) == ("date=2013-03-09", 0, 0)
    assert one.removed > 0


def test_a_day_of_23_hours_is_one_partition(world, tmp_path):
    log = world.log
    pipeline = tables(tmp_path, 10, name="short-day")
    options = {"since": "2013-03-10T05:00Z", "until": "2013-03-11T04:00Z"}
    forecast = pipeline.forecast(log, **options)
    (hourly,) = [names for step, names in forecast.partitions.items() if "hourly" in step]
    (raw,) = [names for step, names in forecast.partitions.items() if "raw" in step]
    assert hourly == ("date=2013-03-10",)
    assert len(raw) == 23 and "date=2013-03-10/hour=02" not in raw
    pipeline.backfill(log, **options)
    assert {name for name in partitions(tree(tmp_path)) if name.startswith("hourly")} == {
        "hourly/date=2013-03-10"
    }


# -- breaking ------------------------------------------------------------------------------


class Fuse:
    """Lets the disk fail at the n-th call."""

    left = -1

    def guarded(self, call):
        def guarded(*args, **options):
            self.left -= 1
            if self.left == 0:
                raise OSError(28, "No space left on device")
            return call(*args, **options)

        return guarded


@pytest.mark.slow
@given(st.data())
@drawn(3)
def test_broken_anywhere_it_goes_on_and_ends_the_same(world, tmp_path_factory, data):
    log, rebuilt = world.log, world.rebuilt
    out = tmp_path_factory.mktemp("broken")
    wrong(log, out, out.name)
    old = partitions(tree(out))
    since, until = span_of(data.draw(st.integers(0, 60)), 40 * HOUR)
    fuse, tries = Fuse(), 0
    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "rename", "exchange", "remove", "sync_folder", "make_folder"):
            patch.setattr(OsFiles, name, fuse.guarded(getattr(OsFiles, name)))
        while True:
            fuse.left = data.draw(st.integers(1, 900)) if tries < 12 else -1
            tries += 1
            try:
                tables(out, 10, name=out.name).backfill(
                    log,
                    since=since,
                    until=until,
                    checkpoint_every="1ms",
                    read_records=data.draw(st.sampled_from([5, 40, 4096])),
                    on_progress=lambda progress: log.clock.advance(1),
                )
                break
            except SinkError as error:
                assert error.retryable
            fuse.left = -1
            for folder, files in partitions(tree(out)).items():  # the old one or the new, whole
                choices = [old.get(folder)]
                if touched(folder, since, until):
                    choices.append(rebuilt.get(folder))
                assert files in choices, folder
    after = partitions(tree(out))
    for folder in old.keys() | after.keys():
        want = rebuilt if touched(folder, since, until) else old
        assert after.get(folder) == want.get(folder), folder


def test_a_stopped_one_goes_on_with_the_log_it_began_with(tmp_path):
    with new_log(60) as log:
        wrong(log, tmp_path / "lake", "stopped")
        stop = threading.Event()
        pipeline = tables(tmp_path / "lake", 10, name="stopped")
        options = {"since": START, "until": START + 30 * HOUR, "read_records": 50}
        with pytest.raises(Stopped):
            pipeline.backfill(log, stop=stop, on_progress=lambda p: stop.set(), **options)
        before = log.end_lsn
        fill(log, 100, 110)
        result = pipeline.backfill(log, **options)
        assert result.lsn < before
        assert [run.outcome for run in runs_of(log)][-2:] == ["stopped", "done"]
        assert {run.kind for run in runs_of(log)[-2:]} == {"backfill"}
        again = tables(tmp_path / "lake", 10, name="stopped").backfill(log, **options)
        assert again.lsn > before


def test_an_unfinished_one_of_another_range_is_given_up(tmp_path):
    with new_log(60) as log:
        stop = threading.Event()
        pipeline = tables(tmp_path, 10, name="given-up")
        with pytest.raises(Stopped):
            pipeline.backfill(
                log, since=START, until=START + HOUR, read_records=20, stop=stop,
                on_progress=lambda progress: stop.set(),
            )  # fmt: skip
        pipeline.backfill(log, since=START + 48 * HOUR, until=START + 49 * HOUR)
        names = {name for name in partitions(tree(tmp_path)) if name.startswith("hourly")}
        assert names == {"hourly/date=2013-03-10"}


def test_two_at_once_are_refused(tmp_path):
    with new_log(10) as log, log.lock("locked~backfill"), pytest.raises(LogLocked):
        tables(tmp_path, name="locked").backfill(log, since=START, until=START + HOUR)


# -- beside others -------------------------------------------------------------------------


def test_a_partition_that_someone_else_wrote_into_is_left_and_named(world, tmp_path):
    log = world.log
    wrong(log, tmp_path, "foreign")
    stranger = tmp_path / "hourly" / "date=2013-03-09" / "notes.jsonl"
    stranger.write_text("{}\n")
    before = times(tmp_path)
    since, until = span_of(20, 30 * HOUR)
    pipeline = tables(tmp_path, 10, name="foreign")
    with pytest.raises(SinkError, match=r"notes\.jsonl was not written by kappa"):
        pipeline.backfill(log, since=since, until=until)
    untouched = {name: at for name, at in before.items() if name.startswith("hourly")}
    assert untouched.items() <= times(tmp_path).items()
    stranger.unlink()
    assert pipeline.backfill(log, since=since, until=until).altered > 0


@pytest.mark.parametrize(
    "where", ["hourly/date=2013-03-09", "raw/date=2013-03-09/hour=20", "days/month=2013-03"]
)
def test_where_one_table_cannot_be_replaced_none_is(world, tmp_path, where):
    name = "many-" + where.partition("/")[0]
    wrong(world.log, tmp_path, name)
    stranger = tmp_path / where / "notes.jsonl"
    stranger.write_text("{}\n")
    before = times(tmp_path)
    with pytest.raises(SinkError, match=r"notes\.jsonl was not written by kappa"):
        tables(tmp_path, 10, name=name).backfill(
            world.log, since="2013-03-09T00:00-05:00", until="2013-03-10T00:00-05:00"
        )
    assert times(tmp_path) == before


def test_a_file_of_someone_else_is_named_where_kappa_has_no_rows(world, tmp_path):
    wrong(world.log, tmp_path, "strange-day")
    stranger = tmp_path / "raw" / "date=2013-03-11" / "hour=03" / "notes.jsonl"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("{}\n")
    pipeline = tables(tmp_path, 10, name="strange-day")
    with pytest.raises(SinkError, match=r"notes\.jsonl was not written by kappa"):
        pipeline.backfill(world.log, since="2013-03-11T00:00-04:00", until="2013-03-12T00:00-04:00")
    pipeline.backfill(world.log, since="2013-03-09T00:00-05:00", until="2013-03-10T00:00-05:00")
    assert stranger.read_text() == "{}\n"


def test_own_files_that_were_changed_or_removed_are_made_again(world, tmp_path):
    wrong(world.log, tmp_path, "by-hand")
    before = tree(tmp_path)
    first, second, *_ = sorted(tmp_path.glob("hourly/date=2013-03-09/part-*"))
    first.write_bytes(first.read_bytes().replace(b":", b" :", 1))
    second.unlink()
    found = tables(tmp_path, name="by-hand").backfill(
        world.log, since="2013-03-09T00:00-05:00", until="2013-03-10T00:00-05:00"
    )
    assert tree(tmp_path) == before
    changed = [one for one in found.partitions if one.added + one.removed + one.altered]
    assert [one.partition for one in changed] == ["date=2013-03-09"]


@given(st.data())
@drawn(8)
def test_live_and_backfill_write_every_row_once(tmp_path_factory, data):
    """With one code, backfills in between must not show: the rows are those of a rebuild."""
    out = tmp_path_factory.mktemp("live")
    with new_log(20) as log:
        hour = 20
        while hour < 150:
            if data.draw(st.booleans()):
                tables(out).run(
                    log,
                    until_idle=True,
                    read_records=data.draw(st.sampled_from([7, 4096])),
                    checkpoint_every=data.draw(st.sampled_from(["1ms", None])),
                    on_progress=lambda progress: log.clock.advance(1),
                )
            if data.draw(st.booleans()):
                since, until = span_of(
                    data.draw(st.integers(-5, hour + 5)), data.draw(st.integers(1, 60)) * HOUR
                )
                tables(out).backfill(log, since=since, until=until)
            more = data.draw(st.integers(1, 40))
            fill(log, hour, hour + more)
            hour += more
        tables(out).run(log, until_idle=True, drain=True)
        whole = tmp_path_factory.mktemp("whole")
        tables(whole, name="whole").replay(log)
        assert rows_of(tree(out)) == rows_of(tree(whole))


@pytest.mark.slow
def test_a_live_run_goes_on_while_partitions_are_swapped(tmp_path):
    with new_log(60, Log(tmp_path / "log")) as log:
        running = tables(tmp_path / "lake").start(log, checkpoint_every="20ms")
        try:
            for hour in range(60, 110, 5):
                fill(log, hour, hour + 5)
                since, until = span_of(hour - 55, 20 * HOUR)
                tables(tmp_path / "lake").backfill(log, since=since, until=until)
        finally:
            running.stop()
            running.wait()
        tables(tmp_path / "lake").run(log, until_idle=True, drain=True)
        tables(tmp_path / "whole", name="whole").replay(log)
        assert rows_of(tree(tmp_path / "lake")) == rows_of(tree(tmp_path / "whole"))


def test_what_is_open_is_left_to_the_live_run(tmp_path):
    with new_log(50) as log:
        tables(tmp_path).run(log, until_idle=True)
        result = tables(tmp_path).backfill(log, since=None, until=None)
        left = {one.partition for one in result.partitions if one.left}
        assert "date=2013-03-09" in left
        assert "date=2013-03-08" not in left


# -- topics --------------------------------------------------------------------------------


def test_topics_get_a_version_of_the_range_that_is_compared():
    log = small_log()
    for time in range(0, 200, 3):
        log.append("bids", [{"k": 1, "price": time % 7, "ts": time}])
    counts().run(log, until_idle=True)
    result = counts(doubled=True).backfill(log, since=50, until=100)
    assert result.version == 2
    (one,) = result.partitions
    assert (one.step, one.altered, one.added, one.removed) == ("per_window", 5, 0, 0)
    assert "not overwritten" in result.notes[0]
    assert log.topic("per_window").version == 1
    assert counts().forecast(log, since=50, until=100).estimate.records > 0


def test_wrong_ranges_are_refused(tmp_path):
    with new_log(2) as log:
        with pytest.raises(ConfigError, match="since must lie before until"):
            tables(tmp_path).backfill(log, since=5, until=5)
        with pytest.raises(ConfigError, match="late is"):
            tables(tmp_path).backfill(log, since=5, until=6, late="never")
