"""What users write: a node of the tree with Python's operators on it.

Invariants:

- `repr` is a faithful and stable text: equal texts mean equal expressions, on every run.
  It is what fingerprints are made of, so a secret's value is never in it.
- `==` makes an expression. Compare expressions with `same_as`; they cannot be hashed.
- Null in, null out, as in SQL. `&` and `|` are three-valued. What is tested for truth
  (a filter, a `when`) counts null as false. Division by zero fails on the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from kappa.errors import ConfigError
from kappa.expressions.nodes import (
    Call,
    Column,
    FillNull,
    IsNull,
    Literal,
    Logic,
    Matched,
    Meta,
    Named,
    Node,
    Not,
    Param,
    Side,
    resided,
    walk,
)
from kappa.expressions.rules import RULES

if TYPE_CHECKING:
    from kappa.expressions.moments import Moments
    from kappa.expressions.text import Text

Value: TypeAlias = (
    "bool | int | float | str | bytes | Decimal | datetime | date | time | timedelta | UUID"
)
Operand: TypeAlias = "Expression | Value"

PLAIN = (bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID)
CASTS = {int: "int", float: "float", str: "str", bool: "bool"}


class Expression:
    """Something computed from each row: `col("price") * 0.9`, `col("name").is_null()`.

    >>> from kappa.expressions import col
    >>> (col("price") * 2 > 10) & col("open")
    (((col('price') * 2) > 10) & col('open'))
    """

    __slots__ = ("node",)
    node: Node

    def __init__(self, node: Node) -> None:
        object.__setattr__(self, "node", node)

    # -- what it is ----------------------------------------------------------------------

    @property
    def fields(self) -> frozenset[str]:
        """The fields of the row that it reads."""
        return frozenset(node.field for node in walk(self.node) if isinstance(node, Column))

    @property
    def metas(self) -> frozenset[str]:
        """The facts about the record that it reads: "time", "lsn", "offset", ..."""
        return frozenset(node.fact for node in walk(self.node) if isinstance(node, Meta))

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters it uses."""
        return tuple(node for node in walk(self.node) if isinstance(node, Param))

    @property
    def sides(self) -> frozenset[tuple[str, str]]:
        """What it reads of a join's two rows, as ("left" or "right", field)."""
        found = (node for node in walk(self.node) if isinstance(node, Side))
        return frozenset((node.side, node.field) for node in found)

    @property
    def matches(self) -> tuple[Matched, ...]:
        """What it reads of the rows that a pattern has matched, each once."""
        found = (node for node in walk(self.node) if isinstance(node, Matched))
        return tuple(dict.fromkeys(found))

    @property
    def name(self) -> str | None:
        """The name of the result: the one it was given, or that of a bare field."""
        node = self.node
        if isinstance(node, Named):
            return node.name
        return node.field if isinstance(node, Column | Side) else None

    @property
    def bare(self) -> Column | None:
        """The field that it is, if it is nothing more (it may be named)."""
        node = self.node.child if isinstance(self.node, Named) else self.node
        return node if isinstance(node, Column) else None

    def replaced(self, names: Mapping[tuple[str, str], str]) -> Expression:
        """The same with every `left(f)` and `right(f)` read from the field `names` gives it."""
        return Expression(resided(self.node, names))

    def same_as(self, other: object) -> bool:
        """Whether `other` is an equal expression (`==` makes an expression instead)."""
        return isinstance(other, Expression) and repr(self) == repr(other)

    def named(self, name: str) -> Expression:
        """The same under a name, where it becomes a field."""
        if type(name) is not str or not name:
            raise ConfigError(f"the name of an expression is {name!r}: give a text")
        return Expression(Named(self.node, name))

    alias = named

    def __repr__(self) -> str:
        return repr(self.node)

    def __bool__(self) -> bool:
        raise ConfigError(
            f"{self!r} has no truth value before it sees a row: combine conditions with &, | and"
            " ~ (in parentheses) instead of `and`, `or` and `not`; for a chain write"
            " (a <= x) & (x <= b) or .between(a, b), for `in` .is_in([...])"
        )

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        raise ConfigError(f"{self!r} is one expression, not a sequence")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an expression is frozen")

    # -- arithmetic and comparison -------------------------------------------------------

    def __add__(self, other: Operand) -> Expression:
        return call("add", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return call("add", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return call("sub", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return call("sub", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return call("mul", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return call("mul", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return call("truediv", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return call("truediv", other, self)

    def __floordiv__(self, other: Operand) -> Expression:
        return call("floordiv", self, other)

    def __rfloordiv__(self, other: Operand) -> Expression:
        return call("floordiv", other, self)

    def __mod__(self, other: Operand) -> Expression:
        return call("mod", self, other)

    def __rmod__(self, other: Operand) -> Expression:
        return call("mod", other, self)

    def __pow__(self, other: Operand) -> Expression:
        return call("pow", self, other)

    def __rpow__(self, other: Operand) -> Expression:
        return call("pow", other, self)

    def __neg__(self) -> Expression:
        return call("neg", self)

    def __eq__(self, other: Operand) -> Expression:  # type: ignore[override]
        return call("eq", self, other)

    def __ne__(self, other: Operand) -> Expression:  # type: ignore[override]
        return call("ne", self, other)

    def __lt__(self, other: Operand) -> Expression:
        return call("lt", self, other)

    def __le__(self, other: Operand) -> Expression:
        return call("le", self, other)

    def __gt__(self, other: Operand) -> Expression:
        return call("gt", self, other)

    def __ge__(self, other: Operand) -> Expression:
        return call("ge", self, other)

    # -- logic and null ------------------------------------------------------------------

    def __and__(self, other: Operand) -> Expression:
        return _logic("&", self, other)

    def __rand__(self, other: Operand) -> Expression:
        return _logic("&", other, self)

    def __or__(self, other: Operand) -> Expression:
        return _logic("|", self, other)

    def __ror__(self, other: Operand) -> Expression:
        return _logic("|", other, self)

    def __invert__(self) -> Expression:
        return Expression(Not(self.node))

    def is_null(self) -> Expression:
        """True where it is null; never null itself."""
        return Expression(IsNull(self.node))

    def not_null(self) -> Expression:
        """False where it is null; never null itself."""
        return Expression(Not(IsNull(self.node)))

    def fill_null(self, value: Operand) -> Expression:
        """`value` where it is null."""
        return Expression(FillNull(self.node, operand(value)))

    def is_in(self, values: Collection[Value]) -> Expression:
        """Whether it equals one of `values`, constants that are not null."""
        if isinstance(values, str | bytes | Expression):
            raise ConfigError("is_in takes a list of constants")
        listed = list(values)
        for value in listed:
            constant(value)
        if isinstance(values, set | frozenset):
            listed.sort(key=lambda value: (type(value).__name__, repr(value)))
        return call("is_in", self, Literal(frozenset(listed), repr(listed)))

    def between(self, low: Operand, high: Operand) -> Expression:
        """Whether it lies in [low, high], both ends included."""
        if isinstance(low, Expression) or isinstance(high, Expression):
            return (self >= low) & (self <= high)
        return call("between", self, low, high)

    # -- functions -----------------------------------------------------------------------

    def cast(self, to: type) -> Expression:
        """It as int, float, str or bool; fails on a row where that is not possible.

        Text becomes a bool by what it says ("true", "no", "0"), a float an int by cutting
        off what lies behind the point.
        """
        if to not in CASTS:
            raise ConfigError(f"cast to {to!r}: int, float, str or bool")
        return call(CASTS[to], self)

    def abs(self) -> Expression:
        """Without its sign."""
        return call("abs", self)

    def round(self, digits: int = 0) -> Expression:
        """To so many digits behind the point, halves to the even neighbour, as Python does."""
        return call("round", self, digits)

    @property
    def str(self) -> Text:
        """Functions on text: `col("name").str.lower()`."""
        from kappa.expressions.text import Text

        return Text(self)

    @property
    def dt(self) -> Moments:
        """Functions on instants: `meta.time.dt.hour(zone="Europe/Berlin")`."""
        from kappa.expressions.moments import Moments

        return Moments(self)


def call(name: str, *operands: Any) -> Expression:
    """An expression of the rule `name`."""
    return Expression(Call(RULES[name], tuple(map(operand, operands))))


def _logic(sign: str, one: object, other: object) -> Expression:
    return Expression(Logic(sign, operand(one), operand(other)))


def operand(value: object) -> Node:
    """The node of an expression; a plain value as a constant.

    Raises:
        ConfigError: it is neither; the message says what to write instead.
    """
    if isinstance(value, Expression):
        return value.node
    return value if isinstance(value, Node) else Literal(constant(value))


def constant(value: object) -> Any:
    """A value that may stand in an expression: unchangeable, with a text of its own.

    Raises:
        ConfigError: it is None, a function, or of a type that is not plain.
    """
    if value is None:
        raise ConfigError(
            "None in an expression is null whatever it is compared with or added to: use"
            " .is_null(), .not_null() or .fill_null(...), or lit(None) for a null"
        )
    if type(value) is tuple:
        return tuple(map(constant, value))
    if type(value) in PLAIN:
        return value
    hint = "; a function stands alone, as in map(function)" if callable(value) else ""
    raise ConfigError(f"{value!r} ({type(value).__name__}) cannot stand in an expression{hint}")
