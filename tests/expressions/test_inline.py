"""Functions written out over columns: the same values and errors as calling them.

Method: functions drawn as source, written to a file and imported, are computed over columns
and called row by row. Then what must not be written out, and what changes around a function.
"""

from __future__ import annotations

import linecache
import types

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kappa.batch import Batch, RowFailure
from kappa.expressions.called import BoundFunction
from kappa.expressions.inline import inlined
from kappa.expressions.reads import reads_of

RATE = 0.5
HELD = [1]
FIELDS = ("a", "b", "c")
VALUES = st.sampled_from([0, 1, -3, 7, 2.5, True, None, "x", "", (1, 2), float("inf")])

literals = st.sampled_from(["0", "1", "2.5", "'x'", "None", "True", "-3", "2**2"])
fields = st.sampled_from(["row['a']", "row['b']", "row['c']", "row.get('a')", "row.get('b', 0)"])
texts = st.recursive(
    st.one_of(fields, fields, literals, st.just("RATE")),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*/%<>"), inner, inner).map(
            lambda t: f"({t[1]} {t[0]} {t[2]})"
        ),
        st.tuples(st.sampled_from(["and", "or", "==", "in", "<="]), inner, inner).map(
            lambda t: f"({t[1]} {t[0]} {t[2]})"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, ({t[1]},)]"),
        inner.map(lambda one: f"(not {one})"),
        inner.map(lambda one: f"({one})[0]"),
        st.tuples(inner, inner).map(lambda t: f"{{'p': {t[0]}, 'q': {t[1]}}}"),
    ),
    max_leaves=7,
)


def made(text: str, number: int = 0) -> types.FunctionType:
    """A function from source, as if it stood in a file."""
    name = f"<drawn {number} {hash(text)}>"
    linecache.cache[name] = (len(text), None, [f"f = lambda row: {text}\n"], name)
    scope: dict = {"RATE": RATE}
    exec(compile(linecache.cache[name][2][0], name, "exec"), scope)
    return scope["f"]


def by_calling(function, rows) -> tuple[list, str | None]:
    done: list = []
    for row in rows:
        try:
            done.append(function(dict(row)))
        except Exception as error:
            return done, repr(error)
    return done, None


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(texts, st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=6))
def test_written_out_and_called_are_the_same(text, values):
    function = made(text)
    batch = Batch.of_columns(
        {name: [row[n] for row in values] for n, name in enumerate(FIELDS)},
        [0] * len(values),
        lsn=1,
    )
    bound = BoundFunction(function, reads_of(function), fresh=False)
    assume(bound.inline is not None)  # constants that Python has folded or has doubts about
    want, error = by_calling(function, batch.rows(fresh=True))
    for compute in (bound, bound.all_or_none):
        fresh = Batch.of_columns(dict(batch.columns), [0] * len(values), lsn=1)
        if error is None:
            assert repr(compute(fresh)) == repr(want)
            continue
        with pytest.raises(RowFailure) as caught:
            compute(fresh)
        assert (caught.value.index, repr(caught.value.cause)) == (len(want), error)
    columns = bound.columns(Batch.of_columns(dict(batch.columns), [0] * len(values), lsn=1))
    if columns is not None:
        assert error is None
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        assert repr(rows) == repr(want)
    elif error is None:
        assert not all(type(one) is dict for one in want) or not text.startswith("{")


def decorated(function):
    return lambda row: function(row)


def with_a_docstring(row):
    """Half the price."""
    return row["a"] * RATE


@decorated
def wrapped(row):
    return row["a"]


def two_statements(row):
    total = row["a"] + 1
    return total * total


NOT_WRITTEN = [
    lambda row: print(row["a"]),
    lambda row: abs(row["a"]),
    lambda row: f"{row['a']}",
    lambda row: [x + 1 for x in row["a"]],
    lambda row: {**row["a"]},
    lambda row: row["a"].real,
    lambda row: (lambda: 1)() + row["a"],
    lambda row, more=1: row["a"] + more,
    lambda row: row["a"] + b"x",
    wrapped,
    two_statements,
    len,
]


@pytest.mark.parametrize("function", NOT_WRITTEN, ids=range(len(NOT_WRITTEN)))
def test_what_is_more_than_an_expression_is_called(function):
    assert inlined(function, ["a"]) is None


def test_a_function_with_one_return_is_written_out():
    assert inlined(with_a_docstring, ["a"]).value == "v0 * k0"


def test_two_functions_in_a_line_are_told_apart():
    one, other = (lambda row: row["a"] + 1), (lambda row: row["a"] + 2)
    assert [inlined(each, ["a"]).value for each in (one, other)] == ["v0 + 1", "v0 + 2"]


def test_an_edited_file_does_not_mislead():
    function = made("row['a'] + 1", number=1)
    name = function.__code__.co_filename
    linecache.cache[name] = (0, None, ["f = lambda row: row['a'] + 2\n"], name)
    assert inlined(function, ["a"]) is None


def values_of(bound: BoundFunction) -> list:
    return bound.all_or_none(Batch.of_columns({"a": [1, 2]}, [0, 0], lsn=1))


def test_names_from_around_count_as_they_are_by_now(monkeypatch):
    factor = 10

    def change(to):
        nonlocal factor
        factor = to

    bound = BoundFunction(lambda row: row["a"] * factor + RATE, frozenset("a"), fresh=False)
    assert bound.inline is not None
    assert values_of(bound) == [10.5, 20.5]
    change(100)
    monkeypatch.setitem(globals(), "RATE", 1)
    assert values_of(bound) == [101, 201]


def test_what_may_change_under_way_is_left_to_the_call():
    bound = BoundFunction(lambda row: [row["a"], *HELD], frozenset("a"), fresh=False)
    assert values_of(bound) == [[1, 1], [2, 1]]
    held = BoundFunction(lambda row: HELD, frozenset(), fresh=False)
    assert values_of(held)[0] is HELD
    unset = BoundFunction(lambda row: row["a"] + NOT_SET, frozenset("a"), fresh=False)  # noqa: F821
    with pytest.raises(RowFailure, match="NOT_SET"):
        values_of(unset)


def test_an_error_is_the_functions_own():
    bound = BoundFunction(lambda row: 1 // (row["a"] - 2), frozenset("a"), fresh=False)
    assert bound.inline is not None
    with pytest.raises(RowFailure) as caught:
        values_of(bound)
    frames = caught.value.cause.__traceback__
    while frames.tb_next is not None:
        frames = frames.tb_next
    assert frames.tb_frame.f_code is bound.function.__code__
    assert caught.value.index == 1


def test_columns_pass_through_and_mutable_results_are_each_rows_own():
    bound = BoundFunction(
        lambda row: {"a": row["a"], "n": 5, "new": []}, frozenset("a"), fresh=False
    )
    batch = Batch.of_columns({"a": [1, 2]}, [0, 0], lsn=1)
    columns = bound.columns(batch)
    assert columns["a"] is batch.column("a")
    assert columns["n"] == [5, 5]
    assert columns["new"][0] is not columns["new"][1]
    assert bound.passed == {"a": "a"}
