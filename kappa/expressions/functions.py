"""Where expressions begin: fields, constants, facts of the record, parameters, cases."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from kappa.errors import ConfigError
from kappa.expressions.expression import Expression, Operand, constant, operand
from kappa.expressions.nodes import (
    REQUIRED,
    Case,
    Column,
    Literal,
    Meta,
    Node,
    Param,
    Required,
    Secret,
    Side,
)

PARAM_TYPES = (bool, int, float, str, date, datetime, timedelta, Decimal)


def col(name: str, default: Any = REQUIRED) -> Expression:
    """The field `name` of the row.

    Args:
        default: stands in where the row does not have the field. Without one that fails;
            a field that is there and None is null, not missing.

    >>> col("price") > 100
    (col('price') > 100)
    """
    if type(name) is not str or not name:
        raise ConfigError(f"col({name!r}): give the name of a field")
    if default is not REQUIRED and default is not None:
        constant(default)
    return Expression(Column(name, default))


def lit(value: Any) -> Expression:
    """A constant, the same for every row; `lit(None)` is null."""
    return Expression(Literal(None if value is None else constant(value)))


class Facts:
    """What the log knows about a record, as expressions: `meta.time`, `meta.lsn`, ..."""

    time: Final = Expression(Meta("time"))
    """Event time, ms since the epoch."""
    lsn: Final = Expression(Meta("lsn"))
    """The number of the append that the row answers."""
    append_time: Final = Expression(Meta("append_time"))
    """When that append was made, ms since the epoch."""
    topic: Final = Expression(Meta("topic"))
    """The topic that the record was read from."""
    partition: Final = Expression(Meta("partition"))
    """Its partition."""
    offset: Final = Expression(Meta("offset"))
    """Its number within the partition."""
    key: Final = Expression(Meta("key"))
    """Its key; None where it has none."""

    def __repr__(self) -> str:
        return "meta"


meta: Final = Facts()


def param(name: str, kind: type, default: Any = REQUIRED) -> Expression:
    """A parameter of the pipeline, `run(log, params={...})`; recorded with the version.

    Args:
        name: what it is called in `params`.
        kind: bool, int, float, str, date, datetime, timedelta or Decimal.
        default: its value where none is given; without one it must be.

    Raises:
        ConfigError: the type is none of these, or the default is of another.

    >>> col("price") > param("limit", int, default=100)
    (col('price') > param('limit', int, default=100))
    """
    if type(name) is not str or not name or kind not in PARAM_TYPES:
        known = ", ".join(known.__name__ for known in PARAM_TYPES)
        raise ConfigError(f"param({name!r}, {kind!r}): give a name, and a type of {known}")
    node = Param(name, kind)
    if not isinstance(default, Required):
        node = Param(name, kind, None if default is None else node.checked(default))
    return Expression(node)


def secret(variable: str) -> Expression:
    """A variable of the environment, read when a step is opened; never recorded or shown."""
    if type(variable) is not str or not variable:
        raise ConfigError(f"secret({variable!r}): give the name of an environment variable")
    return Expression(Secret(variable))


def left(field: str) -> Expression:
    """A field of the left row of a join."""
    return Expression(Side("left", field))


def right(field: str) -> Expression:
    """A field of the right row of a join."""
    return Expression(Side("right", field))


class When:
    """A condition that waits for its value."""

    __slots__ = ("_branches", "_test")

    def __init__(self, branches: tuple[tuple[Node, Node], ...], test: Node) -> None:
        self._branches = branches
        self._test = test

    def then(self, value: Operand | None) -> Then:
        """What the expression is where the condition is the first that is true."""
        return Then((*self._branches, (self._test, _value(value))))

    def __repr__(self) -> str:
        return f"when({self._test!r}) without .then(...)"


class Then(Expression):
    """A case so far: an expression that is null where no condition is true."""

    __slots__ = ("_branches",)
    _branches: tuple[tuple[Node, Node], ...]

    def __init__(self, branches: tuple[tuple[Node, Node], ...]) -> None:
        super().__init__(Case(branches, Literal(None)))
        object.__setattr__(self, "_branches", branches)

    def when(self, condition: Operand) -> When:
        """A further condition, tried where none before it is true."""
        return When(self._branches, operand(condition))

    def otherwise(self, value: Operand | None) -> Expression:
        """What the expression is where no condition is true."""
        return Expression(Case(self._branches, _value(value)))


def when(condition: Operand) -> When:
    """A case: `when(c).then(x).when(d).then(y).otherwise(z)`; null counts as false.

    >>> when(col("price") > 100).then("dear").otherwise("cheap")
    when((col('price') > 100)).then('dear').otherwise('cheap')
    """
    return When((), operand(condition))


def _value(value: object) -> Node:
    return Literal(None) if value is None else operand(value)
