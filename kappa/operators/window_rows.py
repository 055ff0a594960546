"""What all window instances share: columns of a batch, kernels, result rows, late rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from kappa.aggregates import Layout
from kappa.batch import Batch
from kappa.codec import KEY_GROUPS, encode_key, key_group, sort_keys
from kappa.errors import InternalError
from kappa.expressions import Selector
from kappa.operators.contract import Instance, OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.keyed import Columns, dead_letter, key_columns, refusal, told
from kappa.state import KeyedState
from kappa.state.copies import IMMUTABLE, detached
from kappa.time import MAX_TIME, MINUS_INFINITY
from kappa.windows import Window

LATE = "late"
START, END = "window_start", "window_end"
BOUNDS = frozenset({START, END})
CHUNK = 512


class Spec(NamedTuple):
    """What an instance is made for: a description with its parts resolved."""

    key: Selector
    window: Window
    layout: Layout
    lateness: int


class WindowInstance(Instance):
    """The part of an instance that has nothing to do with the kind of window."""

    def __init__(self, spec: Spec, context: OperatorContext) -> None:
        self.layout = spec.layout
        self.lateness = spec.lateness
        self.context = context
        self.names = spec.key.names
        self._inputs = spec.layout.bind(context.params, fresh=context.shared)
        key = spec.key.bind(context.params, fresh=context.shared)
        self._parts = [key, *self._inputs.parts]
        self._kernels: dict[Any, Callable[..., Any]] = {}

    # -- taking rows in --------------------------------------------------------------------

    def compute(self, batch: Batch) -> tuple[Batch, Columns, list[Batch]]:
        """The rows that did not fail, their key and input columns, and the dead letters."""
        return evaluate(self._parts, batch, self.context)

    def solid(self, batch: Batch) -> tuple[bool, ...]:
        """Per source, whether its column holds only numbers."""
        return self._inputs.solid(batch)

    def kernel(self, name: object, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """The compiled loop of that name, made once."""
        kernel = self._kernels.get(name)
        if kernel is None:
            kernel = self._kernels[name] = make()
        return kernel

    def run(
        self, kernel: Callable[..., None], heads: Sequence[Any], batch: Batch, columns: Columns
    ) -> list[Batch]:
        """Runs a kernel over the columns, going on behind rows that fail: the dead letters.

        Raises:
            RowFailure: a row failed, and failing records are not set aside.
        """
        dead: list[Batch] = []
        iterators = list(map(iter, columns))
        left = batch.count + 1
        while True:
            try:
                kernel(*heads, *iterators)
                return dead
            except Exception as error:
                before, left = left, iterators[0].__length_hint__()  # type: ignore[attr-defined]
                if left >= min(before, batch.count):
                    raise InternalError(
                        f"a window's kernel failed before a row: {error}"
                    ) from error
                index = batch.count - left - 1
                dead.append(self.failed(batch, index, columns[0][index], error))

    def add_to(self, accumulator: list[Any], time: int, values: Sequence[Any]) -> None:
        """Takes one row in; a row that is set aside leaves the accumulator as it was."""
        if not self.context.dead_letters:
            self.layout.add(accumulator, time, *values)
            return
        trial = accumulator[:]
        self.layout.add(trial, time, *values)
        accumulator[:] = trial

    def failed(self, batch: Batch, index: int, key: Any, error: Exception) -> Batch:
        """A row's dead letter, which blames the key if it cannot be one.

        Raises:
            RowFailure: failing records are not set aside.
        """
        return dead_letter(batch, index, refusal(key) or error, self.context)

    # -- rows out --------------------------------------------------------------------------

    def results(self, accumulators: Iterable[list[Any]], *, kept: bool) -> dict[str, list[Any]]:
        """A column per aggregate.

        Args:
            accumulators: whose results, in order.
            kept: the accumulators live on, so nothing may be shared with them.
        """
        columns: list[list[Any]] = [[] for _ in self.layout.names]
        source = iter(accumulators)
        # Chunks that fit the cache: the accumulators lie all over memory.
        while found := list(islice(source, CHUNK)):
            for column, part in zip(columns, self.layout.results(found)):
                column += part
        if kept:
            for number in self.layout.shares:
                if not IMMUTABLE.issuperset(map(type, columns[number])):
                    columns[number] = list(map(detached, columns[number]))
        return dict(zip(self.layout.names, columns))

    def fired(
        self, span: tuple[int, int], content: Mapping[Any, list[Any]], *, kept: bool
    ) -> Batch:
        """The rows of one window, by key."""
        keys = sort_keys(list(content))
        (start, end), count = span, len(keys)
        columns = key_columns(self.names, keys)
        columns[START] = [start] * count
        columns[END] = [end] * count
        columns |= self.results(map(content.__getitem__, keys), kept=kept)
        time = min(end - 1, MAX_TIME)
        batch = Batch.fired(
            times=[time] * count,
            columns=columns,
            order=[(end - 1, encode_key(key), start) for key in keys]
            if self.context.ranked
            else None,
            solid=BOUNDS | self.layout.whole,
        )
        batch.bounded(time, time)
        return batch

    def read(self, accumulator: list[Any]) -> tuple[Any, ...]:
        """The results of one accumulator that lives on."""
        values = self.layout.read(accumulator)
        return tuple(map(detached, values)) if self.layout.shares else values

    def answered(
        self,
        batch: Batch,
        indices: list[int],
        keys: list[Any],
        spans: Sequence[tuple[int, int]],
        results: Sequence[tuple[Any, ...]],
    ) -> Batch:
        """Result rows that records caused at once; not empty."""
        columns = key_columns(self.names, keys)
        columns[START] = [start for start, _ in spans]
        columns[END] = [end for _, end in spans]
        columns |= zip(self.layout.names, map(list, zip(*results)))
        times = [min(end - 1, MAX_TIME) for _, end in spans]
        solid = BOUNDS | self.layout.whole
        return batch.emitted(indices, columns=columns, times=times, solid=solid)

    def late(self, batch: Batch, indices: Sequence[int], spans: Sequence[tuple[Any, Any]]) -> Batch:
        """Rows that no window takes, for the side "late", counted.

        Args:
            indices: of the rows, ascending.
            spans: the last window of each; (None, None) where a row falls in none.
        """
        self.context.count(LATE, len(indices))
        beyond = batch.watermark + 2 - self.lateness
        fields: dict[str, list[Any]] = {
            START: [start for start, _ in spans],
            END: [end for _, end in spans],
            "late_by": [None if end is None else beyond - end for _, end in spans],
        }
        return told(batch.take(indices), fields, LATE)


class Clock:
    """The watermark up to which windows have fired, in state, for windows that stay on.

    It is kept once per key group: whoever restores some of the groups has it. Workers may
    have left different ones; the largest holds for all, as nothing fires in between.
    """

    def __init__(self, state: KeyedState) -> None:
        self._state = state
        self.reached: int = max((mark for _, mark in state.items()), default=MINUS_INFINITY)

    def move(self, watermark: int) -> None:
        """Sets it, if that is forward."""
        if watermark > self.reached:
            self.reached = watermark
            for key in group_keys():
                self._state.put(key, watermark)


@lru_cache(maxsize=1)
def group_keys() -> tuple[int, ...]:
    """One key of every key group."""
    found: dict[int, int] = {}
    number = 0
    while len(found) < KEY_GROUPS:
        found.setdefault(key_group(number), number)
        number += 1
    return tuple(found.values())


def merged(new: dict[Any, Any], base: dict[Any, Any]) -> dict[Any, Any]:
    """The content of two generations; not to be changed."""
    return new if not base else base if not new else {**base, **new}


def ranks(keys: Iterable[Any]) -> dict[Any, int]:
    """The place of every key in the order of their bytes."""
    return {key: place for place, key in enumerate(sort_keys(list(dict.fromkeys(keys))))}
