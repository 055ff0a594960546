"""Rules about values that have to exist elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, ClassVar

from kappa.contracts.expectations.expectation import (
    ColumnExpectation,
    is_missing,
    named,
)
from kappa.errors import InternalError


@dataclass(frozen=True)
class InTopic(ColumnExpectation):
    """The value is that of a field in some record of a topic: a foreign key.

    In a pipeline the topic is read beside the rows, and a row is judged by the records that
    lie before it in the log. A check over a topic goes by all records that are there now.
    An append is not judged by it.

    Args:
        column: the field.
        topic: where its values have to exist.
        field: the field of that topic's records; by default of the same name.
    """

    topic: str = ""
    field: str | None = None
    known: frozenset[Any] | None = attribute(default=None, repr=False, compare=False)

    name: ClassVar[str] = "expect_column_values_to_be_in_topic"
    referential: ClassVar[bool] = True

    def check(self) -> None:
        named(self, "topic")
        if self.field is None:
            self.put("field", self.column)
        named(self, "field")
        if self.mostly < 1:
            raise self.wrong("mostly has no meaning here: each record is judged by itself")

    def against(self, values: Iterable[Any]) -> InTopic:
        """The rule with the values that exist; what cannot be hashed does not."""
        known = frozenset(value for value in values if _hashable(value))
        return InTopic(self.column, self.topic, self.field, known, severity=self.severity)

    def quick(self, values: Sequence[Any]) -> bool:
        return self._values.issuperset(values)

    def expected(self, value: Any) -> bool:
        return value in self._values

    @property
    def _values(self) -> frozenset[Any]:
        if self.known is None:
            raise InternalError(f"{self.name} was asked without the topic {self.topic!r}")
        return self.known

    @property
    def kwargs(self) -> dict[str, Any]:
        found = super().kwargs
        found.pop("known", None)
        return found

    def reason(self, value: Any) -> str:
        return f"{self.column}: {value!r} is no {self.field} of topic {self.topic}"


def _hashable(value: Any) -> bool:
    if is_missing(value):
        return False
    try:
        {value: None}  # noqa: B018
    except TypeError:
        return False
    return True
