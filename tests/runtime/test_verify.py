"""`pipeline.verify` finds what does not come out twice the same, and only that."""

from __future__ import annotations

import itertools
import threading

import hypothesis.strategies as st
import pytest
from harness import built, filled
from hypothesis import given, note
from strategies import describe, examples, pipelines, scenarios

from kappa import Log, Pipeline, Tumbling, agg, col
from kappa.errors import ConfigError, OperatorError, Stopped


@given(st.data())
@examples(40)
def test_pipelines_of_kappas_own_steps_come_out_the_same(data):
    scenario = data.draw(scenarios(max_topics=2))
    sinks = data.draw(pipelines(sorted(scenario.topics)))
    note(describe(sinks))
    log = filled(scenario)
    end = log.end_lsn
    found = built(sinks).verify(log, read_records=data.draw(st.sampled_from([2, 7, 4096])))
    assert found, str(found)
    assert log.end_lsn == end
    replayed = built(sinks).replay(log)
    assert sum(found.rows.values()) == replayed.records_out


@pytest.fixture
def log() -> Log:
    log = Log.memory()
    log.create_topic("n", time="ts")
    for ts in range(40):
        log.append("n", [{"ts": ts, "k": ts % 3, "v": ts}])
    return log


def mapped(function) -> Pipeline:
    pipeline = Pipeline("p")
    pipeline.source("n").map(function).to("out")
    return pipeline


def test_what_counts_on_its_own_is_found_where_it_first_shows(log):
    counter = itertools.count()
    found = mapped(lambda row: {"n": next(counter) // 30}).verify(log, read_records=8)
    assert not found
    assert (found.difference.output, found.difference.row) == ("out", 0)
    assert found.rows["out"] < 30
    assert "two runs differ after" in str(found)


def test_the_second_run_takes_in_each_append_by_itself(log):
    """What two steps share by the way is another thing where rows come one by one."""
    shared = {}

    def noted(row):
        shared["newest"] = row["ts"]
        return row

    pipeline = Pipeline("p")
    notes = pipeline.source("n").map(noted)
    notes.map(lambda row: {"newest": shared["newest"]}).to("out")
    found = pipeline.verify(log, read_records=8)
    assert found.difference.first.value != found.difference.second.value == {"newest": 0}


def test_an_int_and_a_float_of_one_value_are_not_the_same(log):
    turns = itertools.cycle([1, 1.0, 1])
    found = mapped(lambda row: {"n": next(turns)}).verify(log, read_records=1)
    assert not found
    assert {type(found.difference.first.value["n"]), type(found.difference.second.value["n"])} == {
        int,
        float,
    }


def test_a_row_that_only_one_run_has_is_shown(log):
    seen = set()

    def fresh(row) -> bool:
        new = row["ts"] not in seen
        seen.add(row["ts"])
        return new

    pipeline = Pipeline("p")
    pipeline.source("n").filter(fresh).to("out")
    found = pipeline.verify(log, read_records=1)
    assert found.difference.first.value == {"ts": 0, "k": 0, "v": 0}
    assert found.difference.second is None
    assert "no such row" in str(found)


def test_what_only_closing_windows_shows_is_found(log):
    calls = itertools.count()
    pipeline = Pipeline("p")
    windows = pipeline.source("n").key_by("k").window(Tumbling(1000))
    windows.aggregate(total=agg.sum("v")).map(lambda row: {"call": next(calls)}).to("out")
    found = pipeline.verify(log)
    assert found.difference.closing
    assert "closing all windows" in str(found)


def test_a_range_compares_its_rows_only(log):
    def odd_from_20_on(row):
        return {"v": row["ts"], "at": next(counter) if row["ts"] >= 20 else 0}

    counter = itertools.count()
    pipeline = mapped(odd_from_20_on)
    assert pipeline.verify(log, until=20).rows == {"out": 20}
    assert pipeline.verify(log, since=20, until=40).difference.first.time == 20
    with pytest.raises(ConfigError, match="since must lie before until"):
        pipeline.verify(log, since=3, until=3)


def test_stopping_and_failing_say_so_and_write_nothing(log):
    end = log.end_lsn
    stop = threading.Event()
    with pytest.raises(Stopped, match="nothing was written"):
        mapped(dict).verify(log, stop=stop, read_records=4, on_progress=lambda _: stop.set())
    with pytest.raises(OperatorError, match="ZeroDivisionError"):
        mapped(lambda row: {"v": 1 // row["v"]}).verify(log)
    assert log.end_lsn == end


def test_a_parameter_counts(log):
    from kappa import param

    pipeline = Pipeline("p")
    pipeline.source("n").filter(col("v") < param("limit", int, default=5)).to("out")
    assert pipeline.verify(log).rows == {"out": 5}
    assert pipeline.verify(log, params={"limit": 7}).rows == {"out": 7}
