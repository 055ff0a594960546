"""Every code block of the documentation runs and gives what it says.

One test per page; the blocks of a page share a namespace and an empty directory.

    ```python             executed
    ```pycon              a doctest
    ```console            `$ command` lines are run by bash, their output compared
    ```lang file=NAME     written to NAME
    ``` and ```text       not code: grammar, layout, commands that other tests run
    ```mermaid            a picture
    ```hex                bytes, which the tests of the format read

In expected output `...` stands for anything.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<kind>\w*)(?: file=(?P<file>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)
NOT_CODE = {"", "text", "mermaid", "hex"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    kind: str
    file: str | None
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["kind"], m["file"], m["text"], text.count("\n", 0, m.start()) + 2)
        for m in FENCE.finditer(text)
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a page need not close its logs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_tells_the_truth(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shell = Shell(tmp_path)
    for block in blocks(page):
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            code = "\n" * (block.line - 1) + block.text  # so that tracebacks show the page's line
            # Without this module's own imports from the future, which would be taken over.
            exec(compile(code, str(page), "exec", dont_inherit=True), namespace)
        elif block.kind == "pycon":
            check_doctest(block, page, namespace)
        elif block.kind == "console":
            shell.check(block, page)
        else:
            assert block.kind in NOT_CODE, f"{page.name}:{block.line}: what is {block.kind!r}?"


def check_doctest(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Runs a block as a doctest in the page's namespace."""
    example = doctest.DocTestParser().get_doctest(
        block.text, namespace, page.name, str(page), block.line
    )
    example.globs = namespace
    runner = doctest.DebugRunner(optionflags=FLAGS)
    try:
        runner.run(example, clear_globs=False)
    except doctest.DocTestFailure as failure:
        line = block.line + failure.example.lineno
        pytest.fail(f"{page.name}:{line}: {failure.example.source}gives {failure.got}")
    except doctest.UnexpectedException as failure:
        raise failure.exc_info[1] from None


class Shell:
    """The page's shell: exported variables last from one block to the next."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.exports: list[str] = []
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ = {"PATH": path, "HOME": str(directory), "COLUMNS": "200", "LC_ALL": "C.UTF-8"}

    def check(self, block: Block, page: Path) -> None:
        """Runs each command of a block and compares its output."""
        for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            got = self.run(command)
            if not doctest.OutputChecker().check_output(expected, got, FLAGS):
                pytest.fail(f"{page.name}:{block.line}: $ {command}\ngives\n{got}\nnot\n{expected}")

    def run(self, command: str) -> str:
        """The output of one command, errors included."""
        if command.startswith("export "):
            self.exports.append(command)
            return ""
        script = "\n".join([*self.exports, command])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
        )
        return done.stdout


def test_links_between_pages_lead_somewhere() -> None:
    lost = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / link).exists():
                lost.append(f"{page.relative_to(ROOT)}: {link}")
    assert not lost


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT)) for page in PAGES[1:]}
    assert {page for page in pages if f"({page})" not in readme} == set()


@pytest.mark.parametrize("text", ["```python\nassert 1 == 2\n```\n"])
def test_canary_a_false_block_is_found(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    (block,) = blocks(page)
    with pytest.raises(AssertionError):
        exec(compile(block.text, str(page), "exec"), {})
