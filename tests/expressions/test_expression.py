"""Expressions by hand: their texts, what they refuse, and what fails on a row."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kappa.batch import Batch, RowFailure
from kappa.errors import ConfigError, UnknownField
from kappa.expressions import Selector, asc, col, desc, left, lit, meta, param, right, secret, when


def values(expression, columns, *, params=None, solid=(), times=None, hidden=None):
    count = len(next(iter(columns.values()))) if columns else len(times or [0])
    batch = Batch.of_columns(columns, times or [0] * count, lsn=7, solid=frozenset(solid))
    batch.hidden = hidden or {}
    return Selector.of(expression).bind(params)(batch)


TEXTS = [
    (col("a") + 1, "(col('a') + 1)"),
    (1 - col("a"), "(1 - col('a'))"),
    (col("a") ** 2 % 3, "((col('a') ** 2) % 3)"),
    (2 ** col("a"), "(2 ** col('a'))"),
    (7 % col("a") // 2, "((7 % col('a')) // 2)"),
    (7 // col("a") / 2, "((7 // col('a')) / 2)"),
    (1 / col("a"), "(1 / col('a'))"),
    (3 + col("a") * -col("b"), "(3 + (col('a') * (-col('b'))))"),
    (col("a", default=0), "col('a', default=0)"),
    (col("a", default=None), "col('a', default=None)"),
    (~(col("a") == "x") | True, "((~(col('a') == 'x')) | True)"),
    (True & col("a"), "(True & col('a'))"),
    (False | col("a"), "(False | col('a'))"),
    (col("a").is_in({"b", "a", 1}), "col('a').is_in([1, 'a', 'b'])"),
    (col("a").is_in([2, 1]), "col('a').is_in([2, 1])"),
    (col("a").between(1, 2), "col('a').between(1, 2)"),
    (col("a").cast(int).abs().round(2), "col('a').cast(int).abs().round(2)"),
    (col("a").fill_null(0).is_null(), "col('a').fill_null(0).is_null()"),
    (col("a").not_null(), "(~col('a').is_null())"),
    (col("a").str.extract(r"(\d)", 1), r"col('a').str.extract('(\\d)', 1)"),
    (col("a").str.matches("x"), "col('a').str.matches('x')"),
    (col("a").str.slice(1), "col('a').str.slice(1)"),
    (meta.time.dt.truncate("15m"), "meta.time.dt.truncate('15m')"),
    (meta.time.dt.truncate("day"), "meta.time.dt.truncate('1d')"),
    (
        meta.time.dt.truncate("week", zone="Europe/Berlin"),
        "meta.time.dt.truncate('week', zone='Europe/Berlin')",
    ),
    (meta.time.dt.format("%Y"), "meta.time.dt.format('%Y')"),
    (param("limit", int, default=5), "param('limit', int, default=5)"),
    (param("limit", float), "param('limit', float)"),
    (secret("TOKEN"), "secret('TOKEN')"),
    (left("a") == right("b"), "(left('a') == right('b'))"),
    (col("a").named("b"), "col('a').named('b')"),
    (lit(Decimal("1.0")), "lit(Decimal('1.0'))"),
    (
        when(col("a") > 1).then("x").when(col("b")).then(None).otherwise(col("c")),
        "when((col('a') > 1)).then('x').when(col('b')).then(lit(None)).otherwise(col('c'))",
    ),
]


@pytest.mark.parametrize("expression, text", TEXTS, ids=[text for _, text in TEXTS])
def test_text(expression, text):
    assert repr(expression) == text


def test_expressions_are_told_apart():
    expressions = [expression for expression, _ in TEXTS]
    for number, one in enumerate(expressions):
        assert [one.same_as(other) for other in expressions].index(True) == number
    assert not (col("a") == 1).same_as(col("a") == True)  # noqa: E712
    assert not (col("a") == 1).same_as(col("a") == 1.0)
    assert not col("a").same_as("col('a')")


def test_what_an_expression_reads():
    expression = col("a") + meta.offset * col("b") + param("p", int) + left("x")
    assert expression.fields == {"a", "b"}
    assert expression.metas == {"offset"}
    assert [one.name for one in expression.params] == ["p"]
    assert expression.sides == {("left", "x")}
    moved = (left("x") > right("x")).replaced({("left", "x"): "x", ("right", "x"): "x_right"})
    assert repr(moved) == "(col('x') > col('x_right'))"


# ---- wrong use


class Colour(enum.IntEnum):
    RED = 1


WRONG = [
    (lambda: bool(col("a") > 1), r"combine conditions with &, \| and ~"),
    (lambda: 1 < col("a") < 5, "between"),
    (lambda: col("a") and col("b"), "no truth value"),
    (lambda: col("a") in [1, 2], "is_in"),
    (lambda: col("a") == None, r"is_null\(\)"),  # noqa: E711
    (lambda: col("a") + len, "a function stands alone"),
    (lambda: col("a") - [1], "cannot stand in an expression"),
    (lambda: col("a") + Colour.RED, "cannot stand in an expression"),
    (lambda: list(col("a")), "not a sequence"),
    (lambda: col(""), "name of a field"),
    (lambda: col(1), "name of a field"),
    (lambda: col("a", default=[]), "cannot stand"),
    (lambda: col("a").is_in("abc"), "list of constants"),
    (lambda: col("a").is_in([None]), "is_null"),
    (lambda: col("a").cast(list), "int, float, str or bool"),
    (lambda: col("a").named(""), "give a text"),
    (lambda: col("a").str.extract("("), "regular expression"),
    (lambda: col("a").str.extract("a"), "no group 1"),
    (lambda: col("a").str.split("", 0), "separator"),
    (lambda: col("a").str.count(""), "a text to look for"),
    (lambda: meta.time.dt.hour(zone="Mars/Olympus"), "unknown time zone"),
    (lambda: meta.time.dt.truncate("fortnight"), "unit is 'fortnight'"),
    (lambda: meta.time.dt.truncate(0), "at least"),
    (lambda: param("p", list), "a type of"),
    (lambda: param("", int), "give a name"),
    (lambda: param("p", int, default="x"), "declared as int"),
    (lambda: param("p", int, default=True), "declared as int"),
    (lambda: secret(""), "environment variable"),
    (lambda: asc(len), "a field or an expression"),
    (lambda: Selector.of(when(col("a"))), "needs a value"),
    (lambda: Selector.of(5), "give the name of a field"),
    (lambda: Selector.of(["a", len]), "one of several"),
    (lambda: Selector.of(["a", "a"]), "same name"),
]


@pytest.mark.parametrize("wrong, message", WRONG, ids=[message for _, message in WRONG])
def test_wrong_use_says_what_to_do(wrong, message):
    with pytest.raises(ConfigError, match=message):
        wrong()


def test_expressions_are_frozen_and_cannot_be_hashed():
    with pytest.raises(AttributeError):
        col("a").node = None
    with pytest.raises(TypeError):
        hash(col("a"))


# ---- values that the drawn tests do not reach


def test_facts_of_the_record():
    hidden = {"topic": ["bids", "bids"], "partition": [0, 1], "offset": [5, 6]}
    columns, times = {"a": [1, 2]}, [10, 20]
    for expression, expected in [
        (meta.time, [10, 20]),
        (meta.lsn + 0, [7, 7]),
        (meta.topic.str.upper(), ["BIDS", "BIDS"]),
        (meta.offset - meta.partition, [5, 5]),
    ]:
        assert values(expression, columns, times=times, hidden=hidden) == expected
    with pytest.raises(RowFailure, match=r"unknown field 'meta\.append_time'; known"):
        values(meta.append_time, columns)


def test_params_are_given_or_default_and_of_their_type():
    limit = param("limit", float, default=2)
    assert values(col("a") * limit, {"a": [1, 2]}) == [2.0, 4.0]
    assert values(col("a") * limit, {"a": [1, 2]}, params={"limit": 3}) == [3.0, 6.0]
    assert values(param("p", str, default=None), {"a": [1]}) == [None]
    with pytest.raises(ConfigError, match="'limit' is 'x' \\(str\\)"):
        values(limit, {"a": [1]}, params={"limit": "x"})
    with pytest.raises(ConfigError, match="no default: give params="):
        values(param("p", int), {"a": [1]})


def test_secrets_are_read_when_opened_and_never_shown(monkeypatch):
    selector = Selector.of(col("a") + secret("KAPPA_TEST_TOKEN"))
    with pytest.raises(ConfigError, match="no variable of that name"):
        selector.bind()
    monkeypatch.setenv("KAPPA_TEST_TOKEN", "hush")
    bound = selector.bind()
    assert bound(Batch.of_columns({"a": ["x"]}, [0], lsn=1)) == ["xhush"]
    with pytest.raises(RowFailure) as caught:
        bound(Batch.of_columns({"a": [1]}, [0], lsn=1))
    assert "hush" not in repr(selector) + str(caught.value)


def test_expressions_without_columns():
    assert values(lit(1) + 1, {"a": [0, 0]}) == [2, 2]
    assert values(lit("x"), {"a": [0, 0]}) == ["x", "x"]
    assert values(lit(None), {"a": [0]}) == [None]
    assert values(lit(None) + 1, {"a": [0]}) == [None]


def test_times_of_instants_dates_and_zones():
    noon = datetime(2024, 7, 1, 12, tzinfo=UTC)
    instant = int(noon.timestamp() * 1000)
    columns = {"ts": [instant, noon, None]}
    assert values(col("ts").dt.hour(), columns) == [12, 12, None]
    assert values(col("ts").dt.hour(zone="Europe/Berlin"), columns) == [14, 14, None]
    assert values(col("ts").dt.date(), columns) == [date(2024, 7, 1)] * 2 + [None]
    assert values(col("ts").dt.format("%H:%M", zone="Asia/Kolkata"), columns)[0] == "17:30"
    assert values(col("ts").dt.weekday(), columns) == [0, 0, None]
    day = values(col("ts").dt.truncate("day", zone="Europe/Berlin"), columns)
    assert day[:2] == [instant - 14 * 3_600_000, datetime(2024, 6, 30, 22, tzinfo=UTC)]
    assert values(col("d").dt.year(), {"d": [date(2020, 5, 1)]}) == [2020]
    with pytest.raises(RowFailure, match="has no time zone"):
        values(col("ts").dt.hour(), {"ts": [datetime(2024, 7, 1)]})
    with pytest.raises(RowFailure, match="is no instant"):
        values(col("ts").dt.hour(), {"ts": [1.5]}, solid="ts")


@pytest.mark.parametrize(
    "unit, start",
    [
        ("day", (2024, 3, 31)),
        ("1d", (2024, 3, 31)),
        ("week", (2024, 3, 25)),
        ("month", (2024, 3, 1)),
        ("quarter", (2024, 1, 1)),
        ("year", (2024, 1, 1)),
    ],
)
def test_calendar_units_over_a_change_to_summer_time(unit, start):
    zone = "Europe/Berlin"
    at = datetime(2024, 3, 31, 12, tzinfo=UTC)  # the clocks went forward at 01:00 UTC
    (found,) = values(col("t").dt.truncate(unit, zone=zone), {"t": [at]})
    assert (found.year, found.month, found.day, found.hour) == (*start, 0)
    assert found.utcoffset().total_seconds() == 3600


def test_fixed_units_count_from_the_zones_midnight():
    at = datetime(2024, 1, 1, 0, 10, tzinfo=UTC)
    (found,) = values(col("t").dt.truncate("1h", zone="Asia/Kolkata"), {"t": [at]})
    assert found == datetime(2023, 12, 31, 23, 30, tzinfo=UTC)


PARTS = ["hour", "minute", "second", "weekday", "year", "month", "day", "date"]


@pytest.mark.parametrize("at", [0, -1, 1_700_000_000_123, 10**15, -(10**18), 10**30])
@pytest.mark.parametrize("part", [*PARTS, "truncate"])
def test_what_a_row_gives_does_not_depend_on_nulls_beside_it(part, at):
    argument = ["15m"] if part == "truncate" else []
    expression = getattr(col("t").dt, part)(*argument)

    def outcome(columns, solid):
        try:
            return values(expression, columns, solid=solid)[0]
        except RowFailure as failure:
            return repr(failure.cause)

    assert outcome({"t": [at]}, "t") == outcome({"t": [at, None]}, "")


def test_text_becomes_a_bool_by_what_it_says():
    columns = {"a": ["true", "No", " 0 ", "", None]}
    with pytest.raises(RowFailure, match="neither true nor false"):
        values(col("a").cast(bool), columns)
    columns["a"][3] = "y"
    assert values(col("a").cast(bool), columns) == [True, False, False, True, None]


def test_shapes_of_columns_beyond_what_variants_are_kept_for():
    names = "abcdef"
    expression = sum((col(name) for name in names[1:]), col("a"))
    bound = Selector.of(expression).bind()
    for mask in range(64):
        solid = frozenset(name for bit, name in enumerate(names) if mask >> bit & 1)
        row = {name: [1 if name in solid else None] for name in names}
        batch = Batch.of_columns(row, [0], lsn=1, solid=solid)
        assert bound(batch) == ([6] if len(solid) == 6 else [None])


# ---- rows that fail


@pytest.mark.parametrize("solid", [(), ("a", "b")])
def test_division_by_zero_fails_on_its_row(solid):
    with pytest.raises(RowFailure) as caught:
        values(col("a") / col("b"), {"a": [1, 2, 3], "b": [1, 0, 0]}, solid=solid)
    assert (caught.value.index, caught.value.done) == (1, [1.0])
    assert isinstance(caught.value.cause, ZeroDivisionError)
    assert (caught.value.lsn, caught.value.row) == (7, {"a": 2, "b": 0})


def test_a_wrong_type_fails_on_its_row():
    with pytest.raises(RowFailure, match="row 2: TypeError"):
        values(col("a") > 1, {"a": [1, None, "x"]})


def test_a_condition_keeps_what_is_behind_it_from_failing():
    safe = (col("b") != 0) & (col("a") / col("b") > 1)
    assert values(safe, {"a": [4, 4], "b": [2, 0]}) == [True, False]
    case = when(col("b") != 0).then(col("a") / col("b")).otherwise(0)
    assert values(case, {"a": [4, 4], "b": [2, 0]}) == [2.0, 0]


def test_an_unknown_field_says_which_there_are():
    with pytest.raises(RowFailure) as caught:
        values(col("prise") > 1, {"price": [1], "bidder": [2]})
    assert isinstance(caught.value.cause, UnknownField)
    assert str(caught.value.cause).endswith("known fields: bidder, price; did you mean 'price'?")


def test_a_default_stands_in_for_a_missing_field():
    batch = Batch.of_rows([{"a": 1}, {}, {"a": None}], [0] * 3, lsn=1)
    assert Selector.of(col("a", default=5) + 1).bind()(batch) == [2, 6, None]
    assert Selector.of(col("a", default=5)).bind()(batch) == [1, 5, None]


def test_the_sides_of_a_join_have_no_meaning_elsewhere():
    with pytest.raises(ConfigError, match="only in a join"):
        values(left("a") + 1, {"a": [1]})


def test_a_traceback_shows_the_generated_line():
    with pytest.raises(RowFailure) as caught:
        values(col("a") / 0, {"a": [1]})
    import traceback

    text = "".join(traceback.format_exception(caught.value))
    assert "(v0 / 0)" in text


# ---- selectors


def test_names_of_a_selector():
    assert Selector.of("a").names == ("a",)
    assert Selector.of(col("a") + 1).names == ("key",)
    assert Selector.of((col("a") + 1).named("b")).name == "b"
    assert Selector.of(col("a") + 1, name="c").name == "c"
    assert Selector.of(["a", (col("b") + 1).named("c")]).names == ("a", "c")
    assert Selector.of(len).names == ("key",)
    assert Selector.of(()).names == ()
    assert Selector.of(["a"]).names == ("a",)
    assert left("x").name == "x"


def test_fields_of_a_selector():
    assert Selector.of("a").fields == {"a"}
    assert Selector.of(["a", (col("b") * meta.offset).named("c")]).fields == {"a", "b"}
    assert Selector.of(["a", (col("b") * meta.offset).named("c")]).metas == {"offset"}
    assert Selector.of(lambda row: row["a"]).fields == {"a"}
    assert Selector.of(lambda row: len(row)).fields is None
    assert Selector.of(()).fields == frozenset()


def test_selectors_are_compared_by_text_or_function():
    def function(row):
        return row

    assert Selector.of("a") == Selector.of(col("a"))
    assert Selector.of("a") != Selector.of("a", name="b")
    assert Selector.of(function) == Selector.of(function)
    assert Selector.of(lambda row: row) != Selector.of(lambda row: row)
    assert Selector.of(["a", "b"]) == Selector.of(("a", "b"))
    assert len({Selector.of("a"), Selector.of(col("a")), Selector.of(function)}) == 2
    assert Selector.of("a") != "a"
    assert Selector.of(Selector.of("a"), name="b").name == "b"


def test_texts_of_selectors():
    assert repr(Selector.of("a")) == "col('a')"
    assert repr(Selector.of("a", name="b")) == "col('a').named('b')"
    assert repr(Selector.of(["a", "b"])) == "(col('a'), col('b'))"
    assert repr(Selector.of(len)) == "<function len>"
    assert repr(desc("a")) == "desc(col('a'))"
    assert asc("a") == asc(col("a"))
    assert asc("a") != desc("a")


def test_several_give_tuples():
    batch = Batch.of_columns({"a": [1, 2], "b": ["x", "y"]}, [0, 0], lsn=1)
    assert Selector.of(["a", "b"]).bind()(batch) == [(1, "x"), (2, "y")]
    assert Selector.of(["a"]).bind()(batch) == [1, 2]
    assert Selector.of(()).bind()(batch) == [(), ()]


def test_solid_selectors():
    columns = {"a": [1, 2], "x": [0.5, 1.0], "s": ["p", "q"]}
    batch = Batch.of_columns(columns, [0, 0], lsn=1, solid=frozenset("ax"))
    for what, solid in [
        ("a", True),
        ("s", False),
        (col("a") * 2 + 1, True),
        (col("a") * col("x"), True),
        (col("a") > 1, False),
        (col("a") + col("s").str.length(), False),
        (when(col("a") > 1).then(1).otherwise(2), True),
        (when(col("a") > 1).then(1).otherwise(2.0), False),
        (when(col("a") > 1).then(1), False),
        (meta.time.dt.hour(), True),
        (["a", "x"], False),
        (lambda row: row["a"], False),
    ]:
        assert Selector.of(what).solid(batch) is solid, what
    assert not Selector.of("a").solid(Batch.of_rows([{"a": 1}], [0], lsn=1))


def test_functions_get_rows():
    batch = Batch.of_columns({"a": [1, 2], "b": [3, 4]}, [0, 0], lsn=1)
    seen = []
    Selector.of(seen.append).bind()(batch)
    assert seen == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    assert Selector.of(lambda row: row["a"] + row.get("b", 0)).bind()(batch) == [4, 6]
    assert Selector.of(lambda row: row.get("c", 9)).bind()(batch) == [9, 9]
    assert Selector.of(lambda row: "x").bind()(batch) == ["x", "x"]


def test_a_function_that_misses_a_field_says_which_there_are():
    batch = Batch.of_columns({"price": [1]}, [0], lsn=3)
    with pytest.raises(RowFailure) as caught:
        Selector.of(lambda row: row["prise"]).bind()(batch)
    assert isinstance(caught.value.cause, UnknownField)
    assert "did you mean 'price'?" in str(caught.value.cause)
    with pytest.raises(RowFailure) as caught:
        Selector.of(lambda row: {}[row["price"]]).bind()(batch)
    assert isinstance(caught.value.cause, KeyError)
    assert caught.value.lsn == 3


def test_a_function_that_only_reads_cannot_keep_the_refilled_row():
    batch = Batch.of_columns({"a": [1, 2]}, [0, 0], lsn=1)

    def generator(row):
        yield row["a"]

    assert [list(one) for one in Selector.of(generator).bind()(batch)] == [[1], [2]]
