"""deduplicate: one row per key, the first or the last, for ever or within a span of time.

With `within`, a record is a duplicate if a kept record of its key lies less than that from
it in event time; a kept one is forgotten when W >= its time + within. So two kept records of
a key lie at least `within` apart.

- "first": a record that is no duplicate is kept, and emitted at once.
- "last": of a record and the kept one that it duplicates, the later in event time (of equal
  ones the later to arrive) stays. What is kept is emitted when it is forgotten.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.codec import check_key, encode_key, sort_keys
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext, both
from kappa.operators.failing import evaluate, passed
from kappa.operators.forgetting import Forgetting
from kappa.operators.keyed import run_rows
from kappa.state import KeyedState
from kappa.time import PLUS_INFINITY, duration_ms, format_duration, shift
from kappa.time.durations import Duration


@dataclass(frozen=True)
class Deduplicate(Operator):
    """Lets one row per key through.

    Args:
        key: what makes rows duplicates of each other.
        keep: "first", or "last", which comes when it is forgotten; without `within` that
            is when a bounded replay ends.
        within: records at least this far apart in event time are no duplicates.

    Raises:
        ConfigError: `keep` is neither, or `within` is not positive.

    >>> Deduplicate(Selector.of("id"), within="10m").describe()
    'keeps times per id, for 10m behind the watermark'
    >>> Deduplicate(Selector.of("id")).describe()
    'keeps every id it has seen, for ever; give within= to bound it'
    """

    key: Selector
    keep: str = "first"
    within: Duration | None = None

    kind: ClassVar[str] = "deduplicate"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.keep not in ("first", "last"):
            raise ConfigError(f'deduplicate: keep is {self.keep!r}, must be "first" or "last"')
        if self.within is not None:
            within = duration_ms(self.within, name="deduplicate: within", minimum=1)
            object.__setattr__(self, "within", within)

    @property
    def span(self) -> int | None:
        """`within` in ms."""
        return None if self.within is None else duration_ms(self.within)

    @property
    def holdback(self) -> int:
        """A last record comes `within` after its time."""
        return (self.span or 0) if self.keep == "last" else 0

    @property
    def margin_before(self) -> int | None:
        """A chain of duplicates may reach back for ever."""
        return None

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return (KeepFirst if self.keep == "first" else KeepLast)(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, and the key."""
        return both(wanted, self.key.fields)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input."""
        return inputs[0]

    def bound(self, min_time: int) -> int:
        """When a record of that time is forgotten."""
        return PLUS_INFINITY if self.span is None else shift(min_time, self.span)

    def describe(self) -> str:
        """What it keeps, and for how long."""
        name = self.key.name or "group"
        what = "times" if self.keep == "first" else "rows"
        if self.span is not None:
            return f"keeps {what} per {name}, for {format_duration(self.span)} behind the watermark"
        if self.keep == "first":
            return f"keeps every {name} it has seen, for ever; give within= to bound it"
        return f"keeps the last row per {name}, until the end; give within= to see it before"


class KeepFirst(Instance):
    """A key's kept times: the time, or a list of several; True where there is no `within`."""

    def __init__(self, operator: Deduplicate, context: OperatorContext) -> None:
        self._parts = [operator.key.bind(context.params, fresh=context.shared)]
        self._context = context
        self._within = operator.span
        self._kept = context.state.keyed("kept")
        self._forget = Forgetting(self._times)

    def _times(self) -> Iterable[tuple[int, Any]]:
        if self._within is None:
            return
        for key, kept in self._kept.items():
            for time in kept if type(kept) is list else (kept,):
                yield time + self._within, key

    def process(self, batch: Batch) -> Iterable[Batch]:
        """The rows that are no duplicates."""
        context = self._context
        batch, (keys,), dead = evaluate(self._parts, batch, context)
        mask: list[bool | None] = []
        if self._within is None:
            loop = partial(first_ever, self._kept, mask.append)
        else:
            add = self._forget.adder()
            loop = partial(first_within, self._kept, add, self._within, mask.append)
        dead += run_rows(loop, batch, keys, [batch.times], mask, context)
        return [passed(batch.compress(mask), context), *dead]

    def due(self) -> int:
        """When the next kept record is forgotten."""
        return self._forget.due()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Forgets."""
        state, forgotten = self._kept, watermark - (self._within or 0)
        for key in self._forget.pop(watermark):
            kept = state.get(key)
            left = [time for time in kept if time > forgotten] if type(kept) is list else ()
            if left:  # the others have entries of their own
                state.put(key, left)
            else:
                state.delete(key)
        return ()


def first_ever(
    state: KeyedState, emit: Callable[[bool], None], keys: list[Any], times: list[int]
) -> None:
    """Lets a key through that is not kept, and keeps it."""
    new, base = state.new, state.base
    for key in keys:
        if key in new or key in base:
            emit(False)
        else:
            check_key(key)
            new[key] = True
            emit(True)


def first_within(
    state: KeyedState,
    forget: Callable[[int, Any], None],
    within: int,
    emit: Callable[[bool], None],
    keys: list[Any],
    times: list[int],
) -> None:
    """Lets a record through that is near no kept one of its key, and keeps its time."""
    new, base = state.new, state.base
    for key, time in zip(keys, times, strict=True):
        kept = new.get(key)
        if kept is None:
            kept = base.get(key)
        if kept is None:
            check_key(key)
            new[key] = time
        elif type(kept) is int:
            if -within < time - kept < within:
                emit(False)
                continue
            new[key] = [kept, time]
        elif -within < time - kept[-1] < within or any(
            -within < time - other < within for other in kept
        ):
            emit(False)
            continue
        else:
            new[key] = [*kept, time]
        forget(time + within, key)
        emit(True)


class KeepLast(Instance):
    """A key's kept rows as [time, row], ascending; one at most where there is no `within`."""

    def __init__(self, operator: Deduplicate, context: OperatorContext) -> None:
        self._parts = [operator.key.bind(context.params, fresh=context.shared)]
        self._context = context
        self._within = operator.span
        self._kept = context.state.keyed("kept")
        self._forget = Forgetting(self._times)

    def _times(self) -> Iterable[tuple[int, Any]]:
        if self._within is None:
            return
        for key, kept in self._kept.items():
            for time, _ in kept:
                yield time + self._within, key

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes the rows in; they come later, or not at all."""
        context = self._context
        batch, (keys,), dead = evaluate(self._parts, batch, context)
        rows = batch.rows(fresh=context.shared)
        done: list[bool | None] = []
        loop = partial(last_rows, self._kept, self._forget.adder(), self._within, done.append)
        return dead + run_rows(loop, batch, keys, [batch.times, rows], done, context)

    def due(self) -> int:
        """When the next kept record is forgotten; the end of time without `within`."""
        return self._forget.due()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """What is forgotten now; all of it at the end."""
        state, within = self._kept, self._within
        if within is None:
            if watermark < PLUS_INFINITY:
                return ()
            keys = sort_keys(state.keys())
            return self._fired([(PLUS_INFINITY, key, state.pop(key)[0]) for key in keys])
        fired: dict[tuple[int, Any], list[Any]] = {}
        add = self._forget.adder()
        for key in self._forget.pop(watermark):
            kept = state.get(key) or []
            count = 0
            while count < len(kept) and kept[count][0] + within <= watermark:
                fired[kept[count][0] + within, key] = kept[count]
                count += 1
            if count < len(kept):
                add(kept[count][0] + within, key)
                if count:
                    state.put(key, kept[count:])
            else:
                state.delete(key)
        return self._fired([(*place, fired[place]) for place in sort_keys(list(fired))])

    def _fired(self, fired: list[tuple[int, Any, list[Any]]]) -> Iterable[Batch]:
        if not fired:
            return ()
        order: list[tuple[Any, ...]] | None = None
        if self._context.ranked:
            order = [(due, encode_key(key), 0) for due, key, _ in fired]
        times = [time for _, _, (time, _) in fired]
        return [Batch.fired(times=times, rows=[row for _, _, (_, row) in fired], order=order)]


def last_rows(
    state: KeyedState,
    forget: Callable[[int, Any], None],
    within: int | None,
    done: Callable[[bool], None],
    keys: list[Any],
    times: list[int],
    rows: list[Any],
) -> None:
    """Keeps a record in place of the one it duplicates, unless that is later."""
    reach = PLUS_INFINITY if within is None else within
    for key, time, row in zip(keys, times, rows, strict=True):
        kept = state.touch(key)
        if kept is None:
            check_key(key)
            state.new[key] = [[time, row]]
        elif time >= kept[-1][0]:
            if time - kept[-1][0] < reach:
                kept[-1] = [time, row]
                done(True)
                continue  # the entry of the row that it replaces stands for it
            kept.append([time, row])
        else:
            at = bisect_right(kept, time, key=itemgetter(0))
            if kept[at][0] - time < reach:
                done(True)
                continue
            if at and time - kept[at - 1][0] < reach:
                kept[at - 1] = [time, row]
            else:
                kept.insert(at, [time, row])
        if within is not None:
            forget(time + within, key)
        done(True)
