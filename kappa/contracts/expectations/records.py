"""Rules about several fields of one record, and about which fields it has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kappa.batch import Batch, field_names
from kappa.contracts.expectations.expectation import (
    RecordExpectation,
    Verdicts,
    is_missing,
    listed,
    named,
)

IGNORED = ("both_values_are_missing", "either_value_is_missing", "neither")


class SeveralColumns(RecordExpectation):
    """A rule about the values of several fields of a record."""

    def ignored(self, values: tuple[Any, ...]) -> bool:
        """Whether a record is not judged, by what is missing."""
        return all(map(is_missing, values))

    def expected(self, *values: Any) -> bool:
        """Whether the values are as expected; may fail, and then counts for no."""
        raise NotImplementedError

    def quick(self, columns: Sequence[list[Any]]) -> bool:
        """Whether all records are as expected and none is missing, found in one go."""
        return False

    def verdicts(self, batch: Batch) -> Verdicts | None:
        columns = [batch.column(name, None) for name in self.columns]
        try:
            if self.quick(columns):
                return None
        except Exception:  # of other types: one by one
            pass
        found = [self._one(values) for values in zip(*columns)]
        return None if set(found) <= {True} else found

    def _one(self, values: tuple[Any, ...]) -> bool | None:
        if self.ignored(values):
            return None
        try:
            return bool(self.expected(*values))
        except Exception:  # it cannot even be asked
            return False

    def found(self, batch: Batch, index: int) -> Any:
        return tuple(batch.column(name, None)[index] for name in self.columns)


@dataclass(frozen=True)
class Pair(SeveralColumns):
    """A rule about two fields.

    Args:
        column_A, column_B: the fields.
        ignore_row_if: which records are not judged: "both_values_are_missing",
            "either_value_is_missing" or "neither".
    """

    column_A: str
    column_B: str
    ignore_row_if: str = field(default=IGNORED[0], kw_only=True)

    def check(self) -> None:
        named(self, "column_A", "column_B")
        if self.ignore_row_if not in IGNORED:
            raise self.wrong(
                f"ignore_row_if is {self.ignore_row_if!r}: give one of {', '.join(IGNORED)}"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column_A, self.column_B)

    def ignored(self, values: tuple[Any, ...]) -> bool:
        if self.ignore_row_if == "neither":
            return False
        test = all if self.ignore_row_if == IGNORED[0] else any
        return test(map(is_missing, values))


@dataclass(frozen=True)
class Greater(Pair):
    """The first value is greater than the second.

    Args:
        or_equal: or they are equal.
    """

    or_equal: bool = False

    name: ClassVar[str] = "expect_column_pair_values_a_to_be_greater_than_b"

    def expected(self, *values: Any) -> bool:
        one, other = values
        return bool(one >= other if self.or_equal else one > other)

    def reason(self, value: Any) -> str:
        sign = "at least" if self.or_equal else "greater than"
        return f"{self.column_A} {value[0]!r} is not {sign} {self.column_B} {value[1]!r}"


@dataclass(frozen=True)
class Equal(Pair):
    """The two values are equal."""

    name: ClassVar[str] = "expect_column_pair_values_to_be_equal"

    def expected(self, *values: Any) -> bool:
        return bool(values[0] == values[1])

    def reason(self, value: Any) -> str:
        return f"{self.column_A} {value[0]!r} is not {self.column_B} {value[1]!r}"


@dataclass(frozen=True)
class PairInSet(Pair):
    """The two values, together, are one of these pairs.

    Args:
        value_pairs_set: the pairs.
    """

    value_pairs_set: Collection[Sequence[Any]] = ()

    name: ClassVar[str] = "expect_column_pair_values_to_be_in_set"

    def check(self) -> None:
        super().check()
        listed(self, "value_pairs_set")
        pairs = tuple(tuple(pair) for pair in self.value_pairs_set)
        if any(len(pair) != 2 for pair in pairs):
            raise self.wrong("value_pairs_set: each must have two values")
        self.put("value_pairs_set", pairs)

    def expected(self, *values: Any) -> bool:
        return values in self.value_pairs_set

    def reason(self, value: Any) -> str:
        return f"{self.column_A}, {self.column_B}: {value!r} is none of the pairs"


@dataclass(frozen=True)
class SumEquals(SeveralColumns):
    """The values of several fields add up to a total.

    A record in which one of them is missing is not as expected; one in which all are is
    not judged.

    Args:
        column_list: the fields.
        sum_total: the total.
    """

    column_list: Collection[str]
    sum_total: float

    name: ClassVar[str] = "expect_multicolumn_sum_to_equal"

    def check(self) -> None:
        listed(self, "column_list")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.column_list)

    def expected(self, *values: Any) -> bool:
        total, *rest = values
        for value in rest:
            total += value
        return bool(total == self.sum_total)

    def reason(self, value: Any) -> str:
        return f"{self.subject}: {value!r} do not add up to {self.sum_total!r}"


@dataclass(frozen=True)
class UniqueWithin(SeveralColumns):
    """The values of several fields of a record all differ from each other.

    Args:
        column_list: the fields.
    """

    column_list: Collection[str]

    name: ClassVar[str] = "expect_select_column_values_to_be_unique_within_record"

    def check(self) -> None:
        listed(self, "column_list")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.column_list)

    def expected(self, *values: Any) -> bool:
        return not any(one == other for at, one in enumerate(values) for other in values[at + 1 :])

    def reason(self, value: Any) -> str:
        return f"{self.subject}: {value!r} are not all different"


@dataclass(frozen=True)
class HasColumn(RecordExpectation):
    """The record has the field, be it None.

    Args:
        column: the field.
    """

    column: str

    name: ClassVar[str] = "expect_column_to_exist"

    def check(self) -> None:
        named(self, "column")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def verdicts(self, batch: Batch) -> Verdicts | None:
        if batch.has(self.column):
            return None
        return [self.column in field_names(row) for row in batch.rows()]

    def found(self, batch: Batch, index: int) -> Any:
        return tuple(batch.known or field_names(batch.rows()[index]))

    def reason(self, value: Any) -> str:
        has = f"; the record has {', '.join(map(str, value))}" if value else ""
        return f"{self.column}: no such field{has}"


@dataclass(frozen=True)
class ColumnsMatchSet(RecordExpectation):
    """The record has these fields.

    Args:
        column_set: their names; their order is no part of a record.
        exact_match: and no others.
    """

    column_set: Collection[str]
    exact_match: bool = True

    name: ClassVar[str] = "expect_table_columns_to_match_set"
    whole_record: ClassVar[bool] = True

    def check(self) -> None:
        listed(self, "column_set")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.column_set)

    def verdicts(self, batch: Batch) -> Verdicts | None:
        if batch.names is not None:
            good = self.expected(batch.names)
            return None if good else [False] * batch.count
        verdicts: Verdicts = [self.expected(field_names(row)) for row in batch.rows()]
        return verdicts if False in verdicts else None

    def expected(self, names: Sequence[Any]) -> bool:
        """Whether these are the names."""
        if self.exact_match:
            return set(names) == set(self.column_set)
        return set(names) >= set(self.column_set)

    def found(self, batch: Batch, index: int) -> Any:
        row = batch.rows()[index]
        return tuple(row) if isinstance(row, Mapping) else field_names(row)

    def reason(self, value: Any) -> str:
        lacks = [name for name in self.column_set if name not in value]
        more = [str(name) for name in value if name not in self.column_set]
        parts = [f"lacks {', '.join(lacks)}"] if lacks else []
        if more and self.exact_match:
            parts.append(f"has also {', '.join(more)}")
        return f"the record {' and '.join(parts)}"
