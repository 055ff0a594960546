"""Expressions drawn together with plain functions of a row that say what they must give.

The function is written by hand for each operation, with None for null, and knows nothing of
how expressions are built or compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st

from kappa.expressions import Expression, col, lit, when

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Pair(NamedTuple):
    expression: Expression
    plain: Callable[[dict[str, Any]], Any]


ROWS = st.fixed_dictionaries(
    {
        "a": st.none() | st.integers(-20, 20),
        "b": st.none() | st.integers(-3, 3),
        "x": st.none() | st.floats(-50, 50),
        "s": st.none() | st.text("aB /1", max_size=6),
        "f": st.none() | st.booleans(),
        "t": st.none() | st.integers(-(10**12), 2 * 10**12),
    }
)


def strict(function):
    """Null if any operand is null."""

    def on(*operands):
        def plain(row):
            values = [operand(row) for operand in operands]
            return None if None in [None if v is None else 0 for v in values] else function(*values)

        return plain

    return on


def field(name):
    return Pair(col(name), lambda row: row[name])


def constant(value):
    return Pair(lit(value), lambda row: value)


def both(one, other):
    def plain(row):
        values = [one(row), other(row)]
        if any(value is not None and not value for value in values):
            return False
        return None if None in values else True

    return plain


def either(one, other):
    def plain(row):
        values = [one(row), other(row)]
        if any(values):
            return True
        return None if None in values else False

    return plain


def negation(one):
    return strict(lambda value: not value)(one)


def filled(one, other):
    return lambda row: other(row) if one(row) is None else one(row)


def case(test, yes, no):
    return lambda row: yes(row) if test(row) else no(row)


ARITHMETIC = {
    "+": (lambda a, b: a + b),
    "-": (lambda a, b: a - b),
    "*": (lambda a, b: a * b),
}
COMPARISONS = {
    "==": (lambda a, b: a == b),
    "!=": (lambda a, b: a != b),
    "<": (lambda a, b: a < b),
    "<=": (lambda a, b: a <= b),
    ">": (lambda a, b: a > b),
    ">=": (lambda a, b: a >= b),
}


def binary(table, operands):
    def made(drawn):
        one, sign, other = drawn
        return Pair(
            table[sign](one.expression, other.expression),
            strict(table[sign])(one.plain, other.plain),
        )

    return st.tuples(operands, st.sampled_from(sorted(table)), operands).map(made)


def unary(operands, methods):
    """Methods of an expression, and what they do to a value that is not null."""

    def made(drawn):
        one, (build, function) = drawn
        return Pair(build(one.expression), strict(function)(one.plain))

    return st.tuples(operands, st.sampled_from(methods)).map(made)


def shared(operands, tests):
    """What any type has: fill_null, cases, names."""

    def fill(drawn):
        one, other = drawn
        return Pair(one.expression.fill_null(other.expression), filled(one.plain, other.plain))

    def choose(drawn):
        test, yes, no = drawn
        return Pair(
            when(test.expression).then(yes.expression).otherwise(no.expression),
            case(test.plain, yes.plain, no.plain),
        )

    def half(drawn):
        test, yes = drawn
        return Pair(
            when(test.expression).then(yes.expression),
            case(test.plain, yes.plain, lambda row: None),
        )

    return st.one_of(
        st.tuples(operands, operands).map(fill),
        st.tuples(tests, operands, operands).map(choose),
        st.tuples(tests, operands).map(half),
        operands.map(lambda one: Pair(one.expression.named("n"), one.plain)),
    )


NUMBER_METHODS = [
    (lambda e: -e, lambda v: -v),
    (lambda e: e.abs(), abs),
    (lambda e: e.round(1), lambda v: round(v, 1)),
    (lambda e: e.cast(float), float),
    (lambda e: e.cast(int), int),
    (lambda e: e / 4, lambda v: v / 4),
    (lambda e: e // 3, lambda v: v // 3),
    (lambda e: e % 7, lambda v: v % 7),
    (lambda e: 2 - e, lambda v: 2 - v),
    (lambda e: 1.5 * e, lambda v: 1.5 * v),
]
TEXT_METHODS = [
    (lambda e: e.str.lower(), str.lower),
    (lambda e: e.str.upper(), str.upper),
    (lambda e: e.str.strip(), str.strip),
    (lambda e: e.str.replace("a", "xx"), lambda v: v.replace("a", "xx")),
    (lambda e: e.str.split("/", 1), lambda v: [*v.split("/"), None][1]),
    (lambda e: e.str.split(" ", -1), lambda v: v.split(" ")[-1]),
    (lambda e: e.str.slice(1, 3), lambda v: v[1:3]),
    (lambda e: e.str.slice(-2), lambda v: v[-2:]),
    (lambda e: e.str.concat("-", e), lambda v: f"{v}-{v}"),
    (lambda e: e + "!", lambda v: v + "!"),
    (lambda e: e.str.extract("([aB]+)"), lambda v: first_word(v)),
]
TEXT_TESTS = [
    (lambda e: e.str.contains("a"), lambda v: "a" in v),
    (lambda e: e.str.starts_with("B"), lambda v: v.startswith("B")),
    (lambda e: e.str.ends_with("/"), lambda v: v.endswith("/")),
    (lambda e: e.str.matches("^a"), lambda v: v.startswith("a")),
    (lambda e: e.is_in(["a", "B"]), lambda v: v in ("a", "B")),
    (lambda e: e == "a", lambda v: v == "a"),
    (lambda e: e < "a", lambda v: v < "a"),
]
NUMBER_TESTS = [
    (lambda e: e.is_in([1, 2, 3]), lambda v: v in (1, 2, 3)),
    (lambda e: e.between(-2, 5), lambda v: -2 <= v <= 5),
    (lambda e: e.between(e - 1, 5), lambda v: v <= 5),
    (lambda e: e == 1, lambda v: v == 1),
    (lambda e: e.cast(bool), bool),
]
TIMES = [
    (lambda e: e.dt.year(), lambda v: utc(v).year),
    (lambda e: e.dt.month(), lambda v: utc(v).month),
    (lambda e: e.dt.day(), lambda v: utc(v).day),
    (lambda e: e.dt.hour(), lambda v: utc(v).hour),
    (lambda e: e.dt.minute(), lambda v: utc(v).minute),
    (lambda e: e.dt.second(), lambda v: utc(v).second),
    (lambda e: e.dt.weekday(), lambda v: utc(v).weekday()),
    (lambda e: e.dt.truncate("15m"), lambda v: v - v % 900_000),
    (lambda e: e.dt.truncate("day"), lambda v: v - v % 86_400_000),
]


def utc(value):
    return EPOCH + timedelta(milliseconds=value)


def first_word(text):
    found = ""
    for letter in text:
        if letter in "aB":
            found += letter
        elif found:
            break
    return found or None


def null_tests(operands):
    return st.one_of(
        operands.map(
            lambda one: Pair(one.expression.is_null(), lambda row: one.plain(row) is None)
        ),
        operands.map(
            lambda one: Pair(one.expression.not_null(), lambda row: one.plain(row) is not None)
        ),
    )


def logic(operands):
    return st.one_of(
        st.tuples(operands, operands).map(
            lambda two: Pair(
                two[0].expression & two[1].expression, both(two[0].plain, two[1].plain)
            )
        ),
        st.tuples(operands, operands).map(
            lambda two: Pair(
                two[0].expression | two[1].expression, either(two[0].plain, two[1].plain)
            )
        ),
        operands.map(lambda one: Pair(~one.expression, negation(one.plain))),
    )


FIELD_NUMBERS = st.sampled_from([field("a"), field("b"), field("x")])
FIELD_TEXTS = st.just(field("s"))
FIELD_TESTS = st.just(field("f"))

numbers = st.deferred(
    lambda: st.one_of(
        FIELD_NUMBERS,
        FIELD_NUMBERS,
        st.integers(-5, 5).map(constant),
        st.sampled_from([0.5, -1.25, None]).map(constant),
        binary(ARITHMETIC, numbers),
        unary(numbers, NUMBER_METHODS),
        unary(st.just(field("t")), TIMES),
        unary(
            texts,
            [
                (lambda e: e.str.length(), len),
                (lambda e: e.str.count("a"), lambda v: v.count("a")),
            ],
        ),
        shared(numbers, tests),
    )
)
texts = st.deferred(
    lambda: st.one_of(
        FIELD_TEXTS,
        FIELD_TEXTS,
        st.sampled_from(["a", "", "it's", None]).map(constant),
        unary(texts, TEXT_METHODS),
        shared(texts, tests),
    )
)
tests = st.deferred(
    lambda: st.one_of(
        FIELD_TESTS,
        FIELD_TESTS,
        binary(COMPARISONS, numbers),
        unary(numbers, NUMBER_TESTS),
        unary(texts, TEXT_TESTS),
        null_tests(st.one_of(FIELD_NUMBERS, numbers, texts, FIELD_TESTS)),
        logic(tests),
        logic(numbers),
        shared(tests, tests),
    )
)
