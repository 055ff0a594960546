"""What the cells of a CSV become: int, float, bool or str, decided per column.

The rule, so that a load can be foretold from the file:

1. A column named in `types` has that type; else one that the topic's schema knows.
2. Else the first `SAMPLE` records decide. Empty cells, and those listed as null, have
   no say. If every other cell is a whole number of at most 18 digits, the column is
   int; if every one is a number, it is float; else, or if there is none, it is str.
   A number has no leading zero ("007" is text), no blanks, no underscores, and is not
   "nan" or "inf". Nothing becomes bool or a date by itself.
3. A null cell is None in every column. For a column that `types` calls str, only the
   listed nulls are None, and an empty cell is "".

A later cell that does not fit its column makes its record `Broken`; the reason says
which type to give.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kappa.errors import ConfigError

SAMPLE = 1000
INT = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?(?<=[0-9.])([eE][+-]?[0-9]+)?")
TRUTH = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}

Convert = Callable[[str], object]


def _to_bool(cell: str) -> bool:
    try:
        return TRUTH[cell.lower()]
    except KeyError:
        raise ValueError(cell) from None


CONVERTERS: dict[str, Convert] = {"int": int, "float": float, "str": str, "bool": _to_bool}


@dataclass(frozen=True)
class CellTypes:
    """The types of the columns of a CSV.

    Args:
        types: column name to "int", "float", "str" or "bool"; the others are inferred.
        nulls: cells that mean "no value", besides the empty one.
        hints: the same as `types` for columns that may not be there: what a schema says.

    Raises:
        ConfigError: a type that is none of these.

    >>> CellTypes({"zip": "str"}).infer(["zip", "n"], [["10001", "1"], ["10002", ""]])
    {'zip': 'str', 'n': 'int'}
    """

    types: Mapping[str, str] = field(default_factory=dict)
    nulls: Collection[str] = ()
    hints: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in self.types.items():
            if kind not in CONVERTERS:
                raise ConfigError(
                    f"column {name!r} cannot be {kind!r}: choose of {', '.join(CONVERTERS)}"
                )

    def infer(self, names: Sequence[str], sample: Sequence[Sequence[str]]) -> dict[str, str]:
        """The type of every column, from the rule above."""
        unknown = set(self.types) - set(names)
        if unknown:
            raise ConfigError(
                f"there is no column {', '.join(sorted(unknown))};"
                f" the columns are {', '.join(names)}"
            )
        nulls = {"", *self.nulls}
        return {
            name: self.types.get(name)
            or self.hints.get(name)
            or infer_type([row[index] for row in sample if row[index] not in nulls])
            for index, name in enumerate(names)
        }

    def converters(self, kinds: Mapping[str, str]) -> list[Convert]:
        """One function per column, from a cell's text to its value or ValueError."""
        return [self._converter(name, kind) for name, kind in kinds.items()]

    def _converter(self, name: str, kind: str) -> Convert:
        convert = CONVERTERS[kind]
        asked_for_text = "str" in (self.types.get(name), self.hints.get(name))
        nulls = frozenset(self.nulls) if asked_for_text else frozenset({"", *self.nulls})
        pattern = {"int": INT, "float": FLOAT}.get(kind)

        def cell_value(cell: str) -> object:
            if cell in nulls:
                return None
            if pattern is not None and not pattern.fullmatch(cell):
                raise ValueError(cell)
            return convert(cell)

        return cell_value


def infer_type(cells: Sequence[str]) -> str:
    """The narrowest type that all `cells` have; str if there are none.

    >>> infer_type(["1", "-2"]), infer_type(["1", "2.5e3"]), infer_type(["007"]), infer_type([])
    ('int', 'float', 'str', 'str')
    """
    if not cells:
        return "str"
    if all(INT.fullmatch(cell) for cell in cells):
        return "int"
    if all(FLOAT.fullmatch(cell) for cell in cells):
        return "float"
    return "str"
