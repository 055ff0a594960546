"""reduce, fold and stateful_map: a result per record, copies out, refusals, R1."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from operators.keyed_runs import Append, cuts, histories, outputs, rows_of, same_however_cut

from kappa.batch import RowFailure
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators.folding import Fold, Reduce, StatefulMap
from kappa.time import PLUS_INFINITY

KEY = Selector.of("k")


def rows(*items: tuple[str, Any]) -> list[tuple[int, Any]]:
    return [(at, {"k": key, "x": x}) for at, (key, x) in enumerate(items)]


def larger(one: Any, other: Any) -> Any:
    return one if one["x"] >= other["x"] else other


def added(result: Any, row: Any) -> Any:
    result["x"] += row["x"]
    return result


def test_reduce_emits_the_result_so_far() -> None:
    history = [(rows(("a", 3), ("b", 1), ("a", 5), ("a", 4)), 0)]
    assert outputs(Reduce(KEY, larger), history) == {
        (1, ""): [
            (0, {"k": "a", "x": 3}),
            (1, {"k": "b", "x": 1}),
            (2, {"k": "a", "x": 5}),
            (3, {"k": "a", "x": 5}),
        ]
    }


@pytest.mark.parametrize("shared", [False, True])
def test_a_function_may_change_the_result_in_place(shared: bool) -> None:
    history = [(rows(("a", 1), ("a", 2)), 0), (rows(("a", 4)), 0)]
    found = outputs(Reduce(KEY, added), history, shared=shared)
    assert [row["x"] for row in rows_of(found)] == [1, 3, 7]


def count(state: Any, row: Any) -> Any:
    state["n"] += 1
    state["all"].append(row["x"])
    return state


def empty() -> dict[str, Any]:
    return {"n": 0, "all": []}


def test_fold_of_a_mapping_adds_the_key() -> None:
    history = [(rows(("a", 1), ("b", 2), ("a", 3)), 0)]
    assert rows_of(outputs(Fold(KEY, empty, count), history)) == [
        {"k": "a", "n": 1, "all": [1]},
        {"k": "b", "n": 1, "all": [2]},
        {"k": "a", "n": 2, "all": [1, 3]},
    ]


def test_fold_of_a_plain_value() -> None:
    fold = Fold(Selector.of(("k", "k2")), int, lambda total, row: total + row["x"])
    history: list[Append] = [([(0, {"k": 1, "k2": 2, "x": 5}), (0, {"k": 1, "k2": 2, "x": 6})], 0)]
    assert rows_of(outputs(fold, history)) == [
        {"k": 1, "k2": 2, "value": 5},
        {"k": 1, "k2": 2, "value": 11},
    ]
    everything = Fold(Selector.of(()), int, lambda total, row: total + row["x"])
    assert rows_of(outputs(everything, history)) == [{"value": 5}, {"value": 11}]


def test_a_state_that_is_false_is_a_state() -> None:
    fold = Fold(KEY, int, lambda total, row: 0)
    assert [row["value"] for row in rows_of(outputs(fold, [(rows(("a", 1), ("a", 1)), 0)]))] == [
        0,
        0,
    ]


def test_stateful_map_emits_what_is_not_none() -> None:
    def changes(last: Any, row: Any) -> Any:
        return row["x"], None if row["x"] == last else row

    history = [(rows(("a", 1), ("a", 1), ("a", 2)), 0), (rows(("a", 2), ("a", 1)), 0)]
    found = outputs(StatefulMap(KEY, int, changes), history)
    assert {lsn: [row["x"] for _, row in items] for (lsn, _), items in found.items()} == {
        1: [1, 2],
        2: [1],
    }


def test_stateful_map_forgets_a_key_with_a_state_of_none() -> None:
    def third(n: int, row: Any) -> Any:
        return (None, "third") if n == 2 else (n + 1, None)

    history = [(rows(*[("a", 0)] * 4), 0), (rows(*[("a", 0)] * 4), 0)]
    found = outputs(StatefulMap(KEY, int, third), history)
    assert [lsn for lsn, _ in found] == [1, 2]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Reduce(KEY, lambda one, other: None), "reduce: the function's result is None"),
        (Fold(KEY, int, lambda state, row: None), "fold: the function's result is None"),
        (StatefulMap(KEY, int, lambda state, row: 5), "returned 5; return (state, out)"),
        (Fold(Selector.of(str, name="value"), int, lambda s, row: 1), "is named 'value' too"),
    ],
)
def test_a_result_that_is_not_one_is_named(step: Any, message: str) -> None:
    with pytest.raises(RowFailure) as caught:
        outputs(step, [(rows(("a", 1), ("a", 2)), 0)])
    assert message in str(caught.value.cause)


def fails(state: Any, row: Any) -> Any:
    if row["x"] == 2:
        raise ValueError("two")
    return (state, row) if isinstance(state, int) else row


@pytest.mark.parametrize(
    "step", [Reduce(KEY, fails), Fold(KEY, dict, fails), StatefulMap(KEY, int, fails)]
)
def test_rows_that_fail_are_set_aside_and_the_rest_goes_on(step: Any) -> None:
    history = [(rows(("a", 1), ("a", 2), (["a"], 0), ("a", 3), ("a", 2)), 0)]  # type: ignore[list-item]
    found = outputs(step, history, dead_letters=True)
    assert [row["x"] for row in rows_of(found)] == [1, 3]
    assert [row["error"][:14] for row in rows_of(found, "dead_letter")] == [
        "ValueError: tw",
        "RecordRefused:",
        "ValueError: tw",
    ]


def test_what_is_not_a_function_is_refused() -> None:
    for make in (
        lambda: Reduce(KEY, 5),  # type: ignore[arg-type]
        lambda: Fold(KEY, {}, count),  # type: ignore[arg-type]
        lambda: StatefulMap(KEY, int, None),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match="is not a function"):
            make()


def test_what_they_declare() -> None:
    for step in (Reduce(KEY, larger), Fold(KEY, empty, count), StatefulMap(KEY, int, fails)):
        assert step.stateful
        assert step.bound(0) == PLUS_INFINITY
        assert "per k" in step.describe()
    assert Reduce(KEY, larger) == Reduce(KEY, larger)


def test_fields_that_the_function_surely_reads_are_all_that_is_asked_for() -> None:
    def last(state: Any, row: Any) -> Any:
        return row["price"], {"rise": row["price"] - state}

    anything = frozenset({"x"})
    assert StatefulMap(KEY, int, last).required(anything) == {"k", "price"}
    assert Fold(KEY, int, lambda total, row: total + row["x"]).required(anything) == {"k", "x"}
    assert Fold(KEY, list, lambda rows, row: [*rows, row]).required(anything) is None
    assert Fold(Selector.of(str), int, lambda n, row: n + row["x"]).required(anything) is None
    assert Reduce(KEY, larger).required(anything) is None


@given(history=histories(), cut=cuts())
@settings(max_examples=60, deadline=None)
def test_any_history_however_cut(history: list[Append], cut: Any) -> None:
    def numbered(state: dict[str, Any], row: Any) -> Any:
        state["n"] += 1
        out = {**state, "row": row["n"]} if row["n"] % 3 else None
        return (None if row["n"] % 4 == 0 else state), out

    def merged(state: Any, row: Any) -> Any:
        state["n"] += row["n"]
        return state

    def listed(state: Any, row: Any) -> Any:
        state["all"].append(row["n"])
        return state

    for step in (
        StatefulMap(KEY, lambda: {"n": 0}, numbered),
        Reduce(KEY, merged),
        Fold(KEY, empty, listed),
    ):
        same_however_cut(step, history, cut)
