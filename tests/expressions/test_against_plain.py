"""Every expression against a plain function of the row, with and without nulls.

Method: an expression and a hand-written function are drawn together (`drawn`), and a batch;
columns that happen to hold no null are declared solid or not, content is columns or rows.
"""

from __future__ import annotations

from typing import Any

import pytest
from expressions.drawn import ROWS, numbers, tests, texts
from hypothesis import event, given
from hypothesis import strategies as st
from strategies import examples

from kappa.batch import Batch
from kappa.batch.generated import source_of
from kappa.expressions import Selector, col, lit, when
from kappa.expressions.compiler import compiled, leaves_of

NAMES = ("a", "b", "x", "s", "f", "t")


@st.composite
def batches(draw):
    rows = draw(st.lists(ROWS, max_size=6))
    if draw(st.booleans()):  # no nulls: the columns are solid
        whole = {"a": 0, "b": 0, "x": 0.0, "s": "", "f": False, "t": 0}
        rows = [{n: whole[n] if v is None else v for n, v in row.items()} for row in rows]
    times = list(range(len(rows)))
    if draw(st.booleans()):
        return Batch.of_rows(rows, times, lsn=1), rows
    columns = {name: [row[name] for row in rows] for name in NAMES}
    solid = {n for n in "abxt" if len(set(map(type, columns[n]))) == 1 and None not in columns[n]}
    solid = {name for name in sorted(solid) if draw(st.booleans())}
    return Batch.of_columns(columns, times, lsn=1, solid=frozenset(solid)), rows


def same(found: list[Any], expected: list[Any]) -> bool:
    return repr(found) == repr(expected)  # tells 1, 1.0 and True apart, and -0.0 from 0.0


@examples(150)
@given(st.one_of(numbers, texts, tests), batches())
def test_values(pair, drawn):
    batch, rows = drawn
    event("solid" if batch.solid else "may be null")
    assert same(Selector.of(pair.expression).bind()(batch), [pair.plain(row) for row in rows])


@examples(150)
@given(st.one_of(numbers, tests), batches())
def test_masks_count_null_as_false(pair, drawn):
    batch, rows = drawn
    mask = Selector.of(pair.expression).bind(mask=True)(batch)
    assert [bool(one) for one in mask] == [bool(pair.plain(row)) for row in rows]


@examples(150)
@given(numbers, batches())
def test_solid_is_never_wrongly_claimed(pair, drawn):
    batch, rows = drawn
    if Selector.of(pair.expression).solid(batch):
        event("solid")
        assert {type(pair.plain(row)) for row in rows} in ({int}, {float}, set())


@examples(80)
@given(st.one_of(numbers, texts, tests))
def test_text_is_faithful(pair):
    scope = {"col": col, "lit": lit, "when": when}
    again = eval(repr(pair.expression), scope)  # noqa: S307
    assert again.same_as(pair.expression)


@pytest.mark.parametrize(
    "expression, source",
    [
        (col("a") > 100, "[(v0 > 100) for v0 in c0]"),
        (col("a") * 0.9, "[(v0 * 0.9) for v0 in c0]"),
        ((col("a") + 1) * col("b"), "[((v0 + 1) * v1) for v0, v1 in zip(c0, c1)]"),
    ],
)
def test_solid_columns_get_the_hand_written_comprehension(expression, source):
    leaves = leaves_of(expression.node)
    function, _ = compiled(expression.node, leaves, [int] * len(leaves), {})
    assert source in source_of(function)
