"""R1 for the parts that the oracle does not model: any read size, any restart, one result.

Method: a catalogue of pipelines, one for every stateful step, window, trigger and pane mode.
Over a random log each runs append by append, then with other read sizes, in pieces with a
checkpoint between them, and as a replay; all must give the same, row by row and type by type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from harness import filled, new_log, perform, written
from hypothesis import given
from strategies import examples, scenarios

from kappa import (
    BroadcastState,
    Calendar,
    Pipeline,
    Session,
    Sliding,
    Tumbling,
    agg,
    asc,
    col,
    desc,
    left,
    right,
    when,
)
from kappa import expectations as ex
from kappa.patterns import matched, prev, row, to_last
from kappa.state import ListState, MapState, ValueState
from kappa.triggers import AtWatermark, Every, OnCount
from kappa.windows import Count, Global

CATALOGUE: dict[str, Callable[[Any], Any]] = {}
SLOW: set[str] = set()  # many of a kind: part of the full run


def entry(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A pipeline of the catalogue: from the stream of topic "a" to what is written."""
    CATALOGUE[build.__name__] = build
    return build


@entry
def every_aggregate(a):
    return (
        a.key_by("k")
        .window(Sliding(12, slide=4), lateness=6)
        .aggregate(
            count=agg.count(where=col("v") > 0),
            variance=agg.variance("v"),
            first=agg.first("name"),
            last=agg.last("name"),
            least=agg.min_by("name", "v"),
            most=agg.max_by("name", "v"),
            collect=agg.collect("v"),
            distinct=agg.count_distinct("name"),
            approx=agg.approx_distinct("name"),
            median=agg.quantile("v", 0.5),
            top=agg.top_k("name", 2),
        )
    )


@entry
def session_with_every_order(a):
    return (
        a.key_by("name")
        .window(Session(5), lateness=8)
        .aggregate(all=agg.collect("v"), total=agg.sum("v"), mean=agg.mean("v"))
    )


@entry
def expectations_at_once_and_by_window(a):
    judged = a.expect(
        ex.expect_column_values_to_be_between("v", -3, 3, severity="dead_letter"),
        ex.expect_column_values_to_not_match_regex("name", "a"),
        name="records",
    )
    judged.key_by("k").expect(
        ex.expect_column_values_to_be_between("v", 0, mostly=0.5),
        ex.expect_column_values_to_be_unique("name"),
        ex.expect_column_values_to_be_increasing("v"),
        ex.expect_column_mean_to_be_between("v", 0),
        window=Tumbling(10),
        lateness=6,
    )
    return judged.key_by("k").window(Tumbling(10)).aggregate(n=agg.count())


@entry
def values_that_exist_in_the_topic_itself(a):
    rule = ex.expect_column_values_to_be_in_topic("v", "a", "k", severity="dead_letter")
    return a.expect(rule).key_by("k").window(Tumbling(10)).aggregate(n=agg.count())


@entry
def calendar(a):
    moved = a.assign_time(lambda row: row["ts"] * 3_600_000)
    return moved.key_by("k").window(Calendar("day", zone="Europe/Berlin")).aggregate(n=agg.count())


@entry
def count_windows_over_windows(a):
    tens = a.key_by("k").window(Tumbling(10)).aggregate(n=agg.count()).named("tens")
    return tens.key_by().window(Count(2)).aggregate(ns=agg.collect("n"))


@entry
def global_window(a):
    return a.key_by("k").window(Global()).aggregate(n=agg.count(), all=agg.collect("v"))


@entry
def global_window_by_count(a):
    windowed = a.key_by("k").window(Global(), trigger=OnCount(2), panes="discarding")
    return windowed.aggregate(n=agg.count(), all=agg.collect("v"))


@entry
def fold(a):
    return a.key_by("k").fold(list, lambda seen, row: [*seen, row["v"]][-3:])


@entry
def reduce(a):
    return a.key_by("k").reduce(lambda one, other: {**one, "v": one["v"] * 2 + other["v"]})


