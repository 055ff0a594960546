"""The checked, frozen graph between what a user writes and what the runtime does.

`graph` is what streams add to; `plan.compile_plan` checks it and fixes everything that
must not depend on a run: order of steps, names (the addresses of state), which fields are
read, who shares a batch, where rows need ranks, where rows must be brought together by
key (the exchange boundaries), and the fingerprint. `straight` says whose rows reach a step
as a topic holds them.
"""

from kappa.plan.explain import explain, mermaid
from kappa.plan.graph import Edge, Graph, Node, SinkSpec, SourceSpec, part_above
from kappa.plan.plan import Plan, Step, compile_plan

__all__ = [
    "Edge",
    "Graph",
    "Node",
    "Plan",
    "SinkSpec",
    "SourceSpec",
    "Step",
    "compile_plan",
    "explain",
    "mermaid",
    "part_above",
]
