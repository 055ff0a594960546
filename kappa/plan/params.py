"""The parameters that a plan's expressions name, and their values for a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kappa.errors import ConfigError
from kappa.expressions import Expression, Param
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


def resolve_params(declared: Mapping[str, Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every declared parameter.

    Values for names that no expression declares are passed on as they are: functions of
    the user's may read them from their context.

    Raises:
        ConfigError: one is missing, or of the wrong type.
    """
    values = {name: param.resolved(given) for name, param in declared.items()}
    return {**given, **values}