@entry
def stateful_map(a):
    def count_up(n, row):
        return n + 1, {**row, "n": n} if n % 3 != 1 else None

    return a.key_by("name").stateful_map(int, count_up)


@entry
def deduplicate_last(a):
    return a.key_by("k").deduplicate(keep="last", within=8)


@entry
def running_after_running(a):
    one = a.key_by("k").aggregate(n=agg.count(), v=agg.sum("v")).named("one")
    return one.key_by("n").aggregate(total=agg.sum("v"), all=agg.collect("k"))


@entry
def expressions(a):
    size = when(col("v") > 2).then("big").otherwise("small")
    shaped = a.with_columns(size=size, name=col("name").str.upper()).without("p")
    return shaped.key_by("size", "name").window(Tumbling(7)).aggregate(n=agg.count())


@entry
def diamond_of_windows(a):
    fives = a.key_by("k").window(Tumbling(5)).aggregate(n=agg.count()).named("fives")
    tens = a.key_by("k").window(Tumbling(10)).aggregate(n=agg.count()).named("tens")
    together = fives.union(tens)
    return together.key_by().aggregate(n=agg.sum("n"), ends=agg.collect("window_end"))


@entry
def split_and_joined_again(a):
    high, low = a.split(col("v") > 0)
    counted = low.key_by("k").aggregate(n=agg.count(), v=agg.sum("v")).named("low")
    return high.union(counted).key_by("k").aggregate(rows=agg.count(), v=agg.sum("v"))


class Timers:
    """Timers in the past, the near and the far future, some deleted again."""

    seen = ListState()
    last = ValueState(default=None)

    def on_record(self, row, ctx):
        self.seen.append(row["v"])
        if self.last.get() is not None and row["v"] > 3:
            ctx.delete_timer(self.last.get(), "flush")
        self.last.set(ctx.time + row["k"] * 7)
        ctx.set_timer(self.last.get(), "flush")
        ctx.set_timer(ctx.time - 3, "past")

    def on_timer(self, time, tag, ctx):
        ctx.emit({"key": ctx.key, "tag": tag, "seen": list(self.seen)})
        if tag == "flush":
            self.seen.clear()


@entry
def timers(a):
    return a.key_by("name").process(Timers)


class Delayed:
    """Says that no timer comes sooner than 4 after its record, so that appends are merged."""

    timer_delay = 4
    n = ValueState(default=0, ttl=9)

    def on_record(self, row, ctx):
        self.n.set(self.n.get() + 1)
        ctx.set_timer(ctx.time + 4 + row["k"], row["k"])

    def on_timer(self, time, tag, ctx):
        ctx.emit({"key": ctx.key, "tag": tag, "n": self.n.get(), "time": time})


@entry
def delayed_timers_and_state_that_expires(a):
    return a.key_by("k").process(Delayed)


class Watermarked:
    """Lets the watermark into its output, and what state is left at it."""

    live = MapState(ttl=6)

    def on_record(self, row, ctx):
        self.live.put(row["name"], row["v"])
        ctx.emit({"w": ctx.watermark, "live": sorted(self.live.items()), "k": ctx.key})


@entry
def process_that_reads_the_watermark(a):
    return a.key_by("k").process(Watermarked)


@entry
def process_behind_windows(a):
    tens = a.key_by("k").window(Tumbling(10), lateness=5).aggregate(v=agg.sum("v")).named("tens")
    return tens.with_columns(name=col("k").cast(str)).key_by("k").process(Timers)


@entry
def top_changes(a):
    return a.key_by("k").top(2, by=[desc("v"), asc("ts")])


@entry
def top_final(a):
    return a.key_by("k").top(2, by=[desc("v")], emit="final")


@entry
def top_of_a_top(a):
    best = a.key_by("k").top(2, by=[desc("v"), asc("ts")], ties=True).named("best")
    return best.key_by().top(2, by=desc("v"), rank="place")


@entry
def top_of_a_table(a):
    table = a.to_table("name", "k", delete=col("v") > 6)
    return table.changes().key_by("k").top(1, by=[desc("v"), "name"], rank="place")


