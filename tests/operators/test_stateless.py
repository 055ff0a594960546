"""Stateless steps against plain loops over rows.

Method: a step and a loop that does the same by hand take the same rows, as columns or rows,
whole or cut into batches at any place; fields, LSNs, ranks and times of what comes out must
agree. Functions that fail on drawn rows check what is set aside, and that no function is
called twice with a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa.batch import Batch, RowFailure
from kappa.errors import ConfigError, UnknownField
from kappa.expressions import Selector, col, meta, param
from kappa.operators.contract import OperatorContext
from kappa.operators.filter import Branch, Filter
from kappa.operators.map import FlatMap, Map
from kappa.operators.passing import AssignTime, Peek, Print, Union
from kappa.operators.select import Select, WithColumns, Without
from kappa.state import StepState
from kappa.time import MAX_TIME, PLUS_INFINITY

ROWS = st.lists(
    st.fixed_dictionaries({"a": st.integers(0, 9), "b": st.none() | st.integers(0, 9)}), max_size=12
)
of = Selector.of


def context(**options):
    return OperatorContext(step="step", state=StepState("step"), **options)


def batch_of(rows, *, columnar=True, lsn=1):
    times = [100 * row["a"] for row in rows]
    if columnar:
        columns = {name: [row[name] for row in rows] for name in "ab"}
        solid = frozenset() if not rows else frozenset("a")
        batch = Batch.of_columns(columns, times, lsn=lsn, solid=solid)
    else:
        batch = Batch.of_rows([dict(row) for row in rows], times, lsn=lsn)
    batch.ranks = [(lsn, number) for number in range(len(rows))]
    return batch


def cut(batch, places):
    edges = [0, *sorted(places), batch.count]
    return [batch.slice(start, stop) for start, stop in pairwise(edges)]


def run(part, batches, **options):
    """What comes out: (row, time, LSN, rank) by output."""
    instance = part.open(context(**options))
    found = {}
    for batch in batches:
        for out in instance.process(batch):
            rows = list(zip(out.rows(), out.times, out.lsns(), out.ranks))
            found.setdefault(out.output, []).extend(rows)
    instance.close()
    return {output: rows for output, rows in found.items() if rows}


def main(part, rows, **options):
    return [row for row, *_ in run(part, [batch_of(rows)], **options).get("", [])]


class Case:
    """A step and what it must do with one row: its outputs as (output, row)."""

    def __init__(self, part, by_hand, extends=False):
        self.part, self.by_hand, self.extends = part, by_hand, extends


def keep(condition):
    return lambda row: [("", row)] if condition(row) else []


def doubled(row):
    return {"a": row["a"] * 2, "n": 1}


def deal(row):
    if row["a"] > 5:
        return [("large", row)]
    return [("none", row)] if row["b"] is None else [("rest", row)]


CASES = {
    "filter by expression": Case(
        Filter(of(col("b") > 4)), keep(lambda row: row["b"] is not None and row["b"] > 4)
    ),
    "filter by function": Case(
        Filter(of(lambda row: row["a"] > 4)), keep(lambda row: row["a"] > 4)
    ),
    "filter by a field": Case(Filter(of("b")), keep(lambda row: row["b"])),
    "filter by any function": Case(Filter(of(lambda row: len(row) == 2)), keep(lambda row: True)),
    "map by function": Case(Map(of(doubled)), lambda row: [("", doubled(row))]),
    "map by expression": Case(Map(of(col("a") + 1)), lambda row: [("", row["a"] + 1)]),
    "flat_map": Case(
        FlatMap(of(lambda row: [{"n": n} for n in range(row["a"] % 3)])),
        lambda row: [("", {"n": n}) for n in range(row["a"] % 3)],
        extends=True,
    ),
    "select": Case(
        Select.of("b", c=col("a") * 2, d=lambda row: row["a"] == 1),
        lambda row: [("", {"b": row["b"], "c": row["a"] * 2, "d": row["a"] == 1})],
    ),
    "with_columns": Case(
        WithColumns.of(a=col("a") + 1, c=col("a")),
        lambda row: [("", {"a": row["a"] + 1, "b": row["b"], "c": row["a"]})],
    ),
    "without": Case(Without(("b", "zzz")), lambda row: [("", {"a": row["a"]})]),
    "split": Case(Branch.of({"large": lambda row: row["a"] > 5, "none": col("b").is_null()}), deal),
    "union": Case(Union(), lambda row: [("", row)]),
    "peek": Case(Peek(of(lambda row: row["a"])), lambda row: [("", row)]),
    "print": Case(Print(write=len), lambda row: [("", row)]),
}


def by_hand(case, rows):
    found = {}
    for number, row in enumerate(rows):
        for emitted, (output, out) in enumerate(case.by_hand(row)):
            rank = (1, number, emitted) if case.extends else (1, number)
            found.setdefault(output, []).append((out, 100 * row["a"], 1, rank))
    return found


@pytest.mark.parametrize("name", CASES)
@examples(40)
@given(rows=ROWS, columnar=st.booleans(), shared=st.booleans(), data=st.data())
def test_step_does_what_a_loop_does(name, rows, columnar, shared, data):
    case = CASES[name]
    batch = batch_of(rows, columnar=columnar)
    places = data.draw(st.lists(st.integers(0, len(rows)), max_size=3))
    found = run(case.part, cut(batch, places), shared=shared)
    assert found == by_hand(case, rows)
    assert batch.rows() == rows


def test_rows_of_several_lsns_keep_theirs():
    parts = [batch_of([{"a": n, "b": None}] * n, lsn=n) for n in (1, 2, 3)]
    found = run(Filter(of(col("a") != 2)), [Batch.concat(parts)])[""]
    assert [lsn for _, _, lsn, _ in found] == [1, 3, 3, 3]


def test_output_of_a_side_goes_to_the_main_output():
    batch = batch_of([{"a": 1, "b": 2}]).marked(output="late", port=1)
    for name, case in CASES.items():
        outputs = {out.output for out in case.part.open(context()).process(batch)}
        assert outputs <= {"", "rest"}, name


# ---- rows that fail


FAILING = {
    "filter": lambda fail: Filter(of(fail)),
    "map": lambda fail: Map(of(fail)),
    "flat_map": lambda fail: FlatMap(of(lambda row: [fail(row)])),
    "generator": lambda fail: FlatMap(of(lambda row: (fail(one) for one in [row]))),
    "select": lambda fail: Select.of("a", x=lambda row: row["b"], y=fail),
    "with_columns": lambda fail: WithColumns.of(y=fail),
    "split": lambda fail: Branch.of({"one": lambda row: False, "two": fail}),
    "assign_time": lambda fail: AssignTime(of(lambda row: fail(row) and row["a"])),
    "peek": lambda fail: Peek(of(fail)),
}


class Fails:
    """Fails on some values, and counts its calls."""

    def __init__(self, bad):
        self.bad, self.calls = bad, []

    def __call__(self, row):
        self.calls.append(row["a"])
        if row["a"] in self.bad:
            raise ValueError(f"no {row['a']}")
        return True


@pytest.mark.parametrize("name", FAILING)
@examples(25)
@given(bad=st.sets(st.integers(0, 7)), columnar=st.booleans(), shared=st.booleans())
def test_failing_rows_are_set_aside_and_the_rest_goes_on(name, bad, columnar, shared):
    rows = [{"a": n, "b": n % 2} for n in range(8)]
    fail = Fails(bad)
    part = FAILING[name](fail)
    step = context(dead_letters=True, shared=shared)
    out = part.open(step).process(batch_of(rows, columnar=columnar))
    dead = [letter for batch in out if batch.output == "dead_letter" for letter in batch.rows()]
    good = sum(batch.count for batch in out if batch.output != "dead_letter")
    assert [{name: one[name] for name in ("error", "step", "record")} for one in dead] == [
        {"error": f"ValueError: no {n}", "step": "step", "record": rows[n]} for n in sorted(bad)
    ]
    assert {one["lsn"] for one in dead} <= {1}
    assert good == 8 - len(bad)
    assert fail.calls == list(range(8))
    assert step.counters == ({"dead_letters": len(bad)} if bad else {})


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_row_stops_where_nothing_is_set_aside(name):
    rows = [{"a": n, "b": 0} for n in range(4)]
    batch = batch_of(rows)
    with pytest.raises(RowFailure) as caught:
        list(FAILING[name](Fails({2})).open(context()).process(batch))
    assert (caught.value.index, caught.value.lsn, caught.value.row) == (2, 1, rows[2])
    assert isinstance(caught.value.cause, ValueError)


def test_rows_that_fail_in_different_columns_become_one_batch_in_order():
    rows = [{"a": n, "b": n} for n in range(6)]
    part = Select.of(x=1 / (col("a") - 4), y=1 / (col("b") - 1), z=Fails({2}))
    left, dead = part.open(context(dead_letters=True)).process(batch_of(rows))
    assert [letter["record"]["a"] for letter in dead.rows()] == [1, 2, 4]
    assert dead.ranks == [(1, 1, 0), (1, 2, 0), (1, 4, 0)]
    assert [row["y"] for row in left.rows()] == [-1.0, 0.5, 0.25]
    assert left.times == [0, 300, 500]


def test_a_missing_field_is_a_dead_letter_of_each_row():
    batch = Batch.of_rows([{"a": 1}, {"b": 2}, {"a": 3}], [0] * 3, lsn=1)
    kept, dead = Filter(of(col("a") > 0)).open(context(dead_letters=True)).process(batch)
    assert kept.rows() == [{"a": 1}, {"a": 3}]
    assert dead.rows()[0]["error"].startswith("UnknownField: unknown field 'a'; known fields: b")
    with pytest.raises(RowFailure) as caught:
        Filter(of(col("a") > 0)).open(context()).process(batch)
    assert isinstance(caught.value.cause, UnknownField)


@pytest.mark.parametrize("result", ["text", {"a": 1}, b"x", 5, None])
def test_flat_map_refuses_what_is_not_a_list_of_rows(result):
    with pytest.raises(RowFailure) as caught:
        main(FlatMap(of(lambda row: result)), [{"a": 1, "b": 2}])
    assert isinstance(caught.value.cause, TypeError)


# ---- one by one


def test_a_solid_column_stays_solid_through_select_and_with_columns():
    rows = [{"a": n, "b": None} for n in range(100)]
    select = Select.of("a", "b", c=col("a") * 0.5).open(context())
    (out,) = select.process(batch_of(rows))
    assert out.solid == {"a", "c"}
    (out,) = WithColumns.of(a=col("b"), c=col("a") + 1).open(context()).process(batch_of(rows))
    assert out.solid == {"c"}
    (out,) = Without(("b",)).open(context()).process(batch_of(rows))
    assert out.solid == {"a"}
    (out,) = Filter(of(col("a") > 3)).open(context()).process(batch_of(rows))
    assert out.solid == {"a"}


def test_conditions_of_a_split_see_only_rows_that_none_before_took():
    later = Fails({7})
    part = Branch.of({"large": col("a") > 5, "other": later})
    run(part, [batch_of([{"a": n, "b": None} for n in (7, 1, 2)])])
    assert later.calls == [1, 2]
    assert part.sides == ("large", "other", "rest")


def test_with_columns_on_rows_of_different_shapes():
    @dataclass
    class Bid:
        a: int

    batch = Batch.of_rows([{"a": 1}, {"a": 2, "b": 3}, Bid(4)], [0] * 3, lsn=1)
    (out,) = WithColumns.of(c=col("a") * 2).open(context()).process(batch)
    assert out.rows() == [{"a": 1, "c": 2}, {"a": 2, "b": 3, "c": 4}, {"a": 4, "c": 8}]
    (out,) = Without(("b",)).open(context()).process(batch)
    assert out.rows() == [{"a": 1}, {"a": 2}, {"a": 4}]
    (out,) = WithColumns.of(c=col("a")).open(context()).process(Batch.of_rows([Bid(4)], [0], lsn=1))
    assert out.columns == {"a": [4], "c": [4]}


def test_scalars_have_nothing_to_add_to():
    batch = Batch.of_rows([1, 2], [0, 0], lsn=1)
    with pytest.raises(RowFailure, match="map it to a dict"):
        WithColumns.of(c=meta.time).open(context()).process(batch)


def test_params_reach_every_step():
    limit = param("limit", int, default=5)
    rows = [{"a": 4, "b": 1}, {"a": 6, "b": 1}]
    assert main(Filter(of(col("a") > limit)), rows) == rows[1:]
    assert main(Filter(of(col("a") > limit)), rows, params={"limit": 3}) == rows
    assert main(Select.of(c=limit), rows, params={"limit": 3}) == [{"c": 3}] * 2


GOOD_TIMES = [0, -5, MAX_TIME, datetime(1970, 1, 1, tzinfo=UTC), "1970-01-02"]
BAD_TIMES = [None, MAX_TIME + 1, datetime(1970, 1, 1), "soon", 1.5, True]


@pytest.mark.parametrize("make", [of, lambda name: of(lambda row: row["t"])], ids=["field", "call"])
def test_assign_time(make):
    rows = [{"t": time} for time in GOOD_TIMES]
    batch = Batch.of_rows(rows, [7] * 5, lsn=1).marked(watermark=50)
    (out,) = AssignTime(make("t")).open(context()).process(batch)
    assert out.times == [0, -5, MAX_TIME, 0, 86_400_000]
    assert (out.rows(), out.watermark, out.min_time) == (rows, 50, -5)
    ints = Batch.of_columns({"t": [3, 2]}, [7, 7], lsn=1)
    (out,) = AssignTime(make("t")).open(context()).process(ints)
    assert out.times == [3, 2]


@pytest.mark.parametrize("make", [of, lambda name: of(lambda row: row["t"])], ids=["field", "call"])
@pytest.mark.parametrize("bad", BAD_TIMES, ids=repr)
def test_a_time_that_is_none_fails_its_row(make, bad):
    batch = Batch.of_rows([{"t": 1}, {"t": bad}, {"t": 3}], [0] * 3, lsn=1)
    with pytest.raises(RowFailure) as caught:
        AssignTime(make("t")).open(context()).process(batch)
    assert caught.value.index == 1
    assert isinstance(caught.value.cause, ConfigError)
    left, dead = AssignTime(make("t")).open(context(dead_letters=True)).process(batch)
    assert (left.times, dead.count) == ([1, 3], 1)


def test_print_writes_lines_through_the_writer(capsys):
    lines = []
    rows = [{"a": 1, "b": None}]
    assert main(Print("> ", lines.append), rows) == rows
    assert "".join(lines) == "> {'a': 1, 'b': None}\n"
    main(Print(), rows)
    assert capsys.readouterr().out == "{'a': 1, 'b': None}\n"


# ---- rows that several consumers see


def change(row):
    row["a"] = -1
    return row


@pytest.mark.parametrize("columnar", [True, False])
@pytest.mark.parametrize(
    "first",
    [
        Filter(of(col("a") > 0)),
        Filter(of(lambda row: len(row))),
        Branch.of({"x": col("a") > 0}),
        AssignTime(of("a")),
        Union(),
        Peek(of(lambda row: len(row))),
        Print(write=len),
    ],
    ids=lambda part: part.kind,
)
def test_a_step_behind_one_that_passes_shared_rows_on_changes_no_one_elses(first, columnar):
    rows = [{"a": 1, "b": 2}]
    batch = batch_of(rows, columnar=columnar)
    batch.rows()
    (passed,) = first.open(context(shared=True)).process(batch)
    (changed,) = Map(of(change)).open(context()).process(passed)
    assert changed.rows() == [{"a": -1, "b": 2}]
    assert batch.rows() == rows


# ---- descriptions


def test_required_fields():
    wanted = frozenset("x")
    part = Branch.of({"p": col("a"), "q": lambda row: row["b"]})
    for one, needed in [
        (Filter(of(col("a") > 1)), {"x", "a"}),
        (Filter(of(lambda row: row["a"] > 1)), {"x", "a"}),
        (Filter(of(lambda row: len(row))), None),
        (Map(of(lambda row: row["a"])), {"a"}),
        (Map(of(len)), None),
        (FlatMap(of(lambda row: [row["a"]])), {"a"}),
        (Select.of("a", c=col("b") + meta.time), {"a", "b"}),
        (WithColumns.of(x=col("a")), {"a"}),
        (WithColumns.of(y=col("a")), {"x", "a"}),
        (Without(("x", "y")), set()),
        (part, {"x", "a", "b"}),
        (AssignTime(of("t")), {"x", "t"}),
        (Union(), {"x"}),
        (Print(), None),
    ]:
        assert one.required(wanted) == needed, one
    assert Filter(of("a")).required(None) is None
    assert Without(("x",)).required(None) is None
    assert Select.of("a").required(None) == {"a"}


def test_descriptions_are_comparable_and_keep_nothing():
    assert Filter(of("a")) == Filter(of(col("a"))) != Filter(of("b"))
    assert Select.of("a", b=col("c")) == Select.of("a", b=col("c"))
    assert hash(Select.of("a")) == hash(Select.of("a"))
    for case in CASES.values():
        assert case.part.describe() == "keeps nothing"
        assert case.part.bound(0) == PLUS_INFINITY
        assert (case.part.stateful, case.part.margin_before, case.part.holdback) == (False, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Select.of(),
        lambda: Select.of("a", a=col("b")),
        lambda: Select.of(col("a") + 1),
        lambda: WithColumns.of(),
        lambda: Without(()),
        lambda: Without((col("a"),)),
        lambda: Branch.of({}),
        lambda: Branch.of({"rest": col("a")}),
        lambda: Branch.of({"dead_letter": col("a")}),
    ],
)
def test_wrong_use_is_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()
