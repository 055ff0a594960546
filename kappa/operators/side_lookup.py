"""Rows looked up in a side input: a small table, loaded whole before the first record.

What the table holds is fixed when a version of the pipeline is made: its topic, up to an
LSN that is recorded. So a lookup waits for nothing, keeps no state, and a replay finds what
the live run found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.errors import ConfigError, InternalError
from kappa.expressions import Selector
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext
from kappa.operators.failing import evaluate
from kappa.operators.joined import Joined, is_null
from kappa.operators.keyed import as_mapping
from kappa.operators.ports import LEFT, CheckedKey

HOW = ("inner", "left")


@dataclass(frozen=True)
class SideInput:
    """A topic to look rows up in; made by `pipeline.side_input`.

    Args:
        topic: its name; its records have keys, of which the last counts.
        key: the fields of a row that hold its key, if there are such.
    """

    topic: str
    key: Selector


@dataclass(frozen=True)
class SideLookup(Operator):
    """Rows with what a side input holds for their key.

    Args:
        side: where to look.
        shape: the fields of the result; its left key says what to look for.
        how: "inner", or "left" to keep rows that find nothing.

    Raises:
        ConfigError: `how` is neither.
    """

    side: SideInput
    shape: Joined
    how: str = "inner"

    kind: ClassVar[str] = "lookup"

    def __post_init__(self) -> None:
        if self.how not in HOW:
            raise ConfigError(f"lookup: how is {self.how!r}: give one of {', '.join(HOW)}")

    def open(self, context: OperatorContext) -> Instance:
        """The instance, over the content that the run gives."""
        content = context.side_inputs.get(self.side.topic)
        if content is None:
            raise InternalError(f"the side input {self.side.topic!r} was not loaded")
        return LookedUp(self, content, context)

    def required(self, wanted: Fields) -> Fields:
        """The fields of the stream's rows."""
        return self.shape.required(LEFT, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the result."""
        return self.shape.yields()

    def describe(self) -> str:
        """Where it looks."""
        return (
            f"{self.how} lookup by {self.shape.left_key.name} in {self.side.topic}, as it stood"
            " when the version was made; held in memory"
        )


class LookedUp(Instance):
    """The content of the side input, by key."""

    def __init__(
        self, operator: SideLookup, content: dict[Any, Any], context: OperatorContext
    ) -> None:
        self._context = context
        self._outer = operator.how == "left"
        self._content = content
        self._joining = operator.shape.open(context)
        key = operator.shape.left_key.bind(context.params, fresh=context.shared)
        self._parts = [CheckedKey(key)]

    def process(self, batch: Batch) -> Iterable[Batch]:
        """The rows with what they find, in their places."""
        left, (keys,), dead = evaluate(self._parts, batch, self._context)
        if not left.count:
            return dead
        get = self._content.get
        found = [None if is_null(key) else get(key) for key in keys]
        rows = list(map(as_mapping, left.rows()))
        pairs = left.with_columns(self._joining.columns(rows, found))
        if not self._outer:
            pairs = pairs.compress([row is not None for row in found])
        return [*self._joining.rows(pairs), *dead]
