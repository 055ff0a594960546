"""Aggregates over the rows of a table, by groups; the result is a table again.

A row that the table loses is taken back from its group, so the result is always that of the
rows which the table holds now. A group without rows is no row. Of the changes of one LSN
only what a group is after them shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.aggregates import Layout
from kappa.aggregates.retracting import COUNT, Group, Retracting
from kappa.batch import Batch
from kappa.codec import check_key
from kappa.expressions import Selector
from kappa.operators.contract import Instance, OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.grouped import GroupAggregate
from kappa.operators.keyed import dead_letter, key_row, refusal
from kappa.operators.signs import ADDED, Changes, own_keys, signs_of
from kappa.operators.table import same
from kappa.state import detached


@dataclass(frozen=True)
class TableAggregate(GroupAggregate):
    """One row per group of a table's rows: the key field(s) and the aggregates.

    >>> from kappa.aggregates import agg
    >>> TableAggregate(Selector.of("country"), {"n": agg.count()}).describe()
    'keeps n per country, for ever'
    """

    kind: ClassVar[str] = "table_aggregate"

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return Groups(self.key, self.layout, context)


class Groups(Instance):
    """The groups by key, in the step's state."""

    def __init__(self, key: Selector, layout: Layout, context: OperatorContext) -> None:
        read = (key, *layout.values, *layout.conditions)
        self._parts = [one.bind(context.params, fresh=context.shared) for one in read]
        self._names = key.names
        self._layout = layout
        self._work = Retracting(layout)
        self._context = context
        self._groups = context.state.keyed("groups")

    def process(self, batch: Batch) -> Iterable[Batch]:
        """What the changes of each LSN make of the groups."""
        left, (keys, *columns), dead = evaluate(self._parts, batch, self._context)
        values = list(zip(*columns, strict=True)) if columns else [()] * left.count
        signs, owns, times = signs_of(left), own_keys(left), left.times
        changes = Changes()
        start = 0
        for _, stop in left.runs or ():
            before: dict[Any, Any] = {}
            last: dict[Any, int] = {}
            for index in range(start, stop):
                key = keys[index]
                try:
                    if key not in before:
                        check_key(key)
                        before[key] = self._row(key)
                    self._take(key, signs[index], owns[index], times[index], values[index])
                except Exception as error:
                    cause = refusal(key) or error
                    dead.append(dead_letter(left, index, cause, self._context))
                    continue
                last.pop(key, None)
                last[key] = index
            for key, index in last.items():
                after = self._row(key)
                if not same(before[key], after):
                    changes.add(index, key, before[key], after)
            start = stop
        return [*changes.batches(left), *dead]

    def _take(self, key: Any, sign: int, own: Any, time: int, values: Sequence[Any]) -> None:
        work, groups = self._work, self._groups
        group: Group | None = groups.get(key)
        if group is None and sign != ADDED:
            return  # the row failed when it came
        if group is None:
            group = work.fresh()
        elif self._context.dead_letters:  # a row that fails leaves nothing behind
            group = work.copied(group)
        if sign == ADDED:
            work.add(group, own, time, values)
        else:
            work.remove(group, own, values)
        if group[COUNT]:
            groups.put(key, group)
        else:
            groups.delete(key)

    def _row(self, key: Any) -> dict[str, Any] | None:
        group = self._groups.get(key)
        if group is None:
            return None
        results = map(detached, self._work.read(group))
        return key_row(self._names, key) | dict(zip(self._layout.names, results, strict=True))
