"""Steps through which rows pass: `AssignTime`, `Union`, `Peek`, `Print`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.expressions import Selector
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext, both
from kappa.operators.failing import Then, bound_then, evaluate, passed
from kappa.time import check_time, instant_ms

Writer = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class AssignTime(Operator):
    """Gives rows another event time. The watermark stays as it is: rows may become late.

    Args:
        time: gives int milliseconds since the epoch, an aware datetime, or ISO 8601 text
            with an offset; within years 1 to 9999, else the row fails.
    """

    kind: ClassVar[str] = "assign_time"
    time: Selector

    def open(self, context: OperatorContext) -> Instance:
        return AssignTimeInstance(self.time, context)

    def required(self, wanted: Fields) -> Fields:
        return both(wanted, self.time.fields)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input."""
        return inputs[0]


class AssignTimeInstance(Instance):
    """A time, bound."""

    def __init__(self, time: Selector, context: OperatorContext) -> None:
        self.context = context
        part = bound_then(time, event_time, context)
        self.parts = [Times(part) if isinstance(part, Then) else part]

    def process(self, batch: Batch) -> Sequence[Batch]:
        left, (times,), dead = evaluate(self.parts, batch, self.context)
        return [passed(left.with_times(times), self.context), *dead] if times else dead


class Times:
    """A computed time: a column of good ints is taken as it is."""

    __slots__ = ("then",)

    def __init__(self, then: Then) -> None:
        self.then = then

    def __call__(self, batch: Batch) -> list[Any]:
        values = self.then.first(batch)
        if set(map(type, values)) == {int}:
            try:
                check_time(min(values))
                check_time(max(values))
                return values
            except ValueError:
                pass  # below, to find the row
        return self.then(batch)

    def kind(self, batch: Batch) -> type:
        """Times are ints."""
        return int


def event_time(value: Any) -> int:
    """A value as an event time.

    Raises:
        ConfigError: it is none.
    """
    return instant_ms(value, name="event time")


@dataclass(frozen=True, slots=True)
class Union(Operator):
    """All rows of its inputs, in the order of (LSN, rank), which the runtime brings about."""

    kind: ClassVar[str] = "union"

    def open(self, context: OperatorContext) -> Instance:
        return UnionInstance(context)

    def required(self, wanted: Fields) -> Fields:
        return wanted

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its inputs, where all have the same."""
        return inputs[0] if len(set(inputs)) == 1 else None


class UnionInstance(Instance):
    """Rows pass."""

    def __init__(self, context: OperatorContext) -> None:
        self.context = context

    def process(self, batch: Batch) -> Sequence[Batch]:
        return [passed(batch, self.context)]


@dataclass(frozen=True, slots=True)
class Peek(Operator):
    """Calls a function with every row, and passes the row on.

    What the function does outside is done again in a replay. It gets a copy of the row
    where another consumer sees it, and otherwise must not change it.
    """

    kind: ClassVar[str] = "peek"
    function: Selector

    def open(self, context: OperatorContext) -> Instance:
        return PeekInstance(self.function, context)

    def required(self, wanted: Fields) -> Fields:
        return both(wanted, self.function.fields)


class PeekInstance(Instance):
    """A function, bound."""

    def __init__(self, function: Selector, context: OperatorContext) -> None:
        self.context = context
        self.parts = [function.bind(context.params, fresh=context.shared)]

    def process(self, batch: Batch) -> Sequence[Batch]:
        left, _, dead = evaluate(self.parts, batch, self.context)
        return [passed(left, self.context), *dead] if left.count else dead


@dataclass(frozen=True, slots=True)
class Print(Operator):
    """Writes every row as a line, and passes it on.

    Args:
        prefix: written before each row.
        write: takes text; standard output if not given.
    """

    kind: ClassVar[str] = "print"
    prefix: str = ""
    write: Writer | None = field(default=None, repr=False, compare=False)

    def open(self, context: OperatorContext) -> Instance:
        return PrintInstance(self.prefix, self.write or sys.stdout.write, context)

    def required(self, wanted: Fields) -> Fields:
        return None

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input."""
        return inputs[0]


class PrintInstance(Instance):
    """A writer."""

    def __init__(self, prefix: str, write: Writer, context: OperatorContext) -> None:
        self.prefix = prefix
        self.write = write
        self.context = context

    def process(self, batch: Batch) -> Sequence[Batch]:
        rows = batch.rows(fresh=self.context.shared)
        self.write("".join([f"{self.prefix}{row!r}\n" for row in rows]))
        return [passed(batch, self.context)]
