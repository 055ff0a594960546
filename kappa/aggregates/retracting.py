"""Aggregates over rows that may be taken back: the groups of a table.

count, sum and mean take a value back as they took it in. For the others the group keeps the
values of its rows, and is gone over again when one is taken back that their result may rest
on: for min and max only where it equals the result. Costs a few microseconds a row, and as
many more per row of the group where it is gone over again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from kappa.aggregates import exact
from kappa.aggregates.contract import Aggregate
from kappa.aggregates.layout import Layout, Part

SUMS = ("count", "sum", "mean")
EXTREMES = ("min", "max")

COUNT, TOTALS, MEMBERS, FOLDED = range(4)

Group = list[Any]
"""[number of rows, [count, exact sum] per sum, values by row's key, accumulator or None]"""


class Retracting:
    """The work on groups for some aggregates.

    Args:
        layout: of the aggregates, which says what is read of each row.

    >>> from kappa.aggregates import agg
    >>> groups = Retracting(Layout({"n": agg.count(), "top": agg.max("price")}))
    >>> group = groups.fresh()
    >>> groups.add(group, "a", 0, [250]); groups.add(group, "b", 1, [300])
    >>> groups.remove(group, "b", [300])
    >>> groups.read(group)
    (1, 250)
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        aggregates: Mapping[str, Aggregate] = {p.name: p.aggregate for p in layout.parts}
        self.sums = [part for part in layout.parts if part.aggregate.kind in SUMS]
        folded = {name: a for name, a in aggregates.items() if a.kind not in SUMS}
        self._folded = Layout(folded) if folded else None
        self._columns = self._shared() if self._folded else []
        self._places = {name: place for place, name in enumerate(folded)}

    def _shared(self) -> list[int]:
        """Where the values of the folded aggregates stand among all values of a row."""
        assert self._folded is not None
        values = [self.layout.values.index(one) for one in self._folded.values]
        above = len(self.layout.values)
        conditions = [self.layout.conditions.index(one) for one in self._folded.conditions]
        return values + [above + at for at in conditions]

    def fresh(self) -> Group:
        """A group without rows."""
        folded = self._folded.fresh() if self._folded else None
        return [0, [[0, exact.empty()] for _ in self.sums], {}, folded]

    def copied(self, group: Group) -> Group:
        """The group, to be thrown away if a row fails: what `add` and `remove` change first."""
        count, totals, members, folded = group
        return [count, deepcopy(totals), members, deepcopy(folded)]

    def add(self, group: Group, own: Hashable, time: int, values: Sequence[Any]) -> None:
        """Takes a row in.

        Args:
            group: changed in place.
            own: the row's own key.
            time: its event time.
            values: of the layout's variables, in order.
        """
        self._sum(group, values, 1)
        group[COUNT] += 1
        if self._folded is not None:
            kept = [values[at] for at in self._columns]
            if group[FOLDED] is not None:
                self._folded.add(group[FOLDED], time, *kept)
            group[MEMBERS][own] = [time, *kept]

    def remove(self, group: Group, own: Hashable, values: Sequence[Any]) -> None:
        """Takes a row back that was taken in before."""
        self._sum(group, values, -1)
        group[COUNT] -= 1
        if self._folded is not None:
            member = group[MEMBERS].pop(own)
            if group[FOLDED] is not None and self._rests_on(group, member[1:]):
                group[FOLDED] = None

    def _sum(self, group: Group, values: Sequence[Any], sign: int) -> None:
        above = len(self.layout.values)
        for part, total in zip(self.sums, group[TOTALS], strict=True):
            if part.condition is not None and not values[above + part.condition]:
                continue
            value = values[part.values[0]] if part.values else 1
            if value is not None:
                if part.aggregate.kind != "count":
                    exact.add(total[1], value, sign)
                total[0] += sign

    def _rests_on(self, group: Group, member: list[Any]) -> bool:
        """Whether a result may be another one without this row."""
        assert self._folded is not None
        results = self._folded.read(group[FOLDED])
        above = len(self._folded.values)
        for part, value in zip(self._folded.parts, results, strict=True):
            if part.condition is not None and not member[above + part.condition]:
                continue
            own = member[part.values[0]] if part.values else None
            if part.aggregate.kind not in EXTREMES or own == value or own != own:
                return True
        return False

    def read(self, group: Group) -> tuple[Any, ...]:
        """The results, in the order of the layout's names."""
        folded: Sequence[Any] = ()
        if self._folded is not None:
            if group[FOLDED] is None:
                group[FOLDED] = self._folded.fresh()
                for member in group[MEMBERS].values():
                    self._folded.add(group[FOLDED], *member)
            folded = self._folded.read(group[FOLDED])
        totals = iter(group[TOTALS])
        return tuple(
            folded[self._places[part.name]]
            if part.name in self._places
            else _total(part, next(totals))
            for part in self.layout.parts
        )


def _total(part: Part, total: list[Any]) -> Any:
    count, found = total
    kind = part.aggregate.kind
    if kind == "count":
        return count
    if not count:
        return None
    return exact.mean(found, count) if kind == "mean" else exact.result(found)
