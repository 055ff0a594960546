"""quantile: exact over the values kept, or from a sketch of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Any, ClassVar

from kappa.aggregates.contract import Aggregate, Code, Exactness, Source, given
from kappa.aggregates.sketch import ACCURACY, estimate, merge_buckets, observe
from kappa.errors import ConfigError
from kappa.expressions import Selector

METHODS = ("exact", "sketch")


@dataclass(frozen=True)
class Quantile(Aggregate):
    """The value below which a share `q` of the values lies.

    "exact" keeps every value and interpolates linearly between the two nearest, as
    `quantile_cont` of SQL does; NaN is the largest. "sketch" keeps counts of buckets and
    gives a value within 1 % of the nearest one at or below that place, for magnitudes from
    2^-64 (smaller ones count as zero) to 2^128; NaN is left out. Both are bit-exact
    whatever the order of values and merges.

    Args:
        source: a field, an expression or a function; null values are skipped.
        q: 0 to 1; 0.5 is the median.
        method: "exact" or "sketch".
        where: only rows for which this holds are taken in.

    Cost: exact, 8 bytes and the value itself per record; sketch, at most 50 buckets per
    factor of two that the data spans.
    """

    source: Any = None
    q: float = 0.5
    method: str = "exact"
    where: Any = None

    kind: ClassVar[str] = "quantile"
    exact_merge: ClassVar[Exactness] = "always"

    def __init__(
        self,
        source: Source,
        q: float,
        *,
        method: str = "exact",
        where: Source | None = None,
    ) -> None:
        if isinstance(q, bool) or not isinstance(q, int | float) or not 0 <= q <= 1:
            raise ConfigError(f"quantile: q is {q!r}, but must be a number from 0 to 1")
        if method not in METHODS:
            raise ConfigError(f'quantile: method is {method!r}, but must be "exact" or "sketch"')
        object.__setattr__(self, "source", given(source, self.kind))
        object.__setattr__(self, "q", q)
        object.__setattr__(self, "method", method)
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    def code(self) -> Code:
        """Exact: the values. Sketch: counts of positive and negative buckets, and of zeros."""
        if self.method == "exact":
            return Code(
                empty=("[]",),
                first=("[{n}]",),
                add=("{a0}.append({n})",),
                merge=("{a0}.extend({b0})",),
                result="{quantile}({a0}, {q})",
                names={"quantile": quantile, "q": self.q},
            )
        return Code(
            empty=("{{}}", "{{}}", "0"),
            add=("{a2} += {observe}({a0}, {a1}, {n})",),
            merge=(
                "{join}({a0}, {b0})",
                "{join}({a1}, {b1})",
                "{a2} += {b2}",
            ),
            result="{estimate}({a0}, {a1}, {a2}, {q})",
            names={"observe": observe, "join": merge_buckets, "estimate": estimate, "q": self.q},
        )


def quantile(values: Sequence[Any], q: float) -> Any:
    """The q-quantile of `values`, linearly between neighbours; None of nothing.

    >>> quantile([4, 1, 3, 2], 0.5), quantile([10], 0.9)
    (2.5, 10.0)
    """
    if not values:
        return None
    numbers = sorted(value for value in values if value == value)
    nans = len(values) - len(numbers)
    place = (len(values) - 1) * q
    low = floor(place)
    share = place - low
    if low + (share > 0) >= len(numbers) and nans:
        return float("nan")
    below = numbers[low]
    if not share:
        return below if isinstance(below, Decimal) else float(below)
    above = numbers[low + 1]
    if isinstance(below, Decimal) or isinstance(above, Decimal):
        part = Decimal(share)
        return Decimal(below) * (1 - part) + Decimal(above) * part
    return below * (1.0 - share) + above * share


__all__ = ["ACCURACY", "Quantile", "quantile"]
