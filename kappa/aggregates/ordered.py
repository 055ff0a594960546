"""first, last, min_by, max_by, collect and top_k: what depends on which record came when.

The order is (event time, order of arrival). Arrival is (LSN, topic, partition, offset),
which is the order in which rows reach a step; so an accumulator keeps event times only.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.aggregates.contract import WHOLE_ROW, Aggregate, Code, Source, given
from kappa.errors import ConfigError
from kappa.expressions import Selector


@dataclass(frozen=True)
class Picked(Aggregate):
    """An aggregate of one source, or of whole rows without one.

    Args:
        source: a field, an expression or a function; null values are skipped.
        where: only rows for which this holds are taken in.
    """

    source: Any = None
    where: Any = None

    timed: ClassVar[bool] = True

    def __init__(self, source: Source | None = None, *, where: Source | None = None) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The source, or the row."""
        return (WHOLE_ROW if self.source is None else self.source,)


class First(Picked):
    """The value (or the row) of the earliest record; of equal times, the first to arrive."""

    kind: ClassVar[str] = "first"
    shares: ClassVar[bool] = True

    def code(self) -> Code:
        """Two slots: the time and the value."""
        return _extreme("if {t} < {a0}: {a0} = {t}; {a1} = {x}", "<")


class Last(Picked):
    """The value (or the row) of the latest record; of equal times, the last to arrive."""

    kind: ClassVar[str] = "last"
    shares: ClassVar[bool] = True

    def code(self) -> Code:
        """Two slots: the time and the value."""
        return _extreme("if {t} >= {a0}: {a0} = {t}; {a1} = {x}", ">=")


def _extreme(add: str, compare: str) -> Code:
    return Code(
        empty=("None", "None"),
        first=("{t}", "{x}"),
        unset="{a0} is None",
        add=(add,),
        merge=(f"if {{b0}} {compare} {{a0}}: {{a0}} = {{b0}}; {{a1}} = {{b1}}",),
        result="{a1}",
    )


class Collect(Picked):
    """All values (or rows) as a list, by event time and then arrival.

    Keeps every value: bound what a window can hold, or use `top_k`.
    """

    kind: ClassVar[str] = "collect"
    sure: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    def code(self) -> Code:
        """Two slots: the times and the values, both in order."""
        return Code(
            empty=("[]", "[]"),
            first=("[{t}]", "[{x}]"),
            add=(
                "if {a0} and {t} < {a0}[-1]: {insert}({a0}, {a1}, {t}, {x})",
                "else: {a0}.append({t}); {a1}.append({x})",
            ),
            merge=("{weave}({a0}, {a1}, {b0}, {b1})",),
            result="{a1}[:]",
            names={"insert": insert, "weave": weave},
        )


def insert(times: list[int], values: list[Any], time: int, value: Any) -> None:
    """Puts a late comer behind all that are not later.

    >>> times, values = [1, 3, 3], ["a", "b", "c"]
    >>> insert(times, values, 1, "d")
    >>> values
    ['a', 'd', 'b', 'c']
    """
    place = bisect_right(times, time)
    times.insert(place, time)
    values.insert(place, value)


def weave(times: list[int], values: list[Any], more: list[int], others: list[Any]) -> None:
    """Puts `others` in between, behind those of equal time."""
    if not times or (more and more[0] >= times[-1]):
        times += more
        values += others
    else:
        for time, value in zip(more, others):
            insert(times, values, time, value)


