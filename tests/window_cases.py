"""Windows under test and how they are compared with the naive model.

Shared by the comparison itself and by its canaries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from window_driver import Cuts, Run
from window_model import NEG, Append, Case, Row, run

from kappa.aggregates import agg
from kappa.expressions import col
from kappa.operators import WindowAggregate
from kappa.triggers import Every, OnCount
from kappa.windows import Count, Global, Session, Sliding, Tumbling

Items = list[tuple[int, Row]]


def values(items: Items, test: Callable[[Row], bool] = lambda row: True) -> list[Any]:
    return [row["v"] for _, row in items if row["v"] is not None and test(row)]


def by_time(items: Items) -> list[Any]:
    return values(sorted(items, key=lambda item: item[0]))


MODEL: dict[str, Callable[[Items], Any]] = {
    "n": len,
    "nv": lambda items: len(values(items)),
    "total": lambda items: sum(values(items)) if values(items) else None,
    "high": lambda items: max(values(items), default=None),
    "big": lambda items: sum(values(items, lambda row: row["v"] > 3)) or None,
    "all": by_time,
    "last": lambda items: by_time(items)[-1] if values(items) else None,
    "mean": lambda items: sum(values(items)) / len(values(items)) if values(items) else None,
}
ENGINE = {
    "n": agg.count(),
    "nv": agg.count("v"),
    "total": agg.sum("v"),
    "high": agg.max("v"),
    "big": agg.sum("v", where=col("v") > 3),
    "all": agg.collect("v"),
    "last": agg.last("v"),
    "mean": agg.mean("v"),
}

WINDOWS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "tumbling": (("tumbling", 10, 0), Tumbling(10)),
    "tumbling offset": (("tumbling", 7, -3), Tumbling(7, offset=-3)),
    "sliding": (("sliding", 10, 5, 0), Sliding(10, 5)),
    "sliding uneven": (("sliding", 10, 4, 1), Sliding(10, 4, offset=1)),
    "sliding gaps": (("sliding", 4, 10, 0), Sliding(4, 10)),
    "sliding many": (("sliding", 40, 2, 1), Sliding(40, 2, offset=1)),
    "session": (("session", 5, False), Session(5)),
    "session inclusive": (("session", 5, True), Session(5, inclusive=True)),
    "count": (("count", 3, 3), Count(3)),
    "count one": (("count", 1, 1), Count(1)),
    "count sliding": (("count", 4, 2), Count(4, slide=2)),
    "count uneven": (("count", 5, 3), Count(5, slide=3)),
    "global": (("global",), Global()),
}
EARLY: dict[str, Any] = {
    "none": (None, None),
    "count": (("count", 2, False), OnCount(2)),
    "count once": (("count", 2, True), OnCount(2).once()),
    "event": (("event", 3, False), Every(3)),
    "event once": (("event", 4, True), Every(4).once()),
    "append": (("append", 5, False), Every(5, clock="append")),
    "append once": (("append", 5, True), Every(5, clock="append").once()),
}


@st.composite
def logs(draw: Any, nulls: bool) -> list[Append]:
    """Appends whose rows lie around a watermark that moves in jumps, or not at all."""
    count = draw(st.integers(1, 9))
    level, now, log = NEG, 0, []
    base = draw(st.sampled_from([0, -30]))
    for _ in range(count):
        now += draw(st.integers(0, 4))
        value = st.integers(0, 6) | st.none() if nulls else st.integers(0, 6)
        rows = draw(
            st.lists(st.tuples(st.integers(base, base + 45), st.integers(0, 2), value), max_size=4)
        )
        if draw(st.integers(0, 2)):
            level = max(level, base + draw(st.integers(-5, 50)))
        log.append(Append(tuple((t, {"k": k, "v": v}) for t, k, v in rows), level, now))
    return log


@st.composite
def cuts(draw: Any) -> Cuts:
    return Cuts(
        at_once=tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))),
        marks=draw(st.text("--sfr", min_size=1, max_size=4)),
        columns=draw(st.booleans()),
        ranked=draw(st.booleans()),
    )


def compare(case: Case, step: WindowAggregate, log: list[Append], how: Cuts) -> Run:
    wanted = run(case, log)
    engine = Run(step, how)
    found = engine.run(log)
    for lsn, (want, have) in enumerate(zip(wanted, found, strict=True)):
        assert have.main == want.main, f"append {lsn}"
        assert have.late == want.late, f"late rows of append {lsn}"
    told = sum(len(output.late) for output in wanted)
    assert engine.counters.get("late", 0) == told
    return engine
