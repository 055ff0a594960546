"""Two generations against a dict: content, order of iteration, and what is marked as changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kappa.errors import InternalError
from kappa.state import Generations, KeyedState, Spaces


def test_touch_moves_the_object_and_keeps_its_place() -> None:
    state = Generations()
    state.put("a", [1])
    state.put("b", [2])
    state.commit()
    cell = state.touch("a")
    cell.append(3)
    assert state.new == {"a": [1, 3]}
    assert state.touch("a") is cell
    assert list(state.items()) == [("a", [1, 3]), ("b", [2])]
    assert state.touch("z") is None
    assert "z" not in state


def test_get_does_not_mark_as_changed() -> None:
    state = Generations()
    state.put("a", 1)
    state.commit()
    assert state.get("a") == 1
    assert not state.new


def test_the_dicts_stay_the_same_objects() -> None:
    state = Generations()
    new, base = state.new, state.base
    state.put("a", 1)
    state.commit()
    state.put("b", 1)
    state.commit()
    state.clear()
    state.reset()
    assert state.new is new
    assert state.base is base


def test_a_delete_leaves_a_tombstone_only_for_what_a_checkpoint_holds() -> None:
    state = Generations()
    state.put("a", 1)
    assert state.delete("a")
    assert not state.gone
    state.put("a", 1)
    state.commit()
    assert state.delete("a")
    assert list(state.gone) == ["a"]
    assert not state.delete("a")
    assert state.get("a") is None
    assert state.pop("a") is None


def test_what_comes_back_after_a_delete_is_last_whether_or_not_a_checkpoint_lies_between() -> None:
    orders = []
    for checkpoint in (False, True):
        state = Generations()
        state.put("a", 1)
        state.put("b", 2)
        state.commit()
        state.delete("a")
        if checkpoint:
            state.commit()
        state.put("a", 3)
        orders.append(list(state.items()))
    assert orders[0] == orders[1] == [("b", 2), ("a", 3)]


def test_equal_keys_are_one_key_and_the_first_is_shown() -> None:
    state = Generations()
    state.put(1, "x")
    state.commit()
    state.put(True, "y")
    assert [(type(key), value) for key, value in state.items()] == [(int, "y")]
    assert len(state) == 1


def test_check_finds_what_is_broken() -> None:
    state = Generations()
    state.new["a"] = None
    with pytest.raises(InternalError, match="None as a value"):
        state.check()
    state = Generations()
    state.base["a"] = 1
    state.gone["a"] = None
    with pytest.raises(InternalError, match="deleted key"):
        state.check()


KEYS = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "touch", "delete", "pop"]), KEYS),
        st.tuples(st.sampled_from(["commit", "clear"]), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_is_a_dict(steps: list[tuple[str, int]]) -> None:
    state, model = KeyedState("x"), dict[int, list[int]]()
    for n, (what, key) in enumerate(steps):
        if what == "put":
            state.put(key, [n])
            model[key] = [n]
        elif what == "touch":
            cell = state.touch(key)
            if cell is not None:
                cell.append(n)
                assert cell == [*model[key], n]
                model[key] = list(cell)
        elif what == "delete":
            assert state.delete(key) == (model.pop(key, None) is not None)
        elif what == "pop":
            assert state.pop(key) == model.pop(key, None)
        elif what == "clear":
            state.clear()
            model.clear()
        else:
            state.commit()
        state.check()
        assert list(state.items()) == list(model.items())
        assert state.keys() == list(model)
        assert len(state) == len(model)
        assert bool(state) == bool(model)
        assert all((k in state) == (k in model) for k in range(6))


def test_a_namespace_exists_while_it_holds_a_key() -> None:
    spaces = Spaces("windows")
    space = spaces.space((0, 10))
    assert (0, 10) not in spaces
    assert len(spaces) == 0
    space.put("a", 1)
    spaces.space((-5, 10)).put("a", 1)
    assert spaces.namespaces() == [(-5, 10), (0, 10)]
    assert spaces.space((0, 10)) is space
    spaces.drop((0, 10))
    spaces.drop((99, 99))
    assert spaces.namespaces() == [(-5, 10)]
    assert not spaces.dropped


def test_a_dropped_namespace_is_remembered_only_if_a_checkpoint_holds_it() -> None:
    spaces = Spaces("windows")
    spaces.space(1).put("a", 1)
    spaces.commit()
    spaces.drop(1)
    assert list(spaces.dropped) == [1]
    spaces.space(1).put("b", 2)
    spaces.drop(1)
    assert list(spaces.dropped) == [1]
    spaces.commit()
    assert not spaces.dropped
    spaces.check()


def test_a_space_stays_the_same_object_over_checkpoints() -> None:
    spaces = Spaces("windows")
    space = spaces.space(1)
    space.put("a", 1)
    spaces.commit()
    space.delete("a")
    spaces.commit()
    space.put("b", 1)
    assert spaces.namespaces() == [1]
