"""What an external sink is: a frozen description that opens into one small instance.

`Stream.sink(description)` ends a stream outside the log: in files, a lake, a database. The
effect is there exactly once, whatever crashes, because an instance keeps these laws:

1. It gets the rows that one LSN caused, LSN by LSN, and what it makes of them depends on
   nothing else: not on how much is read at once, when a checkpoint falls, or what crashed.
   A file is closed by what is in it, by LSNs, by time in the log; never by a checkpoint.
2. What it has to remember between two checkpoints lives in the handles of its state.
3. `prepare` comes at a checkpoint: it stages what is complete, durably and where nobody
   sees it, and returns plain values that the checkpoint keeps. The log is synced before.
4. `commit` comes once the checkpoint is durable: it makes visible what was staged, and
   keeps the `Mark` beside the data. It may come again for the same values, after a crash,
   and then changes nothing.
5. The mark beats the checkpoint. If an older checkpoint has to be taken up, rows come again
   that are visible already: an instance writes nothing twice that its mark covers.

A bounded run ends in `finish` and one more `commit`, whose mark says `closed`: now also the
rows are visible that closing all windows gave. If a live run goes on from there, `reopen`
takes them back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple
from zlib import crc32

from kappa.batch import Batch
from kappa.schemas import Schema
from kappa.state import StepState
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

WRITE = "write"
OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a sink keeps beside its data: whose it is, and how far it has come.

    Args:
        owner: the version whose rows they are, "pipeline@2".
        made: the LSN at which that version was made; a version made anew has another.
        lsn: all that LSNs up to this one caused, and that was complete, is visible.
        chain_crc: of the log at `lsn`, so that rows of another log are told from one's own.
        closed: the rows that closing all windows gave are visible, too.
    """

    owner: str
    made: int
    lsn: int
    chain_crc: int
    closed: bool = False


@dataclass(slots=True)
class SinkContext:
    """What an instance may touch; given by the runtime.

    Args:
        step: the step's name, the address of its state.
        state: handles that are part of the checkpoint.
        owner: the version that writes, "pipeline@2".
        made: the LSN at which that version was made.
        mode: "write" adds rows; "overwrite" replaces whole partitions at the end.
        since, until: the event times of the rows that will come, ms.
        end_lsn: the last LSN of a bounded run; 0 for one that goes on.
        target: the version whose place the rows go to; an overwrite has an owner of its own.
        params: values of the pipeline's parameters.
        schema: of the rows, where they come from a topic as they are and it has one.
    """

    step: str
    state: StepState
    owner: str
    made: int = 0
    mode: str = WRITE
    since: int = MINUS_INFINITY
    until: int = PLUS_INFINITY
    end_lsn: int = 0
    target: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    schema: Schema | None = None


class Partition(NamedTuple):
    """Rows that are replaced together: those of event times in [start, end)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Change:
    """What an overwrite did to one partition.

    Args:
        partition: its name, "date=2013-03-01".
        before, after: its rows as they were and as they are, without what is equal.
        same: number of equal rows.
        left: why it was left as it was; "" if it was not.
    """

    partition: str
    before: Sequence[Any] = ()
    after: Sequence[Any] = ()
    same: int = 0
    left: str = ""


class SinkInstance:
    """An opened sink. Subclasses override what they need and nothing else."""

    def mark(self) -> Mark | None:
        """The mark beside the data; None if there is no data yet."""
        return None

    def write(self, lsn: int, append_time: int, batch: Batch) -> None:
        """Takes the rows that one LSN caused, in their order; LSNs ascend."""
        raise NotImplementedError

    def advance(self, lsn: int, append_time: int, watermark: int) -> None:
        """Says that an LSN is through, and how far event time has come; after its rows."""

    def cut(self, lsn: int, since: int, until: int) -> None:
        """Closes what is open of event times in a range: a backfill takes over up to `lsn`.

        It comes at the same place between two LSNs in every run, and again after a crash.
        """

    def prepare(self) -> Any:
        """Stages, durably, all that is complete; returns what the checkpoint keeps of it."""
        return None

    def finish(self, lsn: int, append_time: int, batch: Batch | None) -> Any:
        """Like `prepare` at the end of a bounded run, where everything is complete.

        Args:
            lsn, append_time: the last that came, which `prepare` has been called for.
            batch: the rows that closing all windows gave, or None.
        """
        if batch is not None:
            self.write(lsn, append_time, batch)
        return self.prepare()

    def check(self, staged: Any) -> None:
        """Looks whether `commit` would be refused, before any sink of an overwrite commits.

        Raises:
            SinkError: it would be.
        """

    def commit(self, staged: Any, mark: Mark) -> None:
        """Makes visible what was staged, and keeps the mark; again is the same as once."""

    def discard(self) -> None:
        """Removes what an earlier making of this version wrote."""

    def writer(self) -> str:
        """The owner whose rows are added to what lies there, or ""."""
        return ""

    def share(self) -> None:
        """Says, to an overwrite, that a live run goes on writing here.

        Partitions that the watermark has not passed are left to it.
        """

    def changes(self) -> Sequence[Change]:
        """What the last `commit` of an overwrite did, partition by partition."""
        return ()

    def reopen(self) -> None:
        """Takes back what became visible only because all windows were closed."""

    def close(self) -> None:
        """Lets go of what `open` took."""


class Sink:
    """A sink's description: frozen, comparable, printable; it knows no runtime.

    Subclasses are frozen dataclasses. A field with `metadata=PLACE` says where the data
    lies: it is no part of what a version is bound to, so a folder may be moved.

    Attributes:
        reaches_outside: what it does cannot be taken back or told apart when done twice;
            a replay leaves it out unless asked for.
    """

    kind: ClassVar[str] = "sink"
    reaches_outside: ClassVar[bool] = False

    @property
    def target(self) -> str:
        """Where the rows go; two sinks of a pipeline may not share it. "" for nowhere fixed."""
        return ""

    @property
    def label(self) -> str:
        """A short word for where the rows go, part of the step's default name."""
        return ""

    @property
    def required(self) -> frozenset[str] | None:
        """The fields it writes; None for all."""
        return None

    def partition_of(self, time: int) -> Partition | None:
        """The partition of an event time; None if partitions by time cannot be replaced."""
        return None

    def open(self, context: SinkContext) -> SinkInstance:
        """The instance for one run, on the state that `context` holds."""
        raise NotImplementedError

    def describe(self) -> str:
        """One line for `explain`."""
        return "visible at each checkpoint"


def lock_of(target: str, version: int) -> str:
    """The name of the lock, in the log, that who changes what a sink has written holds.

    Args:
        target: of the sink; a path however it is spelled.
        version: whose number stands for "{version}" in it.

    >>> lock_of("lake/v{version}", 2) == lock_of("./lake/v2", 7)
    True
    """
    place = target.replace("{version}", str(version))
    if "://" not in place:
        place = os.path.abspath(place)  # noqa: PTH100  # links stay
    return f"sink {crc32(place.encode()):08x}"


PLACE: Mapping[str, bool] = {"place": True}
"""Metadata of a field that says where data lies."""
