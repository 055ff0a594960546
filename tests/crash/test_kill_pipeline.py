"""R7 with real processes: SIGKILL at random moments, and every effect is there exactly once.

Method: a log on disk; a child runs the pipeline over it with tiny reads and a checkpoint every
few milliseconds, and is killed after a random time, again and again, until one run gets to the
end. Its output must be that of a run left alone, append for append. The second test also kills
the process that appends, while the pipeline follows live. The seed is in the test's name.

SIGKILL keeps what the process wrote, so `fsync` plays no part in what survives; it moves the
moments at which the process can be hit.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from crash import victim
from harness import Written, built, expected, written

from kappa import Log

pytestmark = pytest.mark.slow
VICTIM = Path(victim.__file__)
MAX_ROUNDS = 400


def start(what: str, folder: Path, fsync: str) -> subprocess.Popen:
    child = subprocess.Popen(
        [sys.executable, str(VICTIM), what, str(folder), fsync],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n", child.stderr.read()
    return child


def end(child: subprocess.Popen, *, after: float) -> bool:
    """Kills the child after a while; whether it had ended by itself before."""
    try:
        child.wait(timeout=after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
    finally:
        error = child.stderr.read()
        child.stdout.close()
        child.stderr.close()
    assert child.returncode in (0, -signal.SIGKILL), error
    return child.returncode == 0


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> tuple[Path, Written, dict]:
    """A log on disk, and what a run left alone writes over it."""
    folder = tmp_path_factory.mktemp("full") / "log"
    with Log(folder, fsync="never") as log:
        log.create_topic("a", partitions=3, key="p", time="ts")
        victim.load(log)
    alone = folder.parent / "alone"
    shutil.copytree(folder, alone)
    with Log(alone, fsync="never") as log:
        built(victim.SINKS).run(log, until_idle=True)
        output = written(log, victim.SINKS)
        want = expected(log, {"a": 3}, victim.SINKS)
        assert output.appends == want.appends
        assert output.claims == want.claims
    return folder, output, want.closing


@pytest.mark.parametrize(
    ("what", "fsync", "seed"),
    [
        ("run", "never", 1),
        ("run", "interval", 2),
        ("replay", "never", 3),
        ("replay", "interval", 4),
    ],
)
def test_killed_anywhere_it_ends_as_one_left_alone(full, tmp_path, what, fsync, seed):
    source, want, closing = full
    chance = random.Random(seed)
    folder = tmp_path / "log"
    shutil.copytree(source, folder)
    deaths, patience = 0, 0.05
    while not end(start(what, folder, fsync), after=chance.random() * patience):
        deaths += 1
        # A run that never gets far enough to checkpoint would be killed for ever.
        patience *= 1.15
        assert deaths < MAX_ROUNDS
    assert deaths > 5
    with Log(folder) as log:
        log.verify()
        got = written(log, victim.SINKS, 2 if what == "replay" else 1)
    assert got.appends == want.appends
    assert got.claims == want.claims
    assert got.closing == (closing if what == "replay" else {})


@pytest.mark.parametrize("seed", [5])
def test_loader_and_live_run_killed_in_turn_lose_and_double_nothing(tmp_path, seed):
    chance = random.Random(seed)
    folder = tmp_path / "log"
    with Log(folder) as log:
        log.create_topic("a", partitions=3, key="p", time="ts")
    loaded, deaths, patience = False, 0, 0.01
    while not loaded:
        runner = start("live", folder, "interval")
        loader = start("load", folder, "interval")
        loaded = end(loader, after=chance.random() * patience)
        end(runner, after=chance.random() * 0.1)
        deaths += 2
        patience *= 1.2
    assert deaths > 4
    with Log(folder) as log:
        built(victim.SINKS).run(log, until_idle=True)
        log.verify()
        loaded_rows = sorted(repr(record.value) for record in log.read("a"))
        assert loaded_rows == sorted(repr(victim.row(n)) for n in range(victim.ROWS))
        got, want = written(log, victim.SINKS), expected(log, {"a": 3}, victim.SINKS)
    assert got.appends == want.appends
    assert got.claims == want.claims
