"""The live run: where it goes on, what it refuses, how it stops.

Method: logs in memory, runs in pieces; a crash is a run that is dropped without a checkpoint.
"""

from __future__ import annotations

import threading

import pytest
from small import appends, bids, cheap, counts, new_log, rows

from kappa import KappaError, Log, ManualClock, Pipeline, agg, col
from kappa.errors import ConfigError, IncompatibleState, LogLocked, OperatorError, OutputDiffers
from kappa.log import CLOSING


def test_a_run_goes_on_behind_its_checkpoint():
    log, pipeline = new_log(), counts()
    log.append("bids", bids(1, 5, 12))
    first = pipeline.run(log, until_idle=True)
    log.append("bids", bids(13, 25))
    second = pipeline.run(log, until_idle=True)
    assert (first.records_in, second.records_in) == (3, 2)
    assert [row["n"] for row in rows(log, "per_window")] == [2, 2]


def test_all_outputs_of_one_lsn_are_one_append():
    """R7: all sinks, one append, named by the LSN it answers."""
    log = new_log()
    lsn = log.append("bids", bids(1, 2, 3, 4, 5)).lsn
    cheap().run(log, until_idle=True)
    answers = [entry for entry in log.entries(0) if entry.kind == "append" and entry.origin]
    assert [entry.origin for entry in answers] == [lsn]
    assert {part.topic_id for part in answers[0].parts} == {
        log.topic("cheap").id,
        log.topic("dear").id,
    }


def test_outputs_claim_the_watermark_even_without_rows():
    """Section 4: a pipeline claims its own W, in an empty append if there are no rows."""
    log = new_log()
    log.append("bids", bids(5))
    log.append("bids", bids(8))
    counts().run(log, until_idle=True)
    claims = [entry.claims for entry in log.entries(0) if entry.origin]
    topic = log.topic("per_window").id
    assert claims == [((topic, 4),), ((topic, 7),)]


def test_output_carries_the_append_time_of_what_it_answers():
    log = new_log()
    log.append("bids", bids(5))
    assert isinstance(log.clock, ManualClock)
    log.clock.advance(5_000)
    cheap().run(log, until_idle=True)
    assert [entry.append_time for entry in log.entries(0) if entry.origin] == [1_000]


def test_a_second_run_of_one_version_is_refused():
    log, pipeline = new_log(), counts()
    with log.lock("counts@1"), pytest.raises(LogLocked, match="counts@1"):
        pipeline.run(log, until_idle=True)


def test_other_code_does_not_go_on_in_a_version():
    log = new_log()
    log.append("bids", bids(1))
    counts().run(log, until_idle=True)
    with pytest.raises(IncompatibleState, match=r"functions of step 'map of bids'.*new version"):
        counts(doubled=True).run(log, until_idle=True)


def test_another_graph_does_not_go_on_in_a_version():
    log = new_log()
    log.append("bids", bids(1))
    counts().run(log, until_idle=True)
    with pytest.raises(IncompatibleState, match="another graph"):
        counts(out_of_orderness=5).run(log, until_idle=True)


def test_code_that_is_not_deterministic_stops_the_run():
    """R7: output made again that differs stops the run and says why."""
    log = new_log()
    moods = iter(range(100))
    pipeline = Pipeline("moody")
    pipeline.source("bids").map(lambda row: {"mood": next(moods)}).to("moods")
    log.append("bids", bids(1))
    pipeline.run(log, until_idle=True)
    drop_checkpoints(log, "moody")
    with pytest.raises(OutputDiffers, match="not deterministic"):
        pipeline.run(log, until_idle=True)
    assert rows(log, "moods") == [{"mood": 0}]


def test_output_made_again_is_written_once():
    """R7: without any checkpoint, everything is made again and nothing is doubled."""
    log, pipeline = new_log(), counts()
    for time in range(0, 100, 3):
        log.append("bids", bids(time))
    pipeline.run(log, until_idle=True)
    before = appends(log, "per_window")
    drop_checkpoints(log, "counts")
    again = pipeline.run(log, until_idle=True, read_records=7)
    assert again.records_in == 34
    assert appends(log, "per_window") == before


