"""State that all keys of a step read alike: what a broadcast stream has said so far.

    class Priced:
        rates = BroadcastState()

        def on_broadcast(self, row, ctx):
            self.rates.put(row["currency"], row["rate"])

        def on_record(self, row, ctx):
            ctx.emit({**row, "euros": row["amount"] * self.rates.get(row["currency"], 0)})

It is written in `on_broadcast` alone: what one key wrote there, the others would see or not
by the order in which they came, and with several workers not at all.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from copy import copy
from typing import Any, Generic, TypeVar

from kappa.codec import check_key
from kappa.errors import ConfigError
from kappa.state.handles import UNBOUND, Scope
from kappa.state.step import StepState

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BroadcastState(Generic[K, V]):
    """A map that is the same for all keys, in the order of insertion.

    What `get` returns must not be changed in place.

    >>> BroadcastState()
    BroadcastState()
    """

    def __init__(self) -> None:
        self.name = ""
        self._cells: Any = UNBOUND
        self._scope: Scope = UNBOUND

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def bound(self, state: StepState, scope: Scope) -> BroadcastState[K, V]:
        """The same declaration, at work on a step's state."""
        handle = copy(self)
        handle._cells = state.keyed(self.name)
        handle._scope = scope
        return handle

    def put(self, name: K, value: V) -> None:
        """Sets an entry; None takes it out."""
        self._writing()
        check_key(name)
        if value is None:
            self._cells.delete(name)
        else:
            self._cells.put(name, value)

    def remove(self, name: K) -> bool:
        """Removes an entry; says whether it was there."""
        self._writing()
        return bool(self._cells.delete(name))

    def clear(self) -> None:
        """Removes every entry."""
        self._writing()
        self._cells.clear()

    def _writing(self) -> None:
        if not self._scope.broadcasting:
            raise ConfigError(
                f"{self.name} is written outside of on_broadcast: what all keys read alike is"
                " changed by the broadcast stream alone"
            )

    def get(self, name: K, default: Any = None) -> Any:
        """An entry's value, or `default`."""
        found = self._cells.get(name)
        return default if found is None else found

    def items(self) -> list[tuple[K, V]]:
        """The entries, as a new list in the order of insertion."""
        return list(self._cells.items())

    def __contains__(self, name: object) -> bool:
        return name in self._cells

    def __iter__(self) -> Iterator[K]:
        return iter(self._cells.keys())

    def __len__(self) -> int:
        return len(self._cells)

    def __repr__(self) -> str:
        return "BroadcastState()"


def broadcast(cls: type) -> dict[str, BroadcastState[Any, Any]]:
    """The broadcast state that a class and its bases declare, by name."""
    found: dict[str, BroadcastState[Any, Any]] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, BroadcastState):
                found[name] = value
            else:
                found.pop(name, None)
    return found
