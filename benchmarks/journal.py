"""What the journal costs: appends, commits of many drafts, entries, opening.

    python -m benchmarks.journal [--smoke]

Microseconds of processor time per item, the best of three, without syncs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count

from kappa.log import Draft, Log, encode_body

START = 1_700_000_000_000
ROW: dict[str, object] = {"auction": 1, "bidder": 7, "price": 250, "channel": "web", "ts": START}


def best(work: Callable[[int], None], items: int) -> float:
    """Microseconds per item, the least of three rounds."""
    found = []
    for _ in range(3):
        start = time.process_time()
        work(items)
        found.append((time.process_time() - start) / items * 1e6)
    return min(found)


class Journal:
    """A log in a folder, and what is measured on it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.log = Log(folder, fsync="never")
        self.log.create_topic("bids", key="auction", time="ts")
        self.topic = self.log.create_topic("out").id
        self.handle = self.log.open_producer("committer")
        self.numbers = count(1)
        self.body = encode_body([START], [ROW])

    def append(self, items: int) -> None:
        """One dict at a time."""
        for _ in range(items):
            self.log.append("bids", [ROW])

    def claims(self, items: int) -> None:
        """Empty appends with a claim, a thousand at a time."""
        for _ in range(items // 1_000):
            self.log.commit([self.draft(()) for _ in range(1_000)])

    def rows(self, items: int) -> None:
        """Appends of one row that is encoded already, a thousand at a time."""
        bodies = ((self.topic, 0, self.body),)
        for _ in range(items // 1_000):
            self.log.commit([self.draft(bodies) for _ in range(1_000)])

    def draft(self, bodies: tuple[tuple[int, int, object], ...]) -> Draft:
        """The next output of a run."""
        n = next(self.numbers)
        name = (self.handle.index, self.handle.epoch)
        return Draft(bodies, ((self.topic, n),), *name, n, n, n)  # type: ignore[arg-type]

    def entries(self, items: int) -> None:
        """The first entries of the journal, decoded."""
        after = 0
        for entry in self.log.entries(0):
            after = entry.lsn
            if after == items:
                return

    def open(self, items: int) -> None:
        """Opens the log, whose newest journal file is read whole."""
        self.log.close()
        self.log = Log(self.folder, fsync="never")


def figures(items: int) -> Iterator[tuple[str, float]]:
    """What was measured, in µs per item."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(folder)
        yield "append of one dict", best(journal.append, items)
        yield "draft with a claim", best(journal.claims, items)
        yield "draft with a row", best(journal.rows, items)
        yield "entry read", best(journal.entries, items)
        newest = int(journal.log.files.names("journal")[-1].partition(".")[0])
        yield "entry when opening", best(journal.open, journal.log.end_lsn - newest + 1)
        journal.log.close()


def main(arguments: list[str]) -> None:
    """Prints a line for each."""
    for name, microseconds in figures(1_000 if "--smoke" in arguments else 20_000):
        print(f"{name:<22}{microseconds:8.2f} µs")


if __name__ == "__main__":
    main(sys.argv[1:])
