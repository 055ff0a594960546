"""The process that `test_kill` kills: `python victim.py LOG`.

It answers one query after the other over a log, with tiny reads and as many checkpoints as
will go, and says "ready" once its work begins.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.nexmark.catalog import QUERIES
from kappa import Log
from kappa.errors import ConfigError


def work(log: Log) -> None:
    """Replays every query that is not through yet."""
    for query in QUERIES.values():
        if query.files:
            continue  # what it writes is a folder, not a topic of this log
        try:
            query.pipeline().replay(log, version=1, checkpoint_every="5ms", read_records=32)
        except ConfigError as error:
            if "(replayed)" not in error.message:  # a run before came to the end of it
                raise


if __name__ == "__main__":
    with Log(sys.argv[1], fsync="never") as opened:
        print("ready", flush=True)
        work(opened)
