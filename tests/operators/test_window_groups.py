"""Grouping rows by key gives what taking them one by one gives, to the bit and in order.

Method: the same batches into two window steps, one of which is kept from grouping; state and
fired rows are compared by repr, so that 1, 1.0 and True differ.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from kappa import Tumbling, agg
from kappa.batch import Batch
from kappa.expressions import Selector
from kappa.operators import OperatorContext, WindowAggregate
from kappa.operators import window_groups as groups
from kappa.state import StepState

AGGREGATES = {
    "n": agg.count(),
    "m": agg.count("v"),
    "total": agg.sum("v"),
    "low": agg.min("v"),
    "high": agg.max("v"),
    "mean": agg.mean("v"),
}
ROWS = st.lists(
    st.tuples(st.sampled_from([1, 2, "a", True, 2.0]), st.integers(-5, 5), st.integers(0, 19)),
    min_size=1,
    max_size=60,
)


def opened(aggregates=AGGREGATES, *, grouped: bool):
    state = StepState("w")
    step = WindowAggregate(Selector.of("k"), Tumbling(10), aggregates)
    instance = step.open(OperatorContext("w", state))
    if not grouped:
        instance._grouping._merge = None
    return instance, state


def batch(rows) -> Batch:
    keys, values, times = map(list, zip(*rows, strict=True))
    made = Batch.of_columns({"k": keys, "v": values}, times, lsn=1)
    made.solid = frozenset({"v"})
    made.watermark = -1
    return made


def told(instance):
    return [repr(row) for found in instance.advance(100) for row in found.rows()]


@given(st.lists(ROWS, min_size=1, max_size=4), st.booleans())
@settings(deadline=None)
def test_groups_and_rows_give_the_same(batches, stored):
    one, state = opened(grouped=True)
    other, plain = opened(grouped=False)
    for rows in batches:
        for instance in (one, other):
            instance._grouping._wait = 0
            assert not list(instance.process(batch(rows)))
        if stored:  # what comes later finds its accumulators in the older generation
            state.commit()
            plain.commit()
    assert [repr(item) for item in contents(state)] == [repr(item) for item in contents(plain)]
    assert told(one) == told(other)


def contents(state: StepState):
    spaces = state.spaces("windows")
    return [(low, list(spaces.space(low).items())) for low in spaces.namespaces()]


@pytest.mark.parametrize(
    "aggregates",
    [
        {"n": agg.count(where="v")},
        {"first": agg.first("v")},
        {"total": agg.sum("v"), "other": agg.sum("k")},
    ],
    ids=["condition", "by time", "two columns"],
)
def test_what_lists_cannot_do_is_not_grouped(aggregates):
    instance, _ = opened(aggregates, grouped=True)
    assert instance._grouping._merge is None


def test_floats_are_added_one_by_one():
    grouping = opened(grouped=True)[0]._grouping
    assert not grouping.fits([0.1], (True,))
    assert grouping.fits([1], (True,))


def test_keys_that_seldom_recur_are_taken_one_by_one_for_a_while():
    grouping = opened(grouped=True)[0]._grouping
    cell = ({}, {}, {}.get)
    assert grouping.take([cell], 0, list(range(50)), [1] * 50, list)
    tries = [grouping.fits([1], (True,)) for _ in range(groups.LOOK_AGAIN + 1)]
    assert tries == [False] * groups.LOOK_AGAIN + [True]


def test_a_key_that_is_none_leaves_no_trace():
    grouping = opened(grouped=True)[0]._grouping
    new = {}
    assert not grouping.take([(new, {}, {}.get)], 0, [1, float("nan")], [1, 1], list)
    assert not grouping.take([(new, {}, {}.get)], 0, [1, []], [1, 1], list)
    assert new == {}


@pytest.mark.parametrize("start", [1e16, 0.1, True, None])
def test_ints_that_meet_another_kind_of_sum_are_added_one_by_one(start):
    one, state = opened(grouped=True)
    other, plain = opened(grouped=False)
    for instance in (one, other):
        instance._grouping._wait = 0
        first = batch([(1, start, 5)])
        first.solid = frozenset()
        list(instance.process(first))
        list(instance.process(batch([(1, 1, 5)] * 40)))
    assert [repr(item) for item in contents(state)] == [repr(item) for item in contents(plain)]
