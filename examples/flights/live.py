"""The live run of the demo, in a process of its own so that it can be killed.

    python -m examples.flights.live DIRECTORY

Runs version 1 until it is told to stop. The wall time of its clock stays at zero: the
log stamps nothing earlier than its last append, so all of it stays in the year 2013.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from examples.flights.history import HistoryClock
from examples.flights.pipeline import wrong
from kappa import Log


def main(directory: str) -> None:
    """Runs until SIGTERM, then stops at a checkpoint."""
    with Log(directory, clock=HistoryClock()) as log:
        running = wrong.start(log, checkpoint_every="2s")

        def stop(number: int, frame: FrameType | None) -> None:
            running.stop()

        signal.signal(signal.SIGTERM, stop)
        running.wait()


if __name__ == "__main__":
    main(sys.argv[1])
