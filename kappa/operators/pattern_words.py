"""What conditions and results of a pattern read: the row at hand, and the rows matched so far.

A way through the pattern has a memory: per variable that some expression speaks of, an
accumulator, the first row and the last few. It is a tuple that is never changed, so that
ways which begin alike share it; taking a row makes a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, NamedTuple, TypeAlias

from kappa.aggregates import Layout, agg
from kappa.batch import MISSING, RowFailure, value_of
from kappa.expressions import Expression
from kappa.expressions.bound import BoundExpression
from kappa.expressions.nodes import Column, Matched, Meta, Node, Required, Side, replaced
from kappa.patterns import PatternRow

AGGREGATES = {
    "count": agg.count,
    "sum": agg.sum,
    "mean": agg.mean,
    "min": agg.min,
    "max": agg.max,
}
PLACEHOLDER = "match"


class Rows:
    """The rows of a key that a search may still need, by number.

    Args:
        entries: [time, row, key], in order.
    """

    __slots__ = ("base", "entries")

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries
        self.base = 0

    @property
    def end(self) -> int:
        """The number that the next row gets."""
        return self.base + len(self.entries)

    def __getitem__(self, number: int) -> list[Any]:
        return self.entries[number - self.base]  # type: ignore[no-any-return]

    def back(self, number: int) -> list[Any] | None:
        """A row that may lie before the first that is kept."""
        return self[number] if number >= self.base else None

    def drop(self, first: int) -> None:
        """Lets go of all rows before `first`."""
        if first > self.base:
            del self.entries[: first - self.base]
            self.base = first


class Link(NamedTuple):
    """A row that was taken, by which variable, and what was taken before it."""

    before: Link | None
    variable: int
    number: int


class Known(NamedTuple):
    """What a memory has of one variable."""

    accumulator: list[Any] | None
    first: int | None
    last: tuple[int, ...]


Memory: TypeAlias = "tuple[Known, ...]"
Getter: TypeAlias = "Callable[[Rows, int, Memory], Any]"


def chain(link: Link | None) -> list[Link]:
    """What has been taken, in order."""
    found = []
    while link is not None:
        found.append(link)
        link = link.before
    return found[::-1]


class Match:
    """The rows that a pattern has taken, for functions: `match["down"]` lists those of one.

    What it gives is not to be changed.
    """

    __slots__ = ("_links", "_names", "_rows")

    def __init__(self, rows: Rows, link: Link | None, names: Sequence[str]) -> None:
        self._rows = rows
        self._links = chain(link)
        self._names = names

    def __getitem__(self, variable: str) -> list[Any]:
        """The rows that a variable took, in order."""
        if variable not in self._names:
            raise KeyError(f"no variable {variable!r}; there are: {', '.join(self._names)}")
        wanted = self._names.index(variable)
        return [self._rows[one.number][1] for one in self._links if one.variable == wanted]

    @property
    def rows(self) -> list[Any]:
        """All rows, in order."""
        return [self._rows[one.number][1] for one in self._links]

    @property
    def times(self) -> list[int]:
        """Their event times, ms since the epoch."""
        return [self._rows[one.number][0] for one in self._links]


class Words:
    """The memory that a pattern's expressions need, and what they read from it.

    Args:
        variables: of the pattern.
        expressions: all that may speak of matched rows.
        params: values of the pipeline's parameters.
    """

    def __init__(
        self,
        variables: Sequence[PatternRow],
        expressions: Iterable[Expression],
        params: Mapping[str, Any],
    ) -> None:
        self.names = [one.name for one in variables]
        self.params = params
        words = dict.fromkeys(word for one in expressions for word in one.matches)
        self._words = [[word for word in words if word.variable == name] for name in self.names]
        self._aggregated = [
            [word for word in found if word.what in AGGREGATES] for found in self._words
        ]
        self._layouts = [_layout(found) for found in self._aggregated]
        self._values = [
            [] if layout is None else [self._reader(one.source) for one in layout.values]
            for layout in self._layouts
        ]
        self._keep = [
            max((word.back + 1 for word in found if word.what == "last"), default=0)
            for found in self._words
        ]
        self.empty: Memory = (Known(None, None, ()),) * len(self.names)

    def taken(self, memory: Memory, variable: int, rows: Rows, number: int) -> Memory:
        """The memory after a variable has taken one more row."""
        if not self._words[variable]:
            return memory
        accumulator, first, last = memory[variable]
        layout = self._layouts[variable]
        if layout is not None:
            accumulator = layout.fresh() if accumulator is None else accumulator[:]
            entry = rows[number]
            layout.add(accumulator, entry[0], *[read(entry) for read in self._values[variable]])
        keep = self._keep[variable]
        known = Known(
            accumulator, number if first is None else first, (*last, number)[-keep:] if keep else ()
        )
        return (*memory[:variable], known, *memory[variable + 1 :])

    # -- reading -----------------------------------------------------------------------------

    def getter(self, leaf: Node) -> Getter:
        """What gives the value of a leaf of an expression."""
        if not isinstance(leaf, Matched):
            read = self._leaf(leaf)
            return lambda rows, number, memory: read(rows[number])
        if leaf.what in AGGREGATES:
            return self._aggregate(leaf)
        read, back = self._reader(_expression(leaf)), leaf.back
        if leaf.what == "prev":
            return lambda rows, number, memory: _of(read, rows.back(number - back))
        place = self.names.index(leaf.variable)
        if leaf.what == "first":
            return lambda rows, number, memory: _at(read, rows, memory[place].first)
        return lambda rows, number, memory: _at(read, rows, _nth(memory[place].last, back))

    def _aggregate(self, word: Matched) -> Getter:
        place = self.names.index(word.variable)
        index = self._aggregated[place].index(word)
        layout = self._layouts[place]
        assert layout is not None
        nothing = layout.read(layout.fresh())[index]

        def read(rows: Rows, number: int, memory: Memory) -> Any:
            accumulator = memory[place].accumulator
            return nothing if accumulator is None else layout.read(accumulator)[index]

        return read

    def _leaf(self, leaf: Node) -> Callable[[list[Any]], Any]:
        """What reads a field, or the time, of a row."""
        if isinstance(leaf, Meta):
            return lambda entry: entry[0]
        assert isinstance(leaf, Column)
        name = leaf.field
        default = MISSING if isinstance(leaf.default, Required) else leaf.default

        def read(entry: list[Any]) -> Any:
            found = entry[1]
            return (
                found[name]
                if type(found) is dict and name in found
                else value_of(found, name, default)
            )

        return read

    def _reader(self, source: Any) -> Callable[[list[Any]], Any]:
        """What computes an expression of one row."""
        if isinstance(source.node, Column | Meta):
            return self._leaf(source.node)
        bound = BoundExpression(source.node, self.params)
        leaves = [self._leaf(leaf) for leaf in bound.leaves]
        return lambda entry: over(bound, [[leaf(entry)] for leaf in leaves])

    def formula(self, expression: Expression, *, mask: bool = False) -> Getter:
        """What computes an expression of the row at hand and the memory."""
        words = list(expression.matches)
        node = replaced(
            expression.node,
            lambda one: (
                Side(PLACEHOLDER, str(words.index(one))) if isinstance(one, Matched) else None
            ),
        )
        bound = BoundExpression(node, self.params, mask=mask)
        getters = [
            self.getter(words[int(leaf.field)] if isinstance(leaf, Side) else leaf)
            for leaf in bound.leaves
        ]
        return lambda rows, number, memory: over(
            bound, [[get(rows, number, memory)] for get in getters]
        )


def over(bound: BoundExpression, columns: list[list[Any]]) -> Any:
    """An expression of one row, given a column for each of its leaves."""
    try:
        return bound.over(columns, 1)[0]
    except RowFailure as failure:
        raise failure.cause from None


def takes_match(function: Callable[..., Any]) -> bool:
    """Whether a function wants the match besides the row."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [one for one in parameters if one.kind in positional and one.default is one.empty]
    return len(wanted) > 1


def _expression(word: Matched) -> Expression:
    assert word.source is not None
    return Expression(word.source)


def _layout(words: Sequence[Matched]) -> Layout | None:
    if not words:
        return None
    return Layout(
        {
            repr(word): AGGREGATES[word.what](*([_expression(word)] if word.source else []))
            for word in words
        }
    )


def _nth(numbers: tuple[int, ...], back: int) -> int | None:
    return numbers[-1 - back] if back < len(numbers) else None


def _of(read: Callable[[list[Any]], Any], entry: list[Any] | None) -> Any:
    return None if entry is None else read(entry)


def _at(read: Callable[[list[Any]], Any], rows: Rows, number: int | None) -> Any:
    return None if number is None else read(rows[number])
