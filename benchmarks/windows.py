"""Windows: count, sum and max per key, from the log on disk against rows in memory.

Guards the generated loops of `kappa.operators.window_kernels`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from benchmarks.data import BOUND, Row
from benchmarks.harness import Workload, opened, read_rows
from kappa import Pipeline, Session, Sliding, Tumbling, agg
from kappa.windows import Window

SIZE, SLIDE = 10_000, 2_000

Windowed = list[tuple[Any, int, int, list[int]]]


class Windows(Workload):
    """Replays the log through one window step into a topic."""

    def window(self) -> Window:
        """The windows of the workload."""
        raise NotImplementedError

    def pipeline(self) -> Pipeline:
        """Count, sum and max."""
        pipeline = Pipeline(self.name)
        (
            pipeline.source("bids", out_of_orderness=BOUND)
            .key_by("auction")
            .window(self.window())
            .aggregate(bids=agg.count(), total=agg.sum("price"), high=agg.max("price"))
            .named("totals")
            .to("totals")
        )
        return pipeline

    def replay(self, every: str | None) -> int:
        """Replays into the next version, with a checkpoint every so often."""
        with opened(self.case.folder / "log") as log:
            return self.pipeline().replay(log, checkpoint_every=every).version

    def engine(self) -> int:
        """The version that the replay wrote."""
        return self.replay(None)

    def engine_rows(self, result: int) -> list[Row]:
        """The rows of that version."""
        return read_rows(self.case.folder / "log", "totals", result)

    def loop_rows(self, result: Windowed) -> Iterable[Row]:
        """The loop's as rows."""
        for key, start, end, (bids, total, high) in result:
            yield {
                "auction": key,
                "window_start": start,
                "window_end": end,
                "bids": bids,
                "total": total,
                "high": high,
            }


class TumblingCounts(Windows):
    """One window per record."""

    name: ClassVar[str] = "tumbling"
    does: ClassVar[str] = (
        "count, sum and max per key and 10 s; to a dict per window, and to one dict"
    )

    def window(self) -> Window:
        """Of ten seconds."""
        return Tumbling(SIZE)

    def loop(self) -> Windowed:
        """A dict per window."""
        return listed(self.case.rows, SIZE)

    def others(self) -> Mapping[str, Callable[[], Any]]:
        """The shorter loop, with one dict."""
        return {"one dict": self._one_dict}

    def _one_dict(self) -> Any:
        totals: dict[tuple[Any, int], list[int]] = {}
        for row in self.case.rows:
            place = row["auction"], row["ts"] // SIZE
            found = totals.get(place)
            if found is None:
                totals[place] = [1, row["price"], row["price"]]
            else:
                found[0] += 1
                found[1] += row["price"]
                found[2] = max(found[2], row["price"])
        return totals


def listed(rows: Iterable[Row], size: int) -> Windowed:
    """The result of `cells`, one by one."""
    return [
        (key, start, start + size, found)
        for start, content in cells(rows, size).items()
        for key, found in content.items()
    ]


def cells(rows: Iterable[Row], size: int) -> dict[int, dict[Any, list[int]]]:
    """Count, sum and max of the price, by cell of event time and auction."""
    windows: dict[int, dict[Any, list[int]]] = {}
    for row in rows:
        ts = row["ts"]
        start = ts - ts % size
        window = windows.get(start)
        if window is None:
            window = windows[start] = {}
        key, price = row["auction"], row["price"]
        found = window.get(key)
        if found is None:
            window[key] = [1, price, price]
        else:
            found[0] += 1
            found[1] += price
            if price > found[2]:
                found[2] = price
    return windows


class SlidingSlices(Windows):
    """Five windows per record."""

    name: ClassVar[str] = "sliding"
    does: ClassVar[str] = "the same over 10 s every 2 s; to a loop with slices, and a naive one"

    def window(self) -> Window:
        """Of ten seconds, every two."""
        return Sliding(SIZE, SLIDE)

    def loop(self) -> Windowed:
        """A dict per slice of two seconds, put together at the end."""
        slices = cells(self.case.rows, SLIDE)
        out: Windowed = []
        for start in range(min(slices) + SLIDE - SIZE, max(slices) + SLIDE, SLIDE):
            window: dict[Any, list[int]] = {}
            for low in range(start, start + SIZE, SLIDE):
                for key, (bids, total, high) in slices.get(low, {}).items():
                    found = window.get(key)
                    if found is None:
                        window[key] = [bids, total, high]
                    else:
                        found[0] += bids
                        found[1] += total
                        if high > found[2]:
                            found[2] = high
            out += [(key, start, start + SIZE, found) for key, found in window.items()]
        return out

    def others(self) -> Mapping[str, Callable[[], Any]]:
        """Each record added to each of its windows."""
        return {"naive": self._naive}

    def _naive(self) -> Any:
        windows: dict[tuple[Any, int], list[int]] = {}
        for row in self.case.rows:
            ts, price = row["ts"], row["price"]
            last = ts - ts % SLIDE
            for start in range(last, last - SIZE, -SLIDE):
                found = windows.get((row["auction"], start))
                if found is None:
                    windows[row["auction"], start] = [1, price, price]
                else:
                    found[0] += 1
                    found[1] += price
                    if price > found[2]:
                        found[2] = price
        return windows


class Sessions(Windows):
    """Windows that records stretch."""

    name: ClassVar[str] = "session"
    does: ClassVar[str] = "the same per session; about one record in fifty begins one"

    @property
    def gap(self) -> int:
        """Four times the mean time between two bids of an auction."""
        return 4 * self.case.keys

    def window(self) -> Window:
        """Of that gap."""
        return Session(self.gap)

    def loop(self) -> Windowed:
        """Sessions per key as a list in order of time; nearly all rows meet the last."""
        gap = self.gap
        sessions: dict[Any, list[list[int]]] = {}
        for row in self.case.rows:
            key, ts, price = row["auction"], row["ts"], row["price"]
            known = sessions.get(key)
            if known is None:
                sessions[key] = [[ts, ts + gap, 1, price, price]]
                continue
            last = known[-1]
            if last[0] <= ts < last[1]:
                last[2] += 1
                last[3] += price
                if price > last[4]:
                    last[4] = price
                if ts + gap > last[1]:
                    last[1] = ts + gap
            elif ts >= last[1]:
                known.append([ts, ts + gap, 1, price, price])
            else:
                joined(known, [ts, ts + gap, 1, price, price])
        return [
            (key, start, end, [bids, total, high])
            for key, known in sessions.items()
            for start, end, bids, total, high in known
        ]


def joined(known: list[list[int]], one: list[int]) -> None:
    """Puts a session among others in order of time, together with those that it meets."""
    at = bisect_left(known, one)
    while at and known[at - 1][1] > one[0]:
        at -= 1
    while at < len(known) and known[at][0] < one[1]:
        other = known.pop(at)
        one = [
            min(one[0], other[0]),
            max(one[1], other[1]),
            one[2] + other[2],
            one[3] + other[3],
            max(one[4], other[4]),
        ]
    known.insert(at, one)
