"""Which fields a function reads: a set only where no doubt is left.

Method: functions whose every use of the row is a constant read, and functions with one use
that is not; then functions drawn at random are run on rows cut down to what they are said
to read.
"""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kappa.expressions.reads import is_lazy, reads_of

TABLE = {"a": 1}
HELD = []


def two(row, factor=2):
    total = 0
    for _ in range(factor):
        total += row["a"] if row["b"] else row["a"] + 1
    try:
        return total / row["c"]
    except ZeroDivisionError:
        return None


def generator(row):
    yield row["a"]
    yield row["b"]


READ = [
    (lambda row: row["a"], {"a"}),
    (lambda row: row["a"] + row["b"] * row["a"], {"a", "b"}),
    (lambda row: {"x": row["a"], "y": [row["b"]]}, {"a", "b"}),
    (lambda row: TABLE[row["a"]], {"a"}),
    (lambda row: f"{row['a']:>5}" if row["b"] else "row", {"a", "b"}),
    (lambda row: [x for x in row["a"] if x], {"a"}),
    (lambda row: row["a"]["b"], {"a"}),
    (lambda row: row["a"].get("b"), {"a"}),
    (lambda row: row.get("a"), {"a"}),
    (lambda row: row.get("a", 0) + (row.get("b") or 1), {"a", "b"}),
    (lambda row: TABLE.get(row["a"], row["b"]), {"a", "b"}),
    (lambda row: 1, set()),
    (two, {"a", "b", "c"}),
    (generator, {"a", "b"}),
]

DOUBT = [
    lambda row: row,
    lambda row: row[TABLE],
    lambda row: row[0],
    lambda row: {**row, "x": 1},
    lambda row: len(row) + row["a"],
    lambda row: "a" in row,
    lambda row: row.pop("a"),
    lambda row: row.get,
    lambda row: max(row.get, "a"),
    lambda row: max(row.get, "a", "b"),
    lambda row: row.get(TABLE),
    lambda row: row.get("a", TABLE),
    lambda row: row.get(*["a"]),
    lambda row: row.get("a", default=1),
    lambda row: row.setdefault("a", 1),
    lambda row: HELD.append(row) or row["a"],
    lambda row: lambda: row["a"],
    lambda row: (row["a"] for _ in range(2)),
    lambda row: row["a"] if row else 0,
    lambda row: locals()["row"],
    lambda row: eval("row"),  # noqa: S307
    lambda row: sys._getframe().f_locals,
    lambda row: row.price,
    lambda *rows: rows[0]["a"],
    lambda: 1,
    len,
    str.lower,
    print,
    type("Callable", (), {"__call__": lambda self, row: row["a"]})(),
]


def writes(row):
    row["a"] = 1


def grows(row):
    row["a"] += 1
    return row["a"]


def deletes(row):
    del row["a"]


def rebinds(row):
    row = TABLE
    return row["a"]


def drops(row):
    value = row["a"]
    del row
    return value


async def waits(row):
    return row["a"]


@pytest.mark.parametrize("function, fields", READ)
def test_constant_reads_are_known(function, fields):
    assert reads_of(function) == fields


@pytest.mark.parametrize("function", [*DOUBT, writes, grows, deletes, rebinds, drops])
def test_any_other_use_means_all_fields(function):
    assert reads_of(function) is None


def test_a_branch_may_be_known_or_not():
    assert reads_of(lambda row: (row if TABLE else TABLE)["a"]) in ({"a"}, None)


def test_an_inner_row_is_not_the_row():
    assert reads_of(lambda row: [row["b"] for row in row["a"]]) in ({"a"}, None)


def test_what_reads_later_is_lazy():
    assert is_lazy(generator)
    assert is_lazy(waits)
    assert not is_lazy(two)


FIELDS = "abcd"
TERMS = st.recursive(
    st.sampled_from([f"row['{name}']" for name in FIELDS])
    | st.sampled_from([f"row.get('{name}', 7)" for name in FIELDS])
    | st.integers(0, 9).map(str),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} > 3 else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"max([{t[0]} for _ in range(2)] + [{t[1]}])"),
        inner.map(lambda t: f"(lambda other: other + 1)({t})"),
    ),
    max_leaves=8,
)


@given(TERMS, st.fixed_dictionaries({name: st.integers(0, 9) for name in FIELDS}))
def test_a_row_of_the_read_fields_is_as_good_as_the_whole(text, row):
    function = eval(f"lambda row: {text}")  # noqa: S307
    fields = reads_of(function)
    if fields is None:  # where an inner scope holds the row
        assert "for _" in text
        return
    assert function({name: row[name] for name in fields}) == function(row)
