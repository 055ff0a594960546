"""The process that `test_kill_function` kills: `python caller.py LOG TOLD`.

It tells a file each row, with its id, in one write: SIGKILL leaves a line whole or not begun.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from kappa import Log, Pipeline, Tumbling, agg
from kappa.errors import ConfigError


def pipeline(told: str) -> Pipeline:
    """Windows and single rows, each told by a step of its own."""
    file = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(row: Any, id: str) -> None:
        os.write(file, f"{json.dumps([id, row], sort_keys=True)}\n".encode())

    p = Pipeline("p")
    rows = p.source("in")
    rows.sink(tell, name="rows", ids=True)
    sums = rows.key_by("k").window(Tumbling("10s")).aggregate(total=agg.sum("n"))
    sums.sink(tell, name="sums", ids=True)
    return p


def main() -> None:
    folder, told = sys.argv[1:]
    with Log(folder) as log:
        p = pipeline(told)
        print("ready", flush=True)
        try:
            p.run(log, until_idle=True, drain=True, checkpoint_every="5ms", read_records=8)
        except ConfigError as error:
            if "was drained" not in error.message:  # the kill before came after the last word
                raise


if __name__ == "__main__":
    main()
