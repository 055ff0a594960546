"""reduce: the user's own function as an aggregate."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.aggregates.contract import WHOLE_ROW, Aggregate, Code, Source
from kappa.errors import ConfigError
from kappa.expressions import Selector


@dataclass(frozen=True)
class Reduce(Aggregate):
    """Values put together by a function, in order of arrival.

    Without `initial`, `function(result, value)` combines two values, and the first value
    is the first result; parts of sessions and sliding windows are combined by the same
    function, in order of time. With `initial`, the result may be of another shape, and
    those windows need `merge`. Null values are skipped. The function returns its result,
    which state must be able to hold and which is not None.

    Args:
        source: a field, an expression or a function; None is the row.
        function: `function(result, value) -> result`.
        initial: the result before the first value, or a function that makes it.
        merge: `merge(result, result) -> result`, of the earlier and the later part.
        where: only rows for which this holds are taken in.

    >>> Reduce("price", max).mergeable, Reduce("price", max, initial=0).mergeable
    (True, False)
    """

    source: Any = None
    function: Callable[[Any, Any], Any] | None = None
    initial: Any = None
    merge: Callable[[Any, Any], Any] | None = None
    where: Any = None

    kind: ClassVar[str] = "reduce"
    shares: ClassVar[bool] = True

    def __init__(
        self,
        source: Source | None = None,
        function: Callable[[Any, Any], Any] | None = None,
        *,
        initial: Any = None,
        merge: Callable[[Any, Any], Any] | None = None,
        where: Source | None = None,
    ) -> None:
        if function is None and callable(source):
            source, function = None, source  # reduce(function) is over rows
        if not callable(function):
            raise ConfigError('reduce needs a function: agg.reduce("price", max), for example')
        if merge is not None and initial is None:
            raise ConfigError("reduce: merge= goes with initial=; without, the function merges")
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "merge", merge)
        object.__setattr__(self, "where", where)
        self._select("source")

    @property
    def sources(self) -> tuple[Selector, ...]:
        """The source, or the row."""
        return (WHOLE_ROW if self.source is None else self.source,)

    @property
    def mergeable(self) -> bool:
        """Without `initial`, or with `merge`."""
        return self.initial is None or self.merge is not None

    def code(self) -> Code:
        """One slot: the result so far."""
        names = {"function": self.function, "combine": self.merge, "copy": deepcopy}
        if self.initial is None:
            return Code(
                empty=("None",),
                first=("{x}",),
                unset="{a0} is None",
                add=("{a0} = {function}({a0}, {x})",),
                merge=("{a0} = {function}({a0}, {copy}({b0}))",),
                copied=("{copy}({b0})",),
                result="{a0}",
                names=names,
            )
        initial = self.initial
        make = initial if callable(initial) else lambda: deepcopy(initial)
        return Code(
            empty=("{make}()",),
            add=("{a0} = {function}({a0}, {x})",),
            merge=("{a0} = {combine}({a0}, {copy}({b0}))",),
            result="{a0}",
            names={**names, "make": make},
        )
