"""The lines that docs/batch.md gives to schedulers are run, as a scheduler would."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs.test_code_blocks import ROOT, Shell, blocks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files and its log."""
    found: Path = tmp_path_factory.mktemp("batch")
    shell = Shell(found)
    for block in blocks(ROOT / "docs" / "batch.md"):
        if block.file is not None:
            (found / block.file).write_text(block.text)
    (commands,) = [
        block.text
        for block in blocks(ROOT / "docs" / "batch.md")
        if block.kind == "console" and "topic create" in block.text
    ]
    for line in re.findall(r"^\$ (.*)$", commands, re.M):
        shell.run(line)
    return found


def run(folder: Path, command: str, environ: dict[str, str]) -> dict[str, str]:
    """Runs a command with nothing of this process's environment; its JSON summary."""
    path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or (folder / "nightly.log").read_text())


def test_the_line_for_cron(folder: Path):
    lines = (folder / "kappa.crontab").read_text().splitlines()
    environ = dict(line.split("=", 1) for line in lines if re.fullmatch(r"\w+=.*", line))
    (job,) = [line for line in lines if re.match(r"[\d*]", line)]
    *times, command = job.split(None, 5)
    assert len(times) == 5
    said = run(folder, command, environ)
    assert (said["outcome"], said["pipeline"]) == ("done", "lake")


def test_the_service_of_the_timer(folder: Path):
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(folder / "kappa-nightly.service")
    environ = dict(pair.split("=", 1) for pair in shlex.split(unit["Service"]["Environment"]))
    # systemd runs no shell: the words are the arguments
    command = shlex.join(shlex.split(unit["Service"]["ExecStart"]))
    said = run(folder, command, environ)
    assert (said["outcome"], said["pipeline"]) == ("done", "lake")
    timer = configparser.ConfigParser(interpolation=None)
    timer.read(folder / "kappa-nightly.timer")
    assert timer["Timer"]["OnCalendar"].endswith("Europe/Zurich")


def test_the_command_of_the_dag(folder: Path):
    tree = ast.parse((folder / "nightly_dag.py").read_text())
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "BashOperator"
    ]
    given = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
    command = re.sub(r"\{\{ data_interval_start.*?\}\}", "2024-03-31", given["bash_command"])
    command = re.sub(r"\{\{ data_interval_end.*?\}\}", "2024-04-01", command)
    said = run(folder, command, given["env"])
    assert (said["since"], said["until"]) == (
        "2024-03-30T23:00:00.000Z", "2024-03-31T22:00:00.000Z",
    )  # fmt: skip
