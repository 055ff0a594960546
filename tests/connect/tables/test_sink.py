"""R1 and R7 for files: the set of files and their bytes follow from the log alone.

Method: one log; the pipeline is run with any read size and checkpoint interval, broken at
any point of its work and taken up again. The rows in the files are compared with a plain
loop over the log, the files with those of a run left alone.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from connect.tables.tablecases import START, changed, fill, new_log, pipeline, row, tree
from hypothesis import Phase, given, settings
from strategies import examples

from kappa import Log, ManualClock, Pipeline
from kappa.connect import ByTime, JsonLinesSink
from kappa.errors import ConfigError, SinkError
from kappa.log.files import OsFiles

READS = st.sampled_from([1, 2, 3, 7, 4096])
ZONE = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files of one run in one go, without a checkpoint on the way."""
    out = tmp_path_factory.mktemp("alone")
    with new_log() as log:
        pipeline(out).replay(log, checkpoint_every=None)
    return tree(out)


def rows_of(files: dict[str, bytes], below: str) -> dict[str, list[dict]]:
    """The rows of a table by partition."""
    found = defaultdict(list)
    for path, data in files.items():
        if path.startswith(below) and path.endswith(".jsonl"):
            folder = path.removeprefix(f"{below}/").rpartition("/")[0]
            found[folder] += [json.loads(line) for line in data.splitlines()]
    return found


def test_every_row_is_in_the_folder_of_its_hour(alone):
    want = defaultdict(list)
    for n in range(400):
        local = datetime.fromtimestamp(row(n)["ts"] / 1000, ZONE)
        want[local.strftime("date=%Y-%m-%d/hour=%H")].append(row(n))
    got = rows_of(alone, "raw")
    assert got.keys() == want.keys()
    for folder, rows in want.items():
        assert sorted(got[folder], key=lambda one: one["n"]) == rows
    assert {f"raw/{folder}/_SUCCESS" for folder in want} <= alone.keys()


def test_files_are_as_large_as_was_asked(alone):
    lines = [data.count(b"\n") for path, data in alone.items() if path.startswith("raw/")]
    assert max(lines) == 13
    sizes = [len(data) for path, data in alone.items() if path.endswith("jsonl") and "flat" in path]
    assert all(900 <= size < 1600 for size in sizes[:-1])  # one append more than asked
    assert len(sizes) > 10


def ticking(log):
    """A millisecond passes with every unit of work, so that checkpoints fall due."""
    return lambda progress: log.clock.advance(1)


@given(READS, st.sampled_from([None, "1ms", "20ms"]))
@examples(6)
def test_read_size_and_checkpoints_do_not_show(tmp_path_factory, alone, read, every):
    out = tmp_path_factory.mktemp("out")
    with new_log() as log:
        result = pipeline(out).replay(
            log, read_records=read, checkpoint_every=every, on_progress=ticking(log)
        )
    assert every != "1ms" or read > 7 or result.checkpoints > 10
    assert changed(tree(out), alone) == []


class Fuse:
    """Calls of the file system that fail once so many have gone well."""

    def __init__(self) -> None:
        self.left = -1
        self.broken = 0

    def guarded(self, call):
        def guarded(*args, **options):
            self.left -= 1
            if self.left == 0:
                self.broken += 1
                raise OSError(28, "No space left on device")
            return call(*args, **options)

        return guarded


@pytest.mark.slow
@given(st.data())
@settings(examples(4), phases=[Phase.generate])
def test_broken_anywhere_and_taken_up_it_is_the_same(tmp_path_factory, data):
    out, alone = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("alone")
    fuse = Fuse()
    with new_log(90) as log, pytest.MonkeyPatch.context() as patch:
        pipeline(alone, rows=5).replay(log, checkpoint_every=None)
        for name in ("open", "rename", "remove", "sync_folder", "make_folder"):
            patch.setattr(OsFiles, name, fuse.guarded(getattr(OsFiles, name)))
        while True:
            calls = data.draw(st.integers(1, 900), label="calls until the disk fails")
            fuse.left = calls if fuse.broken < 12 else -1
            try:
                pipeline(out, rows=5).replay(
                    log,
                    version=2,
                    sinks="all",
                    read_records=data.draw(READS),
                    checkpoint_every="1ms",
                    on_progress=ticking(log),
                )
                break
            except SinkError as error:
                assert error.retryable
    assert changed(tree(out), tree(alone)) == []