@entry
def top_of_retracting_sessions(a):
    panes = a.key_by("k").window(
        Session(5), trigger=AtWatermark(early=OnCount(2)), panes="retracting", lateness=6
    )
    return panes.top(2, by=desc("v"), rank="place").key_by("name").top(1, by=desc("v"))


@entry
def over_rows_and_span(a):
    rows = a.key_by("k").over(rows=3)
    three = rows.aggregate(n=agg.count(), mean=agg.mean("v"), all=agg.collect("v")).named("three")
    span = three.key_by("name").over(span=9)
    return span.aggregate(total=agg.sum("v"), spread=agg.stddev("v"), kinds=agg.count_distinct("k"))


@entry
def pattern_with_functions(a):
    return a.key_by("k").pattern(
        [
            row("first", col("v") > prev("v", 2)),
            row("more", lambda one, match: one["v"] < match.rows[0]["v"], times="*"),
            row("last", col("v") >= matched("first").first("v"), contiguity="relaxed"),
        ],
        select={"vs": lambda match: [one["v"] for one in match.rows], "n": matched("more").count()},
        within=25,
        skip=to_last("last"),
    )


@entry
def windows_behind_a_pattern(a):
    runs = a.key_by("name").pattern(
        [row("run", matched("run").sum("v") < 9, times="2+"), row("end", times="?")],
        select={"total": matched("run").sum("v"), "k": col("k")},
        skip="to_next",
        within=12,
    )
    return runs.key_by("k").window(Tumbling(10)).aggregate(n=agg.count(), t=agg.sum("total"))


@entry
def interval_join(a):
    positive = a.filter(col("v") > 0).key_by("k")
    return a.key_by("k").left_join(positive, within=(-3, 5))


@entry
def interval_join_that_looks_back(a):
    other = a.filter(col("v") > 0).key_by("name")
    return a.key_by("name").full_join(other, within=(-9, -4), where=left("v") >= right("v"))


@entry
def join_that_keeps_rows_for_a_while(a):
    other = a.filter(col("v") > 0).select("k", "v").key_by("k")
    return a.select("k", "name", w="v").key_by("k").full_join(other, keep=7)


@entry
def join_for_ever_then_window(a):
    joined = a.key_by("k").join(
        a.filter(col("v") > 2).key_by("k"),
        keep="forever",
        select=lambda one, other: {"k": one["k"], "v": one["v"] - other["v"]},
    )
    return joined.window(Tumbling(10)).aggregate(n=agg.count(), v=agg.collect("v"))


@entry
def window_join(a):
    return a.key_by("k").full_join(a.filter(col("v") > 0).key_by("k"), window=Sliding(10, 5))


@entry
def session_join(a):
    return a.key_by("k").left_join(a.filter(col("v") > 0).key_by("k"), window=Session(4))


@entry
def as_of_join(a):
    return a.key_by("name").as_of_join(a.filter(col("v") > 0).key_by("name"), how="left")


@entry
def as_of_join_within(a):
    table = a.filter(col("k") > 0).key_by("name").table(delete=col("v") < 0)
    return a.key_by("name").as_of_join(table, within=8)


@entry
def join_with_a_table(a):
    table = a.filter(col("v") > 0).to_table("k", delete=col("v") > 6)
    return a.key_by("k").left_join(table, where=right("v") < 5)


@entry
def tables_joined_and_grouped(a):
    people = a.to_table("name", delete=col("v") < -5)
    groups = a.filter(col("v") > 0).to_table("k").named("groups")
    joined = people.left_join(groups, on="k", where=left("v") <= right("v"))
    return joined.group_by("k").aggregate(n=agg.count(), top=agg.max("v"), all=agg.collect("v"))


@entry
def table_of_panes(a):
    windows = a.key_by("k").window(
        Tumbling(10), trigger=AtWatermark(early=OnCount(2)), panes="retracting", lateness=6
    )
    table = windows.aggregate(n=agg.count(), v=agg.sum("v")).to_table("k", "window_start")
    return table.group_by("window_start").aggregate(n=agg.sum("n"), v=agg.mean("v")).changes()


