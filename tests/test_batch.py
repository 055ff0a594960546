"""A batch against a list of rows: whatever is picked, each row keeps all that belongs to it.

Method: a batch and a plain list of (row, time, LSN, rank, offset) go through the same drawn
operations; what the batch then says in any order of asking must be what the list says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kappa.batch import Batch, RowFailure, located
from kappa.batch.generated import build, row_maker, source_of
from kappa.errors import InternalError, UnknownField
from kappa.time import MINUS_INFINITY, PLUS_INFINITY


class Item(NamedTuple):
    row: dict[str, Any]
    time: int
    lsn: int
    rank: tuple[int, ...]
    offset: int


@st.composite
def items(draw, least=0):
    lsns = sorted(draw(st.lists(st.integers(1, 6), min_size=least, max_size=12)))
    out = []
    for number, lsn in enumerate(lsns):
        row = {"a": draw(st.integers(0, 9)), "b": draw(st.none() | st.text(max_size=2))}
        out.append(Item(row, draw(st.integers(0, 99)), lsn, (0, number), 100 + number))
    return out


def runs_of(lsns):
    return [
        (lsn, max(i for i, one in enumerate(lsns) if one == lsn) + 1) for lsn in dict.fromkeys(lsns)
    ]


def batch_of(model, *, columnar=True, ranked=True):
    times = [item.time for item in model]
    if columnar:
        columns = {name: [item.row[name] for item in model] for name in "ab"}
        batch = Batch.of_columns(columns, times, solid=frozenset("a"))
    else:
        batch = Batch.of_rows([dict(item.row) for item in model], times)
    batch.runs = runs_of([item.lsn for item in model])
    batch.ranks = [item.rank for item in model] if ranked else None
    batch.hidden = {"offset": [item.offset for item in model]}
    return batch


def compress(batch, model, draw):
    mask = [draw(st.sampled_from([True, False, None])) for _ in model]
    return batch.compress(mask), [item for item, keep in zip(model, mask) if keep]


def take(batch, model, draw):
    indices = sorted(
        draw(st.lists(st.sampled_from(range(len(model))), max_size=15)) if model else []
    )
    return batch.take(indices), [model[index] for index in indices]


def cut(batch, model, draw):
    start, stop = draw(st.integers(0, len(model))), draw(st.integers(0, len(model) + 2))
    return batch.slice(start, stop), model[start:stop]


def mark(batch, model, draw):
    return batch.marked(port=1), model


def move(batch, model, draw):
    times = [draw(st.integers(0, 99)) for _ in model]
    moved = [item._replace(time=time) for item, time in zip(model, times)]
    return batch.with_times(times), moved


def rows(batch, model, draw):
    new = [{**item.row, "a": -index} for index, item in enumerate(model)]
    return batch.with_rows(new), [item._replace(row=row) for item, row in zip(model, new)]


def columns(batch, model, draw):
    new = {"a": list(range(len(model))), "b": ["x"] * len(model)}
    rows = [{"a": index, "b": "x"} for index in range(len(model))]
    return batch.with_columns(new), [item._replace(row=row) for item, row in zip(model, rows)]


def emit(batch, model, draw):
    indices = sorted(
        draw(st.lists(st.sampled_from(range(len(model))), max_size=15)) if model else []
    )
    new = [{"a": number, "b": None} for number in range(len(indices))]
    out, seen = [], {}
    for index, row in zip(indices, new):
        number = seen[index] = seen.get(index, -1) + 1
        out.append(model[index]._replace(row=row, rank=(*model[index].rank, number)))
    return batch.emitted(indices, rows=new), out


def halves(batch, model, draw):
    at = draw(st.integers(0, len(model)))
    return Batch.concat([batch.slice(0, at), batch.slice(at, len(model))]), model


OPERATIONS = [compress, take, cut, mark, move, rows, columns, emit, halves]
QUESTIONS = {
    "times": lambda batch: batch.times,
    "runs": lambda batch: batch.runs,
    "ranks": lambda batch: batch.ranks,
    "hidden": lambda batch: batch.hidden["offset"],
    "rows": lambda batch: batch.rows(),
    "fresh": lambda batch: batch.rows(fresh=True),
    "a": lambda batch: batch.column("a"),
    "b": lambda batch: batch.column("b"),
    "lsns": lambda batch: batch.lsns(),
    "min": lambda batch: batch.min_time,
    "written": lambda batch: batch.columns_or_rows(),
}


def answers(model):
    rows = [item.row for item in model]
    written = {name: [row[name] for row in rows] for name in "ab"}
    return {
        "times": [item.time for item in model],
        "runs": runs_of([item.lsn for item in model]),
        "ranks": [item.rank for item in model],
        "hidden": [item.offset for item in model],
        "rows": rows,
        "fresh": rows,
        "a": written["a"],
        "b": written["b"],
        "lsns": [item.lsn for item in model],
        "min": min((item.time for item in model), default=PLUS_INFINITY),
        "written": ("columns", written),
    }


def check(batch, model, order):
    expected = answers(model)
    assert batch.count == len(batch) == len(model)
    for question in order:
        found = QUESTIONS[question](batch)
        if question == "written" and not model:
            # Of no rows, columns that nobody asked for may be missing.
            assert not found[1] or not any(found[1].values())
        else:
            assert found == expected[question], question


@given(st.data(), items(), st.booleans())
def test_batch_is_a_list_of_rows(data, model, columnar):
    batch = batch_of(model, columnar=columnar)
    for _ in range(data.draw(st.integers(1, 5))):
        order = data.draw(st.permutations(sorted(QUESTIONS)))
        check(batch, model, order[: data.draw(st.integers(0, 4))])
        before = batch, list(model)
        batch, model = data.draw(st.sampled_from(OPERATIONS))(batch, model, data.draw)
    check(batch, model, data.draw(st.permutations(sorted(QUESTIONS))))
    check(*before, sorted(QUESTIONS))  # what another was made from has not changed


@given(st.lists(items(least=1), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_concat_lays_batches_end_to_end(parts, columnar, ranked):
    moved, base = [], 0
    for part in parts:
        moved.append([item._replace(lsn=item.lsn + base) for item in part])
        base = max(item.lsn for item in moved[-1])
    joined = Batch.concat([batch_of(part, columnar=columnar, ranked=ranked) for part in moved])
    model = [item for part in moved for item in part]
    check(joined, model, sorted(set(QUESTIONS) - {"ranks"}))
    assert joined.ranks == ([item.rank for item in model] if ranked else None)


def test_concat_keeps_a_column_solid_only_if_it_is_of_one_type_throughout():
    parts = [
        Batch.of_columns({"a": [1], "b": [1]}, [0], lsn=1, solid=frozenset("ab")),
        Batch.of_columns({"a": [2], "b": [2.0]}, [0], lsn=2, solid=frozenset("ab")),
    ]
    assert Batch.concat(parts).solid == {"a"}


def test_concat_of_different_columns_gives_rows():
    parts = [Batch.of_columns({"a": [1]}, [0], lsn=1), Batch.of_columns({"b": [2]}, [0], lsn=2)]
    assert Batch.concat(parts).rows() == [{"a": 1}, {"b": 2}]


@given(items(least=1), st.integers(1, 9))
def test_a_fired_batch_gets_its_lsn_and_a_phase_before_its_order(model, lsn):
    order = [item.rank for item in model]
    batch = Batch.fired(times=[item.time for item in model], rows=[1] * len(model), order=order)
    assert batch.runs is None
    with pytest.raises(InternalError):
        batch.lsns()
    stamped = batch.compress([True] * len(model)).stamped(lsn, (1, 7))
    assert stamped.runs == [(lsn, len(model))]
    assert stamped.ranks == [(1, 7, *rank) for rank in order]
    assert batch.stamped(lsn).ranks is None


def test_what_is_made_of_a_side_output_goes_to_the_main_one():
    batch = Batch.of_rows([1, 2], [0, 0], lsn=1).marked(output="late", port=2, watermark=5)
    assert (batch.output, batch.port, batch.watermark) == ("late", 2, 5)
    for made in (
        batch.compress([1, 0]),
        batch.slice(0, 2),
        batch.slice(0, 1),
        batch.take([1]),
        batch.with_rows([3, 4]),
        batch.with_columns({"a": [3, 4]}),
        batch.emitted([0], rows=[3]),
        batch.lent(),
    ):
        assert (made.output, made.port, made.watermark) == ("", 2, 5)
    assert Batch.of_rows([], [], lsn=3).watermark == MINUS_INFINITY


# ---- what a row may be


@dataclass
class Bid:
    price: int
    bidder: str | None = None


def test_columns_of_dataclasses():
    batch = Batch.of_rows([Bid(1, "x"), Bid(2)], [0, 0], lsn=1)
    assert batch.column("price") == [1, 2]
    assert batch.has("bidder")
    assert not batch.has("x")
    assert batch.columns_or_rows() == ("columns", {"price": [1, 2], "bidder": ["x", None]})


def test_rows_of_different_shapes_are_written_as_rows():
    rows = [{"a": 1}, Bid(2), 3, {"b": 4}]
    batch = Batch.of_rows(rows, [0] * 4, lsn=1)
    written = [{"a": 1}, {"price": 2, "bidder": None}, 3, {"b": 4}]
    assert batch.columns_or_rows() == ("rows", written)
    assert rows[1] == Bid(2)


@pytest.mark.parametrize("rows", [[{"a": 1}, {"a": 1, "b": 2}], [{1: 2}], [{}], [{"a": 1}, {}]])
def test_only_equal_fields_become_columns(rows):
    batch = Batch.of_rows(rows, [0] * len(rows), lsn=1)
    assert batch.columns_or_rows() == ("rows", rows)


FIELD = st.text(min_size=1, max_size=5) | st.sampled_from(
    ["'", '"', "\\", "\n", "\x00", "é", "{x}"]
)


@given(st.lists(FIELD, unique=True, max_size=6), st.integers(0, 3))
def test_rows_of_any_field_names(names, count):
    columns = {name: [f"{name}{index}" for index in range(count)] for name in names}
    batch = Batch.of_columns(columns, [0] * count, lsn=1)
    assert batch.rows() == [{name: f"{name}{i}" for name in names} for i in range(count)]
    assert all(list(row) == names for row in batch.rows())


def test_generated_source_shows_in_tracebacks():
    assert "{'a': v0, 'b': v1} for v0, v1 in zip(c0, c1)" in source_of(row_maker(("a", "b")))
    with pytest.raises(NameError):
        build("def f(): return open", "f")()


# ---- missing fields


def missing(batch, name):
    with pytest.raises(RowFailure) as caught:
        batch.column(name)
    assert isinstance(caught.value.cause, UnknownField)
    return caught.value


def test_a_missing_field_names_the_row_the_known_fields_and_a_close_one():
    rows = [{"price": 1}, {"prise": 2, "bidder": 3}]
    failure = missing(Batch.of_rows(rows, [0, 0], lsn=5), "price")
    assert (failure.index, failure.lsn, failure.row) == (1, 5, rows[1])
    text = "unknown field 'price'; known fields: bidder, prise; did you mean 'prise'?"
    assert str(failure.cause) == text
    assert failure.cause.field == "price"


def test_a_missing_column_names_all_that_is_stored():
    batch = Batch.of_columns({"a": [1]}, [0], lsn=1, known=("a", "price"))
    assert "known fields: a, price" in str(missing(batch.compress([True]), "pric").cause)
    assert Batch.of_columns({}, [], lsn=1).column("x") == []


def test_a_scalar_has_no_fields():
    failure = missing(Batch.of_rows([{"a": 1}, 7], [0, 0], lsn=1), "a")
    assert failure.index == 1
    assert "the row is a int, which has no fields" in str(failure.cause)


@pytest.mark.parametrize("rows", [[{"a": 1}, {}], [{"a": 1}, Bid(1)], [{"a": 1}, 7]])
def test_a_default_stands_in_for_a_missing_field_but_not_for_none(rows):
    batch = Batch.of_rows([*rows, {"a": None}], [0] * 3, lsn=1)
    assert batch.column("a", 5) == [1, 5, None]
    missing(batch, "a")  # the default was not kept


def test_a_column_default():
    batch = Batch.of_columns({"a": [None]}, [0], lsn=1)
    assert (batch.column("a", 5), batch.column("b", 5)) == ([None], [5])
    missing(batch, "b")


# ---- sharing


@pytest.mark.parametrize("columnar", [True, False])
def test_fresh_rows_are_nobody_elses(columnar):
    batch = batch_of([Item({"a": 1, "b": "x"}, 0, 1, (0,), 0)], columnar=columnar)
    kept = batch.rows()
    batch.rows(fresh=True)[0]["a"] = 9
    assert kept[0]["a"] == batch.rows()[0]["a"] == batch.column("a")[0] == 1


@pytest.mark.parametrize("columnar", [True, False])
def test_lent_rows_are_copied_before_they_can_be_changed(columnar):
    batch = batch_of([Item({"a": 1, "b": "x"}, 0, 1, (0,), 0)] * 2, columnar=columnar)
    batch.rows()
    for lent in (batch.lent(), batch.lent().compress([True, False]), batch.lent().marked()):
        lent.rows()[0]["a"] = 9
        assert lent.rows()[0]["a"] == 9
        assert batch.rows()[0]["a"] == 1


def test_fresh_dataclasses():
    batch = Batch.of_rows([Bid(1)], [0], lsn=1)
    batch.rows(fresh=True)[0].price = 9
    assert batch.rows() == [Bid(1)]


# ---- failures


def test_located_says_which_row_failed_and_calls_nothing_twice():
    calls = []

    def function(row):
        calls.append(row)
        return 6 // row

    with pytest.raises(RowFailure) as caught:
        located(function, [1, 2, 0, 3])
    assert (caught.value.index, caught.value.done) == (2, [6, 3])
    assert isinstance(caught.value.cause, ZeroDivisionError)
    assert calls == [1, 2, 0]
    assert str(caught.value).startswith("row 2: ZeroDivisionError: ")


def test_a_stop_iteration_is_a_failure_and_not_the_end():
    with pytest.raises(RowFailure) as caught:
        located(lambda row: next(iter([])), [1, 2])
    assert caught.value.index == 0


def test_wrong_sizes_are_bugs():
    batch = Batch.of_rows([1], [0], lsn=1)
    for wrong in (
        lambda: batch.with_rows([]),
        lambda: batch.with_times([]),
        lambda: batch.emitted([0]),
        lambda: batch.emitted([0], rows=[1], times=[]),
        lambda: Batch.fired(times=[]),
        lambda: Batch.concat([batch, batch.marked(port=1)]),
        lambda: Batch.concat([batch, Batch.fired(times=[0], rows=[1])]),
    ):
        with pytest.raises(InternalError):
            wrong()
