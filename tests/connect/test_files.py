"""Files as a pipeline's source: through the log, whole or as they come, each record once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from kappa import Log, ManualClock, Pipeline, Tumbling, agg
from kappa.connect import Files
from kappa.errors import ConfigError, SourceError


def lines(path: Path, *times: int, end: str = "\n") -> None:
    text = "\n".join(json.dumps({"k": 1, "ts": ts}) for ts in times) + end
    with path.open("a") as file:
        file.write(text)


def counting(files: Files) -> Pipeline:
    pipeline = Pipeline("counting")
    events = pipeline.source(files)
    events.key_by("k").window(Tumbling(10)).aggregate(n=agg.count()).to("counts")
    return pipeline


def counts(log: Log, name: str = "counts") -> list[tuple[int, int]]:
    return [(r.value["window_start"], r.value["n"]) for r in log.read(name)]


def test_a_run_reads_what_is_there_and_a_replay_repeats_it(tmp_path: Path):
    lines(tmp_path / "a.jsonl", 1, 5, 12)
    lines(tmp_path / "b.jsonl", 15, 23)
    pipeline = counting(Files(tmp_path, topic="events", time="ts"))
    with Log.memory() as log:
        assert pipeline.run(log, until_idle=True).records_in == 5
        assert counts(log) == [(0, 2), (10, 2)]
        for path in tmp_path.iterdir():
            path.unlink()
        lines(tmp_path / "c.jsonl", 31)
        assert pipeline.replay(log).records_in == 6
        assert counts(log, "counts@2") == [(0, 2), (10, 2), (20, 1), (30, 1)]


def test_files_are_followed_as_they_come_and_grow(tmp_path: Path):
    clock = ManualClock(0)
    files = Files(tmp_path / "*.jsonl", topic="events", time="ts", follow="10s")
    with Log.memory(clock=clock) as log:
        feed = files.open(log)
        stop = threading.Event()
        assert feed.pull(stop) == 0
        lines(tmp_path / "a.jsonl", 1, 5, end="")
        assert feed.pull(stop) == 1  # the last line has no end yet
        lines(tmp_path / "b.jsonl", 12)
        with (tmp_path / "a.jsonl").open("a") as file:
            file.write("\n")
        assert feed.pull(stop) == 2
        assert feed.pull(stop) == 0
        (tmp_path / "c.parquet").write_bytes(b"PAR1 not yet")
        assert Files(tmp_path, topic="events", time="ts", follow="1s").open(log).pull(stop) == 0
        stop.set()
        lines(tmp_path / "d.jsonl", 40)
        assert feed.pull(stop) == 0
        assert sorted(r.time for r in log.read("events")) == [1, 5, 12]


def test_a_live_run_looks_again(tmp_path: Path):
    lines(tmp_path / "a.jsonl", 1)
    pipeline = counting(Files(tmp_path, topic="events", time="ts", follow="1ms"))
    with Log.memory() as log:
        running = pipeline.start(log)
        try:
            lines(tmp_path / "b.jsonl", 25)
            for _ in range(200):
                log.wait(log.end_lsn, 0.05)
                if log.catalog.find("counts", 1) is not None and counts(log):
                    break
            assert counts(log) == [(0, 1)]
        finally:
            running.stop()
            running.wait()


def test_a_place_without_files_and_a_topic_with_a_version_are_refused(tmp_path: Path):
    with Log.memory() as log, pytest.raises(SourceError, match="there is no file at"):
        counting(Files(tmp_path / "x*.jsonl", topic="events")).run(log, until_idle=True)
    with pytest.raises(ConfigError, match="without a version"):
        Files(tmp_path, topic="events@2")


def test_where_the_files_lie_is_no_part_of_what_a_version_is(tmp_path: Path):
    one = counting(Files(tmp_path / "a", topic="events", time="ts")).plan()
    two = counting(Files(tmp_path / "b", topic="events", time="ts", follow="1s")).plan()
    assert one.fingerprint == two.fingerprint
    assert (
        f"files of {tmp_path / 'b'}, looked at every 1s"
        in counting(Files(tmp_path / "b", topic="events", follow="1s")).explain()
    )
