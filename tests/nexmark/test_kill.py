"""Runs that are stopped or killed anywhere, and go on: the rows are still the oracle's.

Within a process a live run is stopped after a few units, again and again, and goes on from
its checkpoint, or from an older one. Then processes are killed by SIGKILL at random moments
while they answer one query after the other.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from harness import checkpoint_files, put_back
from nexmark import victim
from nexmark.made import all_expected, expected, same_rows

from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.events import create_topics, load
from benchmarks.nexmark.generator import Generator
from benchmarks.nexmark.running import final_rows
from kappa import Log, ManualClock

pytestmark = pytest.mark.slow
EVENTS = list(
    Generator(
        600,
        first=2_500,
        rate=20,
        disorder=50,
        first_bidder=1000,
        in_flight=10,
        active_people=10,
    ).rows()
)
CHECKED = [name for name in QUERIES if name != "q10"]


class Fuse:
    """Stops a run after so many units."""

    def __init__(self, stop: threading.Event, units: int) -> None:
        self.stop, self.left = stop, units

    def __call__(self, progress: object) -> None:
        self.left -= 1
        if self.left == 0:
            self.stop.set()


@pytest.mark.parametrize("name", CHECKED)
def test_a_run_that_is_stopped_and_restored_misses_and_doubles_nothing(name, tmp_path):
    query, chance = QUERIES[name], random.Random(name)
    with Log.memory(clock=ManualClock()) as log:
        create_topics(log, partitions=3)
        load(log, EVENTS, per_append=5)
        image, rounds, through = {}, 0, False
        while not through:
            stop = threading.Event()
            if chance.random() < 0.3:
                put_back(log, image)  # the newest checkpoints are lost, perhaps all
            image = checkpoint_files(log)
            query.pipeline().run(
                log,
                until_idle=True,
                stop=stop,
                on_progress=Fuse(stop, chance.randrange(1, 12)),
                read_records=3,
                checkpoint_every=None,
            )
            rounds, through = rounds + 1, not stop.is_set()
            assert rounds < 500
        assert rounds > 3
        result = query.pipeline().run(log, drain=True)
        same_rows(name, final_rows(query, log, result.version), expected(name, EVENTS, tmp_path))


def test_processes_killed_at_random_moments(tmp_path):
    chance, deaths, patience = random.Random(1), 0, 0.1
    with Log(tmp_path / "log", fsync="never", clock=ManualClock()) as log:
        create_topics(log, partitions=3)
        load(log, EVENTS, per_append=5)
    while not ended(tmp_path / "log", after=chance.random() * patience):
        deaths += 1
        patience *= 1.1
        assert deaths < 200
    assert deaths > 5
    want = all_expected(EVENTS, tmp_path)
    with Log(tmp_path / "log") as log:
        log.verify()
        for name in CHECKED:
            same_rows(name, final_rows(QUERIES[name], log, 1), want[name])


def ended(folder: Path, *, after: float) -> bool:
    """Starts the victim and kills it after a while; whether it had ended by itself before."""
    child = subprocess.Popen(
        [sys.executable, victim.__file__, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n", child.stderr.read()
    try:
        child.wait(timeout=after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
    _, error = child.communicate()
    assert child.returncode in (0, -signal.SIGKILL), error
    return child.returncode == 0
