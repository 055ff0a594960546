"""What a pipeline is, as text: the structure that names its state, and its code.

The structure (steps, names, windows, aggregates, keys) decides which state fits. The code
(bytecode of the user's functions) decides whether a version may be written: other code
gives other rows. Bytecode differs between Python versions, so it is compared only under
the Python that made it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

PYTHON = f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"


def structure(part: object) -> str:
    """A stable text of a description; functions appear by name only.

    >>> from kappa.time import ManualClock
    >>> structure((1, "a", {"b": None}))
    "(1, 'a', {'b': None})"
    """
    if isinstance(part, type):
        return part.__qualname__
    if is_dataclass(part):
        inner = ", ".join(
            f"{field.name}={structure(getattr(part, field.name))}"
            for field in fields(part)
            if field.repr and "place" not in field.metadata
        )
        return f"{type(part).__qualname__}({inner})"
    if isinstance(part, tuple | list):
        return "(" + ", ".join(map(structure, part)) + ")"
    if isinstance(part, Mapping):
        return "{" + ", ".join(f"{k!r}: {structure(v)}" for k, v in part.items()) + "}"
    if isinstance(part, FunctionType | MethodType | partial) or callable(part):
        return f"<function {getattr(part, '__qualname__', type(part).__qualname__)}>"
    return repr(part)


def leaves(part: object) -> Iterator[object]:
    """What a description is made of: everything inside its dataclasses and containers."""
    if is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            yield from leaves(getattr(part, field.name))
    elif isinstance(part, tuple | list):
        for item in part:
            yield from leaves(item)
    elif isinstance(part, Mapping):
        for item in part.values():
            yield from leaves(item)
    else:
        yield part


def functions(part: object) -> Iterator[Callable[..., Any]]:
    """Every function of the user's inside a description, in a stable order."""
    for leaf in leaves(part):
        if isinstance(leaf, FunctionType | MethodType):
            yield leaf
        elif isinstance(leaf, partial):
            yield from functions((leaf.func, leaf.args, leaf.keywords))
        elif isinstance(leaf, type):
            members = vars(leaf)
            yield from (members[name] for name in sorted(members) if _is_function(members[name]))


def _is_function(value: object) -> bool:
    return isinstance(value, FunctionType)


def code_digest(part: object) -> str:
    """A digest of the code of all functions inside a description; empty if none."""
    found = list(functions(part))
    if not found:
        return ""
    digest = hashlib.sha256()
    for function in found:
        for piece in _code_text(function.__code__):
            digest.update(piece.encode())
        digest.update(
            repr(function.__defaults__).encode() if _plain(function.__defaults__) else b""
        )
        for cell in function.__closure__ or ():
            digest.update(_cell_text(cell.cell_contents).encode())
    return digest.hexdigest()[:16]


def _code_text(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_text(constant)
        elif isinstance(constant, frozenset):
            yield repr(sorted(map(repr, constant)))
        else:
            yield repr(constant)


def _plain(value: object) -> bool:
    return isinstance(value, int | float | str | bytes | bool | type(None) | tuple)


def _cell_text(value: object) -> str:
    """Closed-over plain values belong to the code; anything else shows only its type."""
    return repr(value) if _plain(value) else type(value).__qualname__


def digest(text: str) -> str:
    """A short digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
