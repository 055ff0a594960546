"""Two generations of state: what changed since the last checkpoint lies over the base.

Invariants, checked by `Generations.check`:

- a value is never None;
- a key of `new` that is also in `base` is the same entry: `new` has its present value;
- `gone` names keys that the last checkpoint holds and that were deleted since. They are in
  no other dict unless they came back, and then only in `new`.

Iteration order is order of insertion; writing to a key that is there does not move it, and
a key that was deleted and comes back is last. Taking a checkpoint, and restoring one, leave
the order as it is. Where order reaches the output, sort by key (`kappa.codec.keys.sort_keys`)
all the same: after a restore into another number of workers, insertion order is gone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from kappa.errors import InternalError

Namespace = int | tuple[Any, ...]


class Generations:
    """A dict that knows what changed in it since the last checkpoint.

    Costs one or two dict operations per access, and nothing per record besides. A hot loop
    may work on the dicts themselves, which stay the same objects for life:

        new, base, touch = state.new, state.base, state.touch
        cell = new.get(key)
        if cell is None:
            cell = touch(key)
            if cell is None:
                cell = new[key] = [0, 0.0]
        cell[0] += 1

    What it may not do is delete from them: that is `delete`, which leaves a tombstone.
    Values may be mutable, and are changed in place only after `touch` or `put`.

    >>> state = Generations()
    >>> state.put("a", [1])
    >>> state.commit()
    >>> state.touch("a").append(2)
    >>> state.get("a"), state.new
    ([1, 2], {'a': [1, 2]})
    """

    __slots__ = ("base", "gone", "new")

    def __init__(self) -> None:
        self.base: dict[Any, Any] = {}
        self.new: dict[Any, Any] = {}
        self.gone: dict[Any, None] = {}

    def get(self, key: Hashable) -> Any:
        """The value of `key` for reading only, or None."""
        value = self.new.get(key)
        return self.base.get(key) if value is None else value

    def touch(self, key: Hashable) -> Any:
        """The value of `key` for changing in place, or None; marks it as changed."""
        value = self.new.get(key)
        if value is None:
            value = self.base.get(key)
            if value is not None:
                self.new[key] = value
        return value

    def put(self, key: Hashable, value: Any) -> None:
        """Sets `key` to `value`, which is not None."""
        self.new[key] = value

    def delete(self, key: Hashable) -> bool:
        """Removes `key`; says whether it was there."""
        found = self.new.pop(key, None) is not None
        if self.base.pop(key, None) is not None:
            self.gone[key] = None
            return True
        return found

    def pop(self, key: Hashable) -> Any:
        """Removes `key` and returns its value, or None."""
        value = self.get(key)
        if value is not None:
            self.delete(key)
        return value

    def clear(self) -> None:
        """Removes every key."""
        self.gone.update(dict.fromkeys(self.base))
        self.base.clear()
        self.new.clear()

    def __contains__(self, key: Hashable) -> bool:
        return key in self.new or key in self.base

    def __len__(self) -> int:
        """The number of keys; costs a look-up per changed key."""
        if not self.base:
            return len(self.new)
        return len(self.base) + len(self.new.keys() - self.base.keys())

    def __bool__(self) -> bool:
        return bool(self.new) or bool(self.base)

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Keys and values in order of insertion; nothing may be written meanwhile."""
        base, new = self.base, self.new
        if not base:
            yield from new.items()
            return
        get = new.get
        for key, value in base.items():
            fresh = get(key)
            yield key, value if fresh is None else fresh
        for key, value in new.items():
            if key not in base:
                yield key, value

    def keys(self) -> list[Any]:
        """The keys in order of insertion."""
        return [key for key, _ in self.items()]

    def commit(self) -> None:
        """Makes the present content the base; called when a snapshot is durable."""
        self.base.update(self.new)
        self.new.clear()
        self.gone.clear()

    def reset(self) -> None:
        """Forgets everything, without tombstones; the start of a restore."""
        self.base.clear()
        self.new.clear()
        self.gone.clear()

    def check(self) -> None:
        """Raises InternalError where an invariant of this file does not hold."""
        if any(value is None for part in (self.base, self.new) for value in part.values()):
            raise InternalError("state holds None as a value; tombstones are made by delete()")
        if self.gone.keys() & self.base.keys():
            raise InternalError("a deleted key is in the base generation")


class KeyedState(Generations):
    """The state of one step under one name: a value per key.

    >>> counts = KeyedState("counts")
    >>> counts.put("a", 3)
    >>> "a" in counts, counts.get("b")
    (True, None)
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Spaces:
    """Keyed state in namespaces, such as one per window, each dropped as a whole.

    A namespace is an int or a tuple. It exists while it holds a key. The `Generations`
    that `space` returns is the same object until it is dropped.

    >>> windows = Spaces("windows")
    >>> windows.space(0).put("a", [1])
    >>> windows.space(10_000).put("a", [2])
    >>> windows.drop(0)
    >>> windows.namespaces(), 0 in windows
    ([10000], False)
    """

    __slots__ = ("dropped", "name", "spaces")

    def __init__(self, name: str) -> None:
        self.name = name
        self.spaces: dict[Namespace, Generations] = {}
        self.dropped: dict[Namespace, None] = {}

    def space(self, namespace: Namespace) -> Generations:
        """The state of one namespace, made on demand."""
        space = self.spaces.get(namespace)
        if space is None:
            space = self.spaces[namespace] = Generations()
        return space

    def drop(self, namespace: Namespace) -> None:
        """Forgets a namespace and all in it; one it never had is no error."""
        space = self.spaces.pop(namespace, None)
        if space is not None and (space.base or space.gone):
            self.dropped[namespace] = None

    def namespaces(self) -> list[Namespace]:
        """The namespaces that hold a key, ascending."""
        return sorted(n for n, space in self.spaces.items() if space)

    def __contains__(self, namespace: Namespace) -> bool:
        return bool(self.spaces.get(namespace))

    def __len__(self) -> int:
        return sum(map(bool, self.spaces.values()))

    def commit(self) -> None:
        """Makes the present content the base of every namespace."""
        for space in self.spaces.values():
            space.commit()
        self.dropped.clear()

    def reset(self) -> None:
        """Forgets everything, without tombstones.

        Spaces that someone holds stay theirs, emptied.
        """
        for space in self.spaces.values():
            space.reset()
        self.dropped.clear()

    def check(self) -> None:
        """Raises InternalError where an invariant of this file does not hold."""
        for space in self.spaces.values():
            space.check()
