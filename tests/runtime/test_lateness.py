"""Late records are told in the log of the program, once and then now and then."""

from __future__ import annotations

import pytest

from kappa import Log, ManualClock, Pipeline, Tumbling, agg
from kappa.runtime.lateness import LATE_LINE_SECONDS, LateLines

STEP = "clicks per 10 ms"


def counting() -> Pipeline:
    pipeline = Pipeline("p")
    clicks = pipeline.source("clicks").key_by("k").window(Tumbling(10))
    clicks.aggregate(n=agg.count()).named(STEP).to("out")
    return pipeline


@pytest.fixture
def log() -> Log:
    log = Log.memory()
    log.create_topic("clicks", time="ts")
    for ts in (0, 50, 3, 4):
        log.append("clicks", [{"ts": ts, "k": 1}])
    return log


@pytest.mark.parametrize("read_records", [1, 4096])
def test_a_run_tells_of_all_its_late_records(log, caplog, read_records):
    assert counting().run(log, until_idle=True, read_records=read_records).late == 2
    told = [record.getMessage() for record in caplog.records]
    assert sum(int(line.split(": ")[1].split()[0]) for line in told) == 2
    assert all("late for step 'clicks per 10 ms'" in line for line in told)
    assert "up to LSN 5" in told[-1]


def test_a_run_without_late_records_says_nothing(log, caplog):
    counting().replay(log, late="complete")
    assert caplog.records == []


def test_who_reads_the_side_is_not_told(log, caplog):
    pipeline = Pipeline("p")
    clicks = pipeline.source("clicks").key_by("k").window(Tumbling(10))
    counts = clicks.aggregate(n=agg.count())
    counts.to("out")
    counts.side("late").to("too_late")
    assert pipeline.run(log, until_idle=True).late == 2
    assert caplog.records == []


def test_a_step_is_told_of_once_and_then_now_and_then(caplog):
    clock, counts = ManualClock(0), {STEP: {"late": 0}}
    lines = LateLines(counting().plan(), counts, clock)

    def told(late: int, after: float, last: bool = False) -> list[str]:
        caplog.clear()
        counts[STEP]["late"] = late
        clock.advance(int(after * 1000))
        lines.look(7, last=last)
        return [record.getMessage() for record in caplog.records]

    assert told(0, 0) == []
    assert "1 record came late" in told(1, 0)[0]
    assert told(5, LATE_LINE_SECONDS - 1) == []
    assert "1,999 records came late" in told(2000, 1)[0]
    assert told(2000, LATE_LINE_SECONDS * 2) == []
    assert told(2001, 0) != []
    assert told(2002, 0) == []
    assert len(told(2003, 0, last=True)) == 1
