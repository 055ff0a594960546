"""A pipeline by its address, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kappa import Pipeline
from kappa.cli.target import find_pipeline
from kappa.errors import ConfigError

GOOD = """
from kappa import Pipeline
first = Pipeline("first")
first.source("a").to("b")

def made():
    pipeline = Pipeline("made")
    pipeline.source("a").to("c")
    return pipeline

number = 7
"""


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_by_file_and_object(tmp_path: Path):
    path = write(tmp_path / "good_by_file.py", GOOD)
    assert find_pipeline(f"{path}:first").name == "first"
    assert find_pipeline(f"{path}:made").name == "made"
    assert find_pipeline(path).name == "first"


def test_by_module():
    assert isinstance(find_pipeline("examples.word_count:pipeline"), Pipeline)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (":second", "no 'second'; its pipelines are first"),
        (":number", "is a int, not a Pipeline"),
    ],
)
def test_a_wrong_object_is_named(tmp_path: Path, end: str, message: str):
    path = write(tmp_path / "good_again.py", GOOD)
    with pytest.raises(ConfigError, match=message):
        find_pipeline(path + end)


def test_a_missing_file_and_module(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no file"):
        find_pipeline(str(tmp_path / "none.py") + ":p")
    with pytest.raises(ConfigError, match="no module 'not_there'"):
        find_pipeline("not_there:p")
    with pytest.raises(ConfigError, match=r"no module 'not.there'"):
        find_pipeline("not.there:p")


def test_a_module_that_fails_is_named_with_its_line(tmp_path: Path):
    path = write(tmp_path / "failing.py", "x = 1\ny = 1 / 0\n")
    with pytest.raises(ConfigError, match=r"ZeroDivisionError.*failing\.py:2"):
        find_pipeline(path)


def test_a_module_with_a_syntax_error(tmp_path: Path):
    path = write(tmp_path / "wrong.py", "def (:\n")
    with pytest.raises(ConfigError, match=r"SyntaxError.*wrong\.py, line 1"):
        find_pipeline(path)
