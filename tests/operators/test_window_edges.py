"""Windows at their edges: rows that fail, keys of every type, the ends of time, shared values.

Method: one instance of each kind is driven by hand; what one kind does right with a bad
row, all have to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from window_driver import Cuts, Run
from window_model import NEG, POS, Append

from kappa.aggregates import agg
from kappa.batch import Batch, RowFailure
from kappa.batch.generated import source_of
from kappa.errors import RecordRefused
from kappa.expressions import Selector, col, param
from kappa.operators import WindowAggregate
from kappa.operators.contract import Instance, OperatorContext
from kappa.state import StepState
from kappa.time import MAX_TIME, MIN_TIME
from kappa.triggers import AtWatermark, OnCount
from kappa.windows import Calendar, Count, Global, Session, Sliding, Tumbling, Window

KINDS: dict[str, tuple[Window, dict[str, Any]]] = {
    "tumbling": (Tumbling(10), {}),
    "tumbling late": (Tumbling(10), {"lateness": 50}),
    "tumbling panes": (Tumbling(10), {"panes": "discarding"}),
    "sliding": (Sliding(10, 5), {}),
    "sliding late": (Sliding(10, 5), {"lateness": 50}),
    "calendar": (Calendar("day"), {}),
    "session": (Session(10), {}),
    "session late": (Session(10), {"lateness": 50}),
    "session panes": (Session(10), {"trigger": AtWatermark(early=OnCount(99))}),
    "count": (Count(3), {}),
    "count sliding": (Count(4, slide=2), {}),
    "global": (Global(), {}),
    "global panes": (Global(), {"trigger": OnCount(2)}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: str, aggregates: dict[str, Any], key: Any = "k") -> WindowAggregate:
    window, options = KINDS[kind]
    return WindowAggregate(Selector.of(key), window, aggregates, **options)


def opened(step: WindowAggregate, **options: Any) -> tuple[Instance, OperatorContext]:
    context = OperatorContext("step", StepState("step"), **options)
    return step.open(context), context


def taken(instance: Instance, rows: list[Any], times: list[int], level: int) -> list[Batch]:
    batch = Batch.of_rows(rows, times, lsn=1)
    batch.watermark = level
    return list(instance.process(batch))


def results(instance: Instance) -> list[dict[str, Any]]:
    return [row for batch in instance.advance(POS) for row in batch.rows()]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "text in a sum": ({"k": 1, "v": "abc"}, "TypeError"),
    "a function": ({"k": 1, "v": 0}, "ZeroDivisionError"),
    "no such field": ({"k": 1}, "UnknownField"),
    "a key that is not a number": ({"k": math.nan, "v": 1}, "RecordRefused"),
    "a key that cannot be hashed": ({"k": [1], "v": 1}, "RecordRefused"),
    "text in a minimum": ({"k": 1, "v": 3, "w": "x"}, "TypeError"),
}
AGGREGATES = {
    "n": agg.count(),
    "all": agg.collect("v"),
    "low": agg.min("w"),
    "total": agg.sum("v"),
    "inverse": agg.sum(lambda row: 6 // row["v"]),
}


@every_kind
@pytest.mark.parametrize("level", [NEG, 12])
@pytest.mark.parametrize("what", BAD)
def test_a_row_that_fails_is_set_aside_and_leaves_nothing_behind(
    kind: str, level: int, what: str
) -> None:
    bad, error = BAD[what]
    rows = [{"k": 1, "v": v, "w": 0} for v in (1, 2)]
    rows[1:1] = [{"w": 5, **bad}]
    rows += [{"w": 6, **bad}]
    if kind == "count sliding" and what == "text in a minimum":
        return  # which fails beside numbers only, and this one begins a part of its own
    if level > 0 and KINDS[kind][1].get("lateness") is None:
        level = NEG  # they would be late
    instance, context = opened(made(kind, AGGREGATES), dead_letters=True)
    found = taken(instance, rows, [1, 2, 3, 4], level)
    dead = [row for batch in found if batch.output == "dead_letter" for row in batch.rows()]
    assert [row["record"] for row in dead] == [rows[1], rows[3]]
    assert [row["error"].partition(":")[0] for row in dead] == [error, error]
    assert context.counters["dead_letters"] == 2
    shown = [row for batch in found if batch.output == "" for row in batch.rows()]
    shown += results(instance)
    assert {row["k"] for row in shown} == {1}
    last = shown[-1]
    assert (last["n"], last["all"], last["low"]) == (2, [1, 2], 0)
    assert (last["total"], last["inverse"]) == (3, 9)


@every_kind
@pytest.mark.parametrize("what", BAD)
def test_or_stops_the_run_and_is_named(kind: str, what: str) -> None:
    bad, error = BAD[what]
    rows = [{"k": 1, "v": 1, "w": 0}, {"w": 5, **bad}]
    instance, _ = opened(made(kind, AGGREGATES))
    with pytest.raises(RowFailure) as caught:
        taken(instance, rows, [1, 2], NEG)
    assert caught.value.index == 1
    assert type(caught.value.cause).__name__ == error


def test_refused_keys_are_named() -> None:
    instance, _ = opened(made("tumbling", {"n": agg.count()}))
    with pytest.raises(RowFailure) as caught:
        taken(instance, [{"k": [1]}], [0], NEG)
    assert isinstance(caught.value.cause, RecordRefused)
    assert "[1] is a list: cannot be a key; use a tuple" in str(caught.value.cause)


@every_kind
def test_keys_of_every_type_come_in_the_order_of_their_bytes(kind: str) -> None:
    keys: list[Any] = ["b", None, 2.5, (1, "x"), -1, b"a", True, "a", 10]
    step = made(kind, {"n": agg.count()})
    rows = tuple((3, {"k": key}) for key in keys)
    *_, closing = Run(step, Cuts()).run([Append(rows, NEG)])
    found = [row["k"] for _, row in closing.main]
    found = list(dict.fromkeys(found))
    assert found == [None, -1, True, 2.5, 10, "a", "b", b"a", (1, "x")]


@every_kind
def test_equal_keys_of_other_types_look_the_same_after_a_restart(kind: str) -> None:
    step = made(kind, {"n": agg.count()})
    log = [Append(((n, {"k": key}),), NEG) for n, key in enumerate([True, 1.0, 1, 1.0, True])]
    once = Run(step, Cuts(marks="-")).run(log)
    again = Run(step, Cuts(marks="rsrf")).run(log)
    assert repr(once) == repr(again)


@every_kind
def test_several_fields_or_none_as_key(kind: str) -> None:
    instance, _ = opened(made(kind, {"n": agg.count()}, key=("a", "b")))
    taken(instance, [{"a": 2, "b": "x"}, {"a": 1, "b": "y"}], [1, 1], NEG)
    found = results(instance)
    assert list(found[0])[:3] == ["a", "b", "window_start"]
    assert [(row["a"], row["b"]) for row in found][-2:] == [(1, "y"), (2, "x")]
    instance, _ = opened(made(kind, {"n": agg.count()}, key=()))
    taken(instance, [{"a": 2}, {"a": 1}], [1, 1], NEG)
    if kind not in ("global panes", "count sliding"):  # these have shown both already
        assert results(instance)[-1]["n"] == 2


@every_kind
def test_nobody_can_reach_into_the_state_by_a_result(kind: str) -> None:
    if "late" not in kind and "panes" not in kind:
        return  # what is shown is not kept
    aggregates = {"best": agg.last("v"), "all": agg.collect("v"), "m": agg.reduce("v", max)}
    window, options = KINDS[kind]
    if isinstance(window, Session):
        options = {**options, "trigger": AtWatermark(early=OnCount(1))}
    step = WindowAggregate(Selector.of("k"), window, aggregates, **options)
    instance, _ = opened(step)
    for _ in range(3):
        for batch in taken(instance, [{"k": 1, "v": [1]}], [1], 12 if "late" in kind else 0):
            for row in batch.rows():
                row["best"].append("changed")
                row["all"][-1].append("changed")
                row["m"].append("changed")
    for row in results(instance):
        assert "changed" not in repr(row)


@pytest.mark.parametrize("kind", ["tumbling", "sliding", "calendar", "session", "tumbling panes"])
def test_the_ends_of_time(kind: str) -> None:
    instance, _ = opened(made(kind, {"n": agg.count()}))
    taken(instance, [{"k": 1}, {"k": 1}], [MIN_TIME, MAX_TIME], NEG)
    found = [batch for batch in instance.advance(POS) if batch.count]
    times = [time for batch in found for time in batch.times]
    assert times == sorted(times)
    assert times[0] >= MIN_TIME and times[-1] == MAX_TIME
    ends = [row["window_end"] for batch in found for row in batch.rows()]
    assert ends[-1] > MAX_TIME
    assert sum(row["n"] for batch in found for row in batch.rows()) == (4 if "sl" in kind else 2)


def test_a_float_sum_adds_in_the_order_of_the_log() -> None:
    values = [0.1, 0.2, 0.3, 1e16, 1.0, -1e16, 0.7]
    plain = 0.0
    for value in values:
        plain += value
    step = made("tumbling", {"total": agg.sum("v")})
    log = [Append(((n % 3, {"k": 0, "v": value}),), NEG) for n, value in enumerate(values)]
    for at_once in (1, 2, 7):
        for columns in (False, True):
            *_, closing = Run(step, Cuts(at_once=(at_once,), columns=columns)).run(log)
            assert closing.main[0][1]["total"] == plain


def test_parameters_and_expressions() -> None:
    step = WindowAggregate(
        Selector.of(col("name").str.lower(), name="who"),
        Tumbling(10),
        {"total": agg.sum(col("v") * param("rate", int), where=col("v") > 1)},
    )
    instance, _ = opened(step, params={"rate": 10})
    taken(instance, [{"name": n, "v": v} for n, v in [("A", 1), ("a", 2), ("B", 1)]], [0] * 3, NEG)
    assert results(instance) == [
        {"who": "a", "window_start": 0, "window_end": 10, "total": 20},
        {"who": "b", "window_start": 0, "window_end": 10, "total": None},
    ]


@dataclass(frozen=True)
class Bid:
    k: int
    v: int


@pytest.mark.parametrize("row, shown", [(Bid(1, 2), {"k": 1, "v": 2}), (7, {"value": 7})])
def test_late_rows_of_any_shape(row: Any, shown: dict[str, Any]) -> None:
    step = WindowAggregate(Selector.of(lambda row: 1), Tumbling(10), {"n": agg.count()})
    instance, context = opened(step)
    (late,) = taken(instance, [row], [3], 14)
    assert late.output == "late" and late.times == [3] and late.runs == [(1, 1)]
    assert late.rows() == [{**shown, "window_start": 0, "window_end": 10, "late_by": 6}]
    assert context.counters == {"late": 1}


def test_late_columns_stay_columns() -> None:
    instance, _ = opened(made("tumbling", {"n": agg.count()}))
    batch = Batch.of_columns({"k": [1, 2], "v": [3, 4]}, [3, 13], lsn=4)
    batch.watermark = 14
    (late,) = instance.process(batch)
    assert late.columnar
    assert late.rows() == [{"k": 1, "v": 3, "window_start": 0, "window_end": 10, "late_by": 6}]


def test_results_know_which_columns_are_ints() -> None:
    instance, _ = opened(made("tumbling", {"n": agg.count(), "total": agg.sum("v")}))
    taken(instance, [{"k": 1, "v": 2}], [3], NEG)
    (batch,) = instance.advance(9)
    assert batch.solid == {"window_start", "window_end", "n"}


def test_the_generated_code_can_be_read() -> None:
    instance, _ = opened(made("tumbling", {"n": agg.count(where=col("k") > 0)}))
    taken(instance, [{"k": 1}], [3], NEG)
    (kernel,) = instance._kernels.values()  # type: ignore[attr-defined]
    assert "if w0:\n            a[0] += 1" in source_of(kernel)


def test_a_shared_batch_stays_as_it_is() -> None:
    seen: list[Any] = []

    def spoil(row: dict[str, Any]) -> int:
        row["v"] = "spoiled"
        return 1

    step = WindowAggregate(Selector.of("k"), Tumbling(10), {"n": agg.sum(spoil)})
    instance, _ = opened(step, shared=True)
    batch = Batch.of_rows([{"k": 1, "v": 2}], [0], lsn=1)
    seen += batch.rows()
    list(instance.process(batch))
    assert seen == [{"k": 1, "v": 2}]
