"""The process that `test_files` kills: `python files.py LOG FOLDER`; it runs q10 to the end."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.nexmark.catalog import QUERIES
from kappa import Log

if __name__ == "__main__":
    with Log(sys.argv[1], fsync="never") as log:
        print("ready", flush=True)
        QUERIES["q10"].pipeline(folder=Path(sys.argv[2])).run(
            log, drain=True, checkpoint_every="2ms", read_records=16
        )
