"""How one stateful step takes in a unit: several LSNs at once, unless that could show.

Law (R1): the output equals taking in one LSN after the other, where every record of an
LSN is judged against the watermark before it and then the watermark moves. Several LSNs
x..y are taken in at once only if nothing is due at W(y-1) and `bound` of the oldest
record lies above W(y-1), so that no record can be late and nothing can fire in between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from kappa.batch import Batch
from kappa.operators.contract import Instance, Operator
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

FIRED = 1
FIRED_ON_APPEND = -1


class Driver:
    """Drives one stateful instance and holds its watermark.

    Args:
        operator: the description, for `bound`.
        instance: what it opened into.
        index: the step's place, which ranks what it fires.
        ranked: give ranks to fired rows.
    """

    def __init__(self, operator: Operator, instance: Instance, index: int, ranked: bool) -> None:
        self.operator = operator
        self.instance = instance
        self.index = index
        self.ranked = ranked
        self.watermark = MINUS_INFINITY

    def levels(self, marks: Sequence[int | None]) -> list[int]:
        """The step's own watermark after each LSN: it never goes back, and idleness holds it."""
        level = self.watermark
        result = []
        for mark in marks:
            if mark is not None and mark > level:
                level = mark
            result.append(level)
        return result

    def run(
        self,
        batches: Sequence[Batch],
        levels: Sequence[int],
        lsns: Sequence[int],
        append_times: Sequence[int],
    ) -> list[Batch]:
        """Takes in the batches of a unit, in order, and fires what becomes due."""
        if self.operator.uses_append_time:
            outputs = self._one_by_one(batches, levels, lsns, append_times)
        elif self._at_once(batches, levels):
            outputs = self._take(batches, levels[-1], lsns[-1])
        else:
            outputs = self._cut(batches, levels, lsns)
        self.watermark = levels[-1]
        return outputs

    def _at_once(self, batches: Sequence[Batch], levels: Sequence[int]) -> bool:
        if len(levels) == 1:
            return True
        before_last = levels[-2]
        if self.instance.due() <= before_last:
            return False
        return not batches or self.operator.bound(min(b.min_time for b in batches)) > before_last

    def _take(self, batches: Iterable[Batch], level: int, lsn: int) -> list[Batch]:
        outputs: list[Batch] = []
        for batch in together(batches):
            batch.watermark = self.watermark
            outputs.extend(self.instance.process(batch))
        if self.instance.due() <= level:
            outputs.extend(self._stamp(self.instance.advance(level), lsn, FIRED))
        return outputs

    def _stamp(self, fired: Iterable[Batch], lsn: int, phase: int) -> Iterator[Batch]:
        for batch in fired:
            if not batch.count:
                continue
            batch.runs = [(lsn, batch.count)]
            if self.ranked and batch.ranks is not None:
                batch.ranks = [(phase, self.index, *order) for order in batch.ranks]
            yield batch

    def _cut(
        self, batches: Sequence[Batch], levels: Sequence[int], lsns: Sequence[int]
    ) -> list[Batch]:
        outputs: list[Batch] = []
        oldest = oldest_by_lsn(batches)
        rows = Rows(batches)
        first = 0
        while first < len(lsns):
            last = self._reach(first, levels, lsns, oldest)
            pieces = list(rows.until(lsns[last]))
            if pieces or self.instance.due() <= levels[last]:
                outputs.extend(self._take(pieces, levels[last], lsns[last]))
            self.watermark = levels[last]
            first = last + 1
        return outputs

    def _reach(
        self, first: int, levels: Sequence[int], lsns: Sequence[int], oldest: dict[int, int]
    ) -> int:
        """The last LSN that may be taken in together with `first`."""
        due = self.instance.due()
        min_time = oldest.get(lsns[first], PLUS_INFINITY)
        bound = self._bound(min_time)
        last = first
        while last + 1 < len(lsns):
            level = levels[last]
            following = oldest.get(lsns[last + 1], PLUS_INFINITY)
            if following < min_time:
                min_time = following
                bound = self._bound(min_time)
            if due <= level or bound <= level:
                break
            last += 1
        return last

    def _bound(self, min_time: int) -> int:
        return PLUS_INFINITY if min_time == PLUS_INFINITY else self.operator.bound(min_time)

    def _one_by_one(
        self,
        batches: Sequence[Batch],
        levels: Sequence[int],
        lsns: Sequence[int],
        append_times: Sequence[int],
    ) -> list[Batch]:
        outputs: list[Batch] = []
        rows = Rows(batches)
        for lsn, level, append_time in zip(lsns, levels, append_times, strict=True):
            if self.instance.append_due() <= append_time:
                fired = self.instance.advance_append(append_time)
                outputs.extend(self._stamp(fired, lsn, FIRED_ON_APPEND))
            outputs.extend(self._take(rows.until(lsn), level, lsn))
            self.watermark = level
        return outputs


class Rows:
    """Batches of a unit, handed out LSN by LSN."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self.at = 0
        self.row = 0

    def until(self, lsn: int) -> Iterator[Batch]:
        """The rows not handed out yet whose LSN is at most `lsn`."""
        while self.at < len(self.batches):
            batch = self.batches[self.at]
            stop = rows_until(batch, lsn)
            if stop > self.row:
                whole = self.row == 0 and stop == batch.count
                yield batch if whole else batch.slice(self.row, stop)
            if stop < batch.count:
                self.row = max(self.row, stop)
                return
            self.at += 1
            self.row = 0


def together(batches: Iterable[Batch]) -> list[Batch]:
    """Batches of which no two hold rows of one LSN: a session judges an arrival as one."""
    joined: list[Batch] = []
    for batch in batches:
        last = joined[-1] if joined else None
        meets = last is not None and last.runs and batch.runs and last.port == batch.port
        if last is not None and meets and last.runs[-1][0] == batch.runs[0][0]:  # type: ignore[index]
            joined[-1] = Batch.concat([last, batch])
        else:
            joined.append(batch)
    return joined


def rows_until(batch: Batch, lsn: int) -> int:
    """How many leading rows of a batch have an LSN of at most `lsn`."""
    runs = batch.runs or []
    after = bisect_right(runs, (lsn, PLUS_INFINITY))
    return runs[after - 1][1] if after else 0


def oldest_by_lsn(batches: Iterable[Batch]) -> dict[int, int]:
    """The smallest event time per LSN."""
    oldest: dict[int, int] = {}
    for batch in batches:
        start = 0
        times = batch.times
        for lsn, stop in batch.runs or ():
            if stop > start:
                low = times[start] if stop == start + 1 else min(times[start:stop])
                oldest[lsn] = min(low, oldest.get(lsn, low))
            start = stop
    return oldest
