"""What a scheduler sees of a run: exit codes, JSON summaries, and the history in the log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kappa.cli import exits
from kappa.log import Log
from kappa.runtime.history import runs_of

PIPELINE = """
import sys
from kappa import Pipeline, Tumbling, agg

sums = Pipeline("sums")
sums.source("n").key_by("k").window(Tumbling("1h")).aggregate(s=agg.sum("x")).to("sums")

raising = Pipeline("raising")
raising.source("n").map(lambda row: {"y": 1 // (row["x"] - 3)}).to("inverse")
"""


@pytest.fixture
def loaded(kappa, tmp_path: Path):
    (tmp_path / "pipelines.py").write_text(PIPELINE)
    rows = [{"k": n % 2, "x": n, "t": n * 1_800_000} for n in range(200)]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert kappa("topic", "create", "n", "--time", "t").code == 0
    assert kappa("load", "n", "n.jsonl").code == 0
    return kappa


def test_days_of_a_zone_are_replayed_and_the_summary_says_which(loaded):
    options = ("--since", "1970-01-02", "--until", "1970-01-03", "--zone", "Europe/Zurich")
    said = loaded("replay", "pipelines.py:sums", *options, "--json").json
    assert (said["command"], said["pipeline"], said["outcome"]) == ("replay", "sums", "done")
    assert (said["since"], said["until"]) == (
        "1970-01-01T23:00:00.000Z", "1970-01-02T23:00:00.000Z",
    )  # fmt: skip
    assert (said["exit_code"], said["records_out"]) == (0, 48)


def test_words_of_the_schedule_are_taken(loaded):
    done = loaded("replay", "pipelines.py:sums", "--since", "yesterday", "--until", "today")
    assert done.code == 0
    done = loaded("replay", "pipelines.py:sums", "--since", "today", "--until", "yesterday")
    assert (done.code, "since must lie before until" in done.err) == (exits.USAGE, True)
    done = loaded("replay", "pipelines.py:sums", "--since", "today", "--zone", "Mars/Base")
    assert (done.code, "Mars/Base" in done.err) == (exits.USAGE, True)


def test_a_failure_is_summed_up_as_well(loaded):
    done = loaded("run", "pipelines.py:raising", "--until-idle", "--json")
    assert done.code == exits.FAILED
    assert (done.json["outcome"], done.json["exit_code"]) == ("failed", exits.FAILED)
    assert done.json["error"] == "OperatorError"
    assert "ZeroDivisionError" in done.json["message"]


def test_two_at_once_are_refused(loaded, tmp_path: Path):
    with Log(tmp_path / "log") as log, log.lock("sums@1"):
        done = loaded("run", "pipelines.py:sums", "--until-idle", "--json")
    assert done.code == exits.BUSY
    assert (done.json["error"], done.json["exit_code"]) == ("LogLocked", exits.BUSY)


def test_the_history_tells_runs_in_their_order(loaded):
    assert loaded("history").out.startswith("no runs")
    loaded("run", "pipelines.py:sums", "--until-idle")
    loaded("run", "pipelines.py:raising", "--until-idle")
    loaded("replay", "pipelines.py:sums", "--since", "1970-01-02", "--json")
    found = loaded("history", "--json").json
    assert [(run["pipeline"], run["kind"], run["outcome"]) for run in found] == [
        ("sums", "run", "done"),
        ("raising", "run", "failed"),
        ("sums", "replay", "done"),
    ]
    assert (found[0]["records_in"], found[0]["version"]) == (200, 1)
    assert "ZeroDivisionError" in found[1]["error"]
    assert (found[2]["since"], found[2]["until"]) == ("1970-01-02T00:00:00.000Z", "+inf")
    assert all(run["began"] <= run["ended"] for run in found)
    assert len(loaded("history", "sums", "--json").json) == 2
    assert len(loaded("history", "pipelines.py:raising", "--json").json) == 1
    assert len(loaded("history", "-n", "1", "--json").json) == 1
    out = loaded("history").out
    assert "raising@1" in out and "ZeroDivisionError" in out and "1970-01-02 00:00:00" in out


def test_the_history_survives_a_new_journal_file(loaded, tmp_path: Path):
    loaded("run", "pipelines.py:sums", "--until-idle")
    with Log(tmp_path / "log", journal_bytes=100) as log:
        log.append("n", [{"k": 1, "x": 1, "t": 1}])
        log.append("n", [{"k": 1, "x": 1, "t": 1}])
    assert [run["outcome"] for run in loaded("history", "--json").json] == ["done"]


@pytest.mark.slow
def test_a_run_goes_on_and_is_killed(loaded, tmp_path: Path):
    command = [str(Path(sys.executable).with_name("kappa")), "run", "pipelines.py:sums"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        with Log(tmp_path / "log") as log:
            after = log.end_lsn
            while not runs_of(log) or log.catalog.versions.get(("sums", 1)) is None:
                assert log.wait(after, 20), "the run does not begin"
                after = log.end_lsn
            assert [run.outcome for run in runs_of(log)] == ["running"]
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert [run.outcome for run in runs_of(log)] == ["killed"]
            loaded("run", "pipelines.py:sums", "--until-idle")
            assert [run.outcome for run in runs_of(log)] == ["killed", "done"]
    finally:
        process.kill()
        process.wait()
