"""Declared state against plain values, lists and dicts, with expiry, checkpoints, restores."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kappa.errors import ConfigError
from kappa.state import ListState, MapState, StepState, ValueState
from kappa.state.handles import EXPIRY, Scope, declared, expire

TTL = 7
KEYS = st.sampled_from(["a", 1, None])
NAMES = st.sampled_from(["x", "y", ("z", 1), 2])
VALUES = st.one_of(st.integers(0, 3), st.just("text"), st.builds(list))


class Declares:
    value = ValueState(default=0)
    items = ListState[Any]()
    entries = MapState[Any, Any]()
    short_value = ValueState(default=0, ttl=TTL)
    short_items = ListState[Any](ttl=TTL)
    short_entries = MapState[Any, Any](ttl=TTL)


class Handles(RuleBasedStateMachine):
    """The model keeps (end, value) for everything, and drops what has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.state = StepState("s")
        self.chain: list[bytes] = []
        self.scope = Scope()
        self.watermark = -1
        self.bind()
        self.values: dict[Any, tuple[int, Any]] = {}
        self.lists: dict[Any, list[tuple[int, Any]]] = {}
        self.maps: dict[Any, dict[Any, tuple[int, Any]]] = {}
        self.plain: dict[str, dict[Any, Any]] = {"value": {}, "items": {}, "entries": {}}

    def bind(self) -> None:
        self.handles: Any = {
            name: handle.bound(self.state, self.scope)
            for name, handle in declared(Declares).items()
        }

    def at(self, key: Any, time: int) -> int:
        self.scope.key, self.scope.time = key, time
        return time + TTL

    @rule(key=KEYS, time=st.integers(0, 40), value=VALUES)
    def set_value(self, key: Any, time: int, value: Any) -> None:
        end = self.at(key, time)
        self.handles["value"].set(value)
        self.plain["value"][key] = value
        self.handles["short_value"].set(value)
        self.values[key] = (max(end, self.values.get(key, (end, 0))[0]), value)

    @rule(key=KEYS, time=st.integers(0, 40), value=VALUES, n=st.integers(0, 2))
    def extend(self, key: Any, time: int, value: Any, n: int) -> None:
        end = self.at(key, time)
        for name in ("items", "short_items"):
            self.handles[name].append(value)
            self.handles[name].extend([n] * n)
        self.plain["items"].setdefault(key, []).extend([value] + [n] * n)
        self.lists.setdefault(key, []).extend([(end, value)] + [(end, n)] * n)

    @rule(key=KEYS, time=st.integers(0, 40), name=NAMES, value=VALUES)
    def put(self, key: Any, time: int, name: Any, value: Any) -> None:
        end = self.at(key, time)
        for handle in ("entries", "short_entries"):
            self.handles[handle].put(name, value)
        self.plain["entries"].setdefault(key, {})[name] = value
        entries = self.maps.setdefault(key, {})
        entries[name] = (max(end, entries.get(name, (end, 0))[0]), value)

    @rule(key=KEYS, name=NAMES)
    def remove(self, key: Any, name: Any) -> None:
        self.at(key, 0)
        known = name in self.maps.get(key, {})
        assert self.handles["short_entries"].remove(name) == known
        self.maps.get(key, {}).pop(name, None)
        known = name in self.plain["entries"].get(key, {})
        assert self.handles["entries"].remove(name) == known
        self.plain["entries"].get(key, {}).pop(name, None)

    @rule(key=KEYS, what=st.sampled_from(["value", "items", "entries"]))
    def clear(self, key: Any, what: str) -> None:
        self.at(key, 0)
        self.handles[what].clear()
        self.handles[f"short_{what}"].clear()
        self.plain[what].pop(key, None)
        {"value": self.values, "items": self.lists, "entries": self.maps}[what].pop(key, None)

    @rule(key=KEYS)
    def change_in_place(self, key: Any) -> None:
        """What was read may be changed where it is mutable; a checkpoint sees it."""
        self.at(key, 0)
        found = [self.handles["value"].get(), *self.handles["items"].get()]
        found += [self.handles["short_value"].get(), *self.handles["short_items"].get()]
        found += self.handles["entries"].values() + self.handles["short_entries"].values()
        changed: list[int] = []
        for value in found:
            if isinstance(value, list) and id(value) not in changed:
                value.append(9)
                changed.append(id(value))
        # The model's values are the same objects, except after a restore.
        for value in self.model_lists(key):
            if id(value) not in changed:
                value.append(9)
                changed.append(id(value))

    def model_lists(self, key: Any) -> list[list[Any]]:
        found = [self.plain["value"].get(key), self.values.get(key, (0, 0))[1]]
        found += self.plain["items"].get(key, [])
        found += [value for _, value in self.lists.get(key, [])]
        found += self.plain["entries"].get(key, {}).values()
        found += [value for _, value in self.maps.get(key, {}).values()]
        return [value for value in found if isinstance(value, list)]

    @rule(by=st.integers(0, 20))
    def advance(self, by: int) -> None:
        self.watermark = w = self.watermark + by
        expire(self.handles, self.state.timers(EXPIRY), w)
        self.values = {k: v for k, v in self.values.items() if v[0] > w}
        self.lists = {k: [e for e in v if e[0] > w] for k, v in self.lists.items()}
        self.maps = {k: {n: e for n, e in v.items() if e[0] > w} for k, v in self.maps.items()}

    @rule()
    def checkpoint(self) -> None:
        self.chain += self.state.snapshot()
        self.state.commit()

    @rule()
    def restore(self) -> None:
        self.checkpoint()
        self.state = StepState("s")
        self.state.restore(self.chain)
        self.bind()
        # From here on the engine's values are other objects than the model's.
        self.values = {k: (e, copied(v)) for k, (e, v) in self.values.items()}

    @invariant()
    def nothing_differs(self) -> None:
        self.state.check()
        for key in ("a", 1, None):
            self.at(key, 0)
            self.check_key(key)
        ends = [end for end, _ in self.values.values()]
        ends += [end for items in self.lists.values() for end, _ in items]
        ends += [end for items in self.maps.values() for end, _ in items.values()]
        due = self.state.timers(EXPIRY).due()
        assert due <= min(ends, default=due)  # never too late; too early does no harm
        if not ends:
            assert len(self.state.keyed("short_items")) == len(self.state.timers(EXPIRY)) == 0

    def check_key(self, key: Any) -> None:
        peek = {name: self.state.keyed(name).get(key) for name in declared(Declares)}
        assert peek["value"] == self.plain["value"].get(key)
        assert (peek["items"] or []) == self.plain["items"].get(key, [])
        assert list((peek["entries"] or {}).items()) == list(
            self.plain["entries"].get(key, {}).items()
        )
        value = peek["short_value"]
        assert (value and value[1]) == (list(self.values[key]) if key in self.values else None)
        items = peek["short_items"]
        assert (items[1] if items else []) == [list(e) for e in self.lists.get(key, [])]
        entries = peek["short_entries"]
        assert list((entries[1] if entries else {}).items()) == [
            (n, list(e)) for n, e in self.maps.get(key, {}).items()
        ]
        assert len(self.handles["items"]) == len(self.plain["items"].get(key, []))
        assert self.handles["entries"].keys() == list(self.plain["entries"].get(key, {}))


def copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


TestHandles = Handles.TestCase
TestHandles.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)


def bound(handle: Any) -> tuple[Any, StepState, Scope]:
    state, scope = StepState("s"), Scope()
    handle.name = "h"
    scope.key = "a"
    return handle.bound(state, scope), state, scope


def test_a_value_that_was_not_set_is_the_default() -> None:
    value, state, _ = bound(ValueState(default=5))
    assert value.get() == 5
    value.set(None)
    assert value.get() == 5
    assert state.snapshot() == []


def test_reading_marks_as_changed_only_what_can_change() -> None:
    value, state, _ = bound(ValueState[Any](default=None))
    value.set(3)
    state.snapshot()
    state.commit()
    value.get()
    assert state.snapshot() == []
    value.set([3])
    state.commit()
    value.get().append(4)
    assert len(state.snapshot()) == 1


def test_what_a_list_gives_is_another_list() -> None:
    items, _, _ = bound(ListState[int]())
    items.extend([1, 2])
    items.get().append(3)
    assert items.get() == [1, 2]
    assert list(items) == [1, 2]
    items.set([5])
    assert items.get() == [5]
    items.set([])
    assert (items.get(), len(items)) == ([], 0)


@pytest.mark.parametrize("ttl", [None, 5])
def test_a_map_keeps_the_order_of_insertion(ttl: int | None) -> None:
    entries, _, _ = bound(MapState[str, int](ttl=ttl))
    for name in "bca":
        entries.put(name, 1)
    entries.put("b", 2)
    entries.remove("c")
    entries.put("c", 3)
    assert entries.items() == [("b", 2), ("a", 1), ("c", 3)]
    assert list(entries) == ["b", "a", "c"]
    assert (entries.get("b"), entries.get("x"), entries.get("x", 7)) == (2, None, 7)
    assert ("a" in entries, "x" in entries, len(entries)) == (True, False, 3)


def test_wrong_declarations_are_refused() -> None:
    with pytest.raises(ConfigError, match="changed in place, for all keys at once"):
        ValueState(default=[])
    with pytest.raises(ConfigError, match="ttl"):
        ListState(ttl=0)
    with pytest.raises(ConfigError, match="ttl"):
        MapState(ttl="soon")
    with pytest.raises(ConfigError, match="no key anywhere else"):
        Declares.value.get()


def test_a_subclass_may_replace_what_its_base_declares() -> None:
    class Replaces(Declares):
        value = ListState()  # type: ignore[assignment]
        items = None  # type: ignore[assignment]

    names = declared(Replaces)
    assert type(names["value"]) is ListState
    assert "items" not in names
    assert repr(names["short_entries"]) == "MapState(ttl='7ms')"
