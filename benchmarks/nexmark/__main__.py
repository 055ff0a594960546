"""The command line of Nexmark."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.events import APPEND, read_events, write_events, write_rows
from benchmarks.nexmark.generator import Event, Generator
from benchmarks.nexmark.measuring import Measured, fill, measure
from benchmarks.nexmark.running import answer
from kappa import KappaError

HEAD = (
    f"{'query':<7}{'records':>11}{'records/s':>12}{'seconds':>9}{'written':>11}{'rows':>10}"
    f"{'peak MB':>9}  hash"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures queries, answers one over a file, or makes a file; 0 if all went well."""
    asked = parser().parse_args(arguments)
    names = list(QUERIES) if asked.query == ["all"] else asked.query
    unknown = sorted(set(names) - set(QUERIES))
    if unknown:
        return complain(f"no query {unknown[0]!r}; there are: {', '.join(QUERIES)}")
    if not names and asked.generate is None:
        return complain("give --query NAME, or --generate FILE")
    if asked.output and len(names) != 1:
        return complain("--output takes the rows of one query")
    try:
        if asked.generate is not None:
            count = write_events(asked.generate, generated(asked))
            print(f"{count:,} events in {asked.generate}")
        elif asked.output is not None:
            to_file(asked, names[0])
        else:
            to_table(asked, names)
    except (KappaError, OSError, ValueError) as error:
        return complain(str(error))
    return 0


def complain(what: str) -> int:
    """Says what is wrong, in a line."""
    print(what, file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.nexmark",
        description="Run the queries of Nexmark: measure them, or answer one over a file.",
        epilog="queries: " + ", ".join(QUERIES),
    )
    made.add_argument("--query", nargs="+", default=[], metavar="NAME", help='one, several, "all"')
    made.add_argument("--events", type=int, default=100_000, help="how many to make (100,000)")
    made.add_argument("--input", metavar="FILE", help="read events from JSON lines instead")
    made.add_argument("--output", metavar="FILE", help="write the final rows as JSON lines")
    made.add_argument("--generate", metavar="FILE", help="write the events themselves")
    made.add_argument("--rate", type=int, default=10_000, help="events per second of event time")
    made.add_argument("--disorder", type=int, default=1, help="shuffle within groups of so many")
    made.add_argument("--seed", type=int, default=0, help="other events of the same kind")
    made.add_argument("--first-bidder", type=int, default=2000, help="1000: people from the start")
    made.add_argument("--partitions", type=int, default=1, help="of each topic")
    made.add_argument("--append", type=int, default=APPEND, help=f"events per append ({APPEND})")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def generated(asked: argparse.Namespace) -> Iterable[Event]:
    """The events that were asked for."""
    return Generator(
        asked.events,
        rate=asked.rate,
        disorder=asked.disorder,
        seed=asked.seed,
        first_bidder=asked.first_bidder,
    ).rows()


def incoming(asked: argparse.Namespace) -> Iterable[Event]:
    """The events of the file, or generated ones."""
    return generated(asked) if asked.input is None else read_events(asked.input)


def to_file(asked: argparse.Namespace, name: str) -> None:
    """Writes the final rows of a query."""
    rows = answer(
        QUERIES[name], incoming(asked), partitions=asked.partitions, per_append=asked.append
    )
    count = write_rows(asked.output, rows)
    print(f"{name}: {count:,} rows in {asked.output}")


def to_table(asked: argparse.Namespace, names: Sequence[str]) -> None:
    """Measures queries over one log on disk."""
    if not asked.json:
        machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {sys.platform}"
        print(f"{machine}; records: read by the query; rows: final ones\n{HEAD}", flush=True)
    found = []
    with tempfile.TemporaryDirectory(prefix="kappa-nexmark-") as folder:
        fill(Path(folder), incoming(asked), partitions=asked.partitions, per_append=asked.append)
        for name in names:
            found.append(measure(Path(folder), name))
            if not asked.json:
                print(line(found[-1]), flush=True)
    if asked.json:
        told = [{**dataclasses.asdict(one), "rate": one.rate} for one in found]
        print(json.dumps(told, indent=2))


def line(one: Measured) -> str:
    """What was measured, in a line."""
    return (
        f"{one.query:<7}{one.records:>11,}{one.rate:>12,.0f}{one.seconds:>9.2f}"
        f"{one.written:>11,}{one.rows:>10,}{one.peak_mb:>9.0f}  {one.digest}"
    )


if __name__ == "__main__":
    sys.exit(main())
