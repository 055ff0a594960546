"""Steps that choose rows: `Filter` keeps some, `Branch` deals them to side outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.errors import ConfigError
from kappa.expressions import Selector
from kappa.expressions.bound import Computed
from kappa.operators.contract import Fields, Instance, Names, Operator, OperatorContext, both
from kappa.operators.failing import evaluate, passed
from kappa.operators.letters import DEAD_LETTER, QUALITY

REST = "rest"


@dataclass(frozen=True, slots=True)
class Filter(Operator):
    """Keeps the rows for which a condition is true; null counts as false.

    An expression costs one comprehension over the columns that it reads; columns that
    nobody reads behind the step are not copied.

    >>> from kappa.expressions import col
    >>> Filter(Selector.of(col("price") > 100))
    Filter(condition=(col('price') > 100))
    """

    kind: ClassVar[str] = "filter"
    condition: Selector

    def open(self, context: OperatorContext) -> Instance:
        return FilterInstance(self.condition, context)

    def required(self, wanted: Fields) -> Fields:
        return both(wanted, self.condition.fields)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """Those of its input."""
        return inputs[0]


class FilterInstance(Instance):
    """A condition, bound."""

    def __init__(self, condition: Selector, context: OperatorContext) -> None:
        self.context = context
        self.parts = [condition.bind(context.params, fresh=context.shared, mask=True)]

    def process(self, batch: Batch) -> Sequence[Batch]:
        left, (mask,), dead = evaluate(self.parts, batch, self.context)
        kept = passed(left.compress(mask), self.context)
        return [kept, *dead] if kept.count else dead


@dataclass(frozen=True, slots=True)
class Branch(Operator):
    """Deals every row to the side output of the first condition that is true, else to "rest".

    Null counts as false. A condition is tried only on rows that none before it took.

    Args:
        conditions: (output, condition), in the order in which they are tried.

    Raises:
        ConfigError: there is no condition, or an output's name is not free.

    >>> Branch.of({"cheap": lambda row: row["price"] < 10}).sides
    ('cheap', 'rest')
    """

    kind: ClassVar[str] = "split"
    conditions: tuple[tuple[str, Selector], ...]

    def __post_init__(self) -> None:
        if not self.conditions:
            raise ConfigError("split needs a condition")
        for name, _ in self.conditions:
            if name in ("", REST, DEAD_LETTER, QUALITY):
                raise ConfigError(f"split: the name {name!r} is taken; name the output otherwise")

    @classmethod
    def of(cls, conditions: Mapping[str, Any]) -> Branch:
        """From anything that a selector can be made of, by output."""
        return cls(tuple((name, Selector.of(what)) for name, what in conditions.items()))

    @property
    def sides(self) -> tuple[str, ...]:  # type: ignore[override]
        """The outputs, in the order in which they are tried."""
        return (*(name for name, _ in self.conditions), REST)

    def open(self, context: OperatorContext) -> Instance:
        return BranchInstance(self, context)

    def required(self, wanted: Fields) -> Fields:
        for _, condition in self.conditions:
            wanted = both(wanted, condition.fields)
        return wanted


class BranchInstance(Instance):
    """Conditions, bound."""

    def __init__(self, branch: Branch, context: OperatorContext) -> None:
        self.context = context
        self.parts: list[tuple[str, list[Computed]]] = [
            (name, [condition.bind(context.params, fresh=context.shared, mask=True)])
            for name, condition in branch.conditions
        ]

    def process(self, batch: Batch) -> Sequence[Batch]:
        results: list[Batch] = []
        rest = batch
        for name, parts in self.parts:
            rest, (mask,), dead = evaluate(parts, rest, self.context)
            taken = passed(rest.compress(mask), self.context)
            results += [taken.marked(output=name), *dead]
            rest = rest.compress([not one for one in mask])
        results.append(passed(rest, self.context).marked(output=REST))
        return [result for result in results if result.count]
