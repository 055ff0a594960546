"""State that a user's class declares: a value, a list or a map per key.

    class Visits:
        count = ValueState(default=0)
        pages = MapState(ttl="1h")

The class attribute says what is kept. While a record or timer is handled, the attribute of
the instance is the same thing for the present key: `self.count.set(self.count.get() + 1)`.

With `ttl`, what is written lives until the watermark reaches the event time of the writing
record (or the due time of the writing timer) + ttl; of several writes to one value or map
entry, the latest end counts. List elements and map entries expire one by one. So expiry is
in event time and replays. It is driven by timers in the step's own state: `due` says when
there is something to do, and nothing is checked when state is read.

What `get` returns may be changed in place where it is mutable: reading a mutable value marks
it as changed. Costs about half a microsecond per call; a list or map is one value to a
checkpoint, written whole if anything in it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from copy import copy
from typing import Any, Generic, TypeVar, overload

from kappa.errors import ConfigError
from kappa.state.copies import IMMUTABLE
from kappa.state.generations import KeyedState
from kappa.state.step import StepState
from kappa.state.timers import Timers
from kappa.time import Duration, duration_ms, format_duration

V = TypeVar("V")
K = TypeVar("K", bound=Hashable)
H = TypeVar("H", bound="Declared")

EXPIRY = ".ttl"
"""The timers of all handles of a step; no attribute has this name."""


class Scope:
    """What the handles of one instance are bound to at the moment."""

    __slots__ = ("broadcasting", "key", "time")

    def __init__(self) -> None:
        self.broadcasting = False
        self.key: Any = None
        self.time = 0


class Declared:
    """What the three kinds of state have in common.

    Args:
        ttl: how long what is written lives, in event time; for ever if not given.

    Raises:
        ConfigError: `ttl` is not a positive duration.
    """

    def __init__(self, *, ttl: Duration | None = None) -> None:
        self.ttl = None if ttl is None else duration_ms(ttl, name="ttl", minimum=1)
        self.name = ""
        self._cells: KeyedState = UNBOUND
        self._timers: Timers = UNBOUND
        self._scope: Scope = UNBOUND

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def bound(self: H, state: StepState, scope: Scope) -> H:
        """The same declaration, at work on a step's state."""
        handle = copy(self)
        handle._cells = state.keyed(self.name)
        handle._scope = scope
        if self.ttl is not None:
            handle._timers = state.timers(EXPIRY)
        return handle

    def clear(self) -> None:
        """Forgets what is kept for the key."""
        key = self._scope.key
        cell = self._cells.pop(key)
        if self.ttl is not None and cell is not None:
            self._timers.delete(cell[0], key, self.name)

    def expire(self, time: int, key: Hashable, watermark: int) -> None:
        """Forgets what has expired of a key, when its timer is due."""
        cell = self._cells.touch(key)
        if cell is None or cell[0] != time:
            return
        following = self._shed(cell, watermark)
        if following is None:
            self._cells.delete(key)
        else:
            cell[0] = following
            self._timers.set(following, key, self.name)

    def _shed(self, cell: list[Any], watermark: int) -> int | None:
        """Removes what has ended from a cell; when the next of it ends, None if empty."""
        raise NotImplementedError

    def _ends(self) -> int:
        return self._scope.time + (self.ttl or 0)

    def _cell(self, ends: int, make: Callable[[], Any]) -> list[Any]:
        """The key's cell [when its timer is due, content], for writing what ends then."""
        key = self._scope.key
        cell: list[Any] | None = self._cells.touch(key)
        if cell is None:
            cell = [ends, make()]
            self._cells.put(key, cell)
            self._timers.set(ends, key, self.name)
        elif ends < cell[0]:
            self._timers.delete(cell[0], key, self.name)
            self._timers.set(ends, key, self.name)
            cell[0] = ends
        return cell

    def __repr__(self) -> str:
        ttl = "" if self.ttl is None else f"ttl={format_duration(self.ttl)!r}"
        return f"{type(self).__name__}({ttl})"


