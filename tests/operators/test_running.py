"""Aggregates without a window: a row per record, against the plain sum over what came."""

from __future__ import annotations

from statistics import variance
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.keyed_runs import Append, cuts, histories, outputs, rows_of, same_however_cut

from kappa.aggregates import agg
from kappa.batch import Batch, RowFailure
from kappa.errors import ConfigError
from kappa.expressions import Selector, col
from kappa.operators.contract import OperatorContext
from kappa.operators.running import RunningAggregate
from kappa.state import StepState
from kappa.time import PLUS_INFINITY

KEY = Selector.of("k")


def test_one_row_per_record_with_its_time_late_ones_too() -> None:
    step = RunningAggregate(KEY, {"n": agg.count(), "total": agg.sum("x")})
    history: list[Append] = [
        ([(5, {"k": "a", "x": 1}), (9, {"k": "b", "x": 2}), (7, {"k": "a", "x": 3})], 1000),
        ([(1, {"k": "a", "x": 10})], 1000),
    ]
    assert outputs(step, history) == {
        (1, ""): [
            (5, {"k": "a", "n": 1, "total": 1}),
            (9, {"k": "b", "n": 1, "total": 2}),
            (7, {"k": "a", "n": 2, "total": 4}),
        ],
        (2, ""): [(1, {"k": "a", "n": 3, "total": 14})],
    }


def test_several_key_fields_and_none() -> None:
    rows = [(1, {"a": 1, "b": 2, "x": 3})]
    count = {"n": agg.count()}
    found = rows_of(outputs(RunningAggregate(Selector.of(("a", "b")), count), [(rows, 0)]))
    assert found == [{"a": 1, "b": 2, "n": 1}]
    found = rows_of(outputs(RunningAggregate(Selector.of(()), count), [(rows, 0)]))
    assert found == [{"n": 1}]
    by = RunningAggregate(Selector.of(lambda row: row["a"] + 1), count)
    assert rows_of(outputs(by, [(rows, 0)])) == [{"key": 2, "n": 1}]


def test_a_result_that_the_function_goes_on_changing_is_copied() -> None:
    def gather(result: list[Any], value: Any) -> list[Any]:
        result.append(value)
        return result

    step = RunningAggregate(
        KEY, {"r": agg.reduce("x", gather, initial=list), "c": agg.collect("x")}
    )
    rows = [(n, {"k": "a", "x": n}) for n in range(3)]
    found = rows_of(outputs(step, [(rows, 0)]))
    assert [row["r"] for row in found] == [row["c"] for row in found] == [[0], [0, 1], [0, 1, 2]]


def test_a_name_of_the_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="'k' is the name of the key"):
        RunningAggregate(KEY, {"k": agg.count()})
    with pytest.raises(ConfigError, match="at least one"):
        RunningAggregate(KEY, {})


def test_what_it_declares() -> None:
    step = RunningAggregate(KEY, {"n": agg.count(), "x": agg.sum(col("p") * 2, where="ok")})
    assert step.required(frozenset()) == {"k", "p", "ok"}
    assert step.bound(5) == PLUS_INFINITY
    assert step.describe() == "keeps n, x per k, for ever"
    assert step == RunningAggregate(KEY, {"n": agg.count(), "x": agg.sum(col("p") * 2, where="ok")})
    assert RunningAggregate(KEY, {"n": agg.count(str)}).required(frozenset()) is None


ROWS = [(0, {"k": "a", "x": x}) for x in (1, "text", 2, None, 3)]


def test_a_value_that_cannot_be_added_stops_the_run() -> None:
    step = RunningAggregate(KEY, {"n": agg.count(), "s": agg.sum("x")})
    with pytest.raises(RowFailure) as caught:
        outputs(step, [(ROWS, 0)])
    assert caught.value.row == {"k": "a", "x": "text"}


