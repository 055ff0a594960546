"""Which fields a function of the row reads, where its bytecode leaves no doubt.

The law: the answer is a set only if every use of the row is `row["price"]` or
`row.get("price")`, with constants, perhaps with a constant default. Then the function
cannot tell a row of these fields from the whole row, cannot change or keep it, and so
fields that nobody reads need not be decoded. Anything else, and any instruction that is
not known, means all fields.
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


def reads_of(function: object, argument: int = 0) -> frozenset[str] | None:
    """The fields that a function reads of an argument; None where that is not sure.

    Args:
        function: any callable.
        argument: which of its positional arguments is the row.

    >>> sorted(reads_of(lambda row: row["price"] * row["number"]))
    ['number', 'price']
    >>> reads_of(lambda row: len(row)) is None
    True
    >>> reads_of(lambda total, row: total + row["price"], 1)
    frozenset({'price'})
    """
    if not isinstance(function, FunctionType) or sys.version_info[:2] not in KNOWN_PYTHON:
        return None
    code = function.__code__
    if code.co_argcount <= argument or SEES_FRAMES.intersection(_names(code)):
        return None
    row = code.co_varnames[argument]
    if row in code.co_cellvars:  # a function or generator inside keeps it
        return None
    return _fields(list(dis.get_instructions(code)), row)


def is_lazy(function: object) -> bool:
    """Whether a call only makes a generator or coroutine that reads the row later."""
    return not isinstance(function, FunctionType) or bool(function.__code__.co_flags & LAZY)


def _fields(instructions: list[dis.Instruction], row: str) -> frozenset[str] | None:
    found: set[str] = set()
    for index, instruction in enumerate(instructions):
        if "FAST" not in instruction.opname:
            continue
        if instruction.opname not in LOCALS:
            return None
        names = instruction.argval
        if names != row and not (isinstance(names, tuple) and row in names):
            continue
        field = _read(instructions[index + 1 : index + 6]) if _on_top(instruction, row) else None
        if field is None:
            return None
        found.add(field)
    return frozenset(found)


def _on_top(one: dis.Instruction, row: str) -> bool:
    """Whether all it does with the row is to put it on top of the stack."""
    if one.opname in ("LOAD_FAST_LOAD_FAST", "STORE_FAST_LOAD_FAST"):
        return bool(one.argval[0] != row and one.argval[1] == row)
    return one.opname == "LOAD_FAST"


def _read(rest: list[dis.Instruction]) -> str | None:
    """The field, if what follows the row on the stack is `["field"]` or `.get("field")`."""
    names = [one.opname for one in rest]
    if names[:2] == ["LOAD_CONST", "BINARY_SUBSCR"]:
        return _text(rest[0], rest[:2])
    if not _is_method(rest[0], "get"):
        return None
    consts = 2 if names[1:3] == ["LOAD_CONST", "LOAD_CONST"] else 1
    calling = ["PRECALL", "CALL"] if "PRECALL" in names else ["CALL"]  # the first: 3.11 only
    used = rest[: 1 + consts + len(calling)]
    shape = [one.opname for one in used[1:]]
    if shape != ["LOAD_CONST"] * consts + calling or used[-1].argval != consts:
        return None
    return _text(used[1], used)


def _is_method(one: dis.Instruction, name: str) -> bool:
    """Whether it loads a method that is called next, and not just an attribute."""
    if one.argval != name:
        return False
    if sys.version_info < (3, 12):
        return one.opname == "LOAD_METHOD"
    return one.opname == "LOAD_ATTR" and bool((one.arg or 0) & 1)


def _text(field: dis.Instruction, used: list[dis.Instruction]) -> str | None:
    """The constant, unless it is no text or a jump leads in between."""
    if any(one.is_jump_target for one in used):
        return None
    return field.argval if type(field.argval) is str else None


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
