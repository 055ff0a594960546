"""CSV with a header: each record a mapping, with the line it begins on.

A record that cannot be read costs itself only: the reader goes on behind it. A quote
that is never closed swallows lines until the field is longer than a field may be;
all of them are in the `Broken`, whose line is the one the quote is on.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from kappa.connect.celltypes import SAMPLE, CellTypes
from kappa.connect.lines import Broken, Lines
from kappa.errors import SourceError


def read_csv(
    lines: Lines,
    *,
    types: CellTypes,
    fields: Sequence[str] | None = None,
    delimiter: str = ",",
) -> Iterator[tuple[int, object]]:
    """Each record as a dict, with the number of the line it begins on.

    Args:
        lines: the source.
        types: what the cells become.
        fields: the names of the columns, for a source without a header line.
        delimiter: between cells, one character.

    Raises:
        SourceError: the header is unusable.

    >>> import io
    >>> source = Lines(io.BytesIO(b"name,age\\nann,7\\nbob,\\n"), "example")
    >>> list(read_csv(source, types=CellTypes()))
    [(2, {'name': 'ann', 'age': 7}), (3, {'name': 'bob', 'age': None})]
    """
    records = _records(lines, delimiter)
    names = list(fields) if fields is not None else _header(records, lines.name)
    _check_names(names, lines.name)
    width = len(names)
    sample = list(islice(records, SAMPLE))
    kinds = types.infer(names, [cells for _, cells, _ in sample if _fits(cells, width)])
    build = _builder(kinds, types)
    for source in (sample, records):
        for line, cells, text in source:
            yield line, _value(cells, width, build, text)


Cells = list[str] | str  # the cells of a record, or what is wrong with it


def _records(lines: Lines, delimiter: str) -> Iterator[tuple[int, Cells, list[str]]]:
    raw: list[str] = []

    def text() -> Iterator[str]:
        for line in lines:
            # Bytes that are not UTF-8 travel as lone surrogates and are refused below.
            decoded = line.decode("utf-8", "surrogateescape")
            raw.append(decoded)
            yield decoded

    reader = csv.reader(text(), delimiter=delimiter, strict=True)
    while True:
        cells: Cells
        raw = []
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = f"not CSV: {error}"
        if cells:  # not an empty line
            yield first, cells, raw


def _header(records: Iterator[tuple[int, Cells, list[str]]], where: str) -> list[str]:
    for line, cells, _ in records:
        if isinstance(cells, str):
            raise SourceError(
                f"{where}, line {line}: the header is {cells}", path=where, position=line
            )
        return [cell.strip() for cell in cells]
    raise SourceError(f"{where} is empty: a CSV begins with a header line", path=where)


def _check_names(names: Sequence[str], where: str) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice or "" in names:
        what = f"names {', '.join(sorted(twice))} twice" if twice else "has a column without a name"
        raise SourceError(f"{where}: the header {what}; give the names of all columns", path=where)


def _fits(cells: Cells, width: int) -> bool:
    return not isinstance(cells, str) and len(cells) == width


Build = Callable[[list[str]], dict[str, object]]


def _builder(kinds: dict[str, str], types: CellTypes) -> Build:
    columns = list(zip(kinds, types.converters(kinds), strict=True))

    def build(cells: list[str]) -> dict[str, object]:
        return {name: convert(cell) for (name, convert), cell in zip(columns, cells, strict=True)}

    def explain(cells: list[str]) -> str:
        for (name, convert), cell in zip(columns, cells, strict=True):
            try:
                convert(cell)
            except ValueError:
                wider = "float" if kinds[name] == "int" else "str"
                return (
                    f"column {name!r} is {cell!r}, not {kinds[name]} (give --types {name}={wider})"
                )
        return "a cell cannot be read"

    def checked(cells: list[str]) -> dict[str, object]:
        try:
            return build(cells)
        except ValueError:
            raise ValueError(explain(cells)) from None

    return checked


def _value(cells: Cells, width: int, build: Build, text: list[str]) -> object:
    if isinstance(cells, str):
        return Broken(cells, _readable(text))
    if len(cells) != width:
        return Broken(f"{len(cells)} cells, but the header has {width}", _readable(text))
    try:
        joined = "".join(cells)
        if not joined.isascii():
            joined.encode("utf-8")
        return build(cells)
    except UnicodeEncodeError:
        return Broken("not UTF-8", _readable(text))
    except ValueError as error:
        return Broken(str(error), _readable(text))


def _readable(text: list[str]) -> str:
    whole = "".join(text).rstrip("\r\n")
    return whole.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
