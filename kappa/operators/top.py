"""top: the best n rows of each key, as changes or at the end.

As changes, a row that leaves the best comes with `retraction` true, then the one that enters
with `retraction` false. With places, all of them tell: where a row comes in, every row below
it is taken back at its old place and sent at its new one, from the top down, so that at no
moment a place is held twice for longer than one row.

An input whose rows have the field `retraction` is a stream of changes itself: a row with
true takes an equal row back, and then the next best comes up. So all rows of a key are kept
there; else only the best.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeAlias

from kappa.batch import Batch
from kappa.codec import check_key, encode, encode_key, sort_keys
from kappa.errors import ConfigError, RecordRefused
from kappa.expressions import Order, Selector, col, orders_of, sorted_by
from kappa.operators.contract import (
    Fields,
    Instance,
    Names,
    Operator,
    OperatorContext,
    both,
    widened,
)
from kappa.operators.failing import evaluate
from kappa.operators.keyed import as_mapping, check_names, plain_rows, run_rows
from kappa.operators.ranking import RETRACTION, Entry, Ranking, check_top
from kappa.state import detached
from kappa.time import PLUS_INFINITY

FLAG = Selector.of(col(RETRACTION, None))
EMITS = ("changes", "final")

Placed: TypeAlias = "tuple[int, Entry]"

DROPPED, WHOLE = "dropped", "whole"
"""What a key's state says of its rows: some are gone, or all are there for good."""


@dataclass(frozen=True)
class Top(Operator):
    """The best `n` rows of each key.

    The output rows are the input's, as mappings, with `retraction` where they come as
    changes and the place where it has a name. What a record changes has its event time.
    Of equal rows the first to arrive is the better. Late records count like any other.

    Args:
        key: what groups the rows.
        n: how many.
        by: by what they are sorted: a field, an expression, `desc(...)`, or several.
        ties: all rows equal to the n-th too. Equal rows then have the same place, as SQL's
            RANK has it, and else places follow each other, as ROW_NUMBER has it.
        emit: "changes", or "final": the best when the pipeline is closed.
        rank: a field for the place, from 1.

    Raises:
        ConfigError: an argument is wrong.

    Cost: O(log n) per record, and a row out for each change of place.

    >>> from kappa.expressions import desc
    >>> Top(Selector.of("auction"), 10, desc("price")).describe()
    'keeps the 10 best rows per auction, for ever (all rows, where the input takes rows back)'
    """

    key: Selector
    n: int
    by: Any
    ties: bool = False
    emit: str = "changes"
    rank: str | None = None

    kind: ClassVar[str] = "top"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_top(self.n, self.rank)
        object.__setattr__(self, "by", orders_of(self.by, self.kind))
        if self.emit not in EMITS:
            raise ConfigError(f'top: emit is {self.emit!r}, must be "changes" or "final"')
        check_names(self.key, [name for name in (RETRACTION, self.rank) if name], self.kind)
        if self.rank == RETRACTION:
            raise ConfigError(f"top: rank is {RETRACTION!r}, which says something else")

    @cached_property
    def orders(self) -> tuple[Order, ...]:
        """What the rows are sorted by."""
        return tuple(self.by)

    @property
    def retracts(self) -> bool:
        """Whether rows come as changes."""
        return self.emit == "changes"

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return (TopChanges if self.emit == "changes" else TopFinal)(self, context)

    def required(self, wanted: Fields) -> Fields:
        """What is wanted of the rows, the key's, those sorted by, and the input's own flag."""
        made = {RETRACTION, self.rank}
        kept = None if wanted is None else wanted - made
        return both(both(kept, self.key.fields), both(sorted_by(self.orders).fields, FLAG.fields))

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input, and what is told of a row."""
        known = inputs[0]
        if known is None:
            return None
        flag = [RETRACTION] if self.emit == "changes" else []
        rank = [] if self.rank is None else [self.rank]
        return widened(tuple(name for name in known if name != RETRACTION), [*flag, *rank])

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        until = "for ever" if self.emit == "changes" else "until the end"
        rows = "best row" if self.n == 1 else f"{self.n} best rows"
        return (
            f"keeps the {rows} per {self.key.name or 'group'}, {until}"
            " (all rows, where the input takes rows back)"
        )


class Change(NamedTuple):
    """A row that leaves the best, or enters them."""

    leaving: bool
    place: int | None
    row: Any


class BestRows(Instance):
    """The best rows by key, in state: "rows", key -> [entries, what is left of the rows]."""

    def __init__(self, operator: Top, context: OperatorContext) -> None:
        self.context = context
        self.rank = operator.rank
        self.ranking = Ranking(operator.n, operator.orders, ties=operator.ties)
        read = (operator.key, sorted_by(operator.orders), FLAG)
        self._parts = [one.bind(context.params, fresh=context.shared) for one in read]
        self.state = context.state.keyed("rows")

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes rows in, one by one."""
        batch, columns, dead = evaluate(self._parts, batch, self.context)
        rows = plain_rows(batch.rows(fresh=self.context.shared))
        outs: list[Any] = []

        def run(*columns: list[Any]) -> None:
            take, state = self.take, self.state
            for key, values, flag, time, row in zip(*columns):
                if key not in state:
                    check_key(key)
                outs.append(take(key, values, flag, time, row))

        keys, *others = columns
        dead += run_rows(run, batch, keys, [*others, batch.times, rows], outs, self.context)
        return [*self.emitted(batch, outs), *dead]

    def take(
        self, key: Any, values: tuple[Any, ...], flag: Any, time: int, row: Any
    ) -> Sequence[Change]:
        """One row; what it changes."""
        entries, left = self.state.get(key) or ([], "")
        if flag is not None:
            row, left = without_flag(row, left), WHOLE
        entry = [values, time, row]
        if left == DROPPED and not self.ranking.enters(entries, entry):
            return ()
        if flag:
            changes = self._removed(entries, entry)
        else:
            changes, dropped = self._added(entries, entry, left == WHOLE)
            left = left or (DROPPED if dropped else "")
        if entries:
            self.state.put(key, [entries, left])
        else:
            self.state.delete(key)
        return changes

    def emitted(self, batch: Batch, outs: list[Any]) -> Iterable[Batch]:
        """The changes that the rows of a batch made."""
        raise NotImplementedError

    # -- changes -----------------------------------------------------------------------------

    def _added(
        self, entries: list[Entry], entry: Entry, whole: bool
    ) -> tuple[Sequence[Change], bool]:
        """Takes an entry in; what that changes, and whether a row has been dropped."""
        ranking = self.ranking
        at, before = ranking.position(entries, entry), ranking.shown(entries)
        old = self._tail(entries, at, before)
        entries.insert(at, entry)
        after = ranking.shown(entries)
        if self.rank is None:
            gone = [Change(True, None, one[-1]) for one in entries[max(after, at + 1) : before + 1]]
            changes = [*gone, Change(False, None, entry[-1])] if at < after else []
        else:
            changes = moved(old, self._tail(entries, at, after))
        dropped = not whole and after < len(entries)
        if dropped:
            del entries[after:]
        return changes, dropped

    def _removed(self, entries: list[Entry], entry: Entry) -> Sequence[Change]:
        """Takes an equal row back; what that changes."""
        ranking = self.ranking
        at, before = self._find(entries, entry), ranking.shown(entries)
        if at is None:
            self.context.count("unmatched_retractions")
            return ()
        old = self._tail(entries, at, before)
        gone = entries.pop(at)
        if at >= before:
            return ()
        after = ranking.shown(entries)
        if self.rank is not None:
            return moved(old, self._tail(entries, at, after))
        risen = [Change(False, None, one[-1]) for one in entries[before - 1 : after]]
        return [Change(True, None, gone[-1]), *risen]

    def _find(self, entries: list[Entry], entry: Entry) -> int | None:
        """Where the first row equal to that of an entry is."""
        by = self.ranking.by
        key, wanted = by(entry), row_bytes(entry[-1])
        for at in range(bisect_left(entries, key, key=by), len(entries)):
            if by(entries[at]) != key:
                return None
            if row_bytes(entries[at][-1]) == wanted:
                return at
        return None

    def _tail(self, entries: list[Entry], at: int, stop: int) -> list[Placed]:
        """The entries shown from a position on, at their places, where these have a name."""
        if self.rank is None:
            return []
        return list(zip(self.ranking.places(entries, at, stop), entries[at:stop]))


