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
from kappa.operators.join import Join
from kappa.operators.join_asof import AsOfJoin
from kappa.operators.join_table import Lookup, TableJoin
from kappa.operators.join_window import WindowJoin
from kappa.operators.joined import Joined
from kappa.operators.map import FlatMap, Map
from kappa.operators.map_async import MapAsync
from kappa.operators.over import Over
from kappa.operators.passing import AssignTime, Peek, Print, Union
from kappa.operators.pattern import Pattern
from kappa.operators.ports import Port
from kappa.operators.privacy import Protect
from kappa.operators.process import Process
from kappa.operators.refer import Refer
from kappa.operators.running import RunningAggregate
from kappa.operators.select import Select, WithColumns, Without
from kappa.operators.side_lookup import SideInput, SideLookup
from kappa.operators.table import TableChanges, TableRows, Upsert, Versions
from kappa.operators.table_aggregate import TableAggregate
from kappa.operators.top import Top
from kappa.operators.typed import Typed
from kappa.operators.window import WindowAggregate
from kappa.operators.window_top import WindowTop

__all__ = [
    "AsOfJoin",
    "AssignTime",
    "Branch",
    "Deduplicate",
    "Expect",
    "Fields",
    "Filter",
    "FlatMap",
    "Fold",
    "Instance",
    "Join",
    "Joined",
    "Judge",
    "Lookup",
    "Map",
    "MapAsync",
    "Operator",
    "OperatorContext",
    "Over",
    "Pattern",
    "Peek",
    "Port",
    "Print",
    "Process",
    "Protect",
    "Reduce",
    "Refer",
    "RunningAggregate",
    "Select",
    "SideInput",
    "SideLookup",
    "StatefulMap",
    "TableAggregate",
    "TableChanges",
    "TableJoin",
    "TableRows",
    "Top",
    "Typed",
    "Union",
    "Upsert",
    "Verdicts",
    "Versions",
    "WindowAggregate",
    "WindowJoin",
    "WindowTop",
    "WithColumns",
    "Without",
]
