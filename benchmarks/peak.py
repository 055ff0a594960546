"""Peak memory of one engine run in a process of its own: called by the harness.

Prints MB at the peak, and before the run, as JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

from benchmarks.catalog import WORKLOADS
from benchmarks.harness import Case


def resident_mb() -> float:
    """The largest resident size so far.

    Linux keeps the `ru_maxrss` of whoever started the process, so there it comes from
    /proc; macOS counts in bytes.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (found,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(found) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(name: str, folder: str, records: str, keys: str, text: str) -> None:
    """Runs the engine's way of a workload on a log that is there."""
    case = Case(Path(folder), int(records), int(keys), text == "1")
    workload = WORKLOADS[name](case)
    before = resident_mb()
    workload.engine()
    print(json.dumps([round(resident_mb(), 1), round(before, 1)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
