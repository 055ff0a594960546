"""Steps that keep rows of a key, each for itself, over logs dense enough to fill them.

The random graphs of `test_one_result` meet every step, but rarely with many rows of one key.
Here a log has few keys and long appends; each step runs live, stopped and started anywhere,
and must give the oracle's rows append for append; a replay must close as the oracle does, and
a replay of a range must give that range (R1, R8).
"""

from __future__ import annotations

import hypothesis.strategies as st
import oracle
import pytest
from harness import built, expected, new_log, perform, written
from hypothesis import given, note
from strategies import SPAN, Put, Scenario, describe, examples, rows, stages

READS = st.sampled_from([1, 3, 4096])


@st.composite
def dense(draw, appends=9) -> Scenario:
    """Long appends of few keys; times that move on, with some disorder."""
    acts = []
    for index in range(draw(st.integers(2, appends))):
        low = index * 4
        times = st.integers(max(0, low - 4), low + 6)
        made = draw(st.lists(rows(times), min_size=1, max_size=6))
        acts.append(Put({"a": [{**row, "k": row["k"] % 2} for row in made]}))
    return Scenario({"a": draw(st.sampled_from([1, 3]))}, tuple(acts))


@pytest.mark.parametrize("step", ["top", "best", "over", "pattern"])
@given(data=st.data())
@examples(80)
def test_one_result_and_the_oracles(step, data):
    # Matches with gaps double with every row.
    scenario = data.draw(dense(appends=3 if step == "pattern" else 9))
    source = oracle.Source("a", data.draw(st.sampled_from([0, 3, 8])))
    node = data.draw(stages(source, steps=[step]))
    sinks = {"out": node}
    if isinstance(node, oracle.Over | oracle.Pattern | oracle.WindowTop):
        sinks["late"] = oracle.Late(node)
    note(describe(sinks))
    log = new_log(scenario)
    made = built(sinks)
    for act in scenario.acts:
        perform(log, act)
        if data.draw(st.booleans(), label="run here"):
            made.run(log, until_idle=True, read_records=data.draw(READS))
    made.run(log, until_idle=True)
    want = expected(log, scenario.topics, sinks)
    assert written(log, sinks).appends == want.appends
    made.replay(log, version=2, read_records=data.draw(READS))
    whole = written(log, sinks, 2)
    assert (whole.appends, whole.closing) == (want.appends, want.closing)
    since, until = sorted([data.draw(st.integers(0, SPAN)), data.draw(st.integers(0, SPAN))])
    made.replay(log, since=since, until=until + 1, version=3)
    part = written(log, sinks, 3)
    for sink in sinks:
        inside = [pair for pair in whole.rows(sink) if since <= pair[0] <= until]
        assert repr(part.rows(sink)) == repr(inside)
