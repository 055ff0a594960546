"""Functions made from source text, as `dataclasses` and `attrs` make theirs.

The only place in kappa that compiles text. Invariants: the text is made of kappa's own
words, names that it numbers itself, and literals of int, float and str that Python's own
`ascii` wrote, or operators and literals of a user's own function (`kappa.expressions.inline`);
everything else a user gave enters as a bound name. The text is registered
with `linecache`, so that a traceback shows the generated line.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any
from zlib import crc32

BUILTINS = {"abs": abs, "len": len, "range": range, "round": round, "zip": zip}


def build(
    source: str, name: str, namespace: Mapping[str, object] | None = None
) -> Callable[..., Any]:
    """The function `name` that `source` defines, seeing only `namespace`.

    Args:
        source: text of one or more `def`.
        name: which of them to return.
        namespace: values by name; `abs`, `len`, `range`, `round` and `zip` are there already.

    >>> build("def scaled(values): return [v * k for v in values]", "scaled", {"k": 2})([4])
    [8]
    """
    scope: dict[str, Any] = {"__builtins__": {}, "__name__": "kappa.generated", **BUILTINS}
    if namespace:
        scope.update(namespace)
    exec(_code(source, name), scope)
    function: Callable[..., Any] = scope[name]
    return function


@lru_cache(maxsize=1024)
def _code(source: str, name: str) -> CodeType:
    # The file name follows the text, so equal texts share one entry.
    filename = f"<kappa generated {name} {crc32(source.encode()):08x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    return compile(source, filename, "exec")


def source_of(function: Callable[..., Any]) -> str:
    """The text a generated function was made from, for `explain(code=True)`; "" if none.

    >>> print(source_of(row_maker(("price",))))
    def make(c0):
        return [{'price': v0} for v0 in c0]
    <BLANKLINE>
    """
    code = getattr(function, "__code__", None)
    return "".join(linecache.getlines(code.co_filename)) if code is not None else ""


@lru_cache(maxsize=512)
def row_maker(fields: tuple[str, ...]) -> Callable[..., list[dict[str, Any]]]:
    """A function from the columns, in this order, to dicts of these fields.

    A dict literal with constant keys is 2.2 times as fast as `dict(zip(fields, row))`.
    """
    if not all(type(field) is str for field in fields):
        return lambda *columns: [dict(zip(fields, row)) for row in zip(*columns)]
    pairs = ", ".join(f"{field!a}: v{n}" for n, field in enumerate(fields))
    return build(
        f"def make({arguments(fields)}):\n    return [{{{pairs}}} {loop(fields)}]\n", "make"
    )


@lru_cache(maxsize=512)
def row_filler(fields: tuple[str, ...]) -> Callable[..., Iterator[Any]]:
    """A generator of a function's results for one dict, refilled with each row.

    `fill(function, *columns)`. Without fields it takes any one column, for its length.
    """
    targets = ", ".join(f"row[{field!a}]" for field in fields) or "_"
    columns = fields or ("_",)
    source = (
        f"def fill(function, {arguments(columns)}):\n"
        "    row = {}\n"
        f"    for {targets} in {'c0' if len(columns) == 1 else f'zip({arguments(columns)})'}:\n"
        "        yield function(row)\n"
    )
    return build(source, "fill")


@lru_cache(maxsize=512)
def row_mapper(fields: tuple[str, ...]) -> Callable[..., list[Any]]:
    """Like `row_filler`, as a comprehension: faster, but an error loses what came before."""
    targets = ", ".join(f"row[{field!a}]" for field in fields) or "_"
    columns = fields or ("_",)
    source = (
        f"def fill(function, {arguments(columns)}):\n"
        "    row = {}\n"
        f"    return [function(row) for {targets} in"
        f" {'c0' if len(columns) == 1 else f'zip({arguments(columns)})'}]\n"
    )
    return build(source, "fill")


def arguments(columns: Sequence[object]) -> str:
    """The argument list for as many columns: "c0, c1"."""
    return ", ".join(f"c{n}" for n in range(len(columns)))


def loop(columns: Sequence[object]) -> str:
    """The `for` of a comprehension over at least one column."""
    if len(columns) == 1:
        return "for v0 in c0"
    targets = ", ".join(f"v{n}" for n in range(len(columns)))
    return f"for {targets} in zip({arguments(columns)})"
