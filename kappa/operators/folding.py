"""reduce, fold and stateful_map: the user's functions on a key's state, record by record.

One result per record, at the record's place and time; time plays no part, so batches of
any number of LSNs are taken in at once. What is emitted is a copy of the state: the
functions may change their state in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.codec import check_key
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.expressions.reads import is_lazy, reads_of
from kappa.operators.contract import Fields, Instance, Operator, OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.keyed import answered, key_row, run_rows
from kappa.state import KeyedState, detached
from kappa.state.copies import IMMUTABLE
from kappa.time import PLUS_INFINITY

VALUE = "value"


@dataclass(frozen=True)
class Reduce(Operator):
    """Combines each row with the result so far of its key; emits the result per row.

    The first row of a key is its first result, as it is.

    Args:
        key: what groups the rows.
        function: `function(result, row) -> result`; not None.

    >>> Reduce(Selector.of("user"), max).describe()
    'keeps the result per user, for ever'
    """

    key: Selector
    function: Callable[[Any, Any], Any]

    kind: ClassVar[str] = "reduce"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_callable(self.function, "reduce")

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return Folding(self.key, context, reducing(context.state.keyed("results"), self.function))

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        return f"keeps the result per {self.key.name or 'group'}, for ever"


@dataclass(frozen=True)
class Fold(Operator):
    """A state per key that a function takes rows into; emits the state per row.

    The output row is the key field(s) and the fields of the state, if that is a mapping,
    else the key field(s) and `value`.

    Args:
        key: what groups the rows.
        make: gives the state of a new key.
        function: `function(state, row) -> state`; not None.
    """

    key: Selector
    make: Callable[[], Any]
    function: Callable[[Any, Any], Any]

    kind: ClassVar[str] = "fold"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_callable(self.make, "fold")
        check_callable(self.function, "fold")

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        state = context.state.keyed("states")
        return Folding(self.key, context, folding(state, self.key, self.make, self.function))

    def required(self, wanted: Fields) -> Fields:
        """The key's and those that the function reads, where that is sure."""
        return key_and_row(self.key, self.function)

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        return f"keeps the state per {self.key.name or 'group'}, for ever"


@dataclass(frozen=True)
class StatefulMap(Operator):
    """A function of a key's state and a row that gives the new state and a row.

    Args:
        key: what groups the rows.
        make: gives the state of a new key.
        function: `function(state, row) -> (state, out)`. An `out` of None emits nothing; a
            state of None forgets the key.
    """

    key: Selector
    make: Callable[[], Any]
    function: Callable[[Any, Any], tuple[Any, Any]]

    kind: ClassVar[str] = "stateful_map"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_callable(self.make, "stateful_map")
        check_callable(self.function, "stateful_map")

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        state = context.state.keyed("states")
        return Folding(self.key, context, mapping(state, self.make, self.function))

    def required(self, wanted: Fields) -> Fields:
        """The key's and those that the function reads, where that is sure."""
        return key_and_row(self.key, self.function)

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        name = self.key.name or "group"
        return f"keeps the state per {name}, until the function gives None for it"


def check_callable(function: object, kind: str) -> None:
    """Refuses what cannot be called, while the pipeline is built.

    Raises:
        ConfigError: it cannot.
    """
    if not callable(function):
        raise ConfigError(f"{kind}: {function!r} is not a function")


def key_and_row(key: Selector, function: Callable[[Any, Any], Any]) -> Fields:
    """The fields of the key, and of the row that is a function's second argument."""
    reads = None if is_lazy(function) else reads_of(function, 1)
    return None if reads is None or key.fields is None else key.fields | reads


Loop = Callable[[list[Any]], Callable[[list[Any], list[Any]], None]]
"""Given the list to fill, what goes over keys and rows."""


