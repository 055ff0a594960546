"""How much of the log the rows of a range of event time rest on (R8)."""

from __future__ import annotations

from kappa.operators import Operator
from kappa.plan import Plan, Step
from kappa.runtime.units import Range
from kappa.time import MINUS_INFINITY, PLUS_INFINITY


def margin_before(plan: Plan) -> int | None:
    """History in ms that rows from `since` on rest on, at most; None for all of it."""
    margins: list[int | None] = []
    for step in plan.steps:
        above = [margins[edge.node] for edge in step.inputs]
        own = _own_margin(step)
        known = [margin for margin in above if margin is not None]
        if own is None or len(known) < len(above):
            margins.append(None)
        else:
            margins.append(own + max(known, default=0))
    return max((m for m in margins if m is not None), default=0) if None not in margins else None


def _own_margin(step: Step) -> int | None:
    return step.part.margin_before if isinstance(step.part, Operator) else 0


def margin_after(plan: Plan) -> int:
    """How far behind rows before `until` records may lie that decide them, at most, in ms."""
    margins: list[int] = []
    for step in plan.steps:
        own = step.part.margin_after if isinstance(step.part, Operator) else 0
        margins.append(own + max((margins[edge.node] for edge in step.inputs), default=0))
    return max(margins, default=0)


def range_of(plan: Plan, since: int, until: int, warmup_ms: int | None = None) -> Range | None:
    """What has to be read for the rows with since <= event time < until; None for all.

    Args:
        plan: whose steps say how far they look.
        since, until: event times in ms, or infinite.
        warmup_ms: history to read before `since` where the steps need all of it.
    """
    margin = margin_before(plan)
    before = margin if margin is not None else warmup_ms
    if before is None:
        return None
    first = MINUS_INFINITY if since == MINUS_INFINITY else since - before
    if margin is None or until == PLUS_INFINITY:
        return Range(first)
    return Range(first, until + margin_after(plan))
