"""Many rows at once are judged as each by itself is by `Schema.check`, however they come.

`check` goes value by value and knows nothing of columns; what is stored has to fit once more,
equal what was given, and have floats where ints stood for them.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemas import drawn

from kappa import Log
from kappa.codec import encode
from kappa.codec.columns import solid
from kappa.errors import SchemaViolation
from kappa.schemas import Field, Fitting, Float, Int, Schema, String, optional

ODD = st.sampled_from([None, True, 7, 1 << 40, 1 << 70, 0.5, "x", b"x", [], {}, [None], {"a": 1}])


@st.composite
def some_rows(draw: st.DrawFn) -> tuple[Schema, list[Any]]:
    """A schema and rows of it, in some of which a field is another value, missing or more."""
    schema = draw(drawn.with_defaults())
    rows = draw(st.lists(drawn.values(schema.root, schema.names), min_size=1, max_size=4))
    for row in rows:
        if row and draw(st.integers(0, 3)) == 0:
            name = draw(st.sampled_from(sorted(row)))
            if draw(st.booleans()):
                row[name] = draw(ODD)
            else:
                del row[name]
        if draw(st.integers(0, 7)) == 0:
            row["more"] = 1
    return schema, rows


@given(some_rows())
def test_rows_and_columns_are_judged_as_each_row_is_by_itself(found: tuple[Schema, list[Any]]):
    schema, rows = found
    fitting = Fitting(schema)
    misfits = [at for at, row in enumerate(rows) if schema.check(row)]
    made = fitting.rows(rows)
    assert (made is None) is bool(misfits)
    assert sorted({one.row for one in fitting.problems(rows)}) == misfits
    names = {tuple(sorted(row)) for row in rows}
    if len(names) == 1 and rows[0]:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        known = frozenset(name for name, column in columns.items() if solid(column))
        for told in (frozenset(), known):
            fitted = fitting.columns(columns, len(rows), told)
            assert (fitted is None) is bool(misfits)
            if fitted is not None:
                again = [{name: fitted[name][at] for name in fitted} for at in range(len(rows))]
                assert [encode(dict(sorted(one.items()))) for one in again] == [
                    encode(dict(sorted(one.items()))) for one in made or ()
                ]
    for row, stored in zip(rows, made or rows, strict=True):
        if fitting.whole(row):
            assert made is None or encode(stored) == encode(row)
            assert schema.check(row) == []


@pytest.mark.parametrize("count", [1, 7, 8, 100])
@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("n", (1 << 63) - 1, (1 << 63) - 1),
        ("n", 1 << 63, None),
        ("n", True, None),
        ("n", 1.0, None),
        ("small", 1 << 31, None),
        ("x", 3, 3.0),
        ("x", "3", None),
        ("maybe", None, None),
        ("maybe", 5, None),
    ],
)
def test_each_size_of_append_takes_and_refuses_the_same(
    count: int, field: str, value: Any, stored: Any
):
    schema = Schema.record("R", [Field("n", Int()), Field("small", Int(32)), Field("x", Float()),
                                 Field("maybe", optional(String()))])  # fmt: skip
    fine = {"n": 1, "small": 2, "x": 0.5, "maybe": "x"}
    rows = [dict(fine) for _ in range(count)]
    rows[-1][field] = value
    with Log.memory() as log:
        log.create_topic("t", schema=schema)
        if stored is None and not (field == "maybe" and value is None):
            with pytest.raises(SchemaViolation, match=f"'{field}' of row {count - 1}"):
                log.append("t", rows)
        else:
            log.append("t", rows)
            last = list(log.read("t"))[-1].value[field]
            assert (type(last), last) == (type(stored), stored)
