"""R5 alone: the engine's clock of a source against the oracle's, over random journals."""

from __future__ import annotations

import hypothesis.strategies as st
import oracle
from hypothesis import given
from strategies import examples

from kappa.plan import SourceSpec
from kappa.runtime.watermarks import SourceClock, combine

OPTIONS = st.tuples(
    st.sampled_from([0, 5, 20]),
    st.sampled_from([None, 0, 3, 10]),
    st.sampled_from([None, 0, 15]),
)


@st.composite
def journals(draw):
    """Appends of two topics: times by partition, claims, ticks."""
    now, found = 0, []
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([0, 1, 2, 5, 12]))
        what = draw(st.sampled_from(["rows", "rows", "rows", "rows", "claim", "tick"]))
        topic = draw(st.sampled_from("ab"))
        producer = draw(st.sampled_from(["", "p", "q"]))
        if what == "rows":
            keys = draw(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), min_size=1))
            parts = {
                key: [(time, {}) for time in draw(st.lists(st.integers(0, 60), min_size=1))]
                for key in keys
            }
            found.append(oracle.Append(now, parts, producer=producer))
        elif what == "claim":
            claim = {topic: draw(st.integers(0, 60))}
            found.append(oracle.Append(now, claims=claim, producer=producer or "p"))
        else:
            found.append(oracle.Append(now, ticks=(topic,)))
    return found


@given(journals(), OPTIONS, OPTIONS, st.data())
@examples(150)
def test_watermarks_are_those_of_the_oracle(journal, one, two, data):
    sources = [oracle.Source("a", *one), oracle.Source("b", *two)]
    union = oracle.Union(tuple(sources))
    want = oracle.run(journal, {"out": union}).watermarks
    clocks = {topic: SourceClock(SourceSpec(topic, *o)) for topic, o in zip("ab", (one, two))}
    got, level = [], oracle.NEG
    for append in journal:
        marks = []
        for topic, clock in clocks.items():
            parts = [
                (number, max(time for time, _ in rows), len(rows))
                for (name, number), rows in sorted(append.parts.items())
                if name == topic
            ]
            claim, producer = append.claims.get(topic), append.producer
            mark = clock.take(append.time, parts, claim=claim, producer=producer)
            marks.append(None if clock.idle else mark)
        reached = combine(marks)
        level = level if reached is None else max(level, reached)
        got.append(level)
        if data.draw(st.booleans(), label="checkpoint"):
            for topic, clock in clocks.items():
                fresh = SourceClock(clock.spec)
                fresh.restore(clock.snapshot())
                clocks[topic] = fresh
    assert got == want