@entry
def table_of_the_best(a):
    best = a.key_by("k").top(2, by=[desc("v"), asc("ts")], rank="place")
    table = best.key_by("k", "place").table()
    return table.group_by("place").aggregate(low=agg.min("v"), ks=agg.collect("k")).changes()


class Ruled:
    """Records under a rule that rows with v < 0 set."""

    rules = BroadcastState()
    n = ValueState(default=0)

    def on_broadcast(self, row, ctx):
        self.rules.put(row["k"], row["v"])

    def on_record(self, row, ctx):
        self.n.set(self.n.get() + 1)
        ctx.emit({"k": ctx.key, "n": self.n.get(), "rules": self.rules.items()})


@entry
def broadcast_to_every_key(a):
    return a.key_by("name").process(Ruled, broadcast=a.filter(col("v") < 0))


def with_triggers() -> None:
    """Every trigger with every way of showing panes."""
    made = {
        "plain": None,
        "early count": AtWatermark(early=OnCount(2)),
        "early every": AtWatermark(early=Every(4)),
        "early append time": AtWatermark(early=Every(4, clock="append")),
        "early once": AtWatermark(early=OnCount(2).once()),
        "late count": AtWatermark(late=OnCount(2)),
    }
    for name, trigger in made.items():
        for panes in ("accumulating", "discarding", "retracting"):
            for window in (Tumbling(10), Sliding(10, 5), Session(5)):
                _triggered(name, trigger, panes, window)


def _triggered(name: str, trigger: Any, panes: str, window: Any) -> None:
    def build(a):
        windowed = a.key_by("k").window(window, trigger=trigger, panes=panes, lateness=6)
        return windowed.aggregate(n=agg.count(), all=agg.collect("v"))

    build.__name__ = f"{name} {panes} {type(window).__name__}"
    SLOW.add(entry(build).__name__)


with_triggers()


def pipeline(build: Callable[[Any], Any], bound: int) -> Pipeline:
    made = Pipeline("p")
    result = build(made.source("a", out_of_orderness=bound, idle_after=6))
    result.to("out")
    if "late" in getattr(result, "outputs", ()):
        result.side("late").to("late")
    return made


def output(log: Any, made: Pipeline, version: int) -> tuple[str, str, str]:
    found = written(log, dict.fromkeys(made.plan().outputs), version)
    return repr(found.appends), repr(found.closing), repr(sorted(found.claims.items()))


NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in sorted(CATALOGUE)
]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@examples(12)
def test_any_read_size_and_any_restart_give_one_result(name, data):
    build = CATALOGUE[name]
    scenario = data.draw(scenarios(max_topics=1, max_acts=12, exact=False))
    bound = data.draw(st.sampled_from([0, 5, 20]))
    log = filled(scenario)
    made = pipeline(build, bound)
    made.replay(log, version=1, read_records=1)
    want = output(log, made, 1)
    for version, size in enumerate((2, 5, 4096), start=2):
        made.replay(log, version=version, read_records=size)
        assert output(log, made, version) == want
    again = new_log(scenario)
    for act in scenario.acts:
        perform(again, act)
        if data.draw(st.booleans(), label="run here"):
            made.run(again, version=1, until_idle=True, read_records=data.draw(st.integers(1, 5)))
    if data.draw(st.booleans(), label="finish as a replay"):
        made.replay(again, version=2, checkpoint_every=1)
        assert ranked(again, made, 2) == ranked(log, made, 1)
    made.run(again, version=1, until_idle=True)
    assert ranked(again, made, 1, closed=False) == ranked(log, made, 1, closed=False)


def ranked(log: Any, made: Pipeline, version: int, closed: bool = True) -> list[str]:
    """Rows in order, without their LSNs, which differ between two logs."""
    found = written(log, dict.fromkeys(made.plan().outputs), version)
    every = [*found.appends.values(), *([found.closing] if closed else [])]
    for made_at in every:
        for rows in made_at.values():
            for _, made in rows:
                if made is not None:
                    made.pop("lsn", None)  # of dead letters and results
    return list(map(repr, every))
