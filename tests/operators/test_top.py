"""top against a model that sorts all rows anew, the laws of R1, and streams of changes.

The model keeps every row, sorts, and compares the best before and after each record; what
comes out must lead from the one to the other, in the order that the docstring gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operators.keyed_runs import KEYS, Append, cuts, outputs, rows_of
from strategies import examples

from kappa import Count, OnCount, Pipeline, Session, Sliding, Tumbling, agg
from kappa.errors import ConfigError, OperatorError
from kappa.expressions import Selector, asc, col, desc
from kappa.operators import Top, WindowTop
from kappa.testing import run
from kappa.time import PLUS_INFINITY
from kappa.triggers import AtWatermark

KEY = Selector.of("k")
VALUES = st.sampled_from([1, 2, 2.0, 3, None, float("nan")])


def history(*values: Any, key: str = "a") -> list[Append]:
    """One row an append, numbered by n."""
    return [([(n, {"k": key, "v": value, "n": n})], n) for n, value in enumerate(values)]


def told(found: Any) -> list[tuple[str, int]]:
    return [("-" if row["retraction"] else "+", row["n"]) for row in rows_of(found)]


# ---- by hand


def test_the_row_that_leaves_comes_before_the_one_that_enters() -> None:
    found = outputs(Top(KEY, 2, desc("v")), history(5, 9, 7, 1, 9))
    assert told(found) == [("+", 0), ("+", 1), ("-", 0), ("+", 2), ("-", 2), ("+", 4)]


def test_equal_rows_keep_the_order_of_arrival() -> None:
    assert told(outputs(Top(KEY, 1, desc("v")), history(5, 5))) == [("+", 0)]
    found = outputs(Top(KEY, 2, desc("v"), rank="place"), history(5, 5, 5))
    assert [(row["n"], row["place"]) for row in rows_of(found)] == [(0, 1), (1, 2)]


def test_places_tell_every_row_that_moves_from_the_top_down() -> None:
    found = rows_of(outputs(Top(KEY, 2, desc("v"), rank="place"), history(5, 7, 9)))
    assert [(row["retraction"], row["place"], row["n"]) for row in found] == [
        (False, 1, 0),
        (True, 1, 0),
        (False, 1, 1),
        (False, 2, 0),
        (True, 1, 1),
        (False, 1, 2),
        (True, 2, 0),
        (False, 2, 1),
    ]


def test_ties_are_all_shown_and_share_a_place() -> None:
    found = outputs(Top(KEY, 2, desc("v"), ties=True, rank="place"), history(5, 3, 3, 9, 9))
    assert [(row["retraction"], row["place"], row["n"]) for row in rows_of(found)] == [
        (False, 1, 0),
        (False, 2, 1),
        (False, 2, 2),
        (True, 1, 0),
        (False, 1, 3),
        (True, 2, 1),
        (True, 2, 2),
        (False, 2, 0),
        (False, 1, 4),
        (True, 2, 0),
    ]


def test_several_criteria_null_last_and_nan_above_all_numbers() -> None:
    def best(*by: Any) -> list[int]:
        rows = history(2, None, float("nan"), 3, 2)
        return [row["n"] for row in rows_of(outputs(Top(KEY, 9, by, emit="final"), rows))]

    assert best(desc("v"), desc("n")) == [2, 3, 4, 0, 1]
    assert best("v") == [0, 4, 3, 2, 1]
    assert best(desc(col("v") * -1), asc("n")) == [2, 0, 4, 3, 1]


def test_descending_text_and_decimals() -> None:
    found = outputs(Top(KEY, 2, desc("v"), emit="final"), history("a", "b", "ab"))
    assert [row["v"] for row in rows_of(found)] == ["b", "ab"]
    numbers = history(Decimal("1.5"), 1, Decimal(2), 1.75)
    found = outputs(Top(KEY, 3, desc("v"), emit="final"), numbers)
    assert [row["v"] for row in rows_of(found)] == [Decimal(2), 1.75, Decimal("1.5")]


def test_final_comes_on_closing_by_key_at_its_own_time() -> None:
    rows = [
        (n, {"k": k, "v": v, "n": n}) for n, (k, v) in enumerate([("b", 1), ("a", 2), ("b", 3)])
    ]
    found = outputs(Top(KEY, 1, desc("v"), emit="final", rank="at"), [(rows, 100)])
    assert found == {
        (2, ""): [
            (1, {"k": "a", "v": 2, "n": 1, "at": 1}),
            (2, {"k": "b", "v": 3, "n": 2, "at": 1}),
        ]
    }


def test_a_value_without_order_is_a_dead_letter_and_changes_nothing() -> None:
    appends = history(5, "x", 7)
    found = outputs(Top(KEY, 2, desc("v")), appends, dead_letters=True)
    assert told(found) == [("+", 0), ("+", 2)]
    (letter,) = rows_of(found, "dead_letter")
    assert "TypeError" in letter["error"]
    assert letter["record"]["v"] == "x"


def test_rows_that_are_no_mappings_get_a_field() -> None:
    pipeline = Pipeline("p")
    pipeline.source("in").map(lambda row: row["v"]).key_by().top(
        2, by=desc(col("value", None)), emit="final", rank="place"
    ).to("out")
    rows = run(pipeline, {"in": [{"v": v, "ts": v} for v in (1, 2)]})["out"]
    assert rows == [{"value": 1, "place": 1}, {"value": 2, "place": 2}]


# ---- changes in


def test_a_row_taken_back_lets_the_next_one_up() -> None:
    rows = [(1, False), (5, False), (3, False), (5, True), (1, True)]
    appends: list[Append] = [
        ([(n, {"k": "a", "v": v, "retraction": gone})], n) for n, (v, gone) in enumerate(rows)
    ]
    found = rows_of(outputs(Top(KEY, 1, desc("v")), appends))
    assert [(row["v"], row["retraction"]) for row in found] == [
        (1, False),
        (1, True),
        (5, False),
        (5, True),
        (3, False),
    ]


def test_a_row_that_is_not_there_is_counted_and_not_taken_back() -> None:
    pipeline = Pipeline("p")
    pipeline.source("in").key_by("k").top(1, by="v").to("out")
    rows = [{"k": 1, "v": 1, "retraction": gone, "ts": 0, "n": gone + 0} for gone in (0, 1)]
    assert [row["retraction"] for row in run(pipeline, {"in": rows})["out"]] == [False]


def test_rows_with_and_without_the_flag_do_not_mix_where_some_are_gone() -> None:
    pipeline = Pipeline("p")
    pipeline.source("in").key_by().top(1, by="v").to("out")
    rows = [{"v": 1, "ts": 0}, {"v": 2, "ts": 0}, {"v": 2, "ts": 0, "retraction": True}]
    with pytest.raises(OperatorError, match="give it to all rows that top takes in, or to none"):
        run(pipeline, {"in": rows})


def test_the_top_of_a_top_is_right_after_all_changes() -> None:
    pipeline = Pipeline("p")
    best = pipeline.source("in").key_by("k").top(2, by=desc("v"))
    best.key_by().top(1, by="v", rank="place").to("out")
    rows = [{"k": n % 2, "v": v, "ts": n} for n, v in enumerate([4, 9, 5, 8, 7, 6, 10])]
    out = run(pipeline, {"in": rows})["out"]
    assert view(out) == Counter({row_key({"k": 0, "v": 7, "ts": 4, "place": 1}): 1})


def row_key(row: dict[str, Any]) -> str:
    return repr(sorted((name, value) for name, value in row.items() if name != "retraction"))


def view(rows: list[Any]) -> Counter[str]:
    """What is left of the rows when every change has been made."""
    left: Counter[str] = Counter()
    for row in rows:
        left[row_key(row)] += -1 if row["retraction"] else 1
        assert left[row_key(row)] >= 0
    return +left


def test_a_window_refuses_a_row_that_takes_another_back() -> None:
    step = WindowTop(KEY, Tumbling(10), 1, desc("v"))
    rows = [(n, {"k": "a", "v": v, "retraction": v == 2}) for n, v in enumerate((1, 2, 3))]
    found = outputs(step, [(rows, 0)], dead_letters=True)
    assert [row["v"] for row in rows_of(found)] == [3]
    (letter,) = rows_of(found, "dead_letter")
    assert "make a table of the stream" in letter["error"]


@given(
    rows=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), max_size=25),
    ties=st.booleans(),
)
@examples(40)
def test_the_top_of_a_table_is_that_of_its_present_rows(rows: Any, ties: bool) -> None:
    pipeline = Pipeline("p")
    table = pipeline.source("in").to_table("id", delete=col("v") == 5)
    table.changes().key_by().top(2, by=desc("v"), ties=ties, rank="place").to("out")
    given_ = [{"id": id_, "v": v, "ts": n} for n, (id_, v) in enumerate(rows)]
    present = {row["id"]: row["v"] for row in given_}
    left = {id_: v for id_, v in present.items() if v != 5}
    values = sorted(left.values(), reverse=True)
    places = {v: values.index(v) + 1 for v in values}
    shown = view(run(pipeline, {"in": given_})["out"]) if given_ else Counter()
    if ties:
        want = [(id_, places[v]) for id_, v in left.items() if places[v] <= 2]
        assert sorted(shown) == sorted(
            row_key({"id": id_, "v": left[id_], "ts": last(given_, id_), "place": place})
            for id_, place in want
        )
    else:
        assert len(shown) == min(2, len(left))
        assert all(f"('place', {n + 1})" in "".join(shown) for n in range(len(shown)))


def last(rows: list[Any], id_: str) -> int:
    return max(row["ts"] for row in rows if row["id"] == id_)


# ---- any history


@st.composite
def rows_by_append(draw: Callable[..., Any], *, flags: bool = False) -> list[Append]:
    appends: list[Append] = []
    number = 0
    for _ in range(draw(st.integers(1, 7))):
        rows = []
        for _ in range(draw(st.integers(0, 3))):
            number += 1
            row = {"k": draw(KEYS), "v": draw(VALUES), "n": number}
            if flags:
                row = {**row, "n": draw(st.integers(0, 2)), "retraction": draw(st.booleans())}
            rows.append((draw(st.integers(0, 30)), row))
        appends.append((rows, number))
    return appends


def sorting(value: Any) -> tuple[Any, ...]:
    """Descending: NaN, numbers, null."""
    return (2,) if value is None else (0,) if value != value else (1, -value)


class Model:
    """All rows of a key; the best are sorted out anew."""

    def __init__(self, n: int, ties: bool, ranked: bool) -> None:
        self.n, self.ties, self.ranked = n, ties, ranked
        self.rows: list[dict[str, Any]] = []

    def best(self) -> list[tuple[int | None, dict[str, Any]]]:
        ordered = sorted(self.rows, key=lambda row: sorting(row["v"]))
        found = []
        for number, row in enumerate(ordered):
            better = sum(sorting(one["v"]) < sorting(row["v"]) for one in ordered)
            place = better + 1 if self.ties else number + 1
            if place <= self.n:
                found.append((place if self.ranked else None, row))
        return found

    def take(self, row: dict[str, Any]) -> list[tuple[bool, int | None, int]]:
        before = self.best()
        flag = row.get("retraction")
        if flag:
            for index, one in enumerate(self.rows):
                if repr(one) == repr({**row, "retraction": False}):
                    del self.rows[index]
                    break
        else:
            self.rows.append(row)
        after = self.best()
        gone = [(True, place, one) for place, one in before if not _has(after, place, one)]
        come = [(False, place, one) for place, one in after if not _has(before, place, one)]
        changes = [*gone, *come]
        if self.ranked:
            changes.sort(key=lambda change: (change[1], not change[0]))
        return [(left, place, id(one)) for left, place, one in changes]


def _has(found: Any, place: int | None, row: dict[str, Any]) -> bool:
    return any(other == place and one is row for other, one in found)


def expected(appends: list[Append], **options: Any) -> list[tuple[bool, int | None, Any]]:
    models: dict[Any, Model] = {}
    out = []
    named: dict[int, Any] = {}
    for items, _ in appends:
        for _, row in items:
            named[id(row)] = row
            for left, place, who in models.setdefault(row["k"], Model(**options)).take(row):
                out.append((left, place, {**named[who], "retraction": left}))
    return out


@pytest.mark.parametrize("flags", [False, True])
@given(data=st.data(), n=st.integers(1, 3), ties=st.booleans(), ranked=st.booleans(), cut=cuts())
@examples(150)
def test_any_history(data: Any, flags: bool, n: int, ties: bool, ranked: bool, cut: Any) -> None:
    appends = data.draw(rows_by_append(flags=flags))
    step = Top(KEY, n, desc("v"), ties=ties, rank="place" if ranked else None)
    found = []
    for row in rows_of(same_reprs(step, appends, cut)):
        place = row.pop("place", None)
        found.append((row["retraction"], place, row))
    assert repr_of(found) == repr_of(expected(appends, n=n, ties=ties, ranked=ranked))


def repr_of(found: Any) -> list[str]:
    return [repr((left, place, sorted(row.items()))) for left, place, row in found]


def same_reprs(step: Any, appends: list[Append], cut: Any) -> Any:
    """R1 where rows hold NaN, which is not equal to itself."""
    sizes, restores = cut
    plain = outputs(step, appends)
    assert repr(outputs(step, appends, sizes=sizes, restores=restores, ranked=True)) == repr(plain)
    return plain


@given(appends=rows_by_append(), n=st.integers(1, 3), ties=st.booleans(), cut=cuts())
@examples(100)
def test_final_shows_what_the_changes_add_up_to(appends: Any, n: int, ties: bool, cut: Any) -> None:
    changes = rows_of(outputs(Top(KEY, n, desc("v"), ties=ties, rank="place"), appends))
    final = same_reprs(Top(KEY, n, desc("v"), ties=ties, rank="place", emit="final"), appends, cut)
    assert view(changes) == Counter(map(row_key, rows_of(final)))


# ---- windows

WINDOWS = [Tumbling(10), Sliding(10, slide=5), Session(4), Count(3), Count(4, slide=2)]


@pytest.mark.parametrize("window", WINDOWS, ids=repr)
@given(data=st.data(), n=st.integers(1, 3), ties=st.booleans(), cut=cuts())
@examples(60)
def test_a_window_shows_the_best_of_what_it_collects(
    window: Any, data: Any, n: int, ties: bool, cut: Any
) -> None:
    """The oracle is `collect`, sorted by value, then time; collect keeps time and arrival."""
    appends = data.draw(rows_by_append())
    appends = [([(t, {**row, "t": t}) for t, row in items], mark) for items, mark in appends]
    late = 3 if window.timed else 0
    step = WindowTop(KEY, window, n, desc("v"), ties=ties, rank="place", lateness=late)
    found = same_reprs(step, appends, cut)
    want = []
    collected = {"all": agg.collect()}
    panes = outputs(step.aggregation.__class__(KEY, window, collected, lateness=late), appends)
    for pane in rows_of(panes):
        bounds = {name: pane[name] for name in ("window_start", "window_end")}
        ordered = sorted(pane["all"], key=lambda row: sorting(row["v"]))
        for number, row in enumerate(ordered):
            better = sum(sorting(one["v"]) < sorting(row["v"]) for one in ordered)
            place = better + 1 if ties else number + 1
            if place <= n:
                want.append({**row, **bounds, "place": place})
    got = [repr(sorted(row.items())) for row in rows_of(found)]
    assert got == [repr(sorted(row.items())) for row in want]
    assert repr(rows_of(found, "late")) == repr(rows_of(panes, "late"))


def test_retracting_panes_of_a_window_take_their_rows_back() -> None:
    early = AtWatermark(early=OnCount(2))
    step = WindowTop(KEY, Tumbling(10), 1, desc("v"), trigger=early, panes="retracting")
    rows = rows_of(outputs(step, history(5, 3, 9, 7)))
    assert [(row["v"], row["retraction"], row["pane_timing"]) for row in rows] == [
        (5, False, "early"),
        (5, True, "early"),
        (9, False, "early"),
        (9, True, "early"),
        (9, False, "on_time"),
    ]


def test_the_stream_stays_keyed_and_its_late_rows_can_be_had() -> None:
    pipeline = Pipeline("p")
    best = pipeline.source("in").key_by("k").window(Tumbling(10)).top(1, by=desc("v"))
    best.side("late").to("late")
    best.aggregate(n=agg.count()).to("out")
    rows = [{"k": 1, "v": 1, "ts": 5}, {"k": 1, "v": 2, "ts": 15}, {"k": 1, "v": 3, "ts": 4}]
    out = run(pipeline, {"in": rows})
    assert out["out"] == [{"k": 1, "n": 1}, {"k": 1, "n": 2}]
    assert [row["v"] for row in out["late"]] == [3]


# ---- what it declares


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": True}, "n is True"),
        ({"by": []}, "by is"),
        ({"by": 7}, "by is 7"),
        ({"by": [len]}, "sort by a field or an expression"),
        ({"emit": "all"}, "emit is 'all'"),
        ({"rank": "k"}, "name of the key"),
        ({"rank": "retraction"}, "rank is 'retraction'"),
        ({"rank": ""}, "rank is ''"),
    ],
)
def test_wrong_use_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Top(KEY, **{"n": 1, "by": "v", **arguments})


def test_a_window_refuses_what_would_hide_its_bounds() -> None:
    with pytest.raises(ConfigError, match="window_end"):
        WindowTop(KEY, Tumbling(10), 1, "v", rank="window_end")
    with pytest.raises(ConfigError, match="nothing is late"):
        WindowTop(KEY, Count(10), 1, "v", lateness=5)


def test_what_it_declares() -> None:
    step = Top(KEY, 3, [desc("v"), "n"], rank="place")
    assert step == Top(KEY, 3, (desc("v"), asc("n")), rank="place")
    assert step.bound(5) == PLUS_INFINITY
    assert step.required(frozenset({"x", "place"})) == {"x", "k", "v", "n", "retraction"}
    assert step.required(None) is None
    window = WindowTop(KEY, Tumbling("10s"), 1, desc("v"), rank="place", lateness="5s")
    assert window.required(frozenset({"window_end", "place"})) == {"k", "v"}
    assert (window.bound(5), window.margin_before) == (9_999, 15_000)
    assert "the best row per k and window" in window.describe()
    assert step.yields([("retraction", "k", "v")]) == ("k", "v", "retraction", "place")
    assert window.yields([("k", "v")]) == ("k", "v", "window_start", "window_end", "place")
    assert step.yields([None]) is None
    assert "until the end" in Top(KEY, 1, "v", emit="final").describe()


@given(values=st.lists(st.integers(0, 9), max_size=30))
@examples(40)
def test_only_the_best_are_kept_where_nothing_is_taken_back(values: list[int]) -> None:
    from operators.keyed_runs import Driven

    driven = Driven(Top(KEY, 2, desc("v")))
    for lsn, append in enumerate(history(*values)):
        driven.take([append], lsn + 1)
        for _, (entries, _) in driven.state.keyed("rows").items():
            assert len(entries) <= 2
