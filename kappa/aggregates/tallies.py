"""Aggregates behind expectations: how often each value occurs, and what follows from it.

Values are told apart as Python compares them. What cannot be hashed goes by its `repr`, as
`counted` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kappa.aggregates.contract import Aggregate, Code, Exactness, Source
from kappa.aggregates.totals import Numeric
from kappa.expressions import Selector

EXAMPLES = 20


class Tally(Numeric):
    """The number of records by value, in the order in which the values first came."""

    kind: ClassVar[str] = "tally"

    def code(self) -> Code:
        """One slot: counts by value."""
        return Code(
            empty=("{{}}",),
            add=("_v = {counted}({x})", "{a0}[_v] = {a0}.get(_v, 0) + 1"),
            merge=("for _v, _n in {b0}.items(): {a0}[_v] = {a0}.get(_v, 0) + _n",),
            result="{copy}({a0})",
            names={"counted": counted, "copy": dict},
        )


class Distinct(Tally):
    """The number of different values."""

    kind: ClassVar[str] = "distinct"
    whole: ClassVar[bool] = True

    def code(self) -> Code:
        """As `Tally`."""
        return replace(super().code(), result="len({a0})")


class Repeats(Tally):
    """How many records have a value that others have too, and the first such values."""

    kind: ClassVar[str] = "repeats"

    def code(self) -> Code:
        """As `Tally`."""
        code = super().code()
        names = {**code.names, "repeated": repeated}
        return replace(code, result="{repeated}({a0})", names=names)


class Examples(Numeric):
    """How many values are not null, and the first of them. A value comes as a tuple of one."""

    kind: ClassVar[str] = "examples"

    def code(self) -> Code:
        """Two slots: the number, and the values."""
        return Code(
            empty=("0", "[]"),
            add=("{a0} += 1", "if {a0} <= {most}: {a1}.append({x}[0])"),
            merge=("{a0} += {b0}", "{a1}.extend({b1}[:{most} - len({a1})])"),
            result="({a0}, {fixed}({a1}))",
            names={"most": EXAMPLES, "fixed": tuple},
        )


@dataclass(frozen=True)
class Extreme(Aggregate):
    """The smallest or largest value, and how many could not be compared with it.

    Args:
        source: a field, an expression or a function; null values are skipped.
        largest: the largest.
    """

    source: Any = None
    largest: bool = False

    kind: ClassVar[str] = "extreme"

    def __post_init__(self) -> None:
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    def code(self) -> Code:
        """Two slots: the value, and the number of strangers to it."""
        sign = ">" if self.largest else "<"
        return Code(
            empty=("None", "0"),
            first=("{x}", "0"),
            unset="{a0} is None",
            add=(
                "try:",
                f"    if {{x}} {sign} {{a0}}: {{a0}} = {{x}}",
                "except {unlike}: {a1} += 1",
            ),
            merge=(
                "{a1} += {b1}",
                "try:",
                f"    if {{b0}} {sign} {{a0}}: {{a0}} = {{b0}}",
                "except {unlike}: {a1} += 1",
            ),
            result="({a0}, {a1})",
            names={"unlike": TypeError},
        )


@dataclass(frozen=True)
class Disorder(Aggregate):
    """How many values break the order of the one before them, and the first of them.

    Args:
        source: a field, an expression or a function; null values are skipped.
        down: values should decrease, not increase.
        strictly: equal neighbours break the order too.
    """

    source: Any = None
    down: bool = False
    strictly: bool = False

    kind: ClassVar[str] = "disorder"

    def __post_init__(self) -> None:
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    @property
    def mergeable(self) -> bool:
        """Order of arrival cannot be put together from parts."""
        return False

    def code(self) -> Code:
        """Three slots: the last value, how many broke the order, the first of them."""
        return Code(
            empty=("None", "0", "[]"),
            add=(
                "if {a0} is not None and not {follows}({a0}, {x}):",
                "    {a1} += 1",
                "    if len({a2}) < {most}: {a2}.append({x})",
                "{a0} = {x}",
            ),
            merge=(),
            result="({a1}, {fixed}({a2}))",
            names={"follows": self._follows(), "most": EXAMPLES, "fixed": tuple},
        )

    def _follows(self) -> Any:
        down, strictly = self.down, self.strictly

        def follows(before: Any, value: Any) -> bool:
            try:
                if strictly:
                    return bool(value < before if down else value > before)
                return bool(value <= before if down else value >= before)
            except TypeError:
                return False

        return follows


@dataclass(frozen=True)
class Places(Aggregate):
    """How many values fall into each place.

    Args:
        source: a field, an expression or a function; null values are skipped.
        into: has `place(value)`, a number below `len(into.shares)`.
    """

    source: Any = None
    into: Any = None

    kind: ClassVar[str] = "places"
    exact_merge: ClassVar[Exactness] = "always"

    def __post_init__(self) -> None:
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    def code(self) -> Code:
        """One slot: a count per place."""
        return Code(
            empty=("[0] * {places}",),
            add=("{a0}[{place}({counted}({x}))] += 1",),
            merge=("{a0}[:] = [_m + _n for _m, _n in zip({a0}, {b0})]",),
            result="{copy}({a0})",
            names={
                "places": len(self.into.shares),
                "place": self.into.place,
                "counted": counted,
                "copy": list,
            },
        )


@dataclass(frozen=True)
class NearestQuantiles(Aggregate):
    """Values of the sample nearest to several quantiles; of a tie the one at the even place.

    Args:
        source: a field, an expression or a function; null values are skipped.
        quantiles: each from 0 to 1.
    """

    source: Any = None
    quantiles: tuple[float, ...] = ()

    kind: ClassVar[str] = "nearest_quantiles"
    exact_merge: ClassVar[Exactness] = "always"

    def __init__(self, source: Source, quantiles: Sequence[float]) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "quantiles", tuple(quantiles))
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    def code(self) -> Code:
        """One slot: the values."""
        return Code(
            empty=("[]",),
            first=("[{x}]",),
            add=("{a0}.append({x})",),
            merge=("{a0}.extend({b0})",),
            result="{nearest}({a0}, {quantiles})",
            names={"nearest": nearest, "quantiles": self.quantiles},
        )


def counted(value: Any) -> Any:
    """`value` if it can be a key of a dict, else its text."""
    try:
        {value: None}  # noqa: B018
    except TypeError:
        return repr(value)
    return value


def repeated(counts: Mapping[Any, int]) -> tuple[int, tuple[Any, ...]]:
    """How many records share their value, and the first values that are shared.

    >>> repeated({"a": 2, "b": 1, "c": 3})
    (5, ('a', 'c'))
    """
    found = [(value, count) for value, count in counts.items() if count > 1]
    return sum(count for _, count in found), tuple(value for value, _ in found[:EXAMPLES])


def nearest(values: Sequence[Any], quantiles: Sequence[float]) -> list[Any] | None:
    """The values nearest to quantiles; None of nothing, or of what cannot be sorted.

    >>> nearest([4, 1, 3, 2], (0, 0.5, 1))
    [1, 3, 4]
    """
    if not values:
        return None
    try:
        ascending = sorted(values)
    except TypeError:
        return None
    return [ascending[round((len(ascending) - 1) * q)] for q in quantiles]
