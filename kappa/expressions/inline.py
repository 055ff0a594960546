"""Plain functions of the row as text, so that a batch is computed without a call per row.

`lambda row: row["price"] * 0.92` does nothing but arithmetic on fields: a comprehension over
the column gives the same for a third of the time. A function is written out so where its
source leaves no doubt: one expression of operators, comparisons, conditions, displays and
literals over `row["field"]`, and over plain numbers and texts from around it. Anything else
is called as ever.

The source is taken for the function's own only if compiling it gives the function's own
instructions and constants, so neither an edited file nor two lambdas in a line mislead.
Written out or called, the values are the same; where one row fails, the function itself is
called with it, so that the error and its traceback are its own.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any
from warnings import catch_warnings

from kappa.batch.generated import arguments, build

PLAIN = (int, float, str, bool, type(None))
"""Types of values from around a function that may stand in its text: nothing can change them."""

SIMPLE = (
    ast.BinOp, ast.BoolOp, ast.Compare, ast.Dict, ast.IfExp, ast.List, ast.Slice, ast.Tuple,
    ast.UnaryOp, ast.operator, ast.boolop, ast.cmpop, ast.unaryop, ast.expr_context,
)  # fmt: skip
"""What may stand in a text besides fields, names and literals."""


@dataclass(frozen=True, slots=True)
class Inlined:
    """A function of the row, written out.

    Args:
        fields: those that it reads, in order; `v0`, `v1`, ... in the texts.
        outer: names from around it; `k0`, `k1`, ... in the texts.
        value: the text of its result.
        columns: where the result is always a dict with the same names: the text of each.
    """

    fields: tuple[str, ...]
    outer: tuple[str, ...]
    value: str
    columns: tuple[tuple[str, str], ...] | None = None

    def constants(self, function: object) -> tuple[Any, ...] | None:
        """What stands around the function by now; None if it is not all plain."""
        if not self.outer:
            return ()
        assert isinstance(function, FunctionType)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        found = []
        for name in self.outer:
            try:
                one = cells[name].cell_contents if name in cells else function.__globals__[name]
            except (KeyError, ValueError):  # not set yet; a call says so
                return None
            if type(one) not in PLAIN:
                return None
            found.append(one)
        return tuple(found)

    def filler(self) -> Callable[..., Iterator[Any]]:
        """`fill(constants, *columns)`: a generator of the results."""
        return build(
            f"def fill(k, {self._columns}):\n{self._unpacked}"
            f"    for {self._loop}:\n        yield {self.value}\n",
            "fill",
        )

    def mapper(self) -> Callable[..., list[Any]]:
        """`fill(constants, *columns)`: all results at once."""
        return build(
            f"def fill(k, {self._columns}):\n{self._unpacked}"
            f"    return [{self.value} for {self._loop}]\n",
            "fill",
        )

    def splitter(self) -> Callable[..., dict[str, list[Any]]] | None:
        """`split(constants, *columns)`: the results' columns by name, if they have such."""
        if self.columns is None:
            return None
        lists = ", ".join(f"{name!a}: {self._column(text)}" for name, text in self.columns)
        return build(
            f"def split(k, {self._columns}):\n{self._unpacked}    return {{{lists}}}\n", "split"
        )

    @property
    def passed(self) -> dict[str, str]:
        """Which of the columns are fields as they are."""
        numbered = self._numbered
        return {name: numbered[text] for name, text in self.columns or () if text in numbered}

    @property
    def _numbered(self) -> dict[str, str]:
        return {f"v{n}": field for n, field in enumerate(self.fields)}

    def _column(self, text: str) -> str:
        if text in self._numbered:
            return text.replace("v", "c")  # the field itself
        used = [n for n in range(len(self.fields)) if f"v{n}" in _words(text)]
        if not used:
            return f"[{text} for v0 in c0]"
        targets, columns = (", ".join(f"{letter}{n}" for n in used) for letter in "vc")
        return f"[{text} for {targets} in {columns if len(used) == 1 else f'zip({columns})'}]"

    @property
    def _columns(self) -> str:
        return arguments(self.fields or ("_",))

    @property
    def _loop(self) -> str:
        targets = ", ".join(f"v{n}" for n in range(len(self.fields))) or "v0"
        return f"{targets} in {'c0' if len(self.fields) <= 1 else f'zip({self._columns})'}"

    @property
    def _unpacked(self) -> str:
        names = "".join(f"k{n}, " for n in range(len(self.outer)))
        return f"    {names}= k\n" if names else ""


def inlined(function: object, fields: Sequence[str]) -> Inlined | None:
    """A function of the row as text; None where that is not certain to be the same.

    Args:
        function: any callable.
        fields: those that it reads, as `reads_of` says.

    >>> inlined(lambda row: row["a"] * 2 + row["b"], ["a", "b"]).value
    'v0 * 2 + v1'
    >>> inlined(lambda row: print(row["a"]), ["a"]) is None
    True
    """
    if not isinstance(function, FunctionType) or not _may_be(function.__code__):
        return None
    found = _source_of(function.__code__)
    if found is None:
        return None
    row, expression = found
    writing = Writing(row, tuple(fields))
    texts = None
    try:
        value = ast.unparse(writing.visit(expression))
        columns = _columns_of(expression)
        if columns is not None:
            texts = tuple((name, ast.unparse(part)) for name, part in columns)
        with catch_warnings(action="error"):  # `5 is 5`, for one
            compile(value, "<inline>", "eval")
    except (Unclear, SyntaxError, Warning, RecursionError):
        return None
    return Inlined(tuple(fields), tuple(writing.outer), value, texts)


