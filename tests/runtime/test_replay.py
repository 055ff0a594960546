"""Replay: versions, resuming, ranges, the hand-over to live, promotion and rollback."""

from __future__ import annotations

import threading

import pytest
from small import appends, bids, cheap, counts, new_log, rows

from kappa import Pipeline, Session, agg
from kappa.errors import ConfigError, Stopped


def full_log():
    log = new_log()
    for time in range(0, 200, 3):
        log.append("bids", bids(time, time + 1))
    return log


def test_a_replay_takes_the_next_free_version_and_leaves_the_live_one():
    log = full_log()
    live = counts().run(log, until_idle=True)
    replayed = counts().replay(log)
    assert (live.version, replayed.version) == (1, 2)
    assert appends(log, "per_window@2")[:-1] == appends(log, "per_window@1")
    assert log.topic("per_window").version == 1


def test_replay_then_run_gives_no_gap_and_no_double():
    """Section 8: the live run of a replayed version voids the closing append and goes on."""
    log = full_log()
    pipeline = counts()
    pipeline.run(log, until_idle=True)
    pipeline.replay(log, version=2)
    for time in range(201, 260, 3):
        log.append("bids", bids(time))
    pipeline.run(log, version=1, until_idle=True)
    pipeline.run(log, version=2, until_idle=True)
    assert appends(log, "per_window@1") == appends(log, "per_window@2")


def test_the_hand_over_can_be_cut_off_anywhere():
    log = full_log()
    pipeline = counts()
    pipeline.replay(log)
    stop = threading.Event()
    stop.set()
    pipeline.run(log, stop=stop)
    pipeline.run(log, until_idle=True)
    other = full_log()
    pipeline.run(other, until_idle=True)
    assert rows(log, "per_window") == rows(other, "per_window")


def test_a_stopped_replay_goes_on_to_the_end_it_was_given():
    log = full_log()
    pipeline = counts()
    stop = threading.Event()
    with pytest.raises(Stopped, match="start it again"):
        pipeline.replay(
            log, version=5, read_records=10, stop=stop, on_progress=lambda progress: stop.set()
        )
    log.append("bids", bids(500))
    result = pipeline.replay(log, version=5)
    assert 0 < result.records_in < 134
    whole = full_log()
    counts().replay(whole)
    assert rows(log, "per_window@5") == rows(whole, "per_window@1")


def test_a_finished_version_is_refused_unless_overwritten():
    log = full_log()
    pipeline = counts()
    pipeline.replay(log, version=3)
    with pytest.raises(ConfigError, match="overwrite=True"):
        pipeline.replay(log, version=3)
    before = rows(log, "per_window@3")
    pipeline.replay(log, version=3, overwrite=True)
    assert rows(log, "per_window@3") == before


def test_an_unfinished_replay_keeps_its_range():
    log = full_log()
    stop = threading.Event()
    with pytest.raises(Stopped):
        counts().replay(log, version=2, read_records=5, stop=stop, on_progress=lambda _: stop.set())
    with pytest.raises(ConfigError, match="another since"):
        counts().replay(log, version=2, since=50)


def test_a_live_run_does_not_take_over_an_unfinished_replay():
    log = full_log()
    stop = threading.Event()
    with pytest.raises(Stopped):
        counts().replay(log, version=2, read_records=5, stop=stop, on_progress=lambda _: stop.set())
    with pytest.raises(ConfigError, match="not finished"):
        counts().run(log, version=2, until_idle=True)


def test_a_range_reads_only_what_its_margin_allows():
    """R8: parts that cannot matter are not read, and the rows are those of the full replay."""
    log = full_log()
    counts().replay(log, version=1)
    part = counts().replay(log, version=2, since=50, until=120)
    assert part.records_in < 70
    assert part.exact
    assert rows(log, "per_window@2") == [
        row for row in rows(log, "per_window@1") if 50 <= row["window_end"] - 1 < 120
    ]


def sessions() -> Pipeline:
    pipeline = Pipeline("sessions")
    keyed = pipeline.source("bids").key_by("k")
    keyed.window(Session(2)).aggregate(n=agg.count()).to("sessions")
    return pipeline


def test_a_step_that_needs_all_history_gets_it_or_says_that_it_is_not_exact():
    log = full_log()
    whole = sessions().replay(log, since=100)
    short = sessions().replay(log, since=100, warmup=20)
    assert (whole.records_in, whole.exact) == (134, True)
    assert short.records_in < 134
    assert not short.exact


def test_complete_lets_nothing_be_late():
    """Section 8: as_live and complete differ by exactly the live run's late output."""
    log = new_log()
    for time in (5, 30, 7, 41, 2):
        log.append("bids", bids(time))
    pipeline = counts()
    live = pipeline.replay(log)
    complete = pipeline.replay(log, late="complete")
    assert (live.late, complete.late) == (2, 0)
    totals = {row["window_start"]: row["n"] for row in rows(log, "per_window@2")}
    assert totals == {0: 3, 30: 1, 40: 1}


def test_diff_names_what_changed():
    log = full_log()
    counts().replay(log)
    counts(doubled=True).replay(log)
    diff = log.diff("per_window@1", "per_window@2")
    assert diff
    assert not diff.added
    assert not diff.removed
    assert {field for change in diff.altered for field in change.fields} == {"total"}
    assert not log.diff("per_window@1", "per_window@1")


def test_promote_switches_all_outputs_at_once_and_rollback_goes_back():
    log = full_log()
    cheap().run(log, until_idle=True)
    cheap().replay(log)
    reader = Pipeline("reader")
    reader.source("cheap").to("copy")
    reader.run(log, until_idle=True)
    promotion = log.promote("cheap@2")
    assert set(promotion.outputs) == {"cheap", "dear"}
    assert promotion.pinned == ("reader@1",)
    assert log.topic("dear").version == 2
    with pytest.raises(ConfigError, match="already"):
        log.promote("dear@2")
    log.rollback("dear")
    assert log.topic("cheap").version == 1
    with pytest.raises(ConfigError, match="nothing to roll back"):
        log.rollback("cheap")


def test_run_without_a_version_goes_on_in_the_promoted_one():
    log = full_log()
    counts().run(log, until_idle=True)
    counts(doubled=True).replay(log)
    log.promote("per_window@2")
    log.append("bids", bids(300))
    assert counts(doubled=True).run(log, until_idle=True).version == 2
    log.rollback("per_window")
    assert counts().run(log, until_idle=True).version == 1


def test_more_workers_are_refused_in_words():
    with pytest.raises(ConfigError, match="one process"):
        counts().replay(full_log(), workers=2)


def test_a_throttled_replay_takes_its_time_and_gives_the_same():
    log = full_log()
    counts().replay(log)
    clock = log.clock
    before = clock.monotonic()
    result = counts().replay(log, throttle=50)
    assert result.records_in / 50 <= clock.monotonic() - before < result.records_in / 50 + 1.1
    assert rows(log, "per_window@2") == rows(log, "per_window@1")
    with pytest.raises(ConfigError, match="throttle is 0"):
        counts().replay(log, throttle=0)


def test_a_throttled_replay_stops_when_it_is_told_to():
    log = full_log()
    stop = threading.Event()
    with pytest.raises(Stopped):
        counts().replay(log, throttle=0.01, stop=stop, on_progress=lambda progress: stop.set())