@dataclass(frozen=True)
class MinBy(Aggregate):
    """The value of the record with the smallest `by`; the row, if no value is named.

    Of equal ones the earliest record, then the first to arrive. Records with a null value
    or a null `by` are skipped.

    Args:
        value: a field, an expression or a function.
        by: what is compared.
        where: only rows for which this holds are taken in.

    >>> MinBy("bidder", "price").sources[1].name
    'price'
    """

    value: Any = None
    by: Any = None
    where: Any = None

    kind: ClassVar[str] = "min_by"
    shares: ClassVar[bool] = True
    timed: ClassVar[bool] = True

    def __init__(
        self,
        value: Source | None = None,
        by: Source | None = None,
        *,
        where: Source | None = None,
    ) -> None:
        if by is None:
            raise ConfigError(
                f'{self.kind} needs by=: agg.{self.kind}("bidder", "price") is the bidder of the'
                f' record with that price, agg.{self.kind}(by="price") the whole record'
            )
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "by", by)
        object.__setattr__(self, "where", where)
        self._select("value", "by")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The value, and what is compared."""
        return (WHOLE_ROW if self.value is None else self.value, self.by)

    def code(self) -> Code:
        """Three slots: what is compared, the time, the value."""
        return _by("not {c} >= {a0} and {c} == {c}")


class MaxBy(MinBy):
    """The value of the record with the largest `by`; else as `MinBy`."""

    kind: ClassVar[str] = "max_by"

    def code(self) -> Code:
        """Three slots: what is compared, the time, the value."""
        return _by("not {c} <= {a0} and {a0} == {a0}")


def _by(better: str) -> Code:
    def taking(c: str, t: str, x: str) -> str:
        test = better.replace("{c}", c)
        take = f"{{a0}} = {c}; {{a1}} = {t}; {{a2}} = {x}"
        return f"if {test} or {c} == {{a0}} and {t} < {{a1}}: {take}"

    return Code(
        empty=("None", "None", "None"),
        first=("{y}", "{t}", "{x}"),
        unset="{a1} is None",
        add=(taking("{y}", "{t}", "{x}"),),
        merge=(taking("{b0}", "{b1}", "{b2}"),),
        result="{a2}",
    )


@dataclass(frozen=True)
class TopK(Aggregate):
    """The values of the `k` records with the largest `by`, largest first, as a list.

    Of equal ones the earliest record comes first, then the first to arrive. Null values
    are skipped, and so is NaN.

    Args:
        source: a field, an expression or a function; None is the row.
        k: how many, at least 1.
        by: what is compared; the value itself by default.
        where: only rows for which this holds are taken in.
    """

    source: Any = None
    k: int = 1
    by: Any = None
    where: Any = None

    kind: ClassVar[str] = "top_k"
    shares: ClassVar[bool] = True
    timed: ClassVar[bool] = True

    def __init__(
        self,
        source: Source | None,
        k: int,
        *,
        by: Source | None = None,
        where: Source | None = None,
    ) -> None:
        if type(k) is not int or k < 1:
            raise ConfigError(f"top_k: k is {k!r}, but must be an int of at least 1")
        object.__setattr__(self, "source", source if by is not None else given(source, "top_k"))
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "by", by)
        object.__setattr__(self, "where", where)
        self._select("source", "by")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The value, and what is compared."""
        value = WHOLE_ROW if self.source is None else self.source
        return (value, value if self.by is None else self.by)

    def code(self) -> Code:
        """One slot: lists of what is compared, time, value, best first."""
        return Code(
            empty=("[]",),
            add=("if len({a0}) < {k} or {y} >= {a0}[-1][0]: {place}({a0}, {k}, [{y}, {t}, {x}])",),
            merge=("for _e in {b0}: {place}({a0}, {k}, _e)",),
            result="[_e[2] for _e in {a0}]",
            names={"k": self.k, "place": place},
        )


def place(entries: list[list[Any]], k: int, entry: list[Any]) -> None:
    """Puts an entry among the best `k`, or leaves it out.

    >>> entries = [[9, 0, "a"], [5, 0, "b"]]
    >>> place(entries, 2, [7, 3, "c"])
    >>> entries
    [[9, 0, 'a'], [7, 3, 'c']]
    """
    by, time, _ = entry
    if by != by:
        return
    at = len(entries)
    while at and (
        by > entries[at - 1][0] or (by == entries[at - 1][0] and time < entries[at - 1][1])
    ):
        at -= 1
    if at < k:
        entries.insert(at, entry)
        del entries[k:]
