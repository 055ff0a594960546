"""over against SQL: SQLite computes the same frames over the rows that are not late.

SQLite orders by (time, arrival); a frame by rows is ROWS n - 1 PRECEDING, one by time is
RANGE span - 1 PRECEDING, which takes in rows of equal time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operators.keyed_runs import Append, Driven, cuts, outputs, rows_of, same_however_cut
from strategies import examples

from kappa import Log, Pipeline, agg
from kappa.errors import ConfigError, OperatorError
from kappa.expressions import Selector, col
from kappa.operators import Over
from kappa.testing import Heartbeat, run
from kappa.time import MINUS_INFINITY, ManualClock

KEY = Selector.of("k")
KEPT = {
    "n": agg.count(),
    "some": agg.count("v", where=col("n") > 3),
    "total": agg.sum("v"),
    "low": agg.min("v"),
    "high": agg.max("v"),
    "mean": agg.mean("v"),
    "first": agg.first("v"),
    "last": agg.last("v"),
}
ANEW = {
    "all": agg.collect("v"),
    "kinds": agg.count_distinct("v"),
    "folded": agg.reduce("v", lambda total, v: total + v, initial=0),
}


def values_of(found: Any, *names: str) -> list[Any]:
    rows = rows_of(found)
    return [tuple(row[name] for name in names) if names[1:] else row[names[0]] for row in rows]


def history(*rows: tuple[int, Any], key: str = "a") -> list[Append]:
    """One append of (time, value), and a watermark that passes all of them."""
    return [([(t, {"k": key, "v": v, "n": n}) for n, (t, v) in enumerate(rows)], 1 << 40)]


# ---- by hand


def test_the_last_rows_by_event_time_this_one_included() -> None:
    step = Over(KEY, {"all": agg.collect("v"), "total": agg.sum("v")}, rows=2)
    found = outputs(step, history((3, 30), (1, 10), (2, 20)))
    assert values_of(found, "v", "all", "total") == [
        (10, [10], 10),
        (20, [10, 20], 30),
        (30, [20, 30], 50),
    ]


def test_the_last_duration_leaves_out_what_is_exactly_that_old() -> None:
    step = Over(KEY, {"all": agg.collect("v"), "n": agg.count()}, span=10)
    found = outputs(step, history((0, "a"), (9, "b"), (10, "c"), (19, "d"), (40, "e")))
    assert values_of(found, "all", "n") == [
        (["a"], 1),
        (["a", "b"], 2),
        (["b", "c"], 2),
        (["c", "d"], 2),
        (["e"], 1),
    ]


def test_rows_of_equal_time_see_each_other_by_time_and_not_by_rows() -> None:
    by_time = outputs(Over(KEY, {"n": agg.count()}, span=10), history((5, 1), (5, 2)))
    by_rows = outputs(Over(KEY, {"n": agg.count()}, rows=10), history((5, 1), (5, 2)))
    assert values_of(by_time, "v", "n") == [(1, 2), (2, 2)]
    assert values_of(by_rows, "v", "n") == [(1, 1), (2, 2)]


def test_a_row_comes_when_the_watermark_reaches_its_time_and_is_late_from_then_on() -> None:
    step = Over(KEY, {"n": agg.count()}, rows=5)
    row = {"k": "a"}
    appends: list[Append] = [([(10, row)], 9), ([], 10), ([(10, row), (11, row)], 11)]
    found = outputs(step, appends)
    assert found == {
        (2, ""): [(10, {"k": "a", "n": 1})],
        (3, "late"): [(10, {"k": "a", "late_by": 1})],
        (3, ""): [(11, {"k": "a", "n": 2})],
    }


def test_rows_of_one_instant_come_by_key_and_then_by_arrival() -> None:
    rows = [(5, {"k": key, "v": v}) for key, v in (("b", 1), ("a", 2), ("b", 3))]
    found = outputs(Over(KEY, {"n": agg.count()}, rows=2), [(rows, 5)])
    assert values_of(found, "v") == [2, 1, 3]


def test_a_frame_by_time_is_dropped_when_nothing_can_reach_it() -> None:
    driven = Driven(Over(KEY, {"n": agg.count()}, span=10))
    driven.take([([(5, {"k": "a"})], 14)], 1)
    assert len(driven.state.keyed("frames")) == 1
    driven.take([([(15, {"k": "b"})], 15)], 2)
    assert driven.state.keyed("frames").keys() == ["b"]
    assert len(driven.state.keyed("waiting")) == 0


def test_state_stays_flat_on_an_endless_stream() -> None:
    driven = Driven(Over(KEY, {"n": agg.count(), "all": agg.collect("n")}, span=50))
    sizes = []
    for n in range(600):
        driven.take([([(n, {"k": n // 20, "n": n})], n)], n + 1)
        sizes.append(sum(map(len, driven.state.snapshot(full=True))))
    assert max(sizes[300:]) < 1.2 * max(sizes[:300])


def test_a_value_that_cannot_be_added_is_a_dead_letter_and_leaves_nothing_behind() -> None:
    for options in ({"rows": 2}, {"span": 10}):
        step = Over(KEY, {"total": agg.sum("v"), "all": agg.collect("v")}, **options)
        appends = history((1, 1), (2, "x"), (2, 5), (3, 4))
        found = outputs(step, appends, dead_letters=True)
        assert values_of(found, "v", "total") == [
            (1, 1),
            (5, 6),
            (4, 9 if "rows" in options else 10),
        ]
        (letter,) = rows_of(found, "dead_letter")
        assert "TypeError" in letter["error"]
        assert letter["record"]["v"] == "x"


def test_without_dead_letters_the_error_names_the_row() -> None:
    pipeline = Pipeline("p")
    pipeline.source("in").key_by("k").over(rows=2).aggregate(low=agg.min("v")).to("out")
    rows = [{"k": 1, "v": 1, "ts": 1}, {"k": 1, "v": "x", "ts": 2}]
    with pytest.raises(OperatorError, match=r"failed on the record .*'v': 'x'"):
        run(pipeline, {"in": rows})


# ---- against SQL

NUMBERS = st.one_of(st.integers(-5, 5), st.integers(-20, 20).map(lambda n: n / 4))


@st.composite
def appends_of_numbers(draw: Callable[..., Any], nulls: bool = True) -> list[Append]:
    values = st.one_of(st.none(), NUMBERS) if nulls else NUMBERS
    appends: list[Append] = []
    watermark, number = -1, 0
    for _ in range(draw(st.integers(1, 8))):
        rows = []
        for _ in range(draw(st.integers(0, 4))):
            number += 1
            time = draw(st.integers(-10, 40))
            row = {"k": draw(st.sampled_from(["a", "b"])), "n": number, "v": draw(values)}
            rows.append((time, {**row, "t": time}))
        watermark += draw(st.sampled_from([0, 0, 1, 4, 12]))
        appends.append((rows, watermark))
    return appends


SQL = """
SELECT n, count(*) OVER w, count(CASE WHEN n > 3 THEN v END) OVER w, sum(v) OVER w,
    min(v) OVER w, max(v) OVER w, avg(v) OVER w
