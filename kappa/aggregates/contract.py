"""What an aggregate is: a frozen description, and the source text of its work on slots.

Several aggregates share one accumulator, a flat list of slots that the state codec can
hold. An aggregate says in `Code` what its slots hold and how values enter them; `Layout`
puts the texts of several together and compiles them, so a record costs one pass over one
list. The laws of a `Code`:

1. A value that enters is never None, and the condition `where` holds for it.
2. `merge` gives what adding the values of both would have given, where every value of `b`
   is later, in event time or else in arrival, than those of `a`, or the order is of no
   consequence. It leaves `b` as it is, and shares no list, dict or set with it.
3. `result` changes nothing, and what it gives is not a container that the slots hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal, TypeAlias

from kappa.errors import ConfigError
from kappa.expressions import Expression, Selector

Source: TypeAlias = "str | Expression | Callable[[Any], Any] | Selector"
"""What to aggregate, computed from each row: a field name, an expression or a function."""

Exactness: TypeAlias = Literal["always", "ints", "never"]
"""Whether a merge is commutative, associative and bit-exact: the condition for adding up
on several workers before the rows of a key come together."""


@dataclass(frozen=True)
class Code:
    """Templates of source text. The names in braces are filled in by `Layout`.

    `{a0}`, `{a1}` … are the accumulator's slots, `{b0}` … those of another one, `{x}` and
    `{y}` the first and second value, `{t}` the record's event time, `{n}` the first value
    as a number (anything else raises), and every name of `names` the object given there.
    Local names in the text begin with an underscore.

    Args:
        empty: expression of every slot before the first value.
        add: statements that take in a value.
        merge: statements that take in another accumulator.
        result: expression of the result.
        unset: a test that holds while no value is in; then `first` is used instead of
            `add`. Without it `add` and `merge` work on empty slots too.
        first: expression of every slot after exactly one value; shorter than `empty` and
            `add` where the first value of a key is at hand.
        copied: expressions that copy `b`'s slots, if `{b0}` … themselves will not do.
        grouped: expressions of every slot over `{v}`, the values of one key as a list that
            is not empty, all exactly int, in order of arrival; where builtins do the work.
        names: what else the texts name.
    """

    empty: tuple[str, ...]
    add: tuple[str, ...]
    merge: tuple[str, ...]
    result: str
    first: tuple[str, ...] = ()
    unset: str = ""
    copied: tuple[str, ...] = ()
    grouped: tuple[str, ...] = ()
    names: Mapping[str, object] = field(default_factory=dict)


class Aggregate:
    """A description of one aggregate; subclasses are frozen dataclasses.

    `kind` names it in messages, `timed` says that `{t}` is used, `exact_merge` what merges
    bit-exactly in any order, `whole` that every result is an int, `shares` that a result
    may be, or hold, an object that the slots hold too, and `sure` that taking in a value
    cannot fail.
    """

    kind: ClassVar[str]
    timed: ClassVar[bool] = False
    exact_merge: ClassVar[Exactness] = "never"
    whole: ClassVar[bool] = False
    shares: ClassVar[bool] = False
    sure: ClassVar[bool] = False
    where: Any = None

    @property
    def sources(self) -> tuple[Selector, ...]:
        """What it reads of each row: none, one (`{x}`) or two (`{x}`, `{y}`) values."""
        raise NotImplementedError

    @property
    def mergeable(self) -> bool:
        """Whether accumulators can be put together, as sessions and sliding windows do."""
        return True

    def code(self) -> Code:
        """Its work on slots."""
        raise NotImplementedError

    def _select(self, *names: str) -> None:
        """Makes selectors of the fields so named, and of `where`."""
        for name in (*names, "where"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Selector):
                object.__setattr__(self, name, Selector.of(value))


def whole_row(row: Any) -> Any:
    """The row itself, for aggregates without a source."""
    return row


WHOLE_ROW = Selector.of(whole_row)


def given(source: Any, kind: str) -> Any:
    """`source`, refused if it is missing.

    Raises:
        ConfigError: it is None.
    """
    if source is None:
        raise ConfigError(f'{kind} needs to know of what: agg.{kind}("price"), for example')
    return source


def number(value: Any) -> Any:
    """`value` if it can be added up; text and containers cannot.

    Raises:
        TypeError: it is a str, bytes, list, tuple or the like.

    >>> number(1.5)
    1.5
    """
    if isinstance(value, timedelta) or (
        hasattr(value, "__sub__") and hasattr(value, "__truediv__")
    ):
        return value
    raise TypeError(f"{value!r:.80} ({type(value).__name__}) is not a number")