def test_an_older_checkpoint_writes_nothing_twice(tmp_path, alone):
    with Log(tmp_path / "log", clock=ManualClock(START)) as log:
        log.create_topic("in", time="ts")
        fill(log, 200)
        pipeline(tmp_path / "out").run(
            log,
            until_idle=True,
            checkpoint_every="1ms",
            read_records=9,
            on_progress=ticking(log),
        )
        before = tree(tmp_path / "out")
        assert before
        newest = max((tmp_path / "log" / "pipelines").rglob("*.checkpoint"))
        newest.write_bytes(b"damaged")
        result = pipeline(tmp_path / "out").run(log, until_idle=True)
        assert any("does not" in note or "bytes" in note for note in result.notes)
        assert changed(tree(tmp_path / "out"), before) == []
        fill(log, 200, first=200)
        pipeline(tmp_path / "out").run(log, until_idle=True, drain=True)
    rows = [one["n"] for some in rows_of(tree(tmp_path / "out"), "raw").values() for one in some]
    assert sorted(rows) == list(range(400))


def test_a_run_goes_on_behind_a_replay_as_if_it_had_never_ended(tmp_path):
    out, plain = tmp_path / "out", tmp_path / "plain"
    with new_log(200) as log:
        pipeline(out).replay(log)
        assert any("raw" in path for path in tree(out))
        fill(log, 200, first=200)
        pipeline(out).run(log, version=1, drain=True)
    with new_log(200) as log:
        fill(log, 200, first=200)
        pipeline(plain).run(log, drain=True)
    names = {path: len(data) for path, data in tree(out).items()}
    # The closing append of the replay took an LSN, so later files have other numbers.
    assert rows_of(tree(out), "raw") == rows_of(tree(plain), "raw")
    assert len(names) == len(tree(plain))


def test_only_what_is_closed_shows_and_only_at_a_checkpoint(tmp_path):
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "out", rows=2))
    with Log.memory(clock=ManualClock(START)) as log:
        log.create_topic("in", time="ts")
        log.append("in", [row(0)])
        p.run(log, until_idle=True)
        assert tree(tmp_path / "out") == {}
        log.append("in", [row(1)])
        p.run(log, until_idle=True)
        (name,) = tree(tmp_path / "out")
        assert re.fullmatch(r"part-000000000002-[0-9a-f]{8}\.jsonl", name)


def test_late_rows_come_into_files_of_their_own(tmp_path):
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "out", by="hour-of-day"))
    with pytest.raises(ConfigError, match="date"):
        JsonLinesSink(tmp_path, by="hour")
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "out", by=("date", "hour"), late_delay="1m"))
    with Log.memory(clock=ManualClock(START)) as log:
        log.create_topic("in", time="ts")
        for minutes in (1, 61, 2, 3, 63):
            log.append("in", [{"m": minutes, "ts": START + minutes * 60_000}])
        p.run(log, until_idle=True)
    early = {path: data for path, data in tree(tmp_path / "out").items() if "hour=05" in path}
    assert [data.count(b"\n") for path, data in early.items() if path.endswith("jsonl")] == [1, 2]


def test_gzip_and_order_of_fields_are_canonical(tmp_path):
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "out", compression="gzip"))
    with Log.memory(clock=ManualClock(START)) as log:
        log.create_topic("in", time="ts")
        log.append("in", [{"b": 1, "a": {"d": 1, "c": 2}, "ts": START}])
        p.run(log, drain=True)
    ((name, data),) = [(n, d) for n, d in tree(tmp_path / "out").items() if n != "_SUCCESS"]
    assert name.endswith(".jsonl.gz")
    assert gzip.decompress(data) == b'{"a":{"c":2,"d":1},"b":1,"ts":%d}\n' % START
    assert data[4:8] == bytes(4)  # no clock in it


def test_two_versions_do_not_mix_in_one_folder(tmp_path):
    with new_log(60) as log:
        pipeline(tmp_path / "out").replay(log)
        with pytest.raises(ConfigError, match=r"holds rows of p@1; p@2 .*\{version\}"):
            pipeline(tmp_path / "out").replay(log, version=2)
        before = tree(tmp_path / "out")
        pipeline(tmp_path / "out").replay(log, version=3, sinks="none")
        assert tree(tmp_path / "out") == before


def test_a_version_in_the_path_gives_each_its_own_folder(tmp_path):
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "v{version}"))
    with new_log(20) as log:
        p.replay(log)
        p.replay(log)
    assert tree(tmp_path / "v1") == tree(tmp_path / "v2") != {}


def test_a_version_made_anew_begins_with_an_empty_folder(tmp_path, alone):
    with new_log() as log:
        pipeline(tmp_path, rows=99).replay(log)
        pipeline(tmp_path).replay(log, version=1, overwrite=True)
    raw = {path: data for path, data in tree(tmp_path).items() if path.startswith("raw")}
    assert raw == {path: data for path, data in alone.items() if path.startswith("raw")}


