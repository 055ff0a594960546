"""Joins with tables: a stream looks rows up, or two tables make a third.

`Lookup`: a row of the stream meets the row that the table holds for its key when it arrives,
in the order of (LSN, rank). What the table holds later does not reach back.

`TableJoin`: the rows of two tables that have one join key. The result is a table that
follows both: after every LSN it is the join of what they hold, so aggregates over it take
back what no longer holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from kappa.batch import Batch
from kappa.errors import ConfigError
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext
from kappa.operators.joined import KINDS, Joined, is_null
from kappa.operators.ports import LEFT, RIGHT
from kappa.operators.signs import ADDED, REMOVED, signed
from kappa.time import PLUS_INFINITY

Held = dict[Any, Any]
"""Rows of one side and join key, by the key of their table."""


@dataclass(frozen=True)
class Lookup(Operator):
    """Rows of a stream with what a table holds for their key. Inputs come through `Port`.

    Args:
        shape: condition and fields of the result.
        how: "inner", or "left" to keep rows that find nothing.

    Raises:
        ConfigError: `how` would wait for rows that never end.
    """

    shape: Joined
    how: str = "inner"

    kind: ClassVar[str] = "table_join"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.how not in ("inner", "left"):
            raise ConfigError(
                f"a stream joined with a table can be inner or left, not {self.how}: only a row of"
                " the stream makes a result; for the other kinds join two tables"
            )

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return LookupInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """Of either input, the same as of the left one."""
        return self.shape.required(LEFT, wanted)

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """The fields of one input."""
        return self.shape.required(port, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the result."""
        return self.shape.yields()

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        name = self.shape.right_key.name
        return f"{self.how} join with a table by {name}: keeps the table's rows, for ever"


class LookupInstance(Instance):
    """The table's present rows by key."""

    def __init__(self, operator: Lookup, context: OperatorContext) -> None:
        self._outer = operator.how == "left"
        self._joining = operator.shape.open(context, operator.how)
        self._table = context.state.keyed("table")

    def process(self, batch: Batch) -> Iterable[Batch]:
        """What the stream's rows find, in order with what changes the table."""
        out: list[Batch] = []
        found: list[tuple[int, Any, Any]] = []
        table = self._table
        for index, marked in enumerate(batch.rows()):
            port, key, row = marked[:3]
            if port == RIGHT:
                if marked[3] != ADDED:
                    table.delete(key)
                    continue
                if found and self._joining.is_news(marked):
                    # Rows before it know less of the table's fields.
                    out += self._joined(batch, found)
                    found = []
                self._joining.learn((marked,))
                table.put(key, row)
                continue
            right = None if is_null(key) else table.get(key)
            if right is not None or self._outer:
                found.append((index, row, right))
        return [*out, *self._joined(batch, found)] if found else out

    def _joined(self, batch: Batch, found: list[tuple[int, Any, Any]]) -> list[Batch]:
        causes, lefts, rights = map(list, zip(*found, strict=True))
        joining = self._joining
        there = [at for at, right in enumerate(rights) if right is not None]
        holds, dead = joining.holding(
            [(lefts[at], rights[at]) for at in there],
            lambda columns: batch.emitted([causes[at] for at in there], columns=columns),
        )
        for at, holding in zip(there, holds, strict=True):
            if not holding:
                rights[at] = None  # a row whose partner fails the condition has none
        pairs = batch.emitted(causes, columns=joining.columns(lefts, rights))
        if not self._outer and not all(holds):
            pairs = pairs.compress([right is not None for right in rights])
        return [*joining.rows(pairs), *dead]


