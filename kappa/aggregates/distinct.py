"""count_distinct, exact, and approx_distinct, in a few kilobytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.aggregates.contract import Aggregate, Code, Exactness, Source, given
from kappa.aggregates.hyperloglog import MAX_PRECISION, MIN_PRECISION, estimate, merged, observed
from kappa.aggregates.totals import Numeric
from kappa.errors import ConfigError
from kappa.expressions import Selector


class CountDistinct(Numeric):
    """The number of different values that are not null, exactly.

    Values differ as Python compares them (1 and 1.0 do not), and all NaN are one value.
    Keeps every value; `approx_distinct` does not.
    """

    kind: ClassVar[str] = "count_distinct"
    whole: ClassVar[bool] = True
    exact_merge: ClassVar[Exactness] = "always"

    def code(self) -> Code:
        """One slot: the set of values. None, which never enters, stands for NaN."""
        return Code(
            empty=("{new}()",),
            add=("{a0}.add({x} if {x} == {x} else None)",),
            merge=("{a0} |= {b0}",),
            result="len({a0})",
            names={"new": set},
        )


@dataclass(frozen=True)
class ApproxDistinct(Aggregate):
    """The number of different values, estimated by HyperLogLog.

    Standard error 1.04 / sqrt(2^precision): 1.6 % at the default. Values differ as keys do
    (`kappa.codec.keys`). Merges are bit-exact in any order.

    Args:
        source: a field, an expression or a function; null values are skipped.
        precision: 4 to 16; 2^precision bytes per accumulator that has seen many values.
        where: only rows for which this holds are taken in.

    Cost: about 1 µs a value.
    """

    source: Any = None
    precision: int = 12
    where: Any = None

    kind: ClassVar[str] = "approx_distinct"
    whole: ClassVar[bool] = True
    exact_merge: ClassVar[Exactness] = "always"

    def __init__(self, source: Source, *, precision: int = 12, where: Source | None = None) -> None:
        if type(precision) is not int or not MIN_PRECISION <= precision <= MAX_PRECISION:
            raise ConfigError(
                f"approx_distinct: precision is {precision!r}, but must be an int from"
                f" {MIN_PRECISION} to {MAX_PRECISION}"
            )
        object.__setattr__(self, "source", given(source, self.kind))
        object.__setattr__(self, "precision", precision)
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The one source."""
        return (self.source,)

    def code(self) -> Code:
        """One slot: registers by number, or all of them as bytes once they are many."""
        return Code(
            empty=("{{}}",),
            add=("{a0} = {observed}({a0}, {x}, {p})",),
            merge=("{a0} = {merged}({a0}, {b0}, {p})",),
            result="{estimate}({a0}, {p})",
            names={
                "observed": observed,
                "merged": merged,
                "estimate": estimate,
                "p": self.precision,
            },
        )
