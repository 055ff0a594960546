"""`late="complete"`: the range is taken as complete, so nothing is late.

Method: records in any order at all, beyond every bound. The replay's final rows against SQL;
against the live verdicts, the difference is the late output and nothing else.
"""

from __future__ import annotations

import hypothesis.strategies as st
import oracle
import pytest
from harness import built, filled, written
from hypothesis import given, note
from sql_windows import AGGS, GAP, NAMES, SIZE, SLIDE, by_sql
from strategies import Put, Scenario, examples, rows

KINDS = [("tumbling", SIZE, 0), ("sliding", SIZE, SLIDE, 0), ("session", GAP, False)]


@st.composite
def unordered(draw):
    """Appends of one topic whose records are in no order."""
    one = rows(st.integers(0, 60))
    puts = draw(st.lists(st.lists(one, min_size=1, max_size=5), min_size=1, max_size=8))
    acts = tuple(Put({"a": made}, 0) for made in puts)
    return Scenario({"a": draw(st.sampled_from([1, 3]))}, acts)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
@given(data=st.data())
@examples(25)
def test_final_rows_are_those_of_sql(kind, data):
    scenario = data.draw(unordered())
    sinks = {"out": oracle.Window(oracle.Source("a"), ("k",), kind, AGGS)}
    note(str(scenario))
    log = filled(scenario)
    read = data.draw(st.sampled_from([1, 3, 4096]))
    result = built(sinks).replay(log, late="complete", read_records=read)
    assert result.late == 0
    found = written(log, sinks, result.version).rows("out")
    made = [row for act in scenario.acts for row in act.rows["a"]]
    assert sorted(tuple(row[name] for name in NAMES) for _, row in found) == by_sql(kind[0], made)


@given(st.data())
@examples(40)
def test_what_the_live_run_lacks_is_its_late_output(data):
    """Section 8, for final panes of record-to-window aggregates."""
    scenario = data.draw(unordered())
    window = oracle.Window(oracle.Source("a"), ("k",), KINDS[0], {"n": ("count", None)})
    sinks = {"out": window, "late": oracle.Late(window)}
    log = filled(scenario)
    live = built(sinks).replay(log)
    complete = built(sinks).replay(log, late="complete")
    rows_live = written(log, sinks, live.version)
    total = {key(row): row["n"] for _, row in rows_live.rows("out")}
    for _, row in rows_live.rows("late"):
        total[key(row)] = total.get(key(row), 0) + 1
    whole = written(log, sinks, complete.version)
    assert {key(row): row["n"] for _, row in whole.rows("out")} == total
    assert whole.rows("late") == []


def key(row):
    return row["k"], row["window_start"]