@dataclass(frozen=True)
class TableJoin(Operator):
    """The join of two tables, as a table. Inputs come through `Port`, by the join key.

    Args:
        shape: condition and fields of the result.
        how: "inner", "left", "right" or "full".
        foreign: left rows point at right rows by their join key, which is not the left
            table's own: the result has the left table's key.

    Raises:
        ConfigError: `how` is wrong, or gives rows that the result has no key for.
    """

    shape: Joined
    how: str = "inner"
    foreign: bool = False

    kind: ClassVar[str] = "tables_join"
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.how not in KINDS:
            raise ConfigError(f"join: how is {self.how!r}: give one of {', '.join(KINDS)}")
        if self.foreign and self.how in ("right", "full"):
            raise ConfigError(
                f"a join by a foreign key has the left table's key, so it is inner or left, not"
                f" {self.how}: join the other way round"
            )

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return TableJoinInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        """Of either input, the same as of the left one."""
        return self.shape.required(LEFT, wanted)

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """The fields of one input."""
        return self.shape.required(port, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the result."""
        return self.shape.yields()

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        names = " and ".join((self.shape.left_key.name, self.shape.right_key.name))
        return f"{self.how} join of two tables by {names}: keeps the rows of both, for ever"


Pair = tuple[Any, Any]


@dataclass(slots=True)
class Touched:
    """What a join key held before an LSN.

    Args:
        right: its right row, or None.
        lefts: the left rows that the LSN touches, by own key; None where there was none.
    """

    right: Any
    lefts: Held


class Change(NamedTuple):
    """What one join key has of a row of the result: the pair it was made of, and now is."""

    run: int
    cause: int
    own: Any
    before: Pair
    after: Pair


@dataclass(slots=True)
class Outcome:
    """A row of the result before and after an LSN, over all join keys that it was under."""

    cause: int
    was: Pair | None = None
    now: Pair | None = None


class TableJoinInstance(Instance):
    """Left rows by join key and own key; the right row of every join key."""

    def __init__(self, operator: TableJoin, context: OperatorContext) -> None:
        self._padded = operator.how in ("left", "full"), operator.how in ("right", "full")
        self._foreign = operator.foreign
        self._joining = operator.shape.open(context)
        self._lefts = context.state.keyed("left")
        self._rights = context.state.keyed("right")

    def process(self, batch: Batch) -> Iterable[Batch]:
        """What the changes of each LSN change in the result."""
        rows = batch.rows()
        changes: list[Change] = []
        start = 0
        for run, (_, stop) in enumerate(batch.runs or ()):
            touched: dict[Any, Touched] = {}
            last: dict[Any, int] = {}
            for index in range(start, stop):
                key = rows[index][1]
                last.pop(key, None)
                last[key] = index
                self._take(rows[index], touched)
            for key, index in last.items():
                changes += self._changes(run, index, key, touched[key])
            start = stop
        return self._made(batch, changes) if changes else ()

    def _take(self, row: tuple[int, Any, Any, int, Any], touched: dict[Any, Touched]) -> None:
        """Applies one change, and notes what was there before the LSN."""
        port, key, content, sign, own = row
        before = touched.get(key)
        if before is None:
            before = touched[key] = Touched(self._rights.get(key), {})
        if port == RIGHT:
            if sign == ADDED:
                self._rights.put(key, content)
            else:
                self._rights.delete(key)
            return
        held: Held | None = self._lefts.touch(key)
        if held is None:
            held = {}
            self._lefts.put(key, held)
        before.lefts.setdefault(own, held.get(own))
        if sign == ADDED:
            held[own] = content
        else:
            held.pop(own, None)
        if not held:
            self._lefts.delete(key)

    def _changes(self, run: int, cause: int, key: Any, before: Touched) -> Iterator[Change]:
        held: Held = self._lefts.get(key) or {}
        right = self._rights.get(key)
        owns: dict[Any, None] = dict.fromkeys(before.lefts)
        if right is not before.right:  # every left row of the key meets another one
            owns |= dict.fromkeys(held)
            if not self._foreign:
                owns[key] = None
        nobody = is_null(key)
        for own in owns:
            now = held.get(own)
            old = before.lefts.get(own, now)
            rights = (None, None) if nobody and self._foreign else (before.right, right)
            yield Change(run, cause, own, (old, rights[0]), (now, rights[1]))

    # -- rows --------------------------------------------------------------------------------

    def _made(self, batch: Batch, changes: list[Change]) -> list[Batch]:
        """The rows of the result that go and come."""
        joining = self._joining
        full = [
            (change.cause, pair)
            for change in changes
            for pair in (change.before, change.after)
            if None not in (pair[0], pair[1]) and not self._parted(change, pair)
        ]
        holds, dead = joining.holding(
            [pair for _, pair in full],
            lambda columns: batch.emitted([cause for cause, _ in full], columns=columns),
        )
        outcomes = self._outcomes(changes, iter(holds))
        causes: list[int] = []
        pairs: list[Pair] = []
        signs: list[int] = []
        owns: list[Any] = []
        for (_, own), outcome in sorted(outcomes.items(), key=lambda item: item[1].cause):
            was, now = outcome.was, outcome.now
            if was is not None and now is not None and was[0] is now[0] and was[1] is now[1]:
                continue
            for pair, sign in ((was, REMOVED), (now, ADDED)):
                if pair is not None:
                    causes.append(outcome.cause)
                    pairs.append(pair)
                    signs.append(sign)
                    owns.append(own)
        if not pairs:
            return dead
        columns = joining.columns([one for one, _ in pairs], [other for _, other in pairs])
        return [*joining.rows(signed(batch.emitted(causes, columns=columns), signs, owns)), *dead]

    def _outcomes(
        self, changes: list[Change], held: Iterator[bool]
    ) -> dict[tuple[int, Any], Outcome]:
        """By LSN and key of the result; a row that changed its join key is one of them."""
        found: dict[tuple[int, Any], Outcome] = {}
        for change in changes:
            was = self._outcome(change, change.before, held)
            now = self._outcome(change, change.after, held)
            outcome = found.setdefault((change.run, change.own), Outcome(change.cause))
            outcome.cause = max(outcome.cause, change.cause)
            outcome.was = outcome.was or was
            outcome.now = outcome.now or now
        return found

    def _parted(self, change: Change, pair: Pair) -> bool:
        """Whether two rows of an own join key never meet, because the key is null."""
        return not self._foreign and is_null(change.own)

    def _outcome(self, change: Change, pair: Pair, held: Iterator[bool]) -> Pair | None:
        """The pair that makes a row, padded where it may be; or None for no row."""
        left, right = pair
        if left is not None and right is not None:
            if not self._parted(change, pair) and next(held):
                return pair
            return (left, None) if self._padded[LEFT] else None
        if left is not None:
            return pair if self._padded[LEFT] else None
        return pair if right is not None and self._padded[RIGHT] and not self._foreign else None