def test_a_failing_record_is_named_and_nothing_is_lost():
    log = new_log()
    log.append("bids", bids(1, 2))
    log.append("bids", bids(3, 4, 5))

    def picky(row):
        if row["ts"] == 4 and not forgiving:
            raise ValueError("four!")
        return row

    forgiving = False
    pipeline = Pipeline("picky")
    pipeline.source("bids").map(picky).to("out")
    with pytest.raises(OperatorError) as caught:
        pipeline.run(log, until_idle=True, read_records=1)
    error = caught.value
    assert (error.topic, error.partition, error.offset) == ("bids", 0, 3)
    assert "four!" in str(error)
    assert "'ts': 4" in str(error)
    assert isinstance(error.__cause__, ValueError)
    assert len(rows(log, "out")) == 2


def test_a_failing_record_can_be_set_aside():
    log = new_log()
    log.append("bids", bids(1, 2, 3))
    pipeline = Pipeline("picky", on_error="dead_letter")
    pipeline.source("bids").map(lambda row: {"inverse": 1 // (row["ts"] - 2)}).to("out")
    result = pipeline.run(log, until_idle=True)
    assert result.dead_letters == 1
    assert rows(log, "out") == [{"inverse": -1}, {"inverse": 1}]
    (letter,) = rows(log, "picky.dead_letters")
    assert letter["record"]["ts"] == 2
    assert letter["step"] == "map of bids"
    assert letter["error"].startswith("ZeroDivisionError")
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("bids", 0, 1)
    assert letter["lsn"] == 2


def test_drain_closes_for_good():
    log, pipeline = new_log(), counts()
    log.append("bids", bids(1, 12))
    pipeline.run(log, drain=True)
    assert [row["n"] for row in rows(log, "per_window")] == [1, 1]
    with pytest.raises(ConfigError, match="drained"):
        pipeline.run(log, until_idle=True)


def test_stopping_closes_no_window():
    log, pipeline = new_log(), counts()
    log.append("bids", bids(1, 12))
    pipeline.run(log, until_idle=True)
    assert [row["n"] for row in rows(log, "per_window")] == [1]


def test_a_started_run_follows_the_log_and_stops():
    log, pipeline = new_log(), cheap()
    running = pipeline.start(log)
    end = log.append("bids", bids(1)).lsn
    while not any(entry.origin == end for entry in log.entries(0)):
        log.wait(log.end_lsn, 1.0)
    assert "bids" in running.explain_watermark()
    running.stop()
    result = running.wait()
    assert result is not None
    assert result.records_in == 1
    assert not running.alive


def test_wait_raises_what_stopped_the_run():
    log = new_log()
    pipeline = Pipeline("broken")
    pipeline.source("bids").filter(col("prize") > 1).to("out")
    log.append("bids", bids(1))
    running = pipeline.start(log)
    with pytest.raises(OperatorError, match="did you mean 'price'"):
        running.wait()


def test_a_missing_topic_is_named():
    pipeline = Pipeline("lost")
    pipeline.source("bits").to("out")
    with pytest.raises(KappaError, match="bits"):
        pipeline.run(new_log(), until_idle=True)


def test_an_output_that_holds_records_of_its_own_is_refused():
    log = new_log()
    log.create_topic("cheap")
    with pytest.raises(ConfigError, match="'cheap' exists"):
        cheap().run(log, until_idle=True)


def test_an_output_has_one_owner():
    log = new_log()
    log.append("bids", bids(1))
    cheap().run(log, until_idle=True)
    with pytest.raises(ConfigError, match="belongs to pipeline 'cheap@1'"):
        cheap("other").run(log, until_idle=True)


def test_silent_sources_get_ticks_that_are_in_the_log():
    """Section 4: a tick moves idleness, and being in the log it moves it in a replay too."""
    log = new_log(partitions=2)
    stop = threading.Event()
    pipeline = counts(idle_after=100)
    log.append("bids", bids(1, 30, k=1))
    quiet = {record.partition for record in log.read("bids")}
    other = next(k for k in range(2, 50) if partition_of(log, k) not in quiet)
    log.append("bids", bids(2, k=other))
    assert isinstance(log.clock, ManualClock)
    running = pipeline.start(log, checkpoint_every=None)
    while running.alive and not rows_or_none(log, "per_window"):
        log.clock.advance(60)
        log.append("bids", bids(31, k=1))
    running.stop()
    running.wait()
    stop.set()
    live = appends(log, "per_window")
    pipeline.replay(log)
    closing = [entry.lsn for entry in log.entries(0) if entry.flags & CLOSING]
    assert len(closing) == 1
    replayed = appends(log, "per_window@2")
    assert replayed[: len(live)] == live


def test_downstream_pipelines_do_not_see_closing_appends():
    """Section 8: plain reads show closing appends, live pipelines downstream do not."""
    log = new_log()
    log.append("bids", bids(1, 12))
    counts().replay(log)
    assert len(rows(log, "per_window")) == 2
    reader = Pipeline("reader")
    reader.source("per_window").to("copy")
    reader.run(log, until_idle=True)
    assert [row["window_start"] for row in rows(log, "copy")] == [0]


def rows_or_none(log: Log, topic: str) -> list[object]:
    try:
        return rows(log, topic)
    except KappaError:
        return []


def partition_of(log: Log, k: int) -> int:
    from kappa.codec import stable_hash

    return stable_hash(k) % log.topic("bids").partitions


def drop_checkpoints(log: Log, pipeline: str, version: int = 1) -> None:
    folder = f"pipelines/{pipeline}/{version}"
    for name in log.files.names(folder):
        log.files.remove(f"{folder}/{name}")


def test_a_version_begins_from_a_savepoint():
    """Section 6: a changed pipeline takes up the state of the steps that match by name."""
    log = new_log()
    log.append("bids", bids(1, 5))
    counts().run(log, until_idle=True, savepoint="before")
    log.append("bids", bids(7, 12))
    changed = counts(doubled=True)
    result = changed.run(log, version=2, until_idle=True, restore="before")
    assert result.records_in == 2
    assert [row["n"] for row in rows(log, "per_window@2")] == [3]
    log.append("bids", bids(13, 25))
    changed.run(log, version=2, until_idle=True)
    assert [row["n"] for row in rows(log, "per_window@2")] == [3, 2]


def test_a_savepoint_survives_a_crash_before_the_first_checkpoint_of_its_heir():
    log = new_log()
    log.append("bids", bids(1, 5))
    counts().run(log, until_idle=True, savepoint="before")
    log.append("bids", bids(7, 12))
    counts(doubled=True).run(log, version=2, until_idle=True, restore="before")
    drop_checkpoints(log, "counts", 2)
    again = counts(doubled=True).run(log, version=2, until_idle=True)
    assert again.records_in == 2
    assert [row["n"] for row in rows(log, "per_window@2")] == [3]


def test_a_savepoint_that_does_not_fit_names_the_step():
    log = new_log()
    log.append("bids", bids(1, 5))
    counts().run(log, until_idle=True, savepoint="before")
    other = Pipeline("counts")
    keyed = other.source("bids").key_by("k")
    keyed.aggregate(n=agg.count()).to("per_window")
    with pytest.raises(IncompatibleState, match="step 'window by k of bids'"):
        other.run(log, version=2, until_idle=True, restore="before")
    with pytest.raises(ConfigError, match="no version has it"):
        other.run(log, version=2, until_idle=True, restore="nowhere")


def test_the_order_of_fields_does_not_depend_on_what_is_read_together():
    """R1, R7: field order is not part of a record, so output made again is the same."""
    log = new_log()
    log.append("bids", [{"k": 1, "price": 2, "ts": 1}])
    log.append("bids", [{"ts": 2, "price": 3, "k": 1}])
    log.append("bids", [{"ts": 2, "k": 1, "extra": None}, {"ts": 2, "k": 1}])
    pipeline = Pipeline("copy")
    pipeline.source("bids").map(dict).to("copied")
    pipeline.run(log, until_idle=True, read_records=1)
    drop_checkpoints(log, "copy")
    pipeline.run(log, until_idle=True)
    assert [list(row) for row in rows(log, "copied")[:2]] == [["k", "price", "ts"]] * 2
