"""Triggers are checked when they are made, and where they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kappa.aggregates import agg
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators import WindowAggregate
from kappa.time import MINUS_INFINITY
from kappa.triggers import AtWatermark, Every, OnCount
from kappa.windows import Count, Global, Session, Sliding, Tumbling, Window


def step(window: Window, **options: Any) -> WindowAggregate:
    aggregates = options.pop("aggregates", {"n": agg.count()})
    return WindowAggregate(Selector.of("k"), window, aggregates, **options)


def test_a_trigger_repeats_unless_said_once() -> None:
    assert OnCount(3).repeats and Every("1s").repeats
    assert not OnCount(3).once().repeats and not Every("1s").once().repeats
    assert Every("1s").once().period == 1_000


def test_triggers_compare_and_print() -> None:
    assert AtWatermark() == AtWatermark(late=OnCount(1)) != AtWatermark(late=OnCount(2))
    one = AtWatermark(early=Every("10s", clock="append"), late=OnCount(3))
    assert str(one) == (
        "every 10s of append time, at the watermark, then at every 3 records that are late"
    )


def test_a_bare_trigger_of_a_global_window_is_an_early_one() -> None:
    assert step(Global(), trigger=OnCount(2)).resolved == AtWatermark(early=OnCount(2))
    assert step(Global(), trigger=AtWatermark()).resolved == AtWatermark()


def test_pane_fields_come_with_a_trigger_or_other_panes() -> None:
    plain = ("window_start", "window_end")
    panes = (*plain, "pane_index", "pane_timing", "pane_last")
    assert step(Tumbling(10), lateness=5).reserved == plain
    assert step(Tumbling(10), panes="accumulating").reserved == plain
    assert step(Tumbling(10), trigger=AtWatermark()).reserved == panes
    assert step(Tumbling(10), panes="discarding").reserved == panes
    assert step(Tumbling(10), panes="retracting").reserved == (*panes, "retraction")


def test_only_sessions_with_marks_never_merge_appends() -> None:
    every = AtWatermark(early=Every(3))
    assert step(Session(5), trigger=every).bound(0) == MINUS_INFINITY
    assert step(Session(5), trigger=AtWatermark(early=OnCount(2))).bound(0) == 4
    assert step(Tumbling(10), trigger=every).bound(0) == 9
    assert not step(Tumbling(10), trigger=every).uses_append_time
    assert step(Tumbling(10), trigger=AtWatermark(early=Every(3, "append"))).uses_append_time


def test_what_a_step_asks_and_says() -> None:
    made = step(
        Sliding("10s", "2s"),
        aggregates={"total": agg.sum("price", where="open"), "n": agg.count()},
        lateness="5s",
    )
    assert made.required(None) == {"k", "price", "open"}
    assert made.margin_before == 15_000
    assert made.holdback == 0
    assert made.sides == ("late",)
    assert made.describe() == (
        "keeps total, n per k and window until the watermark reaches its end and 5s more"
    )
    assert step(Session(5)).margin_before is None
    anything = step(Tumbling(5), aggregates={"n": agg.sum(lambda row: len(row))})
    assert anything.required(frozenset("n")) is None


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: OnCount(0), "count is 0"),
        (lambda: Every(0), "period"),
        (lambda: Every("1s", clock="wall"), "clock is 'wall'"),
        (lambda: AtWatermark(early=AtWatermark()), "early is"),
        (lambda: AtWatermark(late=Every("1s")), "late is"),
        (lambda: AtWatermark(late=OnCount(2).once()), "would lose"),
        (lambda: step(Tumbling(10), trigger=OnCount(2)), "alone would lose the records"),
        (lambda: step(Session(10), trigger=Every("1s")), "use AtWatermark\\(early="),
        (lambda: step(Count(2), trigger=OnCount(2)), "its own trigger"),
        (lambda: step(Count(2), panes="discarding"), "its own trigger"),
        (lambda: step(Tumbling(10), trigger="daily"), "trigger is 'daily'"),
        (lambda: step(Tumbling(10), panes="deltas"), "panes is 'deltas'"),
        (lambda: step(Tumbling(10), lateness="-1s"), "lateness"),
        (lambda: step(Global(), lateness="1s"), "nothing is late in a global window"),
        (lambda: step("10s"), "window is '10s'"),
        (lambda: step(Tumbling(1), aggregates={}), "at least one aggregate"),
        (lambda: step(Tumbling(1), aggregates={"k": agg.count()}), "rename"),
        (lambda: step(Tumbling(1), aggregates={"window_end": agg.count()}), "field of every"),
        (
            lambda: WindowAggregate(Selector.of("window_start"), Tumbling(1), {"n": agg.count()}),
            "rename",
        ),
    ],
)
def test_wrong_use(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("window", [Session(5), Sliding(10, 5), Count(4, slide=2)])
def test_windows_made_of_parts_need_aggregates_that_merge(window: Window) -> None:
    folding = {"all": agg.reduce("v", lambda a, b: [*a, b], initial=list)}
    with pytest.raises(ConfigError, match="cannot be put together from parts"):
        step(window, aggregates=folding)
    merging = {"all": agg.reduce("v", lambda a, b: [*a, b], initial=list, merge=list.__add__)}
    step(window, aggregates=merging)
    step(Tumbling(5), aggregates=folding)
    step(Sliding(10, 5), aggregates=folding, trigger=AtWatermark())
