"""Which rows reach a step as a topic holds them."""

from __future__ import annotations

from kappa.operators import AssignTime, Branch, Filter, Peek, Print
from kappa.operators.letters import DEAD_LETTER
from kappa.plan.graph import MAIN, SourceSpec
from kappa.plan.plan import Plan, Step

PASSING = (AssignTime, Filter, Peek, Print)


def source_of(plan: Plan, step: Step) -> int | None:
    """The number of the source whose rows reach a step with the fields that they have there.

    None if they are of several sources, of a class, or made on the way.
    """
    while len(step.inputs) == 1:
        (edge,) = step.inputs
        step = plan.steps[edge.node]
        main = edge.output == MAIN
        if isinstance(step.part, SourceSpec):
            known = main and step.part.rows is None
            return plan.sources.index(step) if known else None
        dealt = isinstance(step.part, Branch) and edge.output != DEAD_LETTER
        if not dealt and not (main and isinstance(step.part, PASSING)):
            return None
    return None