class Folding(Instance):
    """Any of the three: what differs is the loop."""

    def __init__(self, key: Selector, context: OperatorContext, loop: Loop) -> None:
        self._parts = [key.bind(context.params, fresh=context.shared)]
        self._context = context
        self._loop = loop

    def process(self, batch: Batch) -> Iterable[Batch]:
        """One result per row, at most."""
        context = self._context
        batch, (keys,), dead = evaluate(self._parts, batch, context)
        outs: list[Any] = []
        rows = batch.rows(fresh=context.shared)
        dead += run_rows(self._loop(outs), batch, keys, [rows], outs, context)
        return [answered(batch, outs), *dead]


def reducing(state: KeyedState, function: Callable[[Any, Any], Any]) -> Loop:
    """The loop of `reduce`."""
    new, touch = state.new, state.touch

    def loop(outs: list[Any]) -> Callable[[list[Any], list[Any]], None]:
        def run(keys: list[Any], rows: list[Any]) -> None:
            get, emit = new.get, outs.append
            for key, row in zip(keys, rows, strict=True):
                result = get(key)
                if result is None:
                    result = touch(key)
                if result is None:
                    check_key(key)
                    result = row
                    if result is None:
                        raise absent("reduce: the row")
                else:
                    result = function(result, row)
                    if result is None:
                        raise absent("reduce: the function's result")
                new[key] = result
                emit(detached(result))

        return run

    return loop


def folding(
    state: KeyedState,
    key_of: Selector,
    make: Callable[[], Any],
    function: Callable[[Any, Any], Any],
) -> Loop:
    """The loop of `fold`."""
    new, touch, names = state.new, state.touch, key_of.names

    def loop(outs: list[Any]) -> Callable[[list[Any], list[Any]], None]:
        def run(keys: list[Any], rows: list[Any]) -> None:
            get, emit = new.get, outs.append
            for key, row in zip(keys, rows, strict=True):
                value = get(key)
                if value is None:
                    value = touch(key)
                if value is None:
                    check_key(key)
                    value = make()
                value = function(value, row)
                if value is None:
                    raise absent("fold: the function's result")
                new[key] = value
                emit(state_row(names, key, detached(value)))

        return run

    return loop


def state_row(names: tuple[str, ...], key: Any, state: Any) -> dict[str, Any]:
    """The output row of `fold`; a field of the state never hides the key.

    >>> state_row(("user",), 7, {"n": 1, "user": 8}), state_row(("user",), 7, 3)
    ({'user': 7, 'n': 1}, {'user': 7, 'value': 3})
    """
    fields = key_row(names, key)
    if isinstance(state, Mapping):
        return {**fields, **state, **fields}
    if VALUE in fields:
        raise TypeError("fold: the key is named 'value' too; make the state a dict")
    return {**fields, VALUE: state}


def mapping(
    state: KeyedState,
    make: Callable[[], Any],
    function: Callable[[Any, Any], tuple[Any, Any]],
) -> Loop:
    """The loop of `stateful_map`."""
    new, touch, delete = state.new, state.touch, state.delete

    def loop(outs: list[Any]) -> Callable[[list[Any], list[Any]], None]:
        def run(keys: list[Any], rows: list[Any]) -> None:
            get, emit = new.get, outs.append
            for key, row in zip(keys, rows, strict=True):
                value = get(key)
                if value is None:
                    value = touch(key)
                if value is None:
                    check_key(key)
                    value = make()
                result = function(value, row)
                if type(result) is not tuple or len(result) != 2:
                    raise no_pair(result)
                value, out = result
                if value is None:
                    delete(key)
                else:
                    new[key] = value
                # A state that cannot change cannot change what was emitted.
                emit(out if type(value) in IMMUTABLE else detached(out))

        return run

    return loop


def absent(what: str) -> TypeError:
    """What is wrong where there is None; most often a `return` was forgotten."""
    return TypeError(f"{what} is None; return a value")


def no_pair(result: Any) -> TypeError:
    """What is wrong with a result that is not a pair."""
    return TypeError(f"stateful_map: the function returned {result!r:.80}; return (state, out)")
