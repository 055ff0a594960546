"""`kappa.testing.run`, which other people's tests use, gives the oracle's rows, closed."""

from __future__ import annotations

import hypothesis.strategies as st
import oracle
from harness import built, plain
from hypothesis import given, note
from strategies import Beat, describe, examples, pipelines, scenarios

from kappa import testing


@given(st.data())
@examples(60)
def test_rows_of_a_drained_run_are_the_oracles(data):
    scenario = data.draw(scenarios(max_topics=1))
    sinks = data.draw(pipelines(["a"]))
    note(describe(sinks))
    inputs, log, now = [], [], 0
    for act in scenario.acts:
        if isinstance(act, Beat):
            now = max(now, act.until)
            inputs.append(testing.Heartbeat(act.until))
            log.append(oracle.Append(now, claims={"a": act.until}))
        else:
            rows = act.rows["a"]
            now = max(now, min(row["ts"] for row in rows))
            inputs.append(rows if len(rows) > 1 else rows[0])
            log.append(oracle.Append(now, {("a", 0): [(row["ts"], row) for row in rows]}))
    got = testing.run(built(sinks), {"a": inputs})
    want = oracle.run(log, sinks)
    for sink in sinks:
        assert [plain(row) for row in got[sink]] == [row for _, row in want.rows(sink)]
