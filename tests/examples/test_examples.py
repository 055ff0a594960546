"""Every example prints what its docstring says, in a process of its own."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem != "__init__")


def expected_output(path: Path) -> str:
    """What stands indented behind "Prints:" in the docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    _, found, block = docstring.partition("Prints:\n")
    assert found, f"{path.name} does not say what it prints"
    return textwrap.dedent(block).strip()


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"examples.{path.stem}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected_output(path)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6
