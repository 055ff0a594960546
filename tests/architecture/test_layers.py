"""Imports point down, those inside functions and under TYPE_CHECKING included.

The order is the one in pyproject.toml that import-linter reads, so that there is one list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from architecture.source import ROOT, Module, imports, modules


def layers() -> list[list[str]]:
    """From the top down; names on one level are siblings that know nothing of each other."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["type"] == "layers"]
    return [
        [name.strip() for name in level.replace(":", "|").split("|")]
        for level in contract["layers"]
    ]


def home(name: str, levels: list[list[str]]) -> tuple[int, str] | None:
    """(level, layer) of a module; the longest layer name that covers it."""
    found = [
        (len(layer), number, layer)
        for number, level in enumerate(levels)
        for layer in level
        if name == layer or name.startswith(f"{layer}.")
    ]
    return max(found)[1:] if found else None


def upward(module: Module, levels: list[list[str]]) -> Iterator[str]:
    here = home(module.name, levels)
    for line, name in imports(module):
        if name.startswith("."):
            yield f"{module.path}:{line}: relative import; write the absolute one"
        if not name.startswith("kappa.") or here is None:
            continue
        there = home(name, levels)
        if there is None or there[1] == here[1]:
            continue
        if there[0] <= here[0]:
            yield f"{module.path}:{line}: {here[1]} may not import {there[1]} (up or sideways)"


def test_imports_point_down():
    levels = layers()
    found = [line for module in modules() for line in upward(module, levels)]
    assert not found, "\n" + "\n".join(found)


def test_every_module_has_a_layer():
    levels = layers()
    free = {"kappa", "kappa.version", "kappa.__main__"}
    homeless = [m.path for m in modules() if m.name not in free and home(m.name, levels) is None]
    assert not homeless, f"no layer in pyproject.toml covers {homeless}"


def test_canary_an_upward_import_inside_a_function_is_found():
    text = "def f():\n    from kappa.runtime import loop\n"
    found = list(upward(Module("kappa/log/planted.py", text), layers()))
    assert found == [
        "kappa/log/planted.py:2: kappa.log may not import kappa.runtime (up or sideways)"
    ]
