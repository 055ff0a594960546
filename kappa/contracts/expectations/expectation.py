"""What an expectation is: a frozen rule about each record, or about the records of a window.

- A `RecordExpectation` judges a record by itself. Over a window it holds if a share of at
  least `mostly` of the judged records is as expected; missing values are not judged.
- A `WindowExpectation` judges numbers (`metrics`) of a window, or of a whole range.

Missing is None, NaN, and a field that the record does not have. What cannot be compared
with a bound, or is of the wrong type, is not as expected; it never raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import isnan
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from kappa.batch import Batch
from kappa.codec.columns import exact_types
from kappa.errors import ConfigError

Severity: TypeAlias = Literal["warn", "dead_letter", "stop"]
SEVERITIES = ("warn", "dead_letter", "stop")
Verdicts: TypeAlias = "list[bool | None]"
"""Per record: as expected, or not, or None where there is nothing to judge."""

COMMON = ("mostly", "severity")
EXAMPLES = 20
"""Unexpected values that a result shows at most."""


class Metric(NamedTuple):
    """A number (or a list or table of them) that a window has.

    Args:
        kind: see `kappa.operators.expect_metrics`.
        columns: what it is computed from.
        args: what else it depends on.
    """

    kind: str
    columns: tuple[str, ...] = ()
    args: tuple[Any, ...] = ()


class Judged(NamedTuple):
    """What became of an expectation in a window.

    Args:
        success: it holds.
        observed: what was seen, where that is a number or a list.
        unexpected: how many records are not as expected, where records are judged.
        examples: some unexpected values.
        missing: how many records had nothing to judge.
    """

    success: bool
    observed: Any = None
    unexpected: int | None = None
    examples: tuple[Any, ...] = ()
    missing: int | None = None


@dataclass(frozen=True)
class Expectation:
    """A rule about data.

    Args:
        severity: what a breach does: "warn" reports it; "dead_letter" sets the record
            aside; "stop" ends the run, or refuses the append.

    Raises:
        ConfigError: an argument makes no sense.
    """

    severity: str = field(default="warn", kw_only=True)

    name: ClassVar[str] = ""
    referential: ClassVar[bool] = False
    """It can be judged only beside another topic."""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise self.wrong(f"severity is {self.severity!r}: give one of {', '.join(SEVERITIES)}")
        self.check()

    def check(self) -> None:
        """Refuses arguments that make no sense, and brings them into their one form."""

    def wrong(self, text: str) -> ConfigError:
        """The error for a wrong argument."""
        return ConfigError(f"{self.name}: {text}")

    def put(self, name: str, value: Any) -> None:
        """Sets an argument to its one form, while the description is made."""
        object.__setattr__(self, name, value)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields it reads."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """The fields as one text, for results."""
        return ", ".join(self.columns)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, as plain values."""
        found = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default or type(value) is not type(one.default):
                found[one.name] = plain(value)
        return found

    def to_plain(self) -> dict[str, Any]:
        """The one form for files: name and arguments."""
        return {self.name: self.kwargs}

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.name}({given})"


@dataclass(frozen=True)
class RecordExpectation(Expectation):
    """A rule about one record at a time.

    Args:
        mostly: over a window, the least share of judged records that are as expected.
    """

    mostly: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.mostly, bool) or not isinstance(self.mostly, int | float):
            raise self.wrong(f"mostly is {self.mostly!r}: give a share from 0 to 1")
        if not 0 <= self.mostly <= 1:
            raise self.wrong(f"mostly is {self.mostly!r}: give a share from 0 to 1")
        if self.mostly < 1 and self.severity == "dead_letter":
            raise self.wrong(
                "mostly speaks of the records of a window, and when it is over they have"
                ' passed: leave mostly out, or take severity "warn" or "stop"'
            )
        self.put("mostly", float(self.mostly))
        super().__post_init__()

    def passes(self, batch: Batch) -> bool:
        """Whether no record of the batch is unexpected; the fast way to see it."""
        verdicts = self.verdicts(batch)
        return verdicts is None or False not in verdicts

    def cleared(self, look: Look) -> bool:
        """Whether what is known of the columns shows that no record is unexpected; False
        says nothing.
        """
        return False

    def verdicts(self, batch: Batch) -> Verdicts | None:
        """The verdict on each record; None if all are as expected and none is missing."""
        raise NotImplementedError

    def found(self, batch: Batch, index: int) -> Any:
        """What an unexpected record shows."""
        raise NotImplementedError

    def reason(self, value: Any) -> str:
        """What is wrong with a value, in words."""
        raise NotImplementedError

    def judge(self, judged: int, unexpected: int) -> bool:
        """Whether so many unexpected among the judged records are few enough."""
        return judged == 0 or (judged - unexpected) / judged >= self.mostly


