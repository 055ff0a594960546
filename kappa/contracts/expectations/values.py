"""Rules about the value of one field."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from json import loads
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.contracts.expectations.bounds import Bounds
from kappa.contracts.expectations.expectation import (
    ColumnExpectation,
    Look,
    Verdicts,
    has_missing,
    is_missing,
    listed,
)
from kappa.contracts.expectations.types import kinds_of, type_name

_MAY_MISS = frozenset({type(None), float})
REMEMBERED = 10_000
"""Texts whose verdict is remembered where judging one is dear."""


@dataclass(frozen=True)
class NotNull(ColumnExpectation):
    """Every record has a value: the field is there, and neither None nor NaN."""

    name: ClassVar[str] = "expect_column_values_to_not_be_null"

    def cleared(self, look: Look) -> bool:
        return _MAY_MISS.isdisjoint(look.kinds(self.column))

    def passes(self, batch: Batch) -> bool:
        return not has_missing(batch.column(self.column, None))

    def verdicts(self, batch: Batch) -> Verdicts | None:
        column = batch.column(self.column, None)
        return [not is_missing(value) for value in column] if has_missing(column) else None

    def expected(self, value: Any) -> bool:
        return not is_missing(value)

    def reason(self, value: Any) -> str:
        return f"{self.column}: missing"


@dataclass(frozen=True)
class Null(ColumnExpectation):
    """No record has a value."""

    name: ClassVar[str] = "expect_column_values_to_be_null"

    def verdicts(self, batch: Batch) -> Verdicts | None:
        verdicts: Verdicts = [is_missing(value) for value in batch.column(self.column, None)]
        return verdicts if False in verdicts else None

    def passes(self, batch: Batch) -> bool:
        return self.verdicts(batch) is None

    def expected(self, value: Any) -> bool:
        return is_missing(value)

    def reason(self, value: Any) -> str:
        return f"{self.column}: {value!r} where nothing should be"


@dataclass(frozen=True)
class OfType(ColumnExpectation):
    """The value is exactly of a type: True is no int, and 1 no float.

    Args:
        column: the field.
        type_: int, float, str, bool, bytes, decimal, date, time, timestamp, duration,
            uuid, list, map … (see `kappa.contracts.expectations.types`), or the class.
    """

    type_: str | type = ""

    name: ClassVar[str] = "expect_column_values_to_be_of_type"

    def check(self) -> None:
        self.put("type_", type_name(self.type_, self.wrong))

    @cached_property
    def _kinds(self) -> frozenset[type]:
        return kinds_of(str(self.type_))

    def cleared(self, look: Look) -> bool:
        return look.kinds(self.column) <= self._kinds

    def quick(self, values: Sequence[Any]) -> bool:
        return self._kinds.issuperset(map(type, values))

    def expected(self, value: Any) -> bool:
        return type(value) in self._kinds

    def reason(self, value: Any) -> str:
        return f"{self.column}: {value!r} is {_kind(value)}, not {self.type_}"


@dataclass(frozen=True)
class InTypeList(ColumnExpectation):
    """The value is exactly of one of several types.

    Args:
        column: the field.
        type_list: names as for `expect_column_values_to_be_of_type`.
    """

    type_list: Collection[Any] = ()

    name: ClassVar[str] = "expect_column_values_to_be_in_type_list"

    def check(self) -> None:
        listed(self, "type_list")
        self.put("type_list", tuple(type_name(one, self.wrong) for one in self.type_list))

    @cached_property
    def _kinds(self) -> frozenset[type]:
        return frozenset().union(*map(kinds_of, self.type_list))

    def cleared(self, look: Look) -> bool:
        return look.kinds(self.column) <= self._kinds

    def quick(self, values: Sequence[Any]) -> bool:
        return self._kinds.issuperset(map(type, values))

    def expected(self, value: Any) -> bool:
        return type(value) in self._kinds

    def reason(self, value: Any) -> str:
        kinds = " or ".join(self.type_list)
        return f"{self.column}: {value!r} is {_kind(value)}, not {kinds}"


@dataclass(frozen=True)
class Between(Bounds, ColumnExpectation):
    """The value lies in a range.

    Args:
        column: the field.
        min_value, max_value: the bounds; None for none. Both are inside.
        strict_min, strict_max: the bound itself is outside.

    Cost: the smallest and the largest of a column, 20 ns a value.
    """

    name: ClassVar[str] = "expect_column_values_to_be_between"

    def quick(self, values: Sequence[Any]) -> bool:
        if not values:
            return True
        if self.min_value is not None and not self.inside(min(values)):
            return False
        return self.max_value is None or self.inside(max(values))

    def expected(self, value: Any) -> bool:
        return self.inside(value)

    def reason(self, value: Any) -> str:
        return f"{self.column}: {value!r} is not {self.range}"


@dataclass(frozen=True)
class InSet(ColumnExpectation):
    """The value is one of these.

    Args:
        column: the field.
        value_set: the values, as Python compares them (1 and 1.0 are equal).
    """

    value_set: Collection[Any] = ()

    name: ClassVar[str] = "expect_column_values_to_be_in_set"

    def check(self) -> None:
        listed(self, "value_set", empty=True)

    @cached_property
    def _values(self) -> frozenset[Any]:
        return frozenset(self.value_set)

    def quick(self, values: Sequence[Any]) -> bool:
        return self._values.issuperset(values)

    def expected(self, value: Any) -> bool:
        return value in self._values

    def reason(self, value: Any) -> str:
        return f"{self.column}: {value!r} is none of {_shown(self.value_set)}"


@dataclass(frozen=True)
class NotInSet(InSet):
    """The value is none of these."""

    name: ClassVar[str] = "expect_column_values_to_not_be_in_set"

    def quick(self, values: Sequence[Any]) -> bool:
        return self._values.isdisjoint(values)

    def expected(self, value: Any) -> bool:
        return value not in self._values

    def reason(self, value: Any) -> str:
        return f"{self.column}: {value!r} is one of {_shown(self.value_set)}"


class Remembering(ColumnExpectation):
    """A rule that is dear to ask: the texts that passed are remembered, so that a column
    of few different ones costs one look each.
    """

    @cached_property
    def _known(self) -> set[str]:
        return set()

    def asked(self, value: str) -> bool:
        """Whether a text is as expected."""
        raise NotImplementedError

    def quick(self, values: Sequence[Any]) -> bool:
        known = self._known
        if known.issuperset(values):
            return True
        new = set(values) - known
        if not all(map(self.expected, new)):
            return False
        if len(known) + len(new) <= REMEMBERED:
            known |= new
        return True

    def expected(self, value: Any) -> bool:
        return isinstance(value, str) and self.asked(value)


@dataclass(frozen=True)
class Matches(Remembering):
    """The value is a text in which a pattern is found, anywhere unless it says where.

    Args:
        column: the field.
        regex: the pattern, in Python's syntax.
    """

    regex: str = ""

    name: ClassVar[str] = "expect_column_values_to_match_regex"

    def check(self) -> None:
        try:
            assert self._pattern
        except (re.error, TypeError) as error:
            raise self.wrong(f"regex {self.regex!r}: {error}") from None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    def asked(self, value: str) -> bool:
        return self._pattern.search(value) is not None

    def reason(self, value: Any) -> str:
        return f"{self.column}: {_text(value)} does not match {self.regex}"


@dataclass(frozen=True)
class NotMatches(Matches):
    """The value is a text in which a pattern is not found."""

    name: ClassVar[str] = "expect_column_values_to_not_match_regex"

    def asked(self, value: str) -> bool:
        return self._pattern.search(value) is None

    def reason(self, value: Any) -> str:
        return f"{self.column}: {_text(value)} matches {self.regex}"


@dataclass(frozen=True)
class MatchesStrftime(Remembering):
    """The value is a text of a date or time in a format.

    Args:
        column: the field.
        strftime_format: as for `datetime.strptime`, such as "%Y-%m-%d".

    Cost: 5 µs for a text that was not seen before.
    """

    strftime_format: str = ""

    name: ClassVar[str] = "expect_column_values_to_match_strftime_format"

    def check(self) -> None:
        if type(self.strftime_format) is not str or "%" not in self.strftime_format:
            raise self.wrong(f"strftime_format is {self.strftime_format!r}: give one like %Y-%m-%d")
        try:
            moment = datetime(2013, 7, 3, tzinfo=UTC).strftime(self.strftime_format)
            datetime.strptime(moment, self.strftime_format)
        except ValueError as error:
            raise self.wrong(f"strftime_format {self.strftime_format!r}: {error}") from None

    def asked(self, value: str) -> bool:
        try:
            datetime.strptime(value, self.strftime_format)
        except ValueError:
            return False
        return True

    def reason(self, value: Any) -> str:
        return f"{self.column}: {_text(value)} does not match {self.strftime_format}"


@dataclass(frozen=True)
class JsonParseable(Remembering):
    """The value is a text that is a JSON document."""

    name: ClassVar[str] = "expect_column_values_to_be_json_parseable"

    def asked(self, value: str) -> bool:
        try:
            loads(value)
        except (ValueError, RecursionError):
            return False
        return True

    def reason(self, value: Any) -> str:
        return f"{self.column}: {_text(value)} is no JSON"


@dataclass(frozen=True)
class LengthsBetween(Bounds, ColumnExpectation):
    """The length of the value (a text, a list, …) lies in a range.

    Args:
        column: the field.
        min_value, max_value: the bounds; None for none. Both are inside.
        strict_min, strict_max: the bound itself is outside.
    """

    name: ClassVar[str] = "expect_column_value_lengths_to_be_between"

    def quick(self, values: Sequence[Any]) -> bool:
        lengths = set(map(len, values))
        return not lengths or (self.inside(min(lengths)) and self.inside(max(lengths)))

    def expected(self, value: Any) -> bool:
        return self.inside(len(value))

    def reason(self, value: Any) -> str:
        return f"{self.column}: the length of {value!r:.80} is not {self.range}"


@dataclass(frozen=True)
class LengthsEqual(ColumnExpectation):
    """The length of the value is this one.

    Args:
        column: the field.
        value: the length.
    """

    value: int = field(default=-1)

    name: ClassVar[str] = "expect_column_value_lengths_to_equal"

    def check(self) -> None:
        if type(self.value) is not int or self.value < 0:
            raise self.wrong(f"value is {self.value!r}: give a length from 0")

    def quick(self, values: Sequence[Any]) -> bool:
        return {self.value}.issuperset(map(len, values))

    def expected(self, value: Any) -> bool:
        return bool(len(value) == self.value)

    def reason(self, value: Any) -> str:
        return f"{self.column}: the length of {value!r:.80} is not {self.value}"


def _kind(value: Any) -> str:
    """Its type with an article."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _text(value: Any) -> str:
    """A value in a message: a text as it stands, so that a person can search for it."""
    return f"{value:.80}" if type(value) is str and value.strip() else f"{value!r:.80}"


def _shown(values: Collection[Any], limit: int = 10) -> str:
    more = ["…"] if len(values) > limit else []
    return ", ".join([*map(repr, list(values)[:limit]), *more]) or "nothing"
