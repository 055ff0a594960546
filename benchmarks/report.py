"""What was measured, as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from collections.abc import Sequence

from benchmarks.catalog import WORKLOADS
from benchmarks.harness import Measured

HEAD = (
    f"{'workload':<15}{'records':>10}{'records/s':>12}{'loop/s':>12}{'ratio':>8}{'(range)':>14}"
    f"{'cpu':>7}{'peak MB':>9}  hash"
)


def heading() -> str:
    """What the columns mean, and where this was measured."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {sys.platform}"
    return (
        f"{machine}. ratio: loop time / engine time, median (above 1 the engine is faster);"
        f" cpu: the same in processor time;\npeak: of a process that runs the engine alone.\n{HEAD}"
    )


def line(found: Measured) -> str:
    """One workload: its numbers, then what it does."""
    paced = WORKLOADS[found.workload].paced
    rates = [f"{found.rate:,.0f}", f"{found.records / found.loop_s:,.0f}", f"{found.ratio:.2f}"]
    rates += ["({:.2f}-{:.2f})".format(*found.spread), f"{found.cpu_ratio:.2f}"]
    widths = (12, 12, 8, 14, 7)
    cells = ["-" if paced else rate for rate in rates]
    numbers = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    peak = "-" if found.peak_mb is None else f"{found.peak_mb[0]:.0f}"
    text = f"{found.workload:<15}{found.records:>10,}{numbers}{peak:>9}  {found.digest}"
    notes = [WORKLOADS[found.workload].does]
    notes += [f"to {name}: {ratio:.2f}" for name, ratio in found.others.items()]
    notes += [
        f"{name} p50 {p50:.2f} ms, p99 {p99:.2f} ms"
        for name, (p50, p99) in found.percentiles.items()
    ]
    return f"{text}\n    {'; '.join(notes)}"


def as_json(found: Sequence[Measured]) -> str:
    """A list of objects, one per workload."""
    told = [
        {**dataclasses.asdict(one), "rate": one.rate, "does": WORKLOADS[one.workload].does}
        for one in found
    ]
    return json.dumps(told, indent=2)