def test_a_failing_row_is_a_dead_letter_and_counts_nowhere() -> None:
    step = RunningAggregate(KEY, {"n": agg.count(), "s": agg.sum("x"), "m": agg.max("x")})
    found = outputs(step, [(ROWS, 0)], dead_letters=True)
    assert rows_of(found) == [
        {"k": "a", "n": 1, "s": 1, "m": 1},
        {"k": "a", "n": 2, "s": 3, "m": 2},
        {"k": "a", "n": 3, "s": 3, "m": 2},
        {"k": "a", "n": 4, "s": 6, "m": 3},
    ]
    (letter,) = rows_of(found, "dead_letter")
    assert letter["record"] == {"k": "a", "x": "text"}
    assert letter["error"].startswith("TypeError: ")


@pytest.mark.parametrize("bad", [[1], float("nan"), {"x": 1}])
def test_what_cannot_be_a_key_is_refused_at_first_sight(bad: Any) -> None:
    step = RunningAggregate(KEY, {"n": agg.count()})
    history: list[Append] = [([(0, {"k": "a"}), (1, {"k": bad}), (2, {"k": "a"})], 0)]
    with pytest.raises(RowFailure) as caught:
        outputs(step, history)
    assert "key " in str(caught.value.cause)
    found = outputs(step, history, dead_letters=True)
    assert [row["n"] for row in rows_of(found)] == [1, 2]
    assert len(rows_of(found, "dead_letter")) == 1


def test_all_rows_may_fail() -> None:
    step = RunningAggregate(KEY, {"n": agg.count(), "s": agg.sum(col("x") + 1)})
    history: list[Append] = [([(0, {"k": "a", "x": "t"})] * 3, 0)]
    found = outputs(step, history, dead_letters=True)
    assert rows_of(found) == []
    assert len(rows_of(found, "dead_letter")) == 3


def columns(values: list[Any], solid: bool) -> Batch:
    keys = ["a", "b"] * len(values)
    marks = frozenset({"x"}) if solid else frozenset()
    return Batch.of_columns(
        {"k": keys[: len(values)], "x": values}, list(range(len(values))), lsn=1, solid=marks
    )


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.none() | st.integers(-9, 9), max_size=6)), max_size=6
    )
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_known_of_the_columns_and_wherever_it_is_restored(
    batches: list[tuple[bool, list[int | None]]],
) -> None:
    """Tight and loose kernels, before and after a restore, give what plain Python gives."""
    aggregates = {"n": agg.count(), "c": agg.count("x"), "s": agg.sum("x"), "v": agg.variance("x")}
    step = RunningAggregate(KEY, {**aggregates, "f": agg.first("x"), "m": agg.min("x")})
    seen: dict[str, list[int | None]] = {"a": [], "b": []}
    state = StepState("s")
    instance = step.open(OperatorContext("s", state))
    for restore, values in batches:
        if restore:
            frames = state.snapshot(full=True)
            state = StepState("s")
            state.restore(frames)
            instance = step.open(OperatorContext("s", state))
        solid = bool(values) and None not in values
        (out,) = instance.process(columns(values, solid))
        expected = []
        for key, value in zip(["a", "b"] * len(values), values, strict=False):
            seen[key].append(value)
            real = [one for one in seen[key] if one is not None]
            expected.append(
                {
                    "k": key,
                    "n": len(seen[key]),
                    "c": len(real),
                    "s": sum(real) if real else None,
                    "v": pytest.approx(variance(real)) if len(real) > 1 else None,
                    "m": min(real, default=None),
                }
            )
        got = [{n: v for n, v in row.items() if n != "f"} for row in out.rows()]
        assert got == expected


@given(history=histories(), cut=cuts())
@settings(max_examples=80, deadline=None)
def test_any_history_however_cut(history: list[Append], cut: Any) -> None:
    aggregates = {"n": agg.count(), "s": agg.sum("n"), "l": agg.last("n"), "all": agg.collect("n")}
    with pytest.raises(ConfigError):
        RunningAggregate(Selector.of("n"), aggregates)
    found = rows_of(same_however_cut(RunningAggregate(KEY, aggregates), history, cut))
    model: dict[Any, list[int]] = {}
    for row, (_, given_) in zip(found, [one for items, _ in history for one in items], strict=True):
        taken = model.setdefault(given_["k"], [])
        taken.append(given_["n"])
        assert (row["n"], row["s"]) == (len(taken), sum(taken))
