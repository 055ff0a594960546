"""Shared Hypothesis strategies: logs and pipelines, small, and full of the hard cases.

A `Scenario` is what is done to a log; a pipeline is a graph of oracle nodes. Both print as
Python, so that a failure shows what to paste. Sizes are tiny on purpose: windows of 10 over
times of 0 to 60 meet every edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import oracle
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pattern_model import Var

SPAN = 60  # event times of a random log


def examples(number: int) -> settings:
    """Settings of the house: no deadline, no database; a failure prints how to repeat it."""
    return settings(
        max_examples=number,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


# ---- logs


@dataclass(frozen=True)
class Put:
    """One append: rows by topic. `wait` moves the clock before it."""

    rows: Mapping[str, list[dict[str, Any]]]
    wait: int = 0


@dataclass(frozen=True)
class Beat:
    """One heartbeat of a producer."""

    topic: str
    producer: str
    until: int
    wait: int = 0


@dataclass(frozen=True)
class Scenario:
    """Topics with their partitions, and what is appended."""

    topics: Mapping[str, int]
    acts: tuple[Put | Beat, ...]


def values(exact: bool) -> st.SearchStrategy[Any]:
    """Numbers to aggregate; `exact` ones add up the same in any order."""
    floats = st.integers(-40, 40).map(lambda n: n / 4)
    rough = st.sampled_from([0.1, 0.2, 0.3, 1e16, -1e16, 1.0, 3.3])
    return st.one_of(st.integers(-9, 9), floats if exact else rough)


@st.composite
def rows(draw: Any, times: st.SearchStrategy[int], exact: bool = True) -> dict[str, Any]:
    """One row: event time, key, a name, a value, and the field that picks the partition."""
    return {
        "ts": draw(times),
        "k": draw(st.integers(0, 2)),
        "name": draw(st.sampled_from(["a", "b", "é", "ab"])),
        "v": draw(values(exact)),
        "p": draw(st.integers(0, 20)),
    }


@st.composite
def scenarios(
    draw: Any,
    *,
    max_topics: int = 3,
    max_acts: int = 10,
    claims: bool = True,
    exact: bool = True,
) -> Scenario:
    """A log with disorder within and beyond any bound, and heartbeats."""
    names = ["a", "b", "c"][: draw(st.integers(1, max_topics))]
    topics = {name: draw(st.sampled_from([1, 3, 8])) for name in names}
    drift = draw(st.booleans())  # times that move on, or all over the place
    acts: list[Put | Beat] = []
    beats = claims and draw(st.integers(0, 3)) == 0
    for index in range(draw(st.integers(1, max_acts))):
        low = index * SPAN // max_acts if drift else 0
        times = st.integers(low, min(SPAN, low + 15) if drift else SPAN)
        wait = draw(st.sampled_from([0, 0, 1, 5, 11]))
        if beats and draw(st.integers(0, 3)) == 0:
            producer = draw(st.sampled_from(["p", "q"]))
            acts.append(Beat(draw(st.sampled_from(names)), producer, draw(times), wait))
            continue
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        batch = st.lists(rows(times, exact), min_size=1, max_size=4)
        acts.append(Put({name: draw(batch) for name in sorted(chosen)}, wait))
    return Scenario(topics, tuple(acts))


# ---- pipelines: the oracle's nodes, with what builds the same step of the engine


@dataclass(frozen=True)
class Dual:
    """A stateless step twice: for the oracle (called with a row), and for the engine."""

    name: str
    model: Callable[[dict[str, Any]], list[dict[str, Any]]] = field(repr=False)
    engine: Callable[[Any], Any] = field(repr=False)

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        return self.model(row)


def _keep(test: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], list[Any]]:
    return lambda row: [row] if test(row) else []


def _col(name: str) -> Any:
    from kappa import col

    return col(name)


DUALS = (
    Dual(
        "filter v > 0, lambda",
        _keep(lambda r: r["v"] > 0),
        lambda s: s.filter(lambda r: r["v"] > 0),
    ),
    Dual("filter k != 1, column", _keep(lambda r: r["k"] != 1), lambda s: s.filter(_col("k") != 1)),
    Dual(
        "filter v >= 0 and name",
        _keep(lambda r: r["v"] >= 0 and r["name"] != "b"),
        lambda s: s.filter((_col("v") >= 0) & (_col("name") != "b")),
    ),
    Dual(
        "map v + 1",
        lambda r: [{**r, "v": r["v"] + 1}],
        lambda s: s.map(lambda r: {**r, "v": r["v"] + 1}),
    ),
    Dual(
        "with_columns v * 2",
        lambda r: [{**r, "v": r["v"] * 2}],
        lambda s: s.with_columns(v=_col("v") * 2),
    ),
    Dual(
        "flat_map copies",
        lambda r: [{**r, "v": n} for n in range(r["k"])],
        lambda s: s.flat_map(lambda r: [{**r, "v": n} for n in range(r["k"])]),
    ),
)
TAG = Dual(
    "map tag",
    lambda r: [{**r, "v": r["v"] + 100}],
    lambda s: s.map(lambda r: {**r, "v": r["v"] + 100}),
)


@dataclass(frozen=True)
class DualPattern:
    """A pattern twice: its variables for the model, and what builds it in the engine.

    A match shows the event times of its rows, and the sum of the values of its first variable.
    """

    variables: tuple[Var, ...] = field(repr=False)
    rows: Callable[[], list[Any]] = field(repr=False)

    def model(self, node: oracle.Node, keys: tuple[str, ...], name: str, **options: Any) -> Any:
        return oracle.Pattern(node, keys, name, self.variables, _shown, **options)

    def engine(self, keyed: Any, within: int | None, skip: Any) -> Any:
        from kappa import patterns

        if isinstance(skip, tuple):
            skip = getattr(patterns, f"to_{skip[0]}")(skip[1])
        total = patterns.matched(self.variables[0].name).sum("v")
        select = {"at": _times_of, "sum": total, "end": _col("v")}
        return keyed.pattern(self.rows(), select=select, within=within, skip=skip)


def _times_of(match: Any) -> list[int]:
    return [row["ts"] for row in match.rows]


def _shown(rows: list[Any], match: Any) -> dict[str, Any]:
    first = [row["v"] for row, (variable, _) in zip(rows, match, strict=True) if variable == 0]
    total = sum(first) if first else None
    return {"at": [row["ts"] for row in rows], "sum": total, "end": rows[-1]["v"]}


def _v(rows: Any, taken: Any, back: int = 0) -> Any:
    """The value of the row at hand, or of the row so many before it in its key."""
    index = taken[-1][1] - back
    return rows[index][1]["v"] if index >= 0 else None


def _own(rows: Any, taken: Any) -> list[Any]:
    return [rows[index][1]["v"] for variable, index in taken if variable == taken[-1][0]]


def _falls() -> list[Any]:
    from kappa.patterns import prev, row

    return [row("a"), row("b", _col("v") < prev("v"), times="+"), row("c", _col("v") > prev("v"))]


def _runs() -> list[Any]:
    from kappa.patterns import matched, row

    return [row("a", matched("a").mean("v") < 2, times="+"), row("b")]


def _pairs() -> list[Any]:
    from kappa.patterns import row

    return [
        row("a", _col("v") > 0),
        row("b", _col("v") <= 0, times="*", greedy=False, contiguity="any"),
        row("c", _col("k") == 1, contiguity="relaxed"),
    ]


PATTERNS = {
    "falls and rises": DualPattern(
        (
            Var("a", lambda rows, taken: True),
            Var("b", lambda rows, taken: _v(rows, taken) < _v(rows, taken, 1), 1, None),
            Var("c", lambda rows, taken: _v(rows, taken) > _v(rows, taken, 1)),
        ),
        _falls,
    ),
    "run below 2": DualPattern(
        (
            Var(
                "a",
                lambda rows, taken: sum(_own(rows, taken)) / len(_own(rows, taken)) < 2,
                1,
                None,
            ),
            Var("b", lambda rows, taken: True),
        ),
        _runs,
    ),
    "pairs with a gap": DualPattern(
        (
            Var("a", lambda rows, taken: _v(rows, taken) > 0),
            Var("b", lambda rows, taken: _v(rows, taken) <= 0, 0, None, False, "any"),
            Var("c", lambda rows, taken: rows[taken[-1][1]][1]["k"] == 1, contiguity="relaxed"),
        ),
        _pairs,
    ),
}

AGGS = {
    "n": ("count", None),
    "total": ("sum", "v"),
    "low": ("min", "v"),
    "high": ("max", "v"),
    "mean": ("mean", "v"),
    "one": ("first", "v"),
    "end": ("last", "v"),
    "all": ("collect", "v"),
}
SECOND_AGGS = {"m": ("count", None), "sum_n": ("sum", "n"), "ns": ("collect", "n")}

KINDS = st.one_of(
    st.tuples(st.just("tumbling"), st.sampled_from([5, 10, 30]), st.sampled_from([0, 3])),
    st.sampled_from([("sliding", 10, 5, 0), ("sliding", 12, 4, 2), ("sliding", 10, 3, 0)]),
    st.tuples(st.just("session"), st.sampled_from([3, 8]), st.booleans()),
    st.tuples(st.just("count"), st.sampled_from([1, 2, 3])),
    st.just(("global",)),
)


STEPS = ("window", "window", "window", "running", "dedup", "top", "best", "over", "pattern")
UNTIMED = ("count", "global")
TWO_FLAGS = st.tuples(st.booleans(), st.booleans())


@st.composite
def sources(draw: Any, topic: str) -> oracle.Source:
    return oracle.Source(
        topic,
        draw(st.sampled_from([0, 5, 20])),
        draw(st.sampled_from([None, None, 4, 10])),
        draw(st.sampled_from([None, None, None, 20])),
    )


@st.composite
def aggregations(draw: Any, pool: Mapping[str, Any]) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(sorted(pool)), min_size=1, max_size=3, unique=True))
    return {name: pool[name] for name in sorted({"n", *chosen} & set(pool))}


@st.composite
def stages(
    draw: Any, node: oracle.Node, kinds: Any = KINDS, steps: Sequence[str] = STEPS
) -> oracle.Node:
    """A stateful step on rows of the log."""
    keys = draw(st.sampled_from([("k",), ("name",), ("k", "name"), ()]))
    what = draw(st.sampled_from(steps))
    aggs = draw(aggregations(AGGS))
    if what == "running":
        return oracle.Running(node, keys, aggs)
    if what == "dedup":
        return oracle.Dedup(node, keys, draw(st.sampled_from([None, 4, 10])))
    if what == "top":
        options = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
        return oracle.Top(node, keys, "v", draw(st.integers(1, 3)), *options)
    if what == "over":
        rows = draw(st.sampled_from([None, 1, 3]))
        span = draw(st.sampled_from([1, 6, 15])) if rows is None else None
        return oracle.Over(node, keys, aggs, rows, span)
    if what == "pattern":
        name = draw(st.sampled_from(sorted(PATTERNS)))
        skip = draw(st.sampled_from(["past_last", "to_next", "none", ("last", "b")]))
        within = draw(st.sampled_from([None, 6, 15]))
        return PATTERNS[name].model(node, keys, name, within=within, skip=skip)
    kind = draw(kinds)
    aligned = kind[0] not in ("count", "global")
    late = draw(st.sampled_from([0, 0, 7])) if aligned else 0
    if what == "best":
        n, flags = draw(st.integers(1, 3)), draw(TWO_FLAGS)
        return oracle.WindowTop(node, keys, kind, "v", n, *flags, late)
    return oracle.Window(node, keys, kind, aggs, late)


@st.composite
def pipelines(draw: Any, topics: list[str], kinds: Any = KINDS) -> dict[str, oracle.Node]:
    """Sinks by name: a source or a union, steps, perhaps a diamond, one or two stages."""
    chosen = draw(st.lists(st.sampled_from(topics), min_size=1, unique=True))
    heads = tuple(draw(sources(topic)) for topic in sorted(chosen))
    node: oracle.Node = heads[0] if len(heads) == 1 else oracle.Union(heads)
    sinks: dict[str, oracle.Node] = {}
    for dual in draw(st.lists(st.sampled_from(DUALS), max_size=2)):
        node = oracle.FlatMap(node, dual)
    if draw(st.integers(0, 3)) == 0:
        node = oracle.Union((node, oracle.FlatMap(node, TAG)))
    if draw(st.integers(0, 3)) == 0:
        sinks["plain"] = node
        if draw(st.booleans()):
            return sinks
    first = draw(stages(node, kinds))
    sinks["first"] = first
    if isinstance(first, oracle.Over | oracle.Pattern):
        sinks["late"] = oracle.Late(first)
    if isinstance(first, oracle.Window | oracle.WindowTop) and first.kind[0] not in UNTIMED:
        sinks["late"] = oracle.Late(first)
    if isinstance(first, oracle.Window) and draw(st.integers(0, 2)) == 0:
        sinks["second"] = draw(second_stages(first))
    if isinstance(first, oracle.Top) and not first.final and draw(st.booleans()):
        sinks["second"] = oracle.Top(first, (), "ts", 2, draw(st.booleans()), draw(st.booleans()))
    return sinks


@st.composite
def second_stages(draw: Any, first: oracle.Window) -> oracle.Node:
    """A stateful step on the rows of a window."""
    keys = draw(st.sampled_from([(), first.keys]))
    aggs = draw(aggregations(SECOND_AGGS))
    aggs = {"m": SECOND_AGGS["m"], **aggs}
    what = draw(st.sampled_from(["window", "window", "running", "running", "top", "over"]))
    if what == "running":
        return oracle.Running(first, keys, aggs)
    if what == "top":
        return oracle.Top(first, keys, "n", draw(st.integers(1, 2)), *draw(TWO_FLAGS))
    if what == "over":
        return oracle.Over(first, keys, aggs, span=20)
    kind = draw(
        st.sampled_from([("tumbling", 20, 0), ("session", 15, False), ("sliding", 20, 10, 0)])
    )
    return oracle.Window(first, keys, kind, aggs, draw(st.sampled_from([0, 7])))


def describe(sinks: Mapping[str, oracle.Node]) -> str:
    """The pipeline as text, for a failure."""
    return "\n".join(f"  {name}: {node}" for name, node in sinks.items())
