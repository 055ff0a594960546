"""What to compute from a row: a field, several, an expression or a function.

One type for keys, conditions, arguments of aggregates and columns, so that each place
that takes one takes all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kappa.batch import Batch
from kappa.errors import ConfigError
from kappa.expressions.bound import (
    BoundExpression,
    BoundField,
    BoundTuple,
    Computed,
)
from kappa.expressions.called import BoundFunction
from kappa.expressions.expression import Expression
from kappa.expressions.functions import When, col
from kappa.expressions.nodes import Param
from kappa.expressions.reads import reads_of

KEY = "key"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selector:
    """A description of what to compute; frozen, printable and comparable.

    Make one with `Selector.of`.

    Args:
        source: an expression, a function, or a tuple of selectors.
        given: the name that the result was given, or None.

    >>> Selector.of("price").names, Selector.of(col("price") * 2).names
    (('price',), ('key',))
    >>> Selector.of(["bidder", col("price") * 2], name="pair")
    Traceback (most recent call last):
    kappa.errors.ConfigError: (col('price') * 2) is one of several: name it with .named("...")
    """

    source: Expression | Callable[[Any], Any] | tuple[Selector, ...]
    given: str | None = None
    _reads: frozenset[str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, what: Any, name: str | None = None) -> Selector:
        """The selector of a field's name, several, an expression or a function.

        Args:
            what: a name; an `Expression`; a function of the row; or a tuple or list of
                names and expressions, which gives tuples (of one: that one alone; empty:
                the same empty tuple for every row).
            name: name of the result, where it becomes a field.

        Raises:
            ConfigError: `what` is none of these.
        """
        if isinstance(what, Selector):
            return what if name is None else cls(what.source, name, what._reads)
        if isinstance(what, str):
            what = col(what)
        if isinstance(what, Expression):
            return cls(what, name, what.fields)
        if isinstance(what, When):
            raise ConfigError(f"{what!r}: a condition needs a value behind it")
        if isinstance(what, tuple | list):
            if len(what) == 1:
                return cls.of(what[0], name)
            parts = tuple(cls.of(part) for part in what)
            return cls(parts, name, _together(parts))
        if callable(what):
            return cls(what, name, reads_of(what))
        raise ConfigError(
            f"{what!r} ({type(what).__name__}): give the name of a field, an expression such as"
            ' col("price") * 2, or a function of the row'
        )

    # -- what it is ----------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of its result; "key" for one without a name of its own."""
        if isinstance(self.source, tuple):
            return tuple(part.name for part in self.source)
        return (self.name,)

    @property
    def name(self) -> str:
        """The field of its result; of several the names, with commas."""
        if self.given is not None:
            return self.given
        if isinstance(self.source, tuple):
            return ", ".join(self.names)
        own = self.source.name if isinstance(self.source, Expression) else None
        return own or KEY

    @property
    def fields(self) -> frozenset[str] | None:
        """The fields of the row that it reads; None for all.

        Of a function they are known where it only ever reads `row["name"]`.
        """
        return self._reads

    @property
    def metas(self) -> frozenset[str]:
        """The facts about the record that it reads: "time", "offset", ..."""
        return frozenset().union(*(source.metas for source in self._expressions()))

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters it uses."""
        return tuple(node for source in self._expressions() for node in source.params)

    @property
    def is_function(self) -> bool:
        """Whether it calls the user's code with rows."""
        return not isinstance(self.source, Expression | tuple)

    def _expressions(self) -> tuple[Expression, ...]:
        if isinstance(self.source, Expression):
            return (self.source,)
        if isinstance(self.source, tuple):
            return tuple(found for part in self.source for found in part._expressions())
        return ()

    def __repr__(self) -> str:
        named = "" if self.given is None else f".named({self.given!r})"
        if self.is_function:
            name = getattr(self.source, "__qualname__", type(self.source).__qualname__)
            return f"<function {name}>{named}"
        return f"{self.source!r}{named}"

    def _identity(self) -> tuple[object, ...]:
        if isinstance(self.source, Expression):
            return (self.given, repr(self.source))
        return (self.given, self.source)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selector):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    # -- computing -----------------------------------------------------------------------

    def bind(
        self, params: Mapping[str, Any] | None = None, *, fresh: bool = False, mask: bool = False
    ) -> Computed:
        """What computes it for every row of a batch; compiled once, so keep it.

        Args:
            params: values of the pipeline's parameters.
            fresh: a function gets rows that no other consumer sees.
            mask: only the truth of the values counts, as in a filter: faster, and null
                may come out as false.

        Returns:
            A function from a batch to a list with one value a row, which may be the
            batch's own column: not to be changed. It raises RowFailure for the first row
            that fails.

        Raises:
            ConfigError: a parameter or secret is missing, or of another type.

        >>> batch = Batch.of_columns({"price": [5, None]}, [0, 0], lsn=1)
        >>> Selector.of(col("price") * 2).bind()(batch)
        [10, None]
        """
        if isinstance(self.source, Expression):
            bare = self.source.bare
            if bare is not None:
                return BoundField(bare)
            return BoundExpression(self.source.node, params or {}, mask=mask)
        if isinstance(self.source, tuple):
            return BoundTuple([part.bind(params) for part in self.source])
        return BoundFunction(self.source, self._reads, fresh=fresh)

    def solid(self, batch: Batch) -> bool:
        """Whether its values in this batch are exactly int throughout, or exactly float.

        True for a solid field and for arithmetic on such; never wrongly true.
        """
        if not isinstance(self.source, Expression) or self.source.params:
            return False
        if any(name not in batch.solid for name in self.source.fields):
            return False
        return self.bind().kind(batch) in (int, float)


def _together(parts: tuple[Selector, ...]) -> frozenset[str] | None:
    reads: frozenset[str] = frozenset()
    for part in parts:
        if part.is_function:
            raise ConfigError(f"{part!r} is one of several: give fields and expressions")
        if part.given is None and isinstance(part.source, Expression) and not part.source.name:
            raise ConfigError(f'{part!r} is one of several: name it with .named("...")')
        reads |= part.fields or frozenset()
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ConfigError(f"two of several have the same name: {', '.join(names)}")
    return reads
