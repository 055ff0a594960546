"""A step's state against dicts, with checkpoints, restores and rescales among the moves.

Two copies run side by side: one is never restored, the other is thrown away and restored
from its chain of snapshots again and again. They and the model must not differ, order of
iteration included.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kappa.codec import KEY_GROUPS, key_group
from kappa.errors import ConfigError, CorruptCheckpoint, IncompatibleState, StateError
from kappa.state import StepState, frames

KEYS = st.one_of(
    st.integers(-2, 4),
    st.sampled_from(["a", "b", None, 1.5, True, ("a", 1), b"x", Decimal("1")]),
)
SPACES = st.sampled_from([0, 10, (0, 10), (5, 15)])
Content = dict[str, Any]


def content(state: StepState) -> Content:
    """All that a step keeps, in order of iteration where there is one."""
    spaces, timers = state.spaces("spaces"), state.timers("timers")
    return {
        "keyed": list(map(repr, state.keyed("keyed").items())),
        "spaces": {n: list(map(repr, spaces.space(n).items())) for n in held(spaces)},
        "timers": set(timers.items()),
        "due": timers.due(),
    }


def held(spaces: Any) -> list[Any]:
    return [n for n, space in spaces.spaces.items() if space]


class Store(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.plain = StepState("s")
        self.state = StepState("s")
        self.chain: list[bytes] = []
        self.model: dict[Any, list[int]] = {}
        self.n = 0

    def both(self) -> list[StepState]:
        return [self.plain, self.state]

    @rule(key=KEYS)
    def put(self, key: Any) -> None:
        self.n += 1
        for state in self.both():
            state.keyed("keyed").put(key, [self.n])
        self.model[key] = [self.n]

    @rule(key=KEYS)
    def touch(self, key: Any) -> None:
        self.n += 1
        for state in self.both():
            cell = state.keyed("keyed").touch(key)
            assert cell == self.model.get(key)
            if cell is not None:
                cell.append(self.n)
        if key in self.model:
            self.model[key] = [*self.model[key], self.n]

    @rule(key=KEYS)
    def delete(self, key: Any) -> None:
        for state in self.both():
            state.keyed("keyed").delete(key)
        self.model.pop(key, None)

    @rule(space=SPACES, key=KEYS)
    def put_in_space(self, space: Any, key: Any) -> None:
        self.n += 1
        for state in self.both():
            state.spaces("spaces").space(space).put(key, self.n)

    @rule(space=SPACES, key=KEYS)
    def delete_in_space(self, space: Any, key: Any) -> None:
        for state in self.both():
            state.spaces("spaces").space(space).delete(key)

    @rule(space=SPACES)
    def drop(self, space: Any) -> None:
        for state in self.both():
            state.spaces("spaces").drop(space)

    @rule(time=st.integers(0, 9), key=KEYS, tag=st.integers(0, 1))
    def set_timer(self, time: int, key: Any, tag: int) -> None:
        for state in self.both():
            state.timers("timers").set(time, key, tag)

    @rule(time=st.integers(0, 9), key=KEYS, tag=st.integers(0, 1))
    def delete_timer(self, time: int, key: Any, tag: int) -> None:
        for state in self.both():
            state.timers("timers").delete(time, key, tag)

    @rule(watermark=st.integers(0, 9))
    def fire(self, watermark: int) -> None:
        fired = [state.timers("timers").pop(watermark) for state in self.both()]
        assert repr(fired[0]) == repr(fired[1])

    @rule(full=st.booleans())
    def checkpoint(self, full: bool) -> None:
        frames = self.state.snapshot(full)
        self.chain = frames if full else self.chain + frames
        self.state.commit()

    @rule()
    def failed_checkpoint(self) -> None:
        """A snapshot that never became durable: nothing is committed."""
        self.state.snapshot()

    @rule()
    def restore(self) -> None:
        """Checkpoint, lose everything, restore."""
        self.checkpoint(full=False)
        self.state = StepState("s")
        self.state.restore(self.chain)

    @rule()
    def restore_in_place(self) -> None:
        self.checkpoint(full=False)
        handle = self.state.keyed("keyed")
        self.state.restore(self.chain)
        assert self.state.keyed("keyed") is handle

    @invariant()
    def nothing_differs(self) -> None:
        self.state.check()
        assert content(self.state) == content(self.plain)
        assert list(self.state.keyed("keyed").items()) == list(self.model.items())

    @invariant()
    def a_full_snapshot_equals_the_chain(self) -> None:
        one, other = StepState("s"), StepState("s")
        one.restore(self.chain + self.state.snapshot())
        other.restore(self.state.snapshot(full=True))
        assert content(one) == content(other) == content(self.state)

    @invariant()
    def workers_restore_their_share(self) -> None:
        chains = [self.chain + self.state.snapshot(), self.state.snapshot(full=True)]
        halves = [range(50), range(50, KEY_GROUPS)]
        for chain in chains:
            whole = StepState("s")
            for half in halves:
                part = StepState("s")
                part.restore(chain, groups=half)
                assert all(key_group(k) in half for k, _ in part.keyed("keyed").items())
                whole.restore(part.snapshot(full=True), merge=True)
            assert whole.snapshot() == []
            assert sorted(content(whole)["keyed"]) == sorted(content(self.state)["keyed"])
            assert content(whole)["timers"] == content(self.state)["timers"]
            assert set(held(whole.spaces("spaces"))) == set(held(self.state.spaces("spaces")))


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_snapshot_never_changes_after_it_is_taken() -> None:
    state = StepState("s")
    cells = state.keyed("cells")
    cells.put("a", [1])
    frames = state.snapshot()
    before = list(frames)
    cells.touch("a").append(2)
    cells.put("b", [3])
    state.commit()
    assert frames == before
    again = StepState("s")
    again.restore(frames)
    assert list(again.keyed("cells").items()) == [("a", [1])]


@pytest.mark.parametrize("full", [False, True])
def test_a_large_state_is_written_in_pieces(monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    monkeypatch.setattr(frames, "PIECE", 3)
    state = StepState("s")
    for n in range(20):
        state.keyed("keyed").put(19 - n, [n])
        state.spaces("spaces").space(n % 4).put(n, n)
        state.timers("timers").set(n % 7, n)
    state.commit()
    chain = state.snapshot(full=True)
    for n in range(0, 20, 2):
        state.keyed("keyed").delete(n)
        state.keyed("keyed").put(n, [n, n])
        state.timers("timers").delete(n % 7, n)
    state.spaces("spaces").drop(1)
    state.spaces("spaces").space(1).put("new", 1)
    chain = state.snapshot(full=True) if full else chain + state.snapshot()
    assert len(chain) > 10
    again = StepState("s")
    again.restore(chain)
    assert content(again) == content(state)
    again.check()


def test_only_what_changed_is_in_a_snapshot() -> None:
    state = StepState("s")
    cells = state.keyed("cells")
    for key in range(1000):
        cells.put(key, [key])
    state.timers().set(5, "a")
    assert len(state.snapshot()) == 2
    state.commit()
    assert state.snapshot() == []
    cells.touch(7)
    (frame,) = state.snapshot()
    assert len(frame) < 150


@pytest.mark.parametrize("bad", [object(), {1: {2: object()}}])
def test_a_value_that_cannot_be_stored_is_named(bad: object) -> None:
    state = StepState("per auction")
    state.keyed("totals").put("ok", [1])
    state.keyed("totals").put(("a", 7), [bad])
    with pytest.raises(
        StateError, match=r"'per auction', state 'totals': the value of key \('a', 7\)"
    ):
        state.snapshot()


def test_a_key_that_cannot_be_stored_is_named() -> None:
    state = StepState("per auction")
    state.keyed("totals").put(float("nan"), [1])
    with pytest.raises(StateError, match="the key nan cannot be stored"):
        state.snapshot(full=True)


def test_another_kind_under_a_name_is_refused() -> None:
    state = StepState("s")
    state.keyed("x").put("a", 1)
    with pytest.raises(ConfigError, match="'keyed'"):
        state.timers("x")
    frames = state.snapshot()
    changed = StepState("s")
    changed.restore(frames)
    with pytest.raises(IncompatibleState, match="step has changed"):
        changed.spaces("x")
    opened = StepState("s")
    opened.spaces("x")
    with pytest.raises(IncompatibleState, match="step has changed"):
        opened.restore(frames)


def test_what_no_one_asks_for_after_a_restore_is_named() -> None:
    state = StepState("s")
    state.keyed("old").put("a", 1)
    state.keyed("kept").put("a", 1)
    state.keyed("empty")
    again = StepState("s")
    again.restore(state.snapshot())
    again.keyed("kept")
    assert again.unclaimed() == ["old"]
    assert len(again) == 2


def test_bytes_that_are_no_frame_are_a_corrupt_checkpoint() -> None:
    """Cut anywhere, or with any byte changed: CorruptCheckpoint, or state, but no other error."""
    state = StepState("s")
    state.keyed("cells").put("a", [1, "x"])
    state.spaces("windows").space(5).put("a", 1)
    state.timers().set(5, "a")
    for frame in state.snapshot() + state.snapshot(full=True):
        for at in range(len(frame)):
            with pytest.raises(CorruptCheckpoint):
                StepState("s").restore([frame[:at]])
            for bit in range(8):
                damaged = frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1 :]
                with suppress(CorruptCheckpoint):
                    StepState("s").restore([damaged])
