"""A pipeline that asks outside, in a process that can be killed at a chosen moment.

    python asking.py LOG CALLS WHEN

WHEN is "call:N", "kept:N" or "never": the process kills itself inside the N-th call, or when
answers have been kept N times and nothing that rests on the last has been delivered. CALLS
gets a line for every call.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from kappa import Log, Pipeline, Tumbling, agg
from kappa.runtime.outside import RunOutside


def pipeline(function) -> Pipeline:
    made = Pipeline("asking")
    rows = made.source("in", out_of_orderness=5)
    answered = rows.map_async(function, into="price", request="n", concurrency=3, retries=0)
    answered.to("priced")
    answered.key_by("k").window(Tumbling(10)).aggregate(total=agg.sum("price")).to("totals")
    return made


def filled(log: Log, appends: int) -> None:
    log.create_topic("in", time="ts", if_exists="ok")
    for n in range(appends):
        log.append("in", [{"k": n % 2, "n": n * 3 + i, "ts": n * 4} for i in range(3)])


def main(folder: str, calls: str, when: str) -> None:
    what, _, number = when.partition(":")
    seen = {"call": 0, "kept": 0}
    lock = threading.Lock()

    def die(moment: str) -> None:
        seen[moment] += 1
        if what == moment and seen[moment] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    def price(row):
        with lock, Path(calls).open("a") as file:
            file.write(f"{row['n']}\n")
            file.flush()
            die("call")
        return row["n"] * 10

    ask = RunOutside.ask

    def asked(self, *args, **options):
        answers = ask(self, *args, **options)
        die("kept")
        return answers

    RunOutside.ask = asked
    with Log(folder) as log:
        pipeline(price).run(log, until_idle=True, read_records=4, checkpoint_every="1ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
