"""Every workload by name."""

from __future__ import annotations

from benchmarks.checked import WithContract, WithSchema, WithSchemaSmall
from benchmarks.harness import Workload
from benchmarks.keyed import RunningTotals, StatefulMap
from benchmarks.logs import AppendAlways, AppendLarge, AppendMany, AppendOne, ScanColumns, ScanRows
from benchmarks.operations import Checkpoints, Recovery, SmallAppends
from benchmarks.stateless import Expressions, Lambdas
from benchmarks.tail import Tail
from benchmarks.windows import Sessions, SlidingSlices, TumblingCounts

WORKLOADS: dict[str, type[Workload]] = {
    kind.name: kind
    for kind in (
        AppendOne,
        AppendMany,
        AppendLarge,
        AppendAlways,
        ScanColumns,
        ScanRows,
        Tail,
        Lambdas,
        Expressions,
        TumblingCounts,
        SlidingSlices,
        Sessions,
        RunningTotals,
        StatefulMap,
        Checkpoints,
        Recovery,
        SmallAppends,
        WithSchema,
        WithSchemaSmall,
        WithContract,
    )
}
