"""Where the rows of a batch come from: their times, LSNs, ranks and hidden columns.

What was picked from another batch keeps that one and the pick, and makes the rest when it
is asked for: behind a step that keeps only its own state, nobody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kappa.batch.runs import Pick, Runs, lsns_of, picked_runs
from kappa.errors import InternalError
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

Columns = dict[str, list[Any]]
LATER: Final[Any] = object()
"""Stands in a slot for what is made from the origin when it is asked for."""


class Places:
    """The rows of a batch without their content.

    Attributes:
        count: number of rows.
        watermark: the watermark before these rows, the right one for all of them.
        port: the input of the step they arrive at.
        output: "" for the main output, else a side's name.
        checked: the event times are known to be ones that the log takes.
    """

    __slots__ = (
        "_hidden",
        "_max_time",
        "_min_time",
        "_origin",
        "_pick",
        "_ranks",
        "_runs",
        "_times",
        "_times_of",
        "checked",
        "count",
        "output",
        "port",
        "watermark",
    )

    def __init__(self, times: list[int], runs: Runs | None) -> None:
        self._times: list[int] | None = times
        self._times_of: Callable[[], list[int]] | None = None
        self.count = len(times)
        self.checked = False
        self.watermark = MINUS_INFINITY
        self.port = 0
        self.output = ""
        self._runs = runs
        self._ranks: list[tuple[Any, ...]] | None = None
        self._hidden: Columns = {}
        self._min_time: int | None = None
        self._max_time: int | None = None
        self._origin: Any = None
        self._pick: Pick | None = None

    def _picked_from(self, origin: Places, pick: Pick) -> None:
        """Makes these the places that `pick` leaves of another batch's."""
        self._origin, self._pick = origin, pick
        self._runs = LATER
        self._ranks = None if origin._ranks is None else LATER
        self._hidden = LATER if origin._hidden is LATER or origin._hidden else {}
        self.watermark, self.port = origin.watermark, origin.port
        self.checked = origin.checked

    def _same_as(self, origin: Places) -> None:
        """Makes these the places of another batch, apart from its times and output."""
        self._origin, self._pick = origin._origin, origin._pick
        self._runs, self._ranks, self._hidden = origin._runs, origin._ranks, origin._hidden
        self.watermark, self.port = origin.watermark, origin.port
        self.checked = origin.checked

    @property
    def times(self) -> list[int]:
        """Event time of each row, ms since the epoch."""
        if self._times is None:
            assert self._times_of is not None
            self._times = self._times_of()
        return self._times

    @times.setter
    def times(self, times: list[int]) -> None:
        self._times, self._min_time, self._max_time = times, None, None
        self.checked = False

    def later(self, count: int, times_of: Callable[[], list[int]]) -> None:
        """Has the event times made when they are asked for.

        Args:
            count: number of rows.
            times_of: gives them.
        """
        self._times, self._times_of, self.count = None, times_of, count

    def _fitting(self, values: list[Any]) -> list[Any]:
        if len(values) != self.count:
            raise InternalError(f"{len(values)} values for the {self.count} rows of a batch")
        return values

    @property
    def runs(self) -> Runs | None:
        """[(lsn, stop row), ...] ascending; None on a batch just fired."""
        if self._runs is LATER:
            origin = self._origin
            assert self._pick is not None
            self._runs = picked_runs(origin.runs, origin.count, self.count, self._pick)
        return self._runs

    @runs.setter
    def runs(self, runs: Runs | None) -> None:
        self._runs = runs

    @property
    def ranks(self) -> list[tuple[Any, ...]] | None:
        """The rank of each row within its LSN; only where something depends on order."""
        if self._ranks is LATER:
            assert self._pick is not None
            ranks = self._origin.ranks
            self._ranks = None if ranks is None else self._pick(ranks)
        return self._ranks

    @ranks.setter
    def ranks(self, ranks: list[tuple[Any, ...]] | None) -> None:
        self._ranks = ranks

    @property
    def hidden(self) -> Columns:
        """Columns of where a record came from ("offset", ...), only if the plan asks."""
        if self._hidden is LATER:
            assert self._pick is not None
            pick = self._pick
            self._hidden = {name: pick(part) for name, part in self._origin.hidden.items()}
        return self._hidden

    @hidden.setter
    def hidden(self, hidden: Columns) -> None:
        self._hidden = hidden

    def lsns(self) -> list[int]:
        """The LSN of every row."""
        runs = self.runs
        if runs is None:
            raise InternalError("the batch has been fired but not stamped with an LSN")
        return lsns_of(runs)

    @property
    def min_time(self) -> int:
        """The earliest event time; plus infinity if there are no rows."""
        if self._min_time is None:
            self._min_time = min(self.times, default=PLUS_INFINITY)
        return self._min_time

    @property
    def max_time(self) -> int:
        """The latest event time; minus infinity if there are no rows."""
        if self._max_time is None:
            self._max_time = max(self.times, default=MINUS_INFINITY)
        return self._max_time

    def bounded(self, low: int, high: int) -> None:
        """Takes the earliest and latest event time from whoever knows them already.

        They know as well that all times are ones that the log takes.
        """
        self._min_time, self._max_time, self.checked = low, high, True

    def __len__(self) -> int:
        return self.count
