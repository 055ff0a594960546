"""A plan for people: what each step reads, keeps and for how long; and a picture."""

from __future__ import annotations

from collections.abc import Callable

from kappa.operators.contract import Operator
from kappa.plan.graph import SinkSpec, SourceSpec
from kappa.plan.plan import Plan, Step
from kappa.sinks import Sink
from kappa.time import format_duration


def explain(plan: Plan, *, code: bool = False) -> str:
    """The plan as text, one step a paragraph.

    Args:
        code: also the source of the functions that were generated for the steps.
    """
    lines = [f"pipeline {plan.pipeline} (fingerprint {plan.fingerprint})"]
    for step in plan.steps:
        lines.append("")
        lines.append(f"{step.index}. {step.name}")
        lines += [f"   {line}" for line in _details(plan, step)]
        if code:
            lines += [f"   | {line}" for line in _generated(step)]
    return "\n".join(lines)


def _details(plan: Plan, step: Step) -> list[str]:
    lines = []
    if step.inputs:
        names = [
            plan.steps[edge.node].name + (f" [{edge.output}]" if edge.output else "")
            for edge in step.inputs
        ]
        lines.append("from " + ", ".join(names))
    if isinstance(step.part, SourceSpec):
        fields = "all fields" if step.fields is None else _listed(sorted(step.fields))
        lines.append(f"reads {fields}")
    if step.exchange is not None:
        lines.append(f"brought together by {step.exchange}")
    lines.append(step.part.describe())
    if isinstance(step.part, Operator) and step.part.stateful:
        lines.append(_replays(step.part))
    lines.append(f"built at {step.site}")
    return lines


def _replays(part: Operator) -> str:
    if part.margin_before is None:
        return "a replay from the middle reads the log from its start (warmup= shortens that)"
    return f"a replay from the middle reads {format_duration(part.margin_before)} more"


def _listed(names: list[str]) -> str:
    return "fields " + ", ".join(names) if names else "no field, only times"


def _generated(step: Step) -> list[str]:
    source: Callable[[], str] | None = getattr(step.part, "generated_code", None)
    return [] if source is None else source().splitlines()


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    for step in plan.steps:
        text = step.name.replace('"', "'")
        if isinstance(step.part, SourceSpec | SinkSpec | Sink):
            lines.append(f'    s{step.index}[("{text}")]')
        elif step.stateful:
            lines.append(f'    s{step.index}[["{text}"]]')
        else:
            lines.append(f'    s{step.index}["{text}"]')
    for step in plan.steps:
        for edge in step.inputs:
            label = f"|{edge.output}|" if edge.output else ""
            lines.append(f"    s{edge.node} -->{label} s{step.index}")
    return "\n".join(lines)
