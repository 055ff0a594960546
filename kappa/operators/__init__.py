"""What steps do: one file per family, each operator a frozen description.

`contract` says what an operator is and which laws its instance keeps. Operators know
nothing of logs, LSNs, workers or checkpoints: the runtime hands them batches, a watermark
and the handles of their state.
"""

from kappa.operators.contract import Fields, Instance, Operator, OperatorContext
from kappa.operators.deduplicate import Deduplicate
from kappa.operators.expect import Expect, Judge, Verdicts
from kappa.operators.filter import Branch, Filter
from kappa.operators.folding import Fold, Reduce, StatefulMap
from kappa.operators.map import FlatMap, Map
from kappa.operators.over import Over
from kappa.operators.passing import AssignTime, Peek, Print, Union
from kappa.operators.pattern import Pattern
from kappa.operators.process import Process
from kappa.operators.running import RunningAggregate
from kappa.operators.select import Select, WithColumns, Without
from kappa.operators.top import Top
from kappa.operators.typed import Typed
from kappa.operators.window import WindowAggregate
from kappa.operators.window_top import WindowTop

__all__ = [
    "AssignTime",
    "Branch",
    "Deduplicate",
    "Expect",
    "Fields",
    "Filter",
    "FlatMap",
    "Fold",
    "Instance",
    "Judge",
    "Map",
    "Operator",
    "OperatorContext",
    "Over",
    "Pattern",
    "Peek",
    "Print",
    "Process",
    "Reduce",
    "RunningAggregate",
    "Select",
    "StatefulMap",
    "Top",
    "Typed",
    "Union",
    "Verdicts",
    "WindowAggregate",
    "WindowTop",
    "WithColumns",
    "Without",
]
