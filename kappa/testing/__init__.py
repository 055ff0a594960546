"""Tests without a server, a sleep or a real clock.

`run` takes a pipeline and rows and gives back rows, over a log in memory. `Harness` drives
one operator by hand, with a clock of its own, and can stop it and go on from its snapshot.
"""

from kappa.testing.harness import Emitted, Harness
from kappa.testing.memory import Heartbeat, fill, run
from kappa.time import ManualClock

__all__ = ["Emitted", "Harness", "Heartbeat", "ManualClock", "fill", "run"]
