"""The approximate aggregates keep their stated errors, and the exact ones equal DuckDB's.

Method: fixed seeds; sketches are fed directly and in pieces that are merged in any order,
which must give the very same state.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from kappa.aggregates import Layout, agg, sketch
from kappa.aggregates import hyperloglog as hll
from kappa.aggregates.quantiles import quantile

duckdb = pytest.importorskip("duckdb")


@pytest.mark.parametrize("precision", [8, 12])
@pytest.mark.parametrize("count", [1, 10, 300, 5_000, 40_000])
def test_distinct_estimates_lie_within_four_standard_errors(precision: int, count: int) -> None:
    registers: Any = {}
    for value in range(count):
        registers = hll.observed(registers, f"user-{value}", precision)
    error = abs(hll.estimate(registers, precision) - count) / count
    assert error <= 4 * 1.04 / 2 ** (precision / 2)


def test_distinct_registers_do_not_depend_on_order_or_merges() -> None:
    values = [f"v{n % 700}" for n in range(2_000)]
    whole: Any = {}
    for value in values:
        whole = hll.observed(whole, value, 10)
    random.Random(1).shuffle(values)
    parts: list[Any] = [{}, {}, {}]
    for place, value in enumerate(values):
        parts[place % 3] = hll.observed(parts[place % 3], value, 10)
    merged = hll.merged(hll.merged(parts[2], parts[0], 10), parts[1], 10)
    assert hll.dense(merged, 10) == hll.dense(whole, 10)


def test_equal_values_count_once() -> None:
    registers: Any = {}
    for value in (1, 1.0, True, "1", float("nan"), float("nan"), None, (1, 2)):
        registers = hll.observed(registers, value, 12)
    assert hll.estimate(registers, 12) == 5


@pytest.mark.parametrize("draw", ["uniform", "lognormal", "negative", "ints"])
def test_sketched_quantiles_lie_within_one_percent(draw: str) -> None:
    source = random.Random(7)
    values: list[Any] = {
        "uniform": [source.uniform(0, 1000) for _ in range(3_000)],
        "lognormal": [source.lognormvariate(0, 3) for _ in range(3_000)],
        "negative": [source.gauss(0, 5) for _ in range(3_000)],
        "ints": [source.randrange(-50, 1000) for _ in range(3_000)],
    }[draw]
    layout = Layout(
        {f"q{q}": agg.quantile("x", q, method="sketch") for q in (0, 0.1, 0.5, 0.99, 1)}
    )
    accumulator = layout.fresh()
    for value in values:
        layout.add(accumulator, 0, value)
    for part, found in zip(layout.parts, layout.read(accumulator)):
        exact = sorted(values)[int((len(values) - 1) * part.aggregate.q)]  # type: ignore[attr-defined]
        assert found == pytest.approx(exact, rel=sketch.ACCURACY)


def test_every_representative_lies_within_its_error() -> None:
    for number in range(-3_000, 3_000, 7):
        middle = sketch.representative(number)
        assert sketch.bucket(middle) == number
    for magnitude in (1.0, 1.0199, 1.99999, 2.0, 3.3, 1e-12, 1e12):
        number = sketch.bucket(magnitude)
        assert number is not None
        assert sketch.representative(number) == pytest.approx(magnitude, rel=sketch.ACCURACY)


def test_sketch_edges() -> None:
    layout = Layout({"q": agg.quantile("x", 0.5, method="sketch")})
    for value, wanted in ((0, 0.0), (1e-300, 0.0), (-0.0, 0.0)):
        accumulator = layout.fresh()
        layout.add(accumulator, 0, value)
        assert layout.read(accumulator) == (wanted,)
    accumulator = layout.fresh()
    layout.add(accumulator, 0, float("nan"))
    assert layout.read(accumulator) == (None,)
    for value in (10**400, float("inf"), 1e300):
        layout.add(accumulator, 0, value)
    assert layout.read(accumulator)[0] > 1e38


def first_of(text: str, values: list[float]) -> Any:
    """The row that a query over values gives; in a connection of its own, which is then closed."""
    with duckdb.connect() as connection:
        return connection.execute(text, [values]).fetchone()


def test_exact_quantiles_and_variances_equal_duckdb() -> None:
    source = random.Random(3)
    for size in (1, 2, 3, 10, 57):
        values = [source.choice([source.randrange(-9, 9), source.gauss(0, 4)]) for _ in range(size)]
        values = [float(value) for value in values]
        for q in (0.0, 0.1, 0.5, 0.95, 1.0):
            text = f"select quantile_cont(x, {q}) from (select unnest(?) as x)"
            wanted = first_of(text, values)[0]
            assert quantile(values, q) == pytest.approx(wanted, rel=1e-12)
        layout = Layout({"v": agg.variance("x"), "p": agg.variance("x", sample=False)})
        accumulator = layout.fresh()
        for value in values:
            layout.add(accumulator, 0, value)
        text = "select var_samp(x), var_pop(x) from (select unnest(?) as x)"
        wanted = first_of(text, values)
        for found, want in zip(layout.read(accumulator), wanted):
            assert found == (want if want is None else pytest.approx(want, rel=1e-9, abs=1e-12))


def test_nan_is_the_largest_in_an_exact_quantile() -> None:
    values = [1.0, float("nan"), 2.0]
    assert quantile(values, 0.0) == 1.0
    assert quantile(values, 0.5) == 2.0
    assert quantile(values, 1.0) != quantile(values, 1.0)
