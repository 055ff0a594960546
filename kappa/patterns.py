"""What a pattern is made of: rows with conditions and quantifiers, and words about matches.

    from kappa.patterns import matched, prev, row, to_last

    [
        row("start"),
        row("down", col("price") < prev("price"), times="2+"),
        row("up", col("price") > matched("down").last("price", 1)),
    ]

Descriptions only; `KeyedStream.pattern` puts them to work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from kappa.errors import ConfigError
from kappa.expressions import Expression
from kappa.expressions.expression import operand
from kappa.expressions.functions import col
from kappa.expressions.nodes import Matched

Condition: TypeAlias = "Expression | Callable[..., Any]"
MAX_WAYS = 100_000
"""Ways through a pattern that may be under way from one row; each takes about 300 bytes."""

STRICT, RELAXED, ANY = CONTIGUITIES = ("strict", "relaxed", "any")
PAST_LAST, TO_NEXT, NONE = ("past_last", "to_next", "none")

_TIMES = re.compile(r"(\d{1,9})?(\+|\.\.)?(\d{1,9})?")
_SHORT = {"?": (0, 1), "*": (0, None), "+": (1, None)}


# ---- rows


@dataclass(frozen=True)
class PatternRow:
    """One variable of a pattern: which rows it takes, and how many. Made by `row`.

    Args:
        name: of the variable.
        condition: what a row must meet; none for any row.
        least: how many rows at least.
        most: and at most; None for any number.
        greedy: take as many as the rest of the pattern allows; else as few.
        contiguity: "strict", "relaxed" or "any"; None for the pattern's.
    """

    name: str
    condition: Condition | None = None
    least: int = 1
    most: int | None = 1
    greedy: bool = True
    contiguity: str | None = None


def row(
    name: str,
    condition: Condition | None = None,
    *,
    times: int | str = 1,
    greedy: bool = True,
    contiguity: str | None = None,
) -> PatternRow:
    """A variable of a pattern, which takes one row or several.

    Args:
        name: what `matched` and the results call it.
        condition: an expression over the row at hand, in which `matched` speaks of rows taken
            so far (in its own condition, the row at hand included) and `prev` of the row
            before; or a function of the row, or of the row and the `Match` before it.
        times: how many rows: 3, "?" (none or one), "*" (any number), "+" (one or more),
            "2+" (two or more), "2..4".
        greedy: take as many as the rest of the pattern allows, else as few.
        contiguity: what may lie between the row taken before and this one: "strict",
            nothing; "relaxed", rows that the pattern cannot take at that point; "any", all.

    Raises:
        ConfigError: an argument is wrong.

    >>> row("down", col("price") < prev("price"), times="2+").least
    2
    """
    if type(name) is not str or not name:
        raise ConfigError(f"row({name!r}): give the variable a name")
    if condition is not None and not isinstance(condition, Expression) and not callable(condition):
        raise ConfigError(
            f"row({name!r}): the condition {condition!r} is no expression or function"
        )
    if contiguity is not None and contiguity not in CONTIGUITIES:
        raise ConfigError(
            f"row({name!r}): contiguity is {contiguity!r}; use one of {', '.join(CONTIGUITIES)}"
        )
    least, most = times_of(times, name)
    return PatternRow(name, condition, least, most, bool(greedy), contiguity)


def times_of(times: int | str, name: str) -> tuple[int, int | None]:
    """The least and the largest number of rows that a quantifier allows.

    Raises:
        ConfigError: it is none, or allows no row.

    >>> times_of("2..4", "a"), times_of("*", "a"), times_of(3, "a")
    ((2, 4), (0, None), (3, 3))
    """
    found: tuple[int, int | None] | None = None
    if type(times) is int:
        found = (times, times)
    elif isinstance(times, str):
        found = _SHORT.get(times.strip()) or _parsed(times.strip())
    if found is None or found[0] < 0 or (found[1] is not None and found[1] < max(found[0], 1)):
        raise ConfigError(
            f'row({name!r}): times is {times!r}; give a number of rows, "?", "*", "+", "2+"'
            ' or "2..4"'
        )
    return found


def _parsed(text: str) -> tuple[int, int | None] | None:
    match = _TIMES.fullmatch(text)
    if match is None:
        return None
    low, sign, high = match.groups()
    if sign == ".." and (low or high):
        return int(low or 0), None if high is None else int(high)
    if low is None or (sign and high):
        return None
    return (int(low), None) if sign == "+" else (int(low), int(low))


# ---- words about what has been matched


class Variable:
    """What a pattern knows of the rows that a variable has taken. Made by `matched`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def first(self, field: str | Expression) -> Expression:
        """A field, or an expression, of the first of the rows; null where there is none."""
        return self._word("first", field)

    def last(self, field: str | Expression, back: int = 0) -> Expression:
        """Of the last of the rows, or the one so many before it; null where there is none."""
        if type(back) is not int or back < 0:
            raise ConfigError(f"matched({self._name!r}).last: back is {back!r}; give 0, 1, 2, ...")
        return self._word("last", field, back)

    def count(self) -> Expression:
        """How many rows there are."""
        return Expression(Matched(self._name, "count"))

    def sum(self, field: str | Expression) -> Expression:
        """The sum over the rows, as `agg.sum` has it."""
        return self._word("sum", field)

    def mean(self, field: str | Expression) -> Expression:
        """The mean over the rows, as `agg.mean` has it."""
        return self._word("mean", field)

    def min(self, field: str | Expression) -> Expression:
        """The smallest value of the rows, as `agg.min` has it."""
        return self._word("min", field)

    def max(self, field: str | Expression) -> Expression:
        """The largest value of the rows, as `agg.max` has it."""
        return self._word("max", field)

    def _word(self, what: str, field: str | Expression, back: int = 0) -> Expression:
        return Expression(Matched(self._name, what, _source(field), back))

    def __repr__(self) -> str:
        return f"matched({self._name!r})"


def matched(variable: str) -> Variable:
    """The rows that a variable of the pattern has taken.

    >>> matched("down").last("price", 1) - matched("start").first("price")
    (matched('down').last('price', 1) - matched('start').first('price'))
    """
    if type(variable) is not str or not variable:
        raise ConfigError(f"matched({variable!r}): give the name of a variable")
    return Variable(variable)


def prev(field: str | Expression, back: int = 1) -> Expression:
    """A field of the row before the one at hand, or of one further back.

    The row before by event time within the key, whether matched or not; null where there
    is none.

    >>> col("price") < prev("price")
    (col('price') < prev('price', 1))
    """
    if type(back) is not int or back < 1:
        raise ConfigError(f"prev: back is {back!r}; give 1, 2, ...")
    return Expression(Matched("", "prev", _source(field), back))


def _source(field: str | Expression) -> Any:
    if isinstance(field, Expression) and field.matches:
        raise ConfigError(f"{field!r} speaks of matched rows inside of matched rows")
    return operand(col(field) if isinstance(field, str) else field)


# ---- where to go on


@dataclass(frozen=True)
class Skip:
    """Where the search goes on behind a match. Made by `to_first` and `to_last`.

    Args:
        first: at the first row of the variable, else at its last.
        variable: which.
    """

    first: bool
    variable: str

    def __repr__(self) -> str:
        return f"to_{'first' if self.first else 'last'}({self.variable!r})"


def to_first(variable: str) -> Skip:
    """Go on at the first row that a variable took."""
    return Skip(True, variable)


def to_last(variable: str) -> Skip:
    """Go on at the last row that a variable took.

    >>> to_last("up")
    to_last('up')
    """
    return Skip(False, variable)
