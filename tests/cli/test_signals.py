"""Ctrl-C once and twice, SIGTERM, a second run of the same pipeline: in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kappa import Log
from kappa.cli import exits

pytestmark = pytest.mark.slow

PIPELINE = """
from kappa import Pipeline, agg
counts = Pipeline("counts")
counts.source("numbers").key_by("k").aggregate(n=agg.count()).to("counts")

def slowly(row):
    import time
    from pathlib import Path
    here = Path(__file__).parent
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
    return row

slow = Pipeline("slow")
slow.source("numbers").map(slowly).to("slow")
"""


class Terminal:
    """Starts commands in a directory with a log of some numbers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.started: list[subprocess.Popen[str]] = []
        (directory / "pipelines.py").write_text(PIPELINE)
        with Log(self.log) as log:
            log.create_topic("numbers")
            for n in range(50):
                log.append("numbers", [{"k": n % 3}])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `kappa` with these arguments."""
        process = subprocess.Popen(
            [sys.executable, "-c", "from kappa.cli import main; main()", *arguments],
            cwd=self.directory,
            env={**os.environ, "KAPPA_LOG": str(self.log)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def rows(self, topic: str) -> list:
        """The values in a topic; none if it is not there yet."""
        with Log(self.log) as log:
            if topic not in {found.full_name for found in log.topics()}:
                return []
            return [record.value for record in log.read(topic)]

    def until(self, condition: Callable[[], object]) -> None:
        """Waits until it is so."""
        limit = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < limit, "it does not happen"
            time.sleep(0.02)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    for process in terminal.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, exits.INTERRUPTED), (signal.SIGTERM, exits.TERMINATED)],
)
def test_one_signal_stops_at_a_checkpoint(terminal: Terminal, number: int, code: int):
    process = terminal.start("run", "pipelines.py:counts")
    terminal.until(lambda: len(terminal.rows("counts@1")) == 50)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "50 records in, 50 out" in out
    assert "stopping at a checkpoint" in err and "Traceback" not in err

    again = terminal.start("run", "pipelines.py:counts", "--until-idle", "--json")
    out, _ = again.communicate(timeout=30)
    assert json.loads(out)["records_in"] == 0
    assert len(terminal.rows("counts@1")) == 50


def test_two_signals_stop_at_once_and_nothing_is_lost_or_doubled(terminal: Terminal):
    process = terminal.start("run", "pipelines.py:slow", "--checkpoint-every", "1h")
    terminal.until((terminal.directory / "begun").exists)  # it is in its first unit, for ever
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "stopping at a checkpoint" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == exits.INTERRUPTED
    assert terminal.rows("slow@1") == []

    (terminal.directory / "go").touch()
    again = terminal.start("run", "pipelines.py:slow", "--until-idle")
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert terminal.rows("slow@1") == terminal.rows("numbers")


def test_a_second_run_of_a_pipeline_is_refused_and_names_the_first(terminal: Terminal):
    first = terminal.start("run", "pipelines.py:counts")
    terminal.until(lambda: len(terminal.rows("counts@1")) == 50)
    second = terminal.start("run", "pipelines.py:counts", "--until-idle")
    _, err = second.communicate(timeout=30)
    assert second.returncode == exits.BUSY
    assert str(first.pid) in err and err.count("\n") <= 2


def test_following_a_topic_ends_with_ctrl_c(terminal: Terminal):
    process = terminal.start("topic", "tail", "numbers", "-n", "1", "-f", "--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    with Log(terminal.log) as log:
        log.append("numbers", [{"k": 99}])
    second = json.loads(process.stdout.readline())
    assert (first["value"], second["value"]) == ({"k": 1}, {"k": 99})
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == exits.INTERRUPTED


def test_a_reader_that_goes_away_is_no_error(terminal: Terminal):
    command = f"{sys.executable} -c 'from kappa.cli import main; main()' topic tail numbers -n 0"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        cwd=terminal.directory,
        env={**os.environ, "KAPPA_LOG": str(terminal.log)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0 and done.stderr == ""


def test_a_log_that_may_not_be_read_is_one_line(terminal: Terminal):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    terminal.log.chmod(0)
    process = terminal.start("topic", "list")
    _, err = process.communicate(timeout=30)
    terminal.log.chmod(0o755)
    assert process.returncode == exits.FAILED
    assert err.count("\n") == 1 and "ermission" in err