def without_flag(row: Any, left: str) -> dict[Any, Any]:
    """A row of an input that takes rows back, less the field that says so.

    Raises:
        RecordRefused: rows of the key have been dropped that might have to come back.
    """
    if left == DROPPED:
        raise RecordRefused(
            f"the field {RETRACTION!r} is in this row, but rows without it have come before:"
            " give it to all rows that top takes in, or to none"
        )
    return {name: value for name, value in as_mapping(row).items() if name != RETRACTION}


def row_bytes(row: Any) -> bytes:
    """A row as bytes: equal for equal rows, NaN and the order of fields regardless."""
    return encode(sorted(as_mapping(row).items(), key=lambda item: repr(item[0])))


def moved(old: list[Placed], new: list[Placed]) -> list[Change]:
    """The changes between two lists of placed entries, place by place from the top down.

    >>> a, b = [(9,), 0, "a"], [(5,), 0, "b"]
    >>> for change in moved([(1, a), (2, b)], [(1, b)]):
    ...     print("-" if change.leaving else "+", change.place, change.row)
    - 1 a
    + 1 b
    - 2 b
    """
    before = {(place, id(entry)) for place, entry in old}
    stay = before & {(place, id(entry)) for place, entry in new}
    changes = [
        Change(leaving, place, entry[-1])
        for leaving, placed in ((True, old), (False, new))
        for place, entry in placed
        if (place, id(entry)) not in stay
    ]
    return sorted(changes, key=lambda change: (change.place, not change.leaving))


class TopChanges(BestRows):
    """Every change comes at once, with the record that made it."""

    def emitted(self, batch: Batch, outs: list[Any]) -> Iterable[Batch]:
        indices: list[int] = []
        rows: list[Any] = []
        for index, changes in enumerate(outs):
            for change in changes or ():
                indices.append(index)
                rows.append(self._told(change))
        return [batch.emitted(indices, rows=rows)] if rows else []

    def _told(self, change: Change) -> dict[Any, Any]:
        row = detached(as_mapping(change.row))
        row[RETRACTION] = change.leaving
        if self.rank is not None:
            row[self.rank] = change.place
        return row  # type: ignore[no-any-return]


class TopFinal(BestRows):
    """The best rows come when the pipeline is closed, by key."""

    def emitted(self, batch: Batch, outs: list[Any]) -> Iterable[Batch]:
        return ()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Shows all, on closing."""
        if watermark < PLUS_INFINITY:
            return ()
        times: list[int] = []
        rows: list[Any] = []
        order: list[tuple[Any, ...]] = []
        for key in sort_keys(self.state.keys()):
            entries, _ = self.state.pop(key)
            for number, (place, row) in enumerate(self.ranking.ranked(entries)):
                times.append(entries[number][1])
                rows.append(row if self.rank is None else {**as_mapping(row), self.rank: place})
                if self.context.ranked:
                    order.append((PLUS_INFINITY, encode_key(key), number))
        if not rows:
            return ()
        return [Batch.fired(times=times, rows=rows, order=order if self.context.ranked else None)]