class Look:
    """What is known of a batch's columns, found once for all rules.

    Args:
        batch: the records.
    """

    __slots__ = ("_kinds", "batch")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._kinds: dict[str, frozenset[type]] = {}

    def kinds(self, name: str) -> frozenset[type]:
        """The types of a field's values; nothing is read where the log has told them."""
        found = self._kinds.get(name)
        if found is None:
            found = self._kinds[name] = self._found(name)
        return found

    def _found(self, name: str) -> frozenset[type]:
        column = self.batch.column(name, None)
        if not column:
            return frozenset()
        if name in self.batch.solid:
            return frozenset((type(column[0]),))
        return frozenset(exact_types(column))


def broken(rules: Sequence[RecordExpectation], batch: Batch) -> list[RecordExpectation]:
    """The rules that some record of a batch breaks."""
    look = Look(batch)
    return [rule for rule in rules if not rule.cleared(look) and not rule.passes(batch)]


@dataclass(frozen=True)
class WindowExpectation(Expectation):
    """A rule about numbers of a window."""

    def __post_init__(self) -> None:
        if self.severity == "dead_letter":
            raise self.wrong(
                "a window as a whole cannot be set aside, its records have passed:"
                ' take severity "warn" or "stop"'
            )
        super().__post_init__()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it needs to know."""
        raise NotImplementedError

    def judge(self, values: Sequence[Any]) -> Judged:
        """The verdict, from the value of each metric."""
        raise NotImplementedError


@dataclass(frozen=True)
class ColumnExpectation(RecordExpectation):
    """A rule about the value of one field, where it is not missing.

    Args:
        column: the field.
    """

    column: str

    def __post_init__(self) -> None:
        named(self, "column")
        super().__post_init__()

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def quick(self, values: Sequence[Any]) -> bool:
        """Whether all values are as expected, found in one go; may fail, and then counts
        for no.
        """
        return all(map(self.expected, values))

    def expected(self, value: Any) -> bool:
        """Whether one value is as expected; may fail, and then counts for no."""
        raise NotImplementedError

    def passes(self, batch: Batch) -> bool:
        column = batch.column(self.column, None)
        return self._quick(column) or False not in self._exact(column)

    def verdicts(self, batch: Batch) -> Verdicts | None:
        column = batch.column(self.column, None)
        if not has_missing(column) and self._quick(column):
            return None
        return self._exact(column)

    def _quick(self, column: Sequence[Any]) -> bool:
        try:
            return self.quick(column)
        except Exception:  # of another type: one by one below
            return False

    def _exact(self, column: Sequence[Any]) -> Verdicts:
        there = [value for value in column if not is_missing(value)]
        if self._quick(there):
            return [None if is_missing(value) else True for value in column]
        return [None if is_missing(value) else self._one(value) for value in column]

    def _one(self, value: Any) -> bool:
        try:
            return bool(self.expected(value))
        except Exception:  # it cannot even be asked
            return False

    def found(self, batch: Batch, index: int) -> Any:
        return batch.column(self.column, None)[index]


def is_missing(value: Any) -> bool:
    """Whether it is None or NaN.

    >>> is_missing(None), is_missing(float("nan")), is_missing("")
    (True, True, False)
    """
    return value is None or (value.__class__ is float and value != value)


def has_missing(column: Sequence[Any]) -> bool:
    """Whether a column holds None or NaN; 12 ns a value.

    >>> has_missing([1, 2.5, "x"]), has_missing([1.0, float("nan")])
    (False, True)
    """
    kinds = set(map(type, column))
    if type(None) in kinds:
        return True
    if float not in kinds:
        return False
    if kinds == {float} and not isnan(sum(column)):
        return False
    return any(map(is_missing, column))


def named(expectation: Expectation, *arguments: str) -> None:
    """Checks that these arguments are names of fields.

    Raises:
        ConfigError: one is not.
    """
    for argument in arguments:
        value = getattr(expectation, argument)
        if type(value) is not str or not value:
            raise expectation.wrong(f"{argument} is {value!r}: give the name of a field")


def listed(expectation: Expectation, argument: str, *, empty: bool = False) -> None:
    """Makes an argument a tuple; sets are put in the order of their texts.

    Raises:
        ConfigError: it is no collection, or an empty one where that makes no sense.
    """
    value = getattr(expectation, argument)
    if isinstance(value, set | frozenset):
        value = sorted(value, key=lambda one: (type(one).__name__, repr(one)))
    if isinstance(value, str | bytes) or not isinstance(value, list | tuple):
        raise expectation.wrong(f"{argument} is {value!r}: give a list")
    if not value and not empty:
        raise expectation.wrong(f"{argument} is empty")
    expectation.put(argument, tuple(value))


def plain(value: Any) -> Any:
    """An argument as lists, dicts and scalars, for files."""
    if hasattr(value, "to_plain"):
        return value.to_plain()
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
