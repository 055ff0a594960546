"""What aggregates by key share where time plays no part: of all records, or of a table's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from kappa.aggregates import Aggregate, Layout
from kappa.expressions import Selector
from kappa.operators.contract import Fields, Names, Operator, both
from kappa.operators.keyed import check_names
from kappa.time import PLUS_INFINITY


@dataclass(frozen=True)
class GroupAggregate(Operator):
    """One row per key: the key field(s) and the aggregates.

    Args:
        key: what groups the rows.
        aggregates: by output name.

    Raises:
        ConfigError: there are none, or one has the name of the key.
    """

    key: Selector
    aggregates: Mapping[str, Aggregate]

    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_names(self.key, self.layout.names, "aggregate")

    @cached_property
    def layout(self) -> Layout:
        """The accumulator of the aggregates, and what is read of each row."""
        return Layout(self.aggregates)

    def required(self, wanted: Fields) -> Fields:
        """The fields of the key and of the aggregates."""
        return both(self.layout.fields, self.key.fields)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The key field(s) and the aggregates."""
        return (*self.key.names, *self.layout.names)

    def bound(self, min_time: int) -> int:
        """Never: time plays no part."""
        return PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps."""
        names = ", ".join(self.layout.names)
        return f"keeps {names} per {self.key.name or 'group'}, for ever"
