"""R8: a replay of a range gives exactly the full replay's rows of that range.

Method: random log, pipeline and range; the rows of the full replay with since <= event time
< until, per answered LSN and for closing, against the replay of the range.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from harness import Written, built, filled, written
from hypothesis import given, note
from strategies import SPAN, describe, examples, pipelines, scenarios

from kappa import Log, Pipeline, Sliding, col, left, right
from kappa.patterns import matched, row

POINTS = st.one_of(st.none(), st.integers(-5, SPAN + 20))


@given(st.data())
@examples(120)
def test_a_range_gives_the_rows_of_the_full_replay(data):
    scenario = data.draw(scenarios(max_topics=2))
    sinks = data.draw(pipelines(sorted(scenario.topics)))
    since, until = data.draw(POINTS), data.draw(POINTS)
    if since is not None and until is not None:
        since, until = min(since, until), max(since, until) + 1
    note(describe(sinks))
    log = filled(scenario)
    built(sinks).replay(log, version=1, read_records=data.draw(st.sampled_from([1, 3, 4096])))
    whole = written(log, sinks, 1)
    result = built(sinks).replay(log, since=since, until=until, version=2)
    assert result.exact
    part = written(log, sinks, 2)
    low = -(1 << 62) if since is None else since
    high = 1 << 62 if until is None else until
    want = cut(whole, low, high)
    assert repr(part.appends) == repr(want.appends)
    assert repr(part.closing) == repr(want.closing)


CHOSEN = {"k": left("k"), "v": left("v"), "w": right("v"), "at": left("ts"), "bt": right("ts")}
STEPS = {
    "within": lambda a, b: a.join(b, within=(-4, 9), select=CHOSEN),
    "outer": lambda a, b: a.full_join(b, within=(-9, -2), select=CHOSEN),
    "window": lambda a, b: a.left_join(b, window=Sliding(12, 5), select=CHOSEN),
    "as of": lambda a, b: a.as_of_join(b, how="left", within=7, select=CHOSEN),
    "kept": lambda a, b: a.full_join(b, keep=6, select=CHOSEN),
    "pattern": lambda a, b: a.pattern(
        [row("x"), row("y", col("v") >= 0, times="*")],
        select={"n": matched("y").count()},
        within=9,
        skip="to_next",
    ),
}


@pytest.mark.parametrize("step", STEPS)
@given(st.data())
@examples(50)
def test_a_range_gives_the_rows_of_a_step(step, data):
    scenario = data.draw(scenarios(max_topics=2))
    since, until = data.draw(POINTS), data.draw(POINTS)
    if since is not None and until is not None:
        since, until = min(since, until), max(since, until) + 1
    log = filled(scenario)
    made = Pipeline("p")
    first, second = (sorted(scenario.topics) * 2)[:2]
    a = made.source(first, out_of_orderness=5)
    b = made.source(second, out_of_orderness=5).filter(col("v") >= 0)
    STEPS[step](a.key_by("k"), b.key_by("k")).to("out")
    made.replay(log, version=1, read_records=data.draw(st.sampled_from([1, 3, 4096])))
    assert made.replay(log, since=since, until=until, version=2).exact
    whole, part = written(log, {"out": a}, 1), written(log, {"out": a}, 2)
    want = cut(whole, -(1 << 62) if since is None else since, 1 << 62 if until is None else until)
    assert repr(part.appends) == repr(want.appends)
    assert repr(part.closing) == repr(want.closing)


@pytest.mark.parametrize("step", ["outer", "pattern"])
def test_records_behind_the_range_decide_on_rows_in_it(step):
    log = Log.memory()
    log.create_topic("a", time="ts")
    for ts in (0, 2):
        log.append("a", [{"ts": ts, "k": 1, "v": 0}])
    made = Pipeline("p")
    a, b = (made.source("a", out_of_orderness=5).key_by("k") for _ in range(2))
    STEPS[step](a, b).to("out")
    made.replay(log, version=1)
    made.replay(log, until=1, version=2)
    whole, part = ([(r.time, r.value) for r in log.read(f"out@{n}")] for n in (1, 2))
    assert part == [one for one in whole if one[0] < 1] != whole


def cut(whole: Written, low: int, high: int) -> Written:
    """The rows of a range."""

    def within(made):
        kept = {
            sink: [pair for pair in rows if low <= pair[0] < high] for sink, rows in made.items()
        }
        return {sink: rows for sink, rows in kept.items() if rows}

    appends = {lsn: within(made) for lsn, made in whole.appends.items()}
    return Written({lsn: made for lsn, made in appends.items() if made}, within(whole.closing))
