"""A backfill in a process of its own, to be killed: python backfiller.py LOG LAKE SINCE UNTIL."""

from __future__ import annotations

import sys
from pathlib import Path

from runtime.backfills import tables

from kappa import Log


def main(log: str, out: str, since: str, until: str) -> None:
    """Backfills slowly enough to be hit at work."""
    with Log(log) as opened:
        tables(Path(out), 10).backfill(
            opened,
            since=int(since),
            until=int(until),
            checkpoint_every="5ms",
            read_records=20,
            throttle=800,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
