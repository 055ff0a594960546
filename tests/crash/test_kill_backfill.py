"""A backfill killed with SIGKILL at random moments: readers see old or new partitions, whole.

Method: processes are started and killed until one comes through; after each kill every
partition is what it was or what a rebuild gives, and at the end those of the range are the
rebuild's, byte by byte, and all others what they were.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runtime.backfills import HOUR, START, new_log, partitions, tables, touched, tree

from kappa import Log

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path: Path, seed: int):
    chance = random.Random(seed)
    lake, rebuilt = tmp_path / "lake", tmp_path / "rebuilt"
    with new_log(100, Log(tmp_path / "log")) as log:
        tables(lake, 1).run(log, until_idle=True, drain=True)
        tables(rebuilt, 10, name="rebuilt").replay(log)
    old, new = partitions(tree(lake)), partitions(tree(rebuilt))
    since = START + chance.randint(-10 * HOUR, 60 * HOUR)
    until = since + chance.randint(1, 50 * HOUR)
    kills = 0
    for attempt in range(40):
        process = started(tmp_path, since, until)
        if attempt < 30:
            time.sleep(chance.uniform(0.25, 0.6 if attempt < 2 else 2.0))
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        for folder, files in partitions(tree(lake)).items():
            assert files in (old.get(folder), new.get(folder)), folder
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
    assert code == 0 and kills
    found = partitions(tree(lake))
    for folder in found.keys() | old.keys() | new.keys():
        want = new if touched(folder, since, until) else old
        assert found.get(folder) == want.get(folder), folder
    made = {folder for folder in new if found.get(folder) != old.get(folder)}
    assert made
    with Log(tmp_path / "log") as log:
        report = tables(lake, 10).backfill(log, since=since, until=until)
    assert not any(report.partitions)
    assert partitions(tree(lake)) == found
    assert {one.partition for one in report.partitions} >= {
        folder.split("/", 1)[1] for folder in made
    }


def started(folder: Path, since: int, until: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, str(TESTS / "crash" / "backfiller.py"),
        str(folder / "log"), str(folder / "lake"), str(since), str(until),
    ]  # fmt: skip
    environ = os.environ | {"PYTHONPATH": str(TESTS)}
    return subprocess.Popen(command, env=environ)
