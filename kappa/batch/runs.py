"""LSN runs: which rows of a batch belong to which append, as [(lsn, stop row), ...].

Rows [previous stop, stop) belong to `lsn`; LSNs ascend and no run is empty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice
from operator import itemgetter
from typing import Any, TypeAlias

Runs: TypeAlias = list[tuple[int, int]]
Pick: TypeAlias = Callable[[Sequence[Any]], list[Any]]


def lsns_of(runs: Runs) -> list[int]:
    """The LSN of every row.

    >>> lsns_of([(7, 2), (9, 3)])
    [7, 7, 9]
    """
    if len(runs) == 1:
        lsn, stop = runs[0]
        return [lsn] * stop
    out: list[int] = []
    start = 0
    for lsn, stop in runs:
        out += [lsn] * (stop - start)
        start = stop
    return out


def runs_of(lsns: Sequence[int]) -> Runs:
    """The runs of the LSNs of rows.

    >>> runs_of([7, 7, 9])
    [(7, 2), (9, 3)]
    """
    following = [*lsns[1:], None]
    return [(lsn, stop) for lsn, after, stop in zip(lsns, following, count(1)) if lsn != after]


def picked_runs(runs: Runs | None, rows: int, picked: int, pick: Pick) -> Runs | None:
    """The runs after `pick` kept `picked` of the `rows` rows, in their order.

    Cost: nothing to speak of for one run; a bisection per run while runs are long, else
    one pass over the rows.
    """
    if runs is None or not picked:
        return None if runs is None else []
    if len(runs) == 1:
        return [(runs[0][0], picked)]
    if len(runs) * 4 > rows:
        return runs_of(pick(lsns_of(runs)))
    kept = pick(range(rows))
    return nonempty((lsn, bisect_left(kept, stop)) for lsn, stop in runs)


def cut_runs(runs: Runs | None, start: int, stop: int) -> Runs | None:
    """The runs of rows [start, stop). Costs a bisection, and a step per run cut out.

    >>> cut_runs([(7, 2), (8, 3), (9, 6)], 1, 4)
    [(7, 1), (8, 2), (9, 3)]
    """
    if runs is None:
        return None
    out: Runs = []
    if stop <= start:
        return out
    for lsn, end in islice(runs, bisect_right(runs, start, key=itemgetter(1)), None):
        out.append((lsn, min(end, stop) - start))
        if end >= stop:
            break
    return out


def nonempty(runs: Iterable[tuple[int, int]]) -> Runs:
    """Only the runs that hold rows; stops at or before 0 count as 0."""
    out: Runs = []
    before = 0
    for lsn, stop in runs:
        if stop > before:
            out.append((lsn, stop))
            before = stop
    return out


def joined_runs(parts: Sequence[tuple[Runs, int]]) -> Runs:
    """The runs of batches laid end to end, given (runs, row count) of each.

    >>> joined_runs([([(7, 2)], 2), ([(7, 1), (8, 2)], 2)])
    [(7, 3), (8, 4)]
    """
    out: Runs = []
    base = 0
    for runs, rows in parts:
        for lsn, stop in runs:
            if out and out[-1][0] == lsn:
                out.pop()
            out.append((lsn, base + stop))
        base += rows
    return out
