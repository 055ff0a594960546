"""The process that `test_files` kills: `python files.py LOG FOLDER`; it runs q10 to the end."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.nexmark.catalog import QUERIES
from kappa import Log
from kappa.errors import ConfigError


def work(log: Log, folder: Path) -> None:
    """Runs the query until all windows are closed."""
    try:
        QUERIES["q10"].pipeline(folder=folder).run(
            log, drain=True, checkpoint_every="2ms", read_records=16
        )
    except ConfigError as error:
        if "was drained" not in error.message:  # a run before came to the end of it
            raise


if __name__ == "__main__":
    with Log(sys.argv[1], fsync="never") as opened:
        print("ready", flush=True)
        work(opened, Path(sys.argv[2]))
