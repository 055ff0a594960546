"""Timers against a set: order of firing, what is due, and what a snapshot needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kappa.errors import InternalError
from kappa.state import Timers
from kappa.time import PLUS_INFINITY


def test_order_is_time_then_key_bytes_then_tag_bytes() -> None:
    timers = Timers("t")
    for time, key, tag in [(5, "b", 1), (5, "b", 0), (5, "a", 9), (1, "z", 0), (5, None, 0)]:
        timers.set(time, key, tag)
    assert timers.pop(5) == [(1, "z", 0), (5, None, 0), (5, "a", 9), (5, "b", 0), (5, "b", 1)]


def test_keys_of_several_types_have_one_order() -> None:
    timers = Timers("t")
    keys = ["a", 2, None, 1.5, ("a", 1), b"x", True]
    for key in keys:
        timers.set(1, key)
    fired = [key for _, key, _ in timers.pop(1)]
    assert fired == [None, True, 1.5, 2, "a", b"x", ("a", 1)]


def test_setting_twice_and_deleting_what_is_not_there_change_nothing() -> None:
    timers = Timers("t")
    timers.set(5, "a")
    timers.set(5, "a")
    assert len(timers) == 1
    assert not timers.delete(6, "a")
    assert not timers.delete(5, "a", tag=1)
    assert timers.delete(5, "a")
    assert timers.due() == PLUS_INFINITY
    assert timers.pop(PLUS_INFINITY) == []


def test_firing_sees_what_is_set_and_deleted_meanwhile() -> None:
    timers = Timers("t")
    for key in ("a", "b", "c"):
        timers.set(10, key)
    timers.set(20, "a")
    seen = []
    for timer in timers.firing(20):
        seen.append(timer)
        if timer == (10, "a", 0):
            timers.delete(10, "b")
            timers.set(5, "x")
            timers.set(10, "a", 1)
            timers.set(30, "a")
    assert seen == [(10, "a", 0), (5, "x", 0), (10, "a", 1), (10, "c", 0), (20, "a", 0)]
    assert timers.due() == 30


def test_check_finds_what_is_broken() -> None:
    timers = Timers("t")
    timers.at[5] = {("a", 0): None}
    with pytest.raises(InternalError, match="heap"):
        timers.check()
    timers = Timers("t")
    timers.fresh[5, "a", 0] = None
    with pytest.raises(InternalError, match="not pending"):
        timers.check()


TIMES, KEYS, TAGS = st.integers(-3, 12), st.integers(0, 2), st.integers(0, 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "set", "delete", "pop", "fire", "commit"]), TIMES, KEYS, TAGS
        ),
        max_size=40,
    )
)
def test_they_are_a_set(steps: list[tuple[str, int, int, int]]) -> None:
    timers = Timers("t")
    model: set[tuple[int, int, int]] = set()
    base: set[tuple[int, int, int]] = set()
    for what, time, key, tag in steps:
        if what == "set":
            timers.set(time, key, tag)
            model.add((time, key, tag))
        elif what == "delete":
            assert timers.delete(time, key, tag) == ((time, key, tag) in model)
            model.discard((time, key, tag))
        elif what == "commit":
            timers.commit()
            base = set(model)
        else:
            due = sorted(timer for timer in model if timer[0] <= time)
            fired = timers.pop(time) if what == "pop" else list(timers.firing(time))
            assert fired == due
            model -= set(due)
        timers.check()
        assert set(timers.items()) == model
        assert len(timers) == len(model)
        assert timers.due() == min((t for t, _, _ in model), default=PLUS_INFINITY)
        assert set(timers.fresh) == model - base
        assert set(timers.gone) == base - model