FROM rows WINDOW w AS (PARTITION BY k ORDER BY {order} PRECEDING) ORDER BY t, k, n
"""


def by_sql(appends: list[Append], rows: int | None, span: int | None) -> list[Any]:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE rows (k, t, n, v)")
    before = MINUS_INFINITY
    for items, watermark in appends:
        for time, row in items:
            if time > before:
                record = (row["k"], time, row["n"], row["v"])
                database.execute("INSERT INTO rows VALUES (?, ?, ?, ?)", record)
        before = watermark
    order = f"t, n ROWS {rows - 1}" if rows is not None else f"t RANGE {(span or 0) - 1}"
    found = database.execute(SQL.format(order=order)).fetchall()
    database.close()
    return found


@given(
    appends=appends_of_numbers(),
    frame=st.one_of(
        st.integers(1, 5).map(lambda n: {"rows": n}), st.integers(1, 25).map(lambda n: {"span": n})
    ),
    cut=cuts(),
)
@examples(250)
def test_any_history_gives_what_sql_gives(appends: Any, frame: dict[str, int], cut: Any) -> None:
    step = Over(KEY, {**KEPT, **ANEW}, **frame)
    found = same_however_cut(step, appends, cut)
    names = ("n", "some", "total", "low", "high", "mean")
    by_number = [tuple(row[name] for name in names) for row in rows_of(found)]
    shown = values_of(found, "t", "k")
    assert shown == sorted(shown)
    sql = by_sql(appends, frame.get("rows"), frame.get("span"))
    # SQL's `n` is the row's number; the aggregate of that name has taken its place in the row.
    assert by_number == [row[1:] for row in sql]


@given(appends=appends_of_numbers(nulls=False), span=st.integers(1, 25), rows=st.integers(1, 5))
@examples(100)
def test_what_is_kept_in_blocks_is_what_is_computed_anew(
    appends: Any, span: int, rows: int
) -> None:
    for frame in ({"rows": rows}, {"span": span}):
        for row in rows_of(outputs(Over(KEY, {**KEPT, **ANEW}, **frame), appends)):
            every = row["all"]
            assert (row["n"], row["total"], row["folded"]) == (len(every), sum(every), sum(every))
            assert (row["first"], row["last"]) == (every[0], every[-1])
            assert (row["low"], row["high"]) == (min(every), max(every))
            assert row["kinds"] == len(set(every))


@given(values=st.lists(st.sampled_from([0.1, 0.2, 1e16, -1e16, 3.3]), min_size=8, max_size=40))
@examples(60)
def test_a_replay_from_the_middle_gives_the_same_floats_to_the_bit(values: list[float]) -> None:
    """R8: the sum of a frame by time does not depend on rows before it."""
    step = Over(KEY, {"total": agg.sum("v"), "spread": agg.variance("v")}, span=7)
    rows = [(3 * n, v) for n, v in enumerate(values)]
    whole = outputs(step, history(*rows))
    since = len(rows) // 2
    assert step.margin_before == 7
    part = outputs(step, history(*(one for one in rows if one[0] > rows[since][0] - 7)))
    wanted = [pair for pair in whole[1, ""] if pair[0] >= rows[since][0]]
    kept = [pair for pair in part[1, ""] if pair[0] >= rows[since][0]]
    assert [repr((t, row["total"], row["spread"])) for t, row in kept] == [
        repr((t, row["total"], row["spread"])) for t, row in wanted
    ]


def test_a_pipeline_replays_a_range_of_it() -> None:
    pipeline = Pipeline("p")
    stream = pipeline.source("in").key_by("k").over(span="10ms").aggregate(n=agg.count())
    stream.to("out")
    stream.side("late").to("late")
    log = Log.memory(clock=ManualClock(0))
    log.create_topic("in", time="ts")
    for time in (1, 5, 9, 14, 12, 30):
        log.append("in", [{"k": 1, "ts": time}])
    pipeline.replay(log)
    rows = [(record.time, record.value["n"]) for record in log.read("out@1")]
    assert rows == [(1, 1), (5, 2), (9, 3), (14, 3), (30, 1)]
    assert [record.value["late_by"] for record in log.read("late@1")] == [2]
    pipeline.replay(log, since=9, until=20)
    assert [(record.time, record.value["n"]) for record in log.read("out@2")] == rows[2:4]


def test_the_stream_stays_keyed() -> None:
    pipeline = Pipeline("p")
    keyed = pipeline.source("in").key_by("k").over(rows=1).aggregate({"class": agg.max("v")})
    keyed.aggregate(n=agg.count()).to("out")
    rows = [{"k": 1, "v": 5, "ts": 1}, Heartbeat(9)]
    assert run(pipeline, {"in": rows})["out"] == [{"k": 1, "n": 1}]


# ---- what it declares


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of the two"),
        ({"rows": 1, "span": 1}, "one of the two"),
        ({"rows": 0}, "rows is 0"),
        ({"rows": True}, "rows is True"),
        ({"span": 0}, "span"),
        ({"span": "soon"}, "span"),
    ],
)
def test_wrong_use_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Over(KEY, {"n": agg.count()}, **arguments)


def test_an_aggregate_cannot_hide_the_key() -> None:
    with pytest.raises(ConfigError, match="'k' is the name of the key"):
        Over(KEY, {"k": agg.count()}, rows=1)
    with pytest.raises(ConfigError, match="at least one aggregate"):
        Over(KEY, {}, rows=1)


def test_what_it_declares() -> None:
    step = Over(KEY, {"n": agg.count(), "total": agg.sum("v"), "all": agg.collect("w")}, span="1s")
    assert step.bound(5) == 5
    assert step.required(frozenset({"x", "n"})) == {"x", "k", "v", "w"}
    assert step.required(None) is None
    assert step.yields([("k", "n", "x")]) == ("k", "n", "x", "total", "all")
    assert step.margin_before == 1_000
    assert Over(KEY, {"n": agg.count()}, rows=3).margin_before is None
    assert "last 1s behind the watermark" in step.describe()
