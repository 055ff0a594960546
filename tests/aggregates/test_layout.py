"""Every aggregate against plain Python: added one by one, merged, nullable, with conditions.

Method: random values with their times; the accumulator after any way of adding and merging
must give what a function over the whole list gives. All of an accumulator passes through
the state codec on the way.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import examples

from kappa.aggregates import Aggregate, Layout, agg
from kappa.batch import Batch
from kappa.codec import decode, encode
from kappa.errors import ConfigError
from kappa.expressions import col

Item = tuple[int, Any, Any]  # time, x, y
Items = list[Item]


def present(items: Items) -> Items:
    return [item for item in items if item[1] is not None]


def xs(items: Items) -> list[Any]:
    return [x for _, x, _ in present(items)]


def ordered(items: Items) -> Items:
    return sorted(present(items), key=lambda item: item[0])


def ranked(items: Items, sign: int) -> Items:
    both = [item for item in items if item[1] is not None and item[2] is not None]
    return sorted(both, key=lambda item: (sign * item[2], item[0]))


def interpolated(values: list[Any], q: float) -> float:
    place = q * (len(values) - 1)
    low, high = sorted(values)[math.floor(place)], sorted(values)[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def or_none(function: Callable[[Any], Any]) -> Callable[[Items], Any]:
    return lambda items: function(items) if present(items) else None


PLAIN: dict[str, tuple[Aggregate, Callable[[Items], Any]]] = {
    "rows": (agg.count(), len),
    "count": (agg.count("x"), lambda items: len(xs(items))),
    "sum": (agg.sum("x"), or_none(lambda items: sum(xs(items)))),
    "min": (agg.min("x"), or_none(lambda items: min(xs(items)))),
    "max": (agg.max("x"), or_none(lambda items: max(xs(items)))),
    "mean": (agg.mean("x"), or_none(lambda items: sum(xs(items)) / len(xs(items)))),
    "variance": (
        agg.variance("x"),
        lambda items: statistics.variance(xs(items)) if len(xs(items)) > 1 else None,
    ),
    "stddev": (
        agg.stddev("x", sample=False),
        or_none(lambda items: statistics.pstdev(xs(items))),
    ),
    "first": (agg.first("x"), or_none(lambda items: ordered(items)[0][1])),
    "last": (agg.last("x"), or_none(lambda items: ordered(items)[-1][1])),
    "collect": (agg.collect("x"), lambda items: [x for _, x, _ in ordered(items)]),
    "min_by": (
        agg.min_by("x", "y"),
        lambda items: ranked(items, 1)[0][1] if ranked(items, 1) else None,
    ),
    "max_by": (
        agg.max_by("x", by="y"),
        lambda items: ranked(items, -1)[0][1] if ranked(items, -1) else None,
    ),
    "top_k": (agg.top_k("x", 3, by="y"), lambda items: [x for _, x, _ in ranked(items, -1)[:3]]),
    "top": (agg.top_k("x", 2), lambda items: sorted(xs(items), reverse=True)[:2]),
    "count_distinct": (agg.count_distinct("x"), lambda items: len(set(xs(items)))),
    "approx_distinct": (agg.approx_distinct("x"), lambda items: len(set(xs(items)))),
    "median": (agg.quantile("x", 0.5), or_none(lambda items: interpolated(xs(items), 0.5))),
    "p90": (agg.quantile("x", 0.9), or_none(lambda items: interpolated(xs(items), 0.9))),
    "product": (
        agg.reduce("x", lambda a, b: a * b),
        or_none(lambda items: math.prod(xs(items))),
    ),
    "text": (
        agg.reduce("x", lambda a, b: f"{a}{b};", initial="", merge=lambda a, b: a + b),
        lambda items: "".join(f"{x};" for x in xs(items)),
    ),
    "where": (
        agg.sum("x", where=col("y") > 0),
        lambda items: (
            sum(x for _, x, y in present(items) if y is not None and y > 0)
            if any(y is not None and y > 0 for _, _, y in present(items))
            else None
        ),
    ),
}
LAYOUT = Layout({name: aggregate for name, (aggregate, _) in PLAIN.items()})

numbers = st.integers(-5, 5)
items = st.lists(st.tuples(st.integers(0, 9), numbers | st.none(), numbers | st.none()))


def added(layout: Layout, items: Items) -> list[Any]:
    accumulator = layout.fresh()
    if items:
        times, xs, ys = map(list, zip(*items))
        batch = Batch.of_columns({"x": xs, "y": ys}, times, lsn=1)
        for time, *values in zip(times, *layout.bind({}).columns(batch)):
            layout.add(accumulator, time, *values)
    return accumulator


def check(accumulator: list[Any], items: Items) -> None:
    kept: list[Any] = decode(encode(accumulator))
    assert kept == accumulator
    before = repr(accumulator)
    found = LAYOUT.read(kept)
    columns = LAYOUT.results([accumulator, kept])
    assert repr(accumulator) == before
    for (name, (_, plain)), value, column in zip(PLAIN.items(), found, columns):
        assert value == pytest.approx(plain(items)), name
        assert column == [value, value]


@given(items=items)
@examples(150)
def test_adding_one_by_one(items: Items) -> None:
    check(added(LAYOUT, items), items)


@given(items=items, others=items)
@examples(150)
def test_merging_what_is_later_in_time(items: Items, others: Items) -> None:
    items = [(time - 20, x, y) for time, x, y in items]
    accumulator, other = added(LAYOUT, items), added(LAYOUT, others)
    before = repr(other)
    LAYOUT.merge(accumulator, other)
    assert repr(other) == before
    check(accumulator, items + others)
    LAYOUT.merge(other, LAYOUT.fresh())
    check(other, others)


@given(items=items)
@examples(50)
def test_a_merge_shares_nothing(items: Items) -> None:
    source = added(LAYOUT, items)
    before = repr(source)
    copy = LAYOUT.fresh()
    LAYOUT.merge(copy, source)
    for time, x, y in [(3, 4, 4), (0, -4, -4)]:
        LAYOUT.add(copy, time, *[{"x": x, "y": y}[one.name] for one in LAYOUT.values], True)
    assert repr(source) == before


def test_nan_is_the_largest_number_whatever_the_order() -> None:
    layout = Layout({"low": agg.min("x"), "high": agg.max("x"), "n": agg.count_distinct("x")})
    nan = float("nan")
    for values in ([nan, 1.0, 2.0], [1.0, nan, 2.0], [2.0, 1.0, nan]):
        accumulator = added(layout, [(0, x, 0) for x in values])
        low, high, number = layout.read(accumulator)
        assert low == 1.0 and math.isnan(high) and number == 3
        other = added(layout, [(0, float("nan"), 0)])
        layout.merge(other, accumulator)
        assert layout.read(other)[0] == 1.0
        assert layout.read(other)[2] == 3


def test_a_float_sum_adds_in_order_of_arrival() -> None:
    values = [0.1, 0.2, 0.3, 1e16, -1e16, 0.1]
    plain = values[0]
    for value in values[1:]:
        plain += value
    layout = Layout({"total": agg.sum("x")})
    assert layout.read(added(layout, [(0, x, 0) for x in values])) == (plain,)


def test_decimals_and_big_ints_stay_what_they_are() -> None:
    layout = Layout({"s": agg.sum("x"), "m": agg.mean("x"), "q": agg.quantile("x", 0.25)})
    found = layout.read(added(layout, [(0, Decimal("1.10"), 0), (0, Decimal("2.20"), 0)]))
    assert found == (Decimal("3.30"), Decimal("1.65"), Decimal("1.3750"))
    assert layout.read(added(layout, [(0, 2**70, 0), (0, 1, 0)]))[0] == 2**70 + 1


def test_text_is_not_added_up() -> None:
    for aggregate in (agg.sum("x"), agg.mean("x"), agg.quantile("x", 0.5)):
        with pytest.raises(TypeError, match="'abc' \\(str\\) is not a number"):
            added(Layout({"x": aggregate}), [(0, "abc", 0)])
    with pytest.raises(TypeError):
        added(Layout({"x": agg.variance("x")}), [(0, "abc", 0)])


def test_whole_rows() -> None:
    layout = Layout(
        {
            "first": agg.first(),
            "best": agg.max_by(by="y"),
            "top": agg.top_k(None, 1, by="y"),
            "all": agg.collect(),
        }
    )
    rows = [{"x": 1, "y": 5}, {"x": 2, "y": 7}]
    batch = Batch.of_rows(rows, [4, 2], lsn=1)
    accumulator = layout.fresh()
    for time, *values in zip(batch.times, *layout.bind({}).columns(batch)):
        layout.add(accumulator, time, *values)
    assert layout.read(accumulator) == (rows[1], rows[1], [rows[1]], [rows[1], rows[0]])
    assert layout.fields is None


def test_columns_are_computed_once_and_only_those() -> None:
    layout = Layout(
        {
            "a": agg.sum("price"),
            "b": agg.max("price"),
            "c": agg.count(where=col("kind") == "x"),
            "d": agg.sum(col("price") * 2, where=col("kind") == "x"),
        }
    )
    assert layout.variables == ("v0", "v1", "w0")
    assert layout.fields == {"price", "kind"}


def test_descriptions_compare_and_print() -> None:
    assert agg.sum("price") == agg.sum("price") != agg.mean("price")
    assert agg.sum("price") != agg.sum("price", where="open")
    assert agg.sum(col("price") + 1) != agg.sum(col("price") + 2)
    assert repr(agg.sum("price")) == "Sum(source=col('price'), where=None)"
    assert hash(agg.count()) == hash(agg.count())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: agg.sum(None), "sum needs to know of what"),
        (lambda: agg.min_by("x"), "min_by needs by="),
        (lambda: agg.top_k("x", 0), "k is 0"),
        (lambda: agg.top_k(None, 3), "top_k needs to know of what"),
        (lambda: agg.quantile("x", 2), "q is 2"),
        (lambda: agg.quantile("x", 0.5, method="fast"), "method is 'fast', but must be \"exact\""),
        (lambda: agg.approx_distinct("x", precision=30), "precision is 30"),
        (lambda: agg.reduce("x"), "reduce needs a function"),
        (lambda: agg.reduce("x", max, merge=max), "merge= goes with initial="),
        (lambda: Layout({}), "at least one aggregate"),
        (lambda: Layout({"x": "count"}), "use agg.count"),
    ],
)
def test_wrong_use(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_what_merges_in_any_order() -> None:
    assert Layout({"n": agg.count(), "d": agg.count_distinct("x")}).exact_merge == "always"
    assert Layout({"n": agg.count(), "s": agg.sum("x")}).exact_merge == "ints"
    assert Layout({"n": agg.count(), "f": agg.first("x")}).exact_merge == "never"
    assert Layout({"r": agg.reduce("x", max, initial=0)}).unmergeable() == ["r"]