def test_a_folder_of_another_log_is_refused(tmp_path):
    with new_log(30) as log:
        pipeline(tmp_path / "out").replay(log)
    with Log.memory(clock=ManualClock(START)) as log:
        log.create_topic("in", time="ts")
        log.append("in", [row(5)])
        with pytest.raises(SinkError, match="another log"):
            pipeline(tmp_path / "out").replay(log)


def test_a_folder_that_was_emptied_is_refused(tmp_path):
    with new_log(30) as log:
        pipeline(tmp_path / "out").run(log, until_idle=True)
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(SinkError, match=r"moved or emptied|it is gone"):
            pipeline(tmp_path / "out").run(log, until_idle=True)


def test_files_without_their_ledger_are_refused(tmp_path):
    with new_log(30) as log:
        pipeline(tmp_path / "out").replay(log)
        shutil.rmtree(tmp_path / "out" / ".raw.kappa")
        with pytest.raises(SinkError, match=r"its ledger .* is gone"):
            pipeline(tmp_path / "out").replay(log, version=1, overwrite=True)


def test_a_ledger_that_says_nothing_of_columns_is_read_and_gone_on_with(tmp_path):
    """As ledgers were before tables had columns."""
    with new_log(30) as log:
        pipeline(tmp_path / "out").run(log, until_idle=True)
        ledgers = list((tmp_path / "out" / ".raw.kappa").rglob("*.json"))
        for one in ledgers:
            content = json.loads(one.read_text())
            assert content.pop("columns", None) is not None
            one.write_text(json.dumps(content))
        assert ledgers
        with new_log(30) as other:
            pipeline(tmp_path / "other").run(other, until_idle=True, drain=True)
        pipeline(tmp_path / "out").run(log, until_idle=True, drain=True)
    shown = [
        sorted(path.name for path in (tmp_path / name).rglob("part-*")) for name in ("out", "other")
    ]
    assert len(shown[0]) == len(shown[1])


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "field 'v' is nan"), (b"x", "field 'v' is b'x'"), ({1: {2}, "a": 1}, "'v'")],
)
def test_what_json_cannot_hold_is_named(tmp_path, value, message):
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "out"))
    with Log.memory() as log:
        log.create_topic("in")
        log.append("in", [{"v": value}])
        with pytest.raises(SinkError, match=message):
            p.run(log, until_idle=True)


def test_a_field_and_a_folder_of_one_name_are_refused(tmp_path):
    p = Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "a", by="date"))
    with Log.memory() as log:
        log.create_topic("in")
        log.append("in", [{"date": "monday"}])
        with pytest.raises(SinkError, match="event_date"):
            p.run(log, until_idle=True)
        p = Pipeline("q")
        p.source("in").sink(JsonLinesSink(tmp_path / "b", by=ByTime("date", "day")))
        p.run(log, drain=True)
    assert all(path.startswith("day=") for path in tree(tmp_path / "b"))


@pytest.mark.parametrize(
    "options",
    [
        {"rows": 0},
        {"size": "much"},
        {"size": "-1MB"},
        {"every": 0},
        {"zone": "Mars/Olympus"},
        {"by": ("date", "date")},
        {"by": "../up"},
        {"compression": "rar"},
        {"delay": -1},
    ],
)
def test_wrong_options_are_refused_when_they_are_given(options):
    with pytest.raises(ConfigError):
        JsonLinesSink("out", **options)


def test_two_sinks_in_one_folder_are_refused(tmp_path):
    p = Pipeline("p")
    source = p.source("in")
    source.sink(JsonLinesSink(tmp_path / "a"))
    source.sink(JsonLinesSink(tmp_path / "a"))
    with pytest.raises(ConfigError, match="has one owner"):
        p.plan()
    with pytest.raises(ConfigError, match="give a sink"):
        source.sink("out")


def test_a_sink_can_be_named_and_may_move(tmp_path):
    p, q = Pipeline("p"), Pipeline("p")
    p.source("in").sink(JsonLinesSink(tmp_path / "a" / "x"))
    q.source("in").sink(JsonLinesSink(tmp_path / "b" / "x"))
    assert p.plan().fingerprint == q.plan().fingerprint
    r = Pipeline("p")
    source = r.source("in")
    source.sink(JsonLinesSink(tmp_path / "a" / "x"), name="one")
    source.sink(JsonLinesSink(tmp_path / "b" / "x"), name="two")
    assert [step.name for step in r.plan().outlets] == ["one", "two"]


def test_hidden_places_never_look_like_data(tmp_path):
    with new_log(50) as log:
        pipeline(tmp_path).run(log, until_idle=True)
    hidden = [path for path in Path(tmp_path).rglob("*.kappa/**/*") if path.is_file()]
    assert hidden
    assert not [path for path in hidden if path.suffix in (".jsonl", ".parquet", ".gz")]
