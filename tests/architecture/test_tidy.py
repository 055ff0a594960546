"""Style as a program: sizes, calls that only one module may make, words where words are due.

A failure names file and line and says what to use instead. There is no suppression list: a
call is banned everywhere but in the modules that are its door.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest
from architecture.source import Module, called, imports, modules

MAX_LINES = 450
MAX_BODY, USUAL_BODY = 90, 50

CLOCK = "kappa.time: the Clock that was given"
FILES = "kappa.log.files: the Files that were given"
BUILDER = "kappa.batch.generated, the one place that compiles source text"
BANNED: dict[str, tuple[str, tuple[str, ...]]] = {
    "datetime.now": (CLOCK, ()),
    "datetime.datetime.now": (CLOCK, ()),
    "datetime.utcnow": (CLOCK, ()),
    "datetime.today": (CLOCK, ()),
    "date.today": (CLOCK, ()),
    "print": ("the stream that was given, or click.echo in kappa/cli", ()),
    "open": (FILES, ("kappa/log/files.py", "kappa/connect/")),
    "os.open": (FILES, ("kappa/log/files.py",)),
    "os.fsync": (FILES, ("kappa/log/files.py",)),
    "os.fdatasync": (FILES, ("kappa/log/files.py",)),
    "os.rename": (FILES, ("kappa/log/files.py",)),
    "os.replace": (FILES, ("kappa/log/files.py",)),
    "hash": ("kappa.codec.keys.stable_hash", ()),
    "eval": (BUILDER, ()),
    "exec": (BUILDER, ("kappa/batch/generated.py",)),
    "breakpoint": ("nothing", ()),
    "os.urandom": ("a random source that was given", ()),
    "uuid.uuid4": ("a random source that was given", ()),
    "uuid.uuid1": ("a random source that was given", ()),
}
BANNED_IMPORTS = {
    "pickle": "kappa.codec (R6: nothing read is ever unpickled)",
    "marshal": "kappa.codec (R6)",
    "shelve": "kappa.codec (R6)",
    "dill": "kappa.codec (R6)",
    "cloudpickle": "kappa.codec (R6)",
    "random": "a seeded source that was given",
    "time": CLOCK,
}
IMPORT_DOORS = {"time": "kappa/time/clock.py"}
MSGPACK_HOME = "kappa/codec/"


def too_long(module: Module) -> Iterator[str]:
    lines = module.text.count("\n")
    if lines > MAX_LINES:
        yield f"{module.path}: {lines} lines; cut it at the seam (the limit is {MAX_LINES})"


def bodies(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and node.body[1:] else node.body[0]
            yield f"{module.path}:{node.lineno} {node.name}", node.end_lineno - first.lineno + 1


def banned(module: Module) -> Iterator[str]:
    # A set in memory may need `__hash__`; no result may need what it returns.
    own_hash = {
        id(call)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for call in ast.walk(node)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and called(node) in BANNED and id(node) not in own_hash:
            instead, doors = BANNED[called(node)]
            if not module.path.startswith(doors or ("no module",)):
                yield f"{module.path}:{node.lineno}: {called(node)}() is banned; use {instead}"
    for line, name in imports(module):
        root = name.split(".")[0]
        if root in BANNED_IMPORTS and module.path != IMPORT_DOORS.get(root):
            yield f"{module.path}:{line}: import {root} is banned; use {BANNED_IMPORTS[root]}"
        if root == "msgpack" and not module.path.startswith(MSGPACK_HOME):
            yield f"{module.path}:{line}: msgpack is named in {MSGPACK_HOME} only"


def undocumented(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield f"{module.path}:1: the file has no docstring"
    yield from _silent(module, module.tree.body, "")


def _silent(module: Module, body: list[ast.stmt], inside: str) -> Iterator[str]:
    for node in body:
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if not isinstance(node, kinds) or node.name.startswith("_") or _exempt(node):
            continue
        if inside and node.name in promised():
            continue
        if not ast.get_docstring(node):
            yield f"{module.path}:{node.lineno}: {inside}{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from _silent(module, node.body, f"{node.name}.")


def _exempt(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Overloads and setters say nothing that their first definition has not said."""
    marks = {ast.unparse(mark).split(".")[-1] for mark in node.decorator_list}
    return bool(marks & {"overload", "setter", "override"})


@cache
def promised() -> frozenset[str]:
    """Methods documented in a protocol or a base class: who keeps it need not repeat it."""
    classes = [
        node for one in modules() for node in ast.walk(one.tree) if isinstance(node, ast.ClassDef)
    ]
    bases = {ast.unparse(base).split("[")[0] for node in classes for base in node.bases}
    return frozenset(
        method.name
        for node in classes
        if node.name in bases or any("Protocol" in ast.unparse(base) for base in node.bases)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
    )


CHECKS = [too_long, banned, undocumented]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_package_is_tidy(check):
    found = [line for module in modules() for line in check(module)]
    assert not found, "\n" + "\n".join(found)


def test_functions_are_short():
    sizes = [one for module in modules() for one in bodies(module)]
    longest = [f"{where}: {size} lines" for where, size in sizes if size > MAX_BODY]
    assert not longest, "\n" + "\n".join(longest)
    long = [f"{where}: {size} lines" for where, size in sizes if size > USUAL_BODY]
    assert len(long) <= len(sizes) / 50, "nearly all under 50 lines:\n" + "\n".join(long)


PLANTED = """
import pickle
import random as r
from time import time
import time, msgpack

def wide():
    def inner():
        import pickle.x
    return hash("x"), open("f"), print(1), eval("1")

class Thing:
    def act(self): ...
"""


def test_canary_planted_breaches_are_found():
    planted = Module("kappa/planted.py", PLANTED)
    found = "\n".join([*banned(planted), *undocumented(planted)])
    for word in ("import pickle", "import random", "import time", "hash()", "open()", "print()"):
        assert word in found
    for word in ("eval()", "msgpack is named", "wide has no", "Thing.act has no", ":1: the file"):
        assert word in found
    assert list(too_long(Module("kappa/long.py", "\n" * (MAX_LINES + 1))))
