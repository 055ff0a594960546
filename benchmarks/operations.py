"""What running for real costs: checkpoints, going on after a stop, records one by one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import ClassVar

from benchmarks.data import Row, chunks
from benchmarks.harness import APPEND, opened, write_bids
from benchmarks.windows import TumblingCounts, Windowed, Windows, listed
from kappa import Log, Tumbling
from kappa.windows import Window

HOUR = 3_600_000


class Checkpoints(Windows):
    """The tumbling count with checkpoints; the other way is the same without."""

    name: ClassVar[str] = "checkpoints"
    does: ClassVar[str] = "tumbling with a checkpoint every 100 ms; to the same replay without any"

    def window(self) -> Window:
        """Of ten seconds."""
        return Tumbling("10s")

    def engine(self) -> int:
        """The version that the replay wrote."""
        return self.replay("100ms")

    def loop(self) -> int:
        """The engine again."""
        return self.replay(None)

    def loop_rows(self, result: int) -> list[Row]:  # type: ignore[override]
        """The rows of that version."""
        return self.engine_rows(result)


class Recovery(Windows):
    """A live run that ended after nine tenths of the log, taken up again to the end."""

    name: ClassVar[str] = "recovery"
    does: ClassVar[str] = "restore, then the last tenth of the log; to a loop over all rows"
    needs_rows = True

    def window(self) -> Window:
        """One for all rows, so that every key is in the state."""
        return Tumbling(HOUR)

    def prepare(self) -> None:
        """A log of which a run has handled nine tenths."""
        rows, folder = self.case.rows, self.case.folder / "before"
        most = len(rows) * 9 // 10
        write_bids(folder, rows[:most])
        with opened(folder) as log:
            self.pipeline().run(log, until_idle=True, checkpoint_every=None)
            for piece in chunks(rows[most:], APPEND):
                log.append("bids", piece)

    def ready(self) -> None:
        """A copy for the next run, as each goes on to the end."""
        folder = self.case.folder / "log"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.case.folder / "before", folder)

    def engine(self) -> int:
        """Opens the log, restores, handles the rest and closes the window."""
        with Log(self.case.folder / "log") as log:
            return self.pipeline().run(log, drain=True, checkpoint_every=None).version

    def loop(self) -> Windowed:
        """Everything from the start."""
        return listed(self.case.rows, HOUR)


class SmallAppends(TumblingCounts):
    """The tumbling count over a log that was written record by record."""

    name: ClassVar[str] = "small_appends"
    does: ClassVar[str] = "tumbling over a log where every record was appended by itself"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 1_000, "real": 100_000}

    def prepare(self) -> None:
        """One append per row."""
        write_bids(self.case.folder / "log", self.case.rows, per_append=1)
