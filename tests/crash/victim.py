"""The processes that `test_kill_pipeline` kills: `python victim.py run|live|replay|load DIR FSYNC`.

They say "ready" once their work begins, so that the killer strikes at work, not at imports.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import oracle
from harness import built
from strategies import TAG

from kappa import Log
from kappa.errors import ConfigError

ROWS = 900
SOURCE = oracle.Source("a", 40)
PER_KEY = oracle.Window(
    SOURCE,
    ("k",),
    ("tumbling", 50, 0),
    {"n": ("count", None), "total": ("sum", "v"), "all": ("collect", "v")},
    lateness=20,
)
SINKS: dict[str, oracle.Node] = {
    "plain": oracle.FlatMap(SOURCE, TAG),
    "windows": PER_KEY,
    "late": oracle.Late(PER_KEY),
    "sessions": oracle.Window(SOURCE, ("k",), ("session", 30, False), {"n": ("count", None)}),
    "running": oracle.Running(PER_KEY, (), {"n": ("sum", "n")}),
    "unique": oracle.Dedup(SOURCE, ("v",), 100),
}


def row(number: int) -> dict[str, object]:
    """The n-th record: times that move on, out of order within the bound and beyond it."""
    back = number * 7919 % 97
    time = number * 3 - (back if back < 90 else 150)
    return {"ts": max(0, time), "k": number % 3, "name": "a", "v": number % 17, "p": number % 11}


def load(log: Log) -> None:
    """Appends what is not there yet, a few records at a time, numbered as they come."""
    with log.producer("a", id="loader", batch=3) as producer:
        last = producer.last_sequence
        say("ready")
        for number in range(0 if last is None else last + 1, ROWS):
            producer.send(row(number), sequence=number)


def say(word: str) -> None:
    print(word, flush=True)


def work(log: Log, what: str) -> None:
    """Runs or replays with tiny reads and as many checkpoints as will go."""
    pipeline = built(SINKS)
    say("ready")
    if what != "replay":
        pipeline.run(log, until_idle=what == "run", checkpoint_every="5ms", read_records=8)
        return
    try:
        pipeline.replay(log, version=2, checkpoint_every="5ms", read_records=8)
    except ConfigError as error:
        if "(replayed)" not in error.message:  # the kill before came after the last word
            raise


def main() -> None:
    what, folder, fsync = sys.argv[1:]
    with Log(folder, fsync=fsync) as log:
        if what == "load":
            load(log)
        else:
            work(log, what)


if __name__ == "__main__":
    main()
