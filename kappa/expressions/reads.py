"""Which fields a function of the row reads, where its bytecode leaves no doubt.

The law: the answer is a set only if every use of the row is a subscript with a constant
text that reads a value, `row["price"]`. Then the function cannot tell a row of these
fields from the whole row, cannot change or keep it, and so fields that nobody reads need
not be decoded. Anything else, and any instruction that is not known, means all fields.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_ITERABLE_COROUTINE
from types import CodeType, FunctionType

KNOWN_PYTHON = {(3, 11), (3, 12), (3, 13)}
"""Versions whose instructions have been looked through; others answer "all fields"."""

LOCALS = {
    "DELETE_FAST",
    "LOAD_FAST",
    "LOAD_FAST_AND_CLEAR",
    "LOAD_FAST_CHECK",
    "LOAD_FAST_LOAD_FAST",
    "STORE_FAST",
    "STORE_FAST_LOAD_FAST",
    "STORE_FAST_STORE_FAST",
}
SEES_FRAMES = frozenset(
    {"_getframe", "currentframe", "dir", "eval", "exec", "locals", "stack", "super", "vars"}
)
"""Names through which code gets at a frame's variables without naming them."""

LAZY = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE


def reads_of(function: object) -> frozenset[str] | None:
    """The fields that a function reads of its first argument; None where that is not sure.

    >>> sorted(reads_of(lambda row: row["price"] * row["number"]))
    ['number', 'price']
    >>> reads_of(lambda row: row.get("price")) is None
    True
    """
    if not isinstance(function, FunctionType) or sys.version_info[:2] not in KNOWN_PYTHON:
        return None
    code = function.__code__
    if not code.co_argcount or SEES_FRAMES.intersection(_names(code)):
        return None
    row = code.co_varnames[0]
    if row in code.co_cellvars:  # a function or generator inside keeps it
        return None
    return _subscripts(list(dis.get_instructions(code)), row)


def is_lazy(function: object) -> bool:
    """Whether a call only makes a generator or coroutine that reads the row later."""
    return not isinstance(function, FunctionType) or bool(function.__code__.co_flags & LAZY)


def _subscripts(instructions: list[dis.Instruction], row: str) -> frozenset[str] | None:
    found: set[str] = set()
    for index, instruction in enumerate(instructions):
        if "FAST" not in instruction.opname:
            continue
        if instruction.opname not in LOCALS:
            return None
        names = instruction.argval
        if names != row and not (isinstance(names, tuple) and row in names):
            continue
        field = _subscript(instructions[index : index + 3])
        if field is None:
            return None
        found.add(field)
    return frozenset(found)


def _subscript(three: list[dis.Instruction]) -> str | None:
    """The field of `row["field"]`, if these three instructions are just that."""
    if [part.opname for part in three] != ["LOAD_FAST", "LOAD_CONST", "BINARY_SUBSCR"]:
        return None
    if three[1].is_jump_target or three[2].is_jump_target:
        return None
    field = three[1].argval
    return field if type(field) is str else None


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
