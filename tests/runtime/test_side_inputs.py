"""Side inputs: loaded whole, fixed per version, the same in a replay whatever came since."""

from __future__ import annotations

import pytest

from kappa import Log, Pipeline, agg, col, left, right
from kappa.errors import ConfigError, IncompatibleState, UnknownTopic


@pytest.fixture
def log():
    with Log.memory() as opened:
        opened.create_topic("bids", time="ts")
        opened.create_topic("names", key="id", compact=True)
        # The bids come first: what a lookup sees is not a matter of order in the log.
        opened.append("bids", [{"auction": n, "ts": ts} for ts, n in enumerate((1, 2, None, 3))])
        opened.append("names", [{"id": 1, "name": "old"}, {"id": 2, "name": "two"}])
        opened.append("names", [{"id": 1, "name": "one"}])
        yield opened


def looking_up(how: str = "inner", **options) -> Pipeline:
    pipeline = Pipeline("p")
    names = pipeline.side_input("names", key="id")
    pipeline.source("bids").lookup(names, on="auction", how=how, **options).to("out")
    return pipeline


def found(log: Log, name: str = "out") -> list:
    return [record.value for record in log.read(name)]


def test_every_row_finds_the_last_of_its_key(log: Log):
    looking_up().run(log, until_idle=True)
    assert found(log) == [
        {"auction": 1, "ts": 0, "id": 1, "name": "one"},
        {"auction": 2, "ts": 1, "id": 2, "name": "two"},
    ]


def test_left_keeps_rows_that_find_nothing(log: Log):
    looking_up("left", select={"a": left("auction"), "n": right("name")}).run(log, until_idle=True)
    assert [(row["a"], row["n"]) for row in found(log)] == [
        (1, "one"), (2, "two"), (None, None), (3, None),
    ]  # fmt: skip


def test_what_comes_later_is_seen_by_a_version_that_is_told_to(log: Log):
    pipeline = looking_up()
    pipeline.run(log, until_idle=True)
    log.append("names", [{"id": 2, "name": "TWO"}, {"id": 3, "name": "three"}])
    log.append("names", [None], key=1)
    log.append("bids", [{"auction": 2, "ts": 9}])
    pipeline.run(log, until_idle=True)
    assert [row["name"] for row in found(log)] == ["one", "two", "two"]
    pipeline.replay(log, version=2)
    assert found(log, "out@2") == found(log)
    pipeline.replay(log, version=3, refresh_side_inputs=True)
    assert [row["name"] for row in found(log, "out@3")] == ["TWO", "three", "TWO"]
    log.promote("out@3")
    pipeline.replay(log, version=4)
    assert found(log, "out@4") == found(log, "out@3")


def test_content_that_is_not_there_any_more_is_refused(log: Log):
    pipeline = looking_up()
    pipeline.run(log, until_idle=True)
    log.delete_topic("names")
    with pytest.raises(IncompatibleState, match="was deleted since the version was made"):
        pipeline.run(log, until_idle=True)
    log.create_topic("names", key="id")
    with pytest.raises(IncompatibleState, match="refresh_side_inputs=True"):
        pipeline.replay(log, version=2)
    pipeline.replay(log, version=3, refresh_side_inputs=True)
    assert found(log, "out@3") == []


def test_content_that_compaction_changed_is_refused(tmp_path):
    with Log(tmp_path / "log", segment_bytes=1) as log:
        log.create_topic("bids", time="ts")
        log.create_topic("names", key="id", compact=True)
        log.append("bids", [{"auction": 1, "ts": 1}])
        log.append("names", [{"id": 1, "name": "one"}])
        pipeline = looking_up()
        pipeline.run(log, until_idle=True)
        for n in range(3):
            log.append("names", [{"id": 1, "name": f"later {n}"}])
        log.sync()
        log.compact("names")
        with pytest.raises(IncompatibleState, match="no longer what it was at LSN 5"):
            pipeline.run(log, until_idle=True)


def test_a_topic_that_is_missing_and_a_wrong_kind_are_refused(log: Log):
    pipeline = Pipeline("p")
    pipeline.source("bids").lookup(pipeline.side_input("none"), on="auction").to("out")
    with pytest.raises(UnknownTopic, match="none"):
        pipeline.run(log, until_idle=True)
    with pytest.raises(ConfigError, match="how is 'full'"):
        looking_up("full")
    with pytest.raises(ConfigError, match="are never equal"):
        pipeline.source("bids").lookup(pipeline.side_input("names", key=("a", "b")), on="x")


def test_it_holds_no_time_back_and_is_explained(log: Log):
    pipeline = Pipeline("p")
    names = pipeline.side_input("names", key="id")
    rows = pipeline.source("bids").filter(col("auction").not_null())
    looked = rows.lookup(names, on="auction")
    looked.key_by("name").aggregate(n=agg.count()).to("out")
    pipeline.run(log, until_idle=True)
    assert len(found(log)) == 2
    assert "lookup by auction in names, as it stood when the version was made" in pipeline.explain()
    assert [row["name"] for row in looked.preview(log)] == ["one", "two"]
