"""q10: every bid in a file of its hour; the same files, whoever was killed on the way."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from nexmark import files as victim

from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.events import create_topics, load
from benchmarks.nexmark.generator import Generator
from benchmarks.nexmark.running import answer, in_files
from kappa import Log, ManualClock

EVENTS = list(Generator(3_000, rate=1, disorder=4).rows())  # fifty minutes across an hour's end
BIDS = [row for kind, row in EVENTS if kind == "bid"]


def in_order(rows) -> list:
    return sorted(map(repr, (sorted(row.items()) for row in rows)))


def made(folder: Path) -> Path:
    with Log(folder, fsync="never", clock=ManualClock()) as log:
        create_topics(log, partitions=3)
        load(log, EVENTS, per_append=5)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("shape", [{}, {"partitions": 4, "per_append": 7}])
def test_every_bid_is_in_a_file(shape):
    assert in_order(answer(QUERIES["q10"], EVENTS, **shape)) == in_order(BIDS)


def test_files_lie_by_hour_and_complete_ones_say_so(tmp_path: Path):
    with Log(made(tmp_path / "log")) as log:
        QUERIES["q10"].pipeline(folder=tmp_path / "out").run(log, until_idle=True)
    folders = sorted({str(Path(name).parent) for name in tree(tmp_path / "out")})
    assert folders == [folders[0]]  # the second hour is still open
    assert folders[0].startswith("date=")
    assert f"{folders[0]}/_SUCCESS" in tree(tmp_path / "out")


@pytest.mark.slow
def test_the_files_are_the_same_after_kills_at_random_moments(tmp_path: Path):
    calm, chance = tmp_path / "calm", random.Random(5)
    with Log(made(tmp_path / "log-1")) as log:
        QUERIES["q10"].pipeline(folder=calm).run(log, drain=True)
    log, out, deaths, patience = made(tmp_path / "log-2"), tmp_path / "out", 0, 0.05
    while not ended(log, out, after=chance.random() * patience):
        deaths += 1
        patience *= 1.1
        assert deaths < 200
    assert deaths > 3
    assert tree(out) == tree(calm)
    assert in_order(in_files(out)) == in_order(BIDS)


def ended(log: Path, out: Path, *, after: float) -> bool:
    """Starts the victim and kills it after a while; whether it had ended by itself before."""
    child = subprocess.Popen(
        [sys.executable, victim.__file__, str(log), str(out)],
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
