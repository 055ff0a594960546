"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.catalog import WORKLOADS
from benchmarks.harness import measure
from benchmarks.report import as_json, heading, line


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the workloads asked for, all by default; 0 if every result was right."""
    asked = parser().parse_args(arguments)
    unknown = sorted(set(asked.names) - set(WORKLOADS))
    if unknown:
        print(f"no workload {unknown[0]!r}; there are: {', '.join(WORKLOADS)}", file=sys.stderr)
        return 2
    found = []
    if not asked.json:
        print(heading())
    for name in asked.names or WORKLOADS:
        kind = WORKLOADS[name]
        measured = measure(
            kind,
            records=asked.records or kind.sizes[asked.size],
            keys=asked.keys,
            text=asked.text_keys,
            rounds=1 if asked.size == "smoke" and asked.rounds is None else asked.rounds,
            memory=asked.size == "real",
        )
        found.append(measured)
        if not asked.json:
            print(line(measured), flush=True)
    if asked.json:
        print(as_json(found))
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure kappa next to plain loops over the same data.",
        epilog="workloads: " + ", ".join(WORKLOADS),
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="workloads; all by default")
    made.add_argument("--size", choices=("smoke", "real"), default="real")
    made.add_argument(
        "--smoke", dest="size", action="store_const", const="smoke", help="--size smoke"
    )
    made.add_argument("--json", action="store_true", help="print JSON")
    made.add_argument("--keys", type=int, default=500, help="number of keys (500)")
    made.add_argument("--text-keys", action="store_true", help="keys are text, not numbers")
    made.add_argument("--records", type=int, help="number of records, for every workload")
    made.add_argument("--rounds", type=int, help="how often to measure (5)")
    return made


if __name__ == "__main__":
    sys.exit(main())
