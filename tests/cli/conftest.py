"""The command line in this process: arguments in; exit code, output and messages out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kappa.cli.app import run


@dataclass(frozen=True)
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def kappa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Runs one command in an empty directory, with KAPPA_LOG set to a log in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAPPA_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str) -> Done:
        capfd.readouterr()
        code = run(list(arguments))
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Done(code, out, err)

    return command
