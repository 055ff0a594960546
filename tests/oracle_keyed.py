"""The oracle's steps that keep rows of a key: top, over-windows, patterns.

Like `oracle_steps` it imports nothing of the engine and computes everything anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oracle_steps import POS, Ranked, Row, Step, aggregates, key_of
from pattern_model import Watcher

Key = tuple[Any, ...]


def best_of(rows: list[Row], by: str, n: int, ties: bool) -> list[tuple[int, Row]]:
    """The rows with the largest values and their places; equal ones stay in order."""
    ordered = sorted(rows, key=lambda row: -row[by])
    found = []
    for number, row in enumerate(ordered, start=1):
        better = sum(one[by] > row[by] for one in ordered)
        place = better + 1 if ties else number
        if place <= n:
            found.append((place, row))
    return found


class TopStep(Step):
    """All rows of a key are kept; the best before and after a record are compared."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.kept: dict[Key, list[tuple[int, Row]]] = {}

    def best(self, key: Key) -> list[tuple[int | None, Row]]:
        rows = [row for _, row in self.kept.get(key, [])]
        found = best_of(rows, self.node.by, self.node.n, self.node.ties)
        return [(place if self.node.ranked else None, row) for place, row in found]

    def told(self, place: int | None, row: Row, gone: bool | None) -> Row:
        made = dict(row)
        if gone is not None:
            made["retraction"] = gone
        return made if place is None else {**made, "place": place}

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        out: list[Ranked] = []
        for rank, time, row in rows:
            key = key_of(row, self.node.keys)
            old = self.best(key)
            self._take(key, time, row)
            if self.node.final:
                continue
            new = self.best(key)
            changes = [(True, place, one) for place, one in old if not _in(new, place, one)]
            changes += [(False, place, one) for place, one in new if not _in(old, place, one)]
            if self.node.ranked:
                changes.sort(key=lambda change: (change[1], not change[0]))
            for number, (gone, place, one) in enumerate(changes):
                out.append(((*rank, number), time, self.told(place, one, gone)))
        return out

    def _take(self, key: Key, time: int, row: Row) -> None:
        kept = self.kept.setdefault(key, [])
        own = {name: value for name, value in row.items() if name != "retraction"}
        if row.get("retraction"):
            for index, (_, one) in enumerate(kept):
                if one == own:
                    del kept[index]
                    return
        else:
            kept.append((time, own))

    def advance(self, after: int) -> list[tuple[int, Key, int, Row]]:
        if after < POS or not self.node.final:
            return []
        fired = []
        for key, kept in sorted(self.kept.items()):
            times = {id(row): time for time, row in kept}
            for place, row in self.best(key):
                fired.append((POS, key, times[id(row)], self.told(place, row, None)))
        self.kept = {}
        return fired


def _in(found: list[tuple[int | None, Row]], place: int | None, row: Row) -> bool:
    return any(other == place and one is row for other, one in found)


class WindowTopStep(Step):
    """A window that shows all its rows, of which the best are taken."""

    def __init__(self, node: Any, opened: Callable[[Any], Step]) -> None:
        self.window = opened(node.window)
        self.window.result = self._result  # type: ignore[method-assign]
        super().__init__(node)

    @property
    def late(self) -> list[Ranked]:
        return self.window.late

    @late.setter
    def late(self, rows: list[Ranked]) -> None:
        self.window.late = rows

    def _result(self, key: Key, window: tuple[int, int], items: list[Any]) -> Row:
        rows = [row for _, _, row in sorted(items, key=lambda item: item[:2])]
        bounds = dict(zip(("window_start", "window_end"), window, strict=True))
        best = best_of(rows, self.node.by, self.node.n, self.node.ties)
        ranked = self.node.ranked
        return {
            "best": [
                {**row, **bounds, **({"place": place} if ranked else {})} for place, row in best
            ]
        }

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        return [
            ((*rank, number), time, one)
            for rank, time, row in self.window.rows(rows, before)
            for number, one in enumerate(row["best"])
        ]

    def advance(self, after: int) -> list[tuple[int, Key, int, Row]]:
        return [
            (due, key, time, one)
            for due, key, time, row in self.window.advance(after)
            for one in row["best"]
        ]


class WaitingStep(Step):
    """Takes rows by event time, then arrival, as the watermark passes; others are late."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.waiting: list[tuple[int, int, Row]] = []

    def rows(self, rows: list[Ranked], before: int) -> list[Ranked]:
        for rank, time, row in rows:
            if time <= before:
                self.late.append((rank, time, {**row, "late_by": before - time + 1}))
            else:
                self.waiting.append(self.arrive(time, row))
        return []

    def passed(self, after: int) -> list[tuple[int, int, Row]]:
        due = sorted((item for item in self.waiting if item[0] <= after), key=lambda i: i[:2])
        self.waiting = [item for item in self.waiting if item[0] > after]
        return due


class OverStep(WaitingStep):
    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.known: dict[Key, list[tuple[int, int, Row]]] = {}

    def advance(self, after: int) -> list[tuple[int, Key, int, Row]]:
        due = self.passed(after)
        fired = []
        for item in due:
            self.known.setdefault(key_of(item[2], self.node.keys), []).append(item)
        for time, arrival, row in due:
            key = key_of(row, self.node.keys)
            seen = [one for one in self.known[key] if one[:2] <= (time, arrival)]
            if self.node.span is None:
                frame = seen[-self.node.rows :]
            else:
                low = time - self.node.span
                frame = [one for one in self.known[key] if low < one[0] <= time]
            fired.append((time, key, time, {**row, **aggregates(self.node.aggs, frame)}))
        return sorted(fired, key=lambda made: made[:2])


class PatternStep(WaitingStep):
    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.watchers: dict[Key, Watcher] = {}

    def advance(self, after: int) -> list[tuple[int, Key, int, Row]]:
        node = self.node
        for time, _, row in self.passed(after):
            key = key_of(row, node.keys)
            if key not in self.watchers:
                self.watchers[key] = Watcher(node.variables, node.within, node.skip)
            self.watchers[key].add(time, row)
        fired = []
        for key, watcher in self.watchers.items():
            if after >= POS:
                watcher.close()
            else:
                watcher.pass_(after)
            for instant, match in watcher.told:
                rows = [watcher.rows[index][1] for _, index in match]
                made = dict(zip(node.keys, key, strict=True))
                fired.append((instant, key, instant, {**made, **node.result(rows, match)}))
            watcher.told = []
        return sorted(fired, key=lambda made: made[:2])
