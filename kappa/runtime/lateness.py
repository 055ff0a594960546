"""Log lines about late records, so that they are seen where nobody reads the side "late"."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from kappa.plan import Plan
from kappa.time import Clock

LATE = "late"
NOTHING: Mapping[str, int] = {}

logger = logging.getLogger("kappa.runtime")

LATE_LINE_SECONDS = 60.0
"""A step's late records are told at once, then at most so often."""


class LateLines:
    """Says how many records came too late, at most one line per step and `every` seconds.

    Steps whose side "late" goes somewhere are left out: whoever sent it there looks there.

    Args:
        plan: of the run.
        counters: per step name, of which "late" is read.
        clock: that of the log.
        every: seconds between two lines about a step.

    Cost: with `look`, a few dictionary lookups per step.
    """

    def __init__(
        self,
        plan: Plan,
        counters: Mapping[str, Mapping[str, int]],
        clock: Clock,
        *,
        every: float = LATE_LINE_SECONDS,
    ) -> None:
        self._pipeline = plan.pipeline
        read = {edge.node for step in plan.steps for edge in step.inputs if edge.output == LATE}
        self._steps = [step.name for step in plan.steps if step.index not in read]
        self._counters = counters
        self._clock = clock
        self._every = every
        self._told: dict[str, tuple[int, float]] = {}

    def look(self, lsn: int, *, last: bool = False) -> None:
        """Tells of what is new up to an LSN, if it is time to, or for the last time."""
        for step in self._steps:
            count = self._counters.get(step, NOTHING).get(LATE, 0)
            if not count:
                continue
            told, when = self._told.get(step, (0, 0.0))
            if count == told:
                continue
            now = self._clock.monotonic()
            if last or not told or now - when >= self._every:
                self._told[step] = count, now
                self._say(step, count - told, lsn)

    def _say(self, step: str, count: int, lsn: int) -> None:
        logger.warning(
            '%s: %s for step %r up to LSN %d; side("late") gives them,'
            " more out_of_orderness= or lateness= takes them in",
            self._pipeline,
            "1 record came late" if count == 1 else f"{count:,} records came late",
            step,
            lsn,
        )
