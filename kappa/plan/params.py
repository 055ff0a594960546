"""The parameters that a plan's expressions name, and their values for a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kappa.errors import ConfigError
from kappa.expressions import Expression, Param
from kappa.operators import Process
from kappa.plan.fingerprint import leaves
from kappa.plan.plan import Plan


def declared_params(plan: Plan) -> dict[str, Param]:
    """The parameters by name.

    Raises:
        ConfigError: one name with two types or defaults.
    """
    found: dict[str, Param] = {}
    for step in plan.steps:
        for leaf in leaves(step.part):
            if isinstance(leaf, Expression):
                for param in leaf.params:
                    if found.setdefault(param.name, param) != param:
                        raise ConfigError(
                            f"{step.site}: parameter {param.name!r} is declared as {param}"
                            f" and as {found[param.name]}",
                            step=step.name,
                        )
    return found


def resolve_params(plan: Plan, given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every declared parameter.

    A process function reads parameters from its context, so a plan with one takes names
    that no expression declares; any other refuses them.

    Raises:
        ConfigError: one is missing, of the wrong type, or unknown.
    """
    declared = declared_params(plan)
    unknown = sorted(given.keys() - declared.keys())
    if unknown and not any(isinstance(step.part, Process) for step in plan.steps):
        known = ", ".join(sorted(declared)) or "none"
        raise ConfigError(
            f"pipeline {plan.pipeline!r} has no parameter {unknown[0]!r}; its parameters: {known}"
        )
    values = {name: param.resolved(given) for name, param in declared.items()}
    return {**given, **values}
