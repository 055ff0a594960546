"""Fan-in: rows of several edges in the order of (LSN, rank)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kappa.batch import Batch
from kappa.batch.runs import runs_of


def merge(edges: Sequence[Sequence[Batch]], *, ranked: bool) -> list[Batch]:
    """One ordered list of batches out of one per edge.

    Args:
        edges: batches in LSN order, by port.
        ranked: every batch has ranks. Then the order is (LSN, rank, port); else it is
            (LSN, port), which is the same where the edges come from different sources.

    Cost: a sort over (LSN, …) where LSNs of two edges mix; none where one edge is empty.
    """
    full = [(port, list(batches)) for port, batches in enumerate(edges) if batches]
    if not full:
        return []
    if len(full) == 1:
        port, batches = full[0]
        return [on_port(batch, port, ranked) for batch in batches]
    parts = [on_port(batch, port, ranked) for port, batches in full for batch in batches]
    if not ranked and in_order(parts):
        return parts
    return [ordered(parts, ranked)]


def on_port(batch: Batch, port: int, ranked: bool) -> Batch:
    """The batch as it enters a port, its ranks extended by the branch."""
    entered = batch.marked(port=0, output="")
    if ranked and batch.ranks is not None:
        entered.ranks = [(*rank, port) for rank in batch.ranks]
    return entered


def in_order(batches: Sequence[Batch]) -> bool:
    """Whether the batches follow each other without an LSN in two of them.

    All rows of an append reach a step in one batch, whatever else the unit holds: a session
    window judges them together.
    """
    last = None
    for batch in batches:
        runs = batch.runs or []
        if last is not None and runs[0][0] <= last:
            return False
        last = runs[-1][0]
    return True


def ordered(batches: Sequence[Batch], ranked: bool) -> Batch:
    """All rows in one batch, by LSN and rank; equal ones stay in the order given."""
    lsns = [lsn for batch in batches for lsn in batch.lsns()]
    for batch in batches:
        batch.runs = None  # the copies made by `on_port`; LSNs are put back below
    together = Batch.concat(batches)
    keys: Sequence[Any] = lsns
    if ranked and together.ranks is not None:
        keys = list(zip(lsns, together.ranks, strict=True))
    order = sorted(range(together.count), key=keys.__getitem__)
    result = together.take(order)
    result.runs = runs_of([lsns[index] for index in order])
    return result