class Unclear(Exception):
    """Something in a function's source that is not written out."""


class Writing(ast.NodeTransformer):
    """Puts numbered names in the places of fields and of names from around."""

    def __init__(self, row: str, fields: tuple[str, ...]) -> None:
        self.row = row
        self.fields = fields
        self.outer: list[str] = []

    def visit(self, node: ast.AST) -> Any:
        """The node as it is to be written."""
        if isinstance(node, ast.Subscript | ast.Call | ast.Name | ast.Constant):
            return super().visit(node)
        if not isinstance(node, SIMPLE) or (isinstance(node, ast.Dict) and None in node.keys):
            raise Unclear
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """A field, or an item of a value."""
        return self._field(node.slice) if self._is_row(node.value) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`row.get("field")`: only batches that have the field are computed by the text."""
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr != "get" or node.keywords:
            raise Unclear
        if not self._is_row(function.value) or len(node.args) not in (1, 2):
            raise Unclear
        if not all(isinstance(one, ast.Constant) for one in node.args):
            raise Unclear
        return self._field(node.args[0])

    def _is_row(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.row

    def _field(self, key: ast.AST) -> ast.AST:
        if not isinstance(key, ast.Constant) or key.value not in self.fields:
            raise Unclear
        return ast.Name(f"v{self.fields.index(key.value)}", ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A name from around the function."""
        if node.id == self.row:
            raise Unclear
        if node.id not in self.outer:
            self.outer.append(node.id)
        return ast.Name(f"k{self.outer.index(node.id)}", ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """A literal that its own text stands for."""
        if type(node.value) not in PLAIN:
            raise Unclear
        return node


def _columns_of(written: ast.expr) -> list[tuple[str, ast.expr]] | None:
    """The parts of a dict display whose names are texts, each once."""
    if not isinstance(written, ast.Dict) or not written.keys:
        return None
    names = [key.value if isinstance(key, ast.Constant) else None for key in written.keys]
    if not all(type(name) is str for name in names) or len(set(names)) < len(names):
        return None
    return [(str(name), part) for name, part in zip(names, written.values)]


def _words(text: str) -> set[str]:
    nodes = ast.walk(ast.parse(text, mode="eval"))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


# -- finding the source ------------------------------------------------------------------------


def _may_be(code: CodeType) -> bool:
    """Whether it is worth looking at the source: one argument, no functions inside."""
    return (
        code.co_argcount == 1
        and code.co_nlocals == 1
        and not code.co_cellvars
        and not any(isinstance(constant, CodeType) for constant in code.co_consts)
    )


def _source_of(code: CodeType) -> tuple[str, ast.expr] | None:
    """The name of the row and a function's one expression, if the file still has them."""
    for node in _functions(code.co_filename, len(linecache.getlines(code.co_filename))):
        if code.co_firstlineno not in (node.lineno, _first_line(node)):
            continue
        expression = _expression(node)
        if expression is not None and _compiles_to(node, code):
            # A copy: whoever writes it out changes it.
            copied = ast.parse(ast.unparse(expression), mode="eval").body
            return code.co_varnames[0], copied
    return None


@lru_cache(maxsize=16)
def _functions(filename: str, lines: int) -> tuple[ast.Lambda | ast.FunctionDef, ...]:
    """All functions in a file; `lines` tells a file that has grown from what it was."""
    try:
        with catch_warnings(action="ignore"):  # Python has said them to the user once
            tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Lambda | ast.FunctionDef))
    return tuple(found)


def _first_line(node: ast.Lambda | ast.FunctionDef) -> int:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def _expression(node: ast.Lambda | ast.FunctionDef) -> ast.expr | None:
    if isinstance(node, ast.Lambda):
        return node.body
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


def _compiles_to(node: ast.Lambda | ast.FunctionDef, code: CodeType) -> bool:
    """Whether a piece of source is that of a function: the same instructions and constants."""
    names = code.co_freevars
    shell = ast.parse("def _(" + ", ".join(names) + "):\n  return 0")
    holder = shell.body[0]
    assert isinstance(holder, ast.FunctionDef)
    if isinstance(node, ast.Lambda):
        holder.body = [ast.Return(node)]
    else:
        holder.body = [node, ast.Return(ast.Name(node.name, ast.Load()))]
    ast.fix_missing_locations(shell)
    try:
        with catch_warnings(action="ignore"):
            made = compile(shell, code.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return False
    outer = next(one for one in made.co_consts if isinstance(one, CodeType))
    for one in outer.co_consts:
        if isinstance(one, CodeType) and one.co_code == code.co_code:
            return _same(one, code)
    return False


def _same(one: CodeType, other: CodeType) -> bool:
    return (
        repr(one.co_consts) == repr(other.co_consts)
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
    )