class _Unbound:
    """Stands where a handle is used outside of a running step."""

    def __getattr__(self, name: str) -> Any:
        raise ConfigError(
            "state is read and written in on_record, on_timer and what they call: there is no"
            " key anywhere else"
        )

    def __copy__(self) -> _Unbound:
        return self


UNBOUND: Any = _Unbound()


class ValueState(Declared, Generic[V]):
    """One value per key.

    Args:
        default: what `get` gives where nothing was set; immutable.
        ttl: how long a value lives after it was last set, in event time.

    Raises:
        ConfigError: `default` is mutable, or `ttl` is not a positive duration.

    >>> ValueState(default=0), ValueState(ttl="1h")
    (ValueState(default=0), ValueState(ttl='1h'))
    """

    @overload
    def __init__(self: ValueState[Any], *, ttl: Duration | None = None) -> None: ...
    @overload
    def __init__(self, default: V, *, ttl: Duration | None = None) -> None: ...
    def __init__(self, default: Any = None, *, ttl: Duration | None = None) -> None:
        super().__init__(ttl=ttl)
        if type(default) not in IMMUTABLE and type(default) not in (tuple, frozenset):
            raise ConfigError(
                f"ValueState: the default {default!r} could be changed in place, for all keys at"
                " once; use ListState or MapState, or set a value where there is none"
            )
        self.default = default

    def get(self) -> V:
        """The key's value, or the default."""
        cells, key = self._cells, self._scope.key
        value = cells.get(key)
        if value is None:
            return self.default  # type: ignore[no-any-return]
        if self.ttl is None:
            if type(value) not in IMMUTABLE:
                cells.touch(key)
            return value  # type: ignore[no-any-return]
        if type(value[1][1]) not in IMMUTABLE:
            cells.touch(key)
        return value[1][1]  # type: ignore[no-any-return]

    def set(self, value: V | None) -> None:
        """Sets the key's value; None forgets it."""
        if value is None:
            self.clear()
        elif self.ttl is None:
            self._cells.new[self._scope.key] = value
        else:
            ends = self._ends()
            entry = self._cell(ends, lambda: [ends, None])[1]
            if ends > entry[0]:
                entry[0] = ends
            entry[1] = value

    def _shed(self, cell: list[Any], watermark: int) -> int | None:
        ends: int = cell[1][0]
        return None if ends <= watermark else ends

    def __repr__(self) -> str:
        if self.default is None:
            return super().__repr__()
        ttl = "" if self.ttl is None else f", ttl={format_duration(self.ttl)!r}"
        return f"ValueState(default={self.default!r}{ttl})"


class ListState(Declared, Generic[V]):
    """A list per key, in the order in which it was appended to.

    Args:
        ttl: how long an element lives, in event time.

    >>> ListState(ttl="1h")
    ListState(ttl='1h')
    """

    def append(self, value: V) -> None:
        """Adds an element at the end."""
        self.extend((value,))

    def extend(self, values: Iterable[V]) -> None:
        """Adds elements at the end."""
        added = list(values)
        if not added:
            return
        if self.ttl is not None:
            ends = self._ends()
            self._cell(ends, list)[1].extend([ends, value] for value in added)
            return
        cell = self._cells.touch(self._scope.key)
        if cell is None:
            self._cells.put(self._scope.key, added)
        else:
            cell += added

    def get(self) -> list[V]:
        """The elements, as a new list."""
        cells, key = self._cells, self._scope.key
        cell = cells.get(key)
        if cell is None:
            return []
        values = list(cell) if self.ttl is None else [value for _, value in cell[1]]
        if not IMMUTABLE.issuperset(map(type, values)):
            cells.touch(key)
        return values

    def set(self, values: Iterable[V]) -> None:
        """Puts these elements in place of those that are there."""
        values = list(values)
        self.clear()
        self.extend(values)

    def __len__(self) -> int:
        cell = self._cells.get(self._scope.key)
        return 0 if cell is None else len(cell if self.ttl is None else cell[1])

    def __iter__(self) -> Iterator[V]:
        return iter(self.get())

    def _shed(self, cell: list[Any], watermark: int) -> int | None:
        cell[1] = [entry for entry in cell[1] if entry[0] > watermark]
        return min((ends for ends, _ in cell[1]), default=None)


