"""The package as syntax trees; what the architecture tests look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "kappa"


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: str  # "kappa/log/files.py"
    text: str

    @property
    def name(self) -> str:
        """The dotted name: "kappa.log.files", "kappa.log" for its __init__."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def tree(self) -> ast.Module:
        return parsed(self.text)


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def modules() -> tuple[Module, ...]:
    found = sorted(PACKAGE.rglob("*.py"))
    return tuple(Module(str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in found)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, inside functions and TYPE_CHECKING included."""
    known = {one.name for one in modules()}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "." * node.level + (node.module or "")
                continue
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield node.lineno, whole if whole in known else str(node.module)


def called(node: ast.Call) -> str:
    """The dotted text of what is called: "time.time", "open", ".fsync" for other objects."""
    parts: list[str] = []
    target: ast.expr = node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    parts.append(target.id if isinstance(target, ast.Name) else "")
    return ".".join(reversed(parts))
