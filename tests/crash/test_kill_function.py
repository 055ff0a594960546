"""A function as a sink, under SIGKILL: every row is told, and ids tell which one came again.

Method: a child that tells a file is killed at random moments, again and again, until one gets
to the end. By their ids the lines must be the rows and sums that plain Python counts, each once;
without the ids there must be more, or the kills have proved nothing.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from crash import caller

from kappa import Log

pytestmark = pytest.mark.slow
ROWS = [{"ts": n * 100, "k": n % 3, "n": n} for n in range(1500)]
MAX_ROUNDS = 200


def killed(folder: Path, told: Path, *, after: float) -> bool:
    """Runs the child and kills it after a while; whether it was there to be killed."""
    child = subprocess.Popen(
        [sys.executable, caller.__file__, str(folder), str(told)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n", child.stderr.read()
    try:
        _, error = child.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        _, error = child.communicate()
    assert child.returncode in (0, -signal.SIGKILL), error
    return child.returncode != 0


def expected() -> Counter[str]:
    sums: Counter[tuple[int, int]] = Counter()
    for row in ROWS:
        sums[row["k"], row["ts"] // 10_000 * 10_000] += row["n"]
    windows = [
        {"k": k, "window_start": start, "window_end": start + 10_000, "total": total}
        for (k, start), total in sums.items()
    ]
    return Counter(json.dumps(row, sort_keys=True) for row in ROWS + windows)


def test_killed_anywhere_every_row_is_told_and_repeats_have_their_ids(tmp_path):
    for seed in range(1, 11):
        told = tmp_path / f"told-{seed}"
        run_to_the_end(tmp_path / f"log-{seed}", told, random.Random(seed))
        lines = [json.loads(line) for line in told.read_text().splitlines()]
        once = {id: json.dumps(row, sort_keys=True) for id, row in lines}
        assert all(once[id] == json.dumps(row, sort_keys=True) for id, row in lines), seed
        assert Counter(once.values()) == expected(), seed
        if seed > 1 and len(lines) > len(once):
            return
    raise AssertionError("no kill has made a row come again: this proves nothing")


def run_to_the_end(folder: Path, told: Path, chance: random.Random) -> None:
    with Log(folder) as log:
        log.create_topic("in", time="ts")
        for at in range(0, len(ROWS), 10):
            log.append("in", ROWS[at : at + 10])
    deaths, patience = 0, 0.05
    while killed(folder, told, after=chance.random() * patience):
        deaths += 1
        patience *= 1.15
        assert deaths < MAX_ROUNDS