class MapState(Declared, Generic[K, V]):
    """A map per key, in the order of insertion; writing to an entry does not move it.

    Args:
        ttl: how long an entry lives after it was last put, in event time.

    >>> MapState()
    MapState()
    """

    def put(self, name: K, value: V) -> None:
        """Sets an entry."""
        if self.ttl is not None:
            ends = self._ends()
            entries = self._cell(ends, dict)[1]
            entry = entries.get(name)
            if entry is None:
                entries[name] = [ends, value]
            else:
                entry[:] = max(ends, entry[0]), value
            return
        cell = self._cells.touch(self._scope.key)
        if cell is None:
            self._cells.put(self._scope.key, {name: value})
        else:
            cell[name] = value

    @overload
    def get(self, name: K) -> V | None: ...
    @overload
    def get(self, name: K, default: V) -> V: ...
    def get(self, name: K, default: Any = None) -> Any:
        """An entry's value, or `default`."""
        cells, key = self._cells, self._scope.key
        entries = self._entries()
        if name not in entries:
            return default
        value = entries[name] if self.ttl is None else entries[name][1]
        if type(value) not in IMMUTABLE:
            cells.touch(key)
        return value

    def remove(self, name: K) -> bool:
        """Removes an entry; says whether it was there."""
        if name not in self._entries():
            return False
        cell = self._cells.touch(self._scope.key)
        entries = cell if self.ttl is None else cell[1]
        del entries[name]
        if not entries:
            self.clear()
        return True

    def items(self) -> list[tuple[K, V]]:
        """The entries, as a new list in the order of insertion."""
        entries = self._entries()
        if self.ttl is None:
            found = list(entries.items())
        else:
            found = [(name, value) for name, (_, value) in entries.items()]
        if not IMMUTABLE.issuperset(type(value) for _, value in found):
            self._cells.touch(self._scope.key)
        return found

    def keys(self) -> list[K]:
        """The names of the entries, in the order of insertion."""
        return list(self._entries())

    def values(self) -> list[V]:
        """The values of the entries, in the order of insertion."""
        return [value for _, value in self.items()]

    def __contains__(self, name: object) -> bool:
        return name in self._entries()

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._entries())

    def _entries(self) -> dict[Any, Any]:
        cell = self._cells.get(self._scope.key)
        if cell is None:
            return {}
        return cell if self.ttl is None else cell[1]  # type: ignore[no-any-return]

    def _shed(self, cell: list[Any], watermark: int) -> int | None:
        cell[1] = {name: entry for name, entry in cell[1].items() if entry[0] > watermark}
        return min((ends for ends, _ in cell[1].values()), default=None)


def declared(cls: type) -> dict[str, Declared]:
    """The handles that a class and its bases declare, by name.

    >>> class Visits:
    ...     count = ValueState(default=0)
    >>> declared(Visits)
    {'count': ValueState(default=0)}
    """
    found: dict[str, Declared] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Declared):
                found[name] = value
            else:
                found.pop(name, None)
    return found


def expire(handles: dict[str, Any], timers: Timers, watermark: int) -> None:
    """Forgets all that ends at or before `watermark`, in every handle.

    Args:
        handles: bound handles by name.
        timers: the step's timers named `EXPIRY`.
        watermark: what has been reached.
    """
    for time, key, name in timers.pop(watermark):
        handles[name].expire(time, key, watermark)
