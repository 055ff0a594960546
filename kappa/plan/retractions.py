"""Rows that take others back must not be counted as if they were more of them.

`top`, retracting panes and a table's changes send a row again with `retraction` true where
it no longer holds. A step that adds rows up would add that one too. So where such rows
reach it as they are, the plan is refused: behind `.table()` they are what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from kappa.errors import ConfigError
from kappa.operators import AssignTime, Filter, Port, Print, Select, Union, WithColumns, Without
from kappa.operators.contract import Operator
from kappa.operators.table import RETRACTION
from kappa.plan.graph import Node


def check_retractions(nodes: Sequence[Node], names: Sequence[str]) -> None:
    """Refuses a step that counts rows behind one that takes rows back.

    Raises:
        ConfigError: naming both steps.
    """
    above: list[int | None] = []  # the step whose retractions reach this node's output
    for node in nodes:
        part = node.part
        incoming = (above[edge.node] for edge in node.inputs if not edge.output)
        origin = next((index for index in incoming if index is not None), None)
        if not isinstance(part, Operator):
            above.append(None)
            continue
        if origin is not None and part.counts_rows:
            raise ConfigError(
                f"{node.site}: step {names[node.index]!r} would count what {names[origin]!r} takes"
                f" back, rows with `{RETRACTION}` true, as more rows: make it a table first,"
                f' .table(), or drop what is taken back with .filter(~col("{RETRACTION}"))',
                step=names[node.index],
            )
        above.append(node.index if part.retracts else origin if _passes(part) else None)


def _passes(part: Operator) -> bool:
    """Whether rows come out as they went in, the field included."""
    if isinstance(part, Filter):
        fields = part.condition.fields
        return fields is not None and RETRACTION not in fields
    if isinstance(part, Without):
        return RETRACTION not in part.fields
    if isinstance(part, Select):
        return any(name == RETRACTION for name, _ in part.columns)
    if isinstance(part, WithColumns):
        return all(name != RETRACTION for name, _ in part.columns)
    return isinstance(part, AssignTime | Print | Union | Port)
