"""Sources that bring records into the log while a pipeline runs: files, for example.

A feed is a description in a source's spec. What it brings is appended to the source's topic
before a run reads it, by one run at a time; so the run itself knows only the log.
"""

from __future__ import annotations

import threading

from kappa.errors import LogLocked
from kappa.log import Log
from kappa.plan import Plan, SourceSpec
from kappa.plan.graph import Feed, OpenedFeed

WAIT = "60s"
"""How long a bounded run waits for another one that is loading."""


class Feeds:
    """The feeds of one run.

    Args:
        plan: whose sources may have feeds.
        log: where they append.
        stop: set to stop between two pieces of work.
    """

    def __init__(self, plan: Plan, log: Log, stop: threading.Event) -> None:
        self._log = log
        self._stop = stop
        specs = [step.part for step in plan.sources if isinstance(step.part, SourceSpec)]
        given: list[Feed] = [spec.feed for spec in specs if spec.feed is not None]
        self._feeds: list[tuple[Feed, OpenedFeed]] = [(feed, feed.open(log)) for feed in given]
        self._looked: dict[str, float] = {}

    def load(self) -> None:
        """Brings in everything that is there now."""
        for feed, opened in self._feeds:
            if not self._stop.is_set():
                self._pull(feed, opened, WAIT)

    def beat(self) -> None:
        """Looks again where that is due; another run that is loading is left to it."""
        now = self._log.clock.monotonic()
        for feed, opened in self._feeds:
            every = feed.every_ms
            due = every is not None and (now - self._looked[feed.topic]) * 1000 >= every
            if due and not self._stop.is_set():
                self._pull(feed, opened, 0)

    def _pull(self, feed: Feed, opened: OpenedFeed, wait: str | int) -> None:
        self._looked[feed.topic] = self._log.clock.monotonic()
        try:
            with self._log.lock(f"load {feed.topic}", timeout=wait):
                opened.pull(self._stop)
        except LogLocked:
            if wait:
                raise
