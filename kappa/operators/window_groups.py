"""Rows grouped by key before they meet their accumulators, where keys recur often.

One append to a list is a third of a row's work on an accumulator, and `len`, `sum`, `min`
and `max` of the list then cost next to nothing. It pays from about a dozen rows per key
and batch on. Only exact ints are grouped: for them the result is the same to the bit,
whichever way it was computed, so which way is chosen need not be the same in a replay.

`benchmarks/` guards its speed: windows.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kappa.aggregates import Layout, indented
from kappa.codec import check_key

ROWS_PER_KEY = 12
"""Fewer rows per key in a batch are taken one by one."""

LOOK_AGAIN = 32
"""Batches after which it is tried again whether keys recur."""

EXACT = (int, bool, type(None))
"""Types of a sum to which ints may be added in any grouping."""

BUILTINS = {"len": len, "sum": sum, "min": min, "max": max}

Group = defaultdict[Any, list[int]]
Merge = Callable[[Group, dict[Any, Any], dict[Any, Any], Callable[[Any], Any]], None]


class Grouping:
    """Whether the aggregates allow it, whether it pays, and the compiled work.

    Args:
        layout: of the accumulators.
    """

    def __init__(self, layout: Layout) -> None:
        plain = not layout.conditions and len(layout.values) <= 1 and not layout.timed
        self._merge = (
            _merge(layout) if plain and all(p.code.grouped for p in layout.parts) else None
        )
        self._wait = 0

    def fits(self, values: Sequence[Any], solid: Sequence[bool]) -> bool:
        """Whether a batch with this column of values is to be grouped."""
        if self._merge is None or not all(solid) or (solid and type(values[0]) is not int):
            return False
        self._wait -= 1
        return self._wait < 0

    def take(
        self,
        cells: Sequence[Sequence[Any]],
        edge: int,
        keys: Sequence[Any],
        values: Sequence[int],
        times: Callable[[], Sequence[int]],
    ) -> bool:
        """Takes a batch into one window, or two with an `edge` between them.

        Args:
            cells: (new, base, touch) of each window.
            edge: start of the second.
            keys, values: columns of the batch.
            times: gives the event times, which one window does not need.

        Returns:
            False if a key is none: nothing was taken in, and the loop over rows says which.
        """
        try:
            if len(cells) == 1:
                groups = [_group(keys, values)]
            else:
                groups = _groups(keys, values, times(), edge)
            for group in groups:
                _check(group)
        except Exception:
            return False
        assert self._merge is not None
        for group, (new, base, touch) in zip(groups, cells, strict=True):
            self._merge(group, new, base, touch)
        if len(keys) < ROWS_PER_KEY * max(map(len, groups)):
            self._wait = LOOK_AGAIN
        return True


def _group(keys: Sequence[Any], values: Sequence[int]) -> Group:
    found: Group = defaultdict(list)
    for key, value in zip(keys, values):
        found[key].append(value)
    return found


def _groups(
    keys: Sequence[Any], values: Sequence[int], times: Sequence[int], edge: int
) -> list[Group]:
    before: Group = defaultdict(list)
    behind: Group = defaultdict(list)
    for key, value, time in zip(keys, values, times):
        if time >= edge:
            behind[key].append(value)
        else:
            before[key].append(value)
    return [before, behind]


def _check(keys: Iterable[Any]) -> None:
    for key in keys:
        if key.__class__ is not int and key.__class__ is not str:
            check_key(key)


def _merge(layout: Layout) -> Merge:
    """The compiled loop that takes groups into accumulators.

    Ints that meet a sum which is no int any more are added one by one, as rows are: adding
    up the group first would round otherwise.
    """
    slots = [text.format(v="v") for part in layout.parts for text in part.code.grouped]
    sums = [part.at for part in layout.parts if "sum({v})" in part.code.grouped]
    inexact = " or ".join(f"a[{at}].__class__ not in exact" for at in sums) or "False"
    lines = [
        "def merge(groups, new, base, touch):",
        "    get = new.get",
        "    for k, v in groups.items():",
        f"        b = [{', '.join(slots)}]",
        "        a = get(k)",
        "        if a is None and base: a = touch(k)",
        "        if a is None:",
        "            new[k] = b",
        "            continue",
        f"        if {inexact}:",
        "            for x in v: add(a, 0, x)",
        "            continue",
        *indented(layout.merges(), 2),
        "",
    ]
    merge: Merge = layout.build("\n".join(lines), "merge", exact=EXACT, add=layout.add, **BUILTINS)
    return merge
