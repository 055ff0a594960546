"""as_of_join: each row meets the version of its key that was valid at its event time.

A probe (left row) is answered once the watermark reaches its event time: then every version
up to that time is known. It meets the newest version whose time is at or before its own; of
two versions of one time the later to arrive counts. A tombstone ends a version.

A probe at or before the watermark is answered at the end of its LSN from the versions that
are kept; where none of them is old enough, it goes to the side "late".

Kept, per key: probes that wait; versions behind the watermark, and the newest one at or
before it (with `within`, only while a probe behind the watermark may meet it).

Source: the temporal join of SQL:2011 system-versioned tables, FOR SYSTEM_TIME AS OF.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple

from kappa.batch import Batch
from kappa.codec import encode_key, sort_keys
from kappa.errors import ConfigError
from kappa.operators.contract import ALL_HISTORY, Fields, Instance, Names, Operator, OperatorContext
from kappa.operators.forgetting import Forgetting
from kappa.operators.join import LATE
from kappa.operators.joined import Joined, is_null
from kappa.operators.ports import LEFT
from kappa.operators.signs import REMOVED
from kappa.time import format_duration

HOW = ("inner", "left")
TIME = itemgetter(0)


@dataclass(frozen=True)
class AsOfJoin(Operator):
    """Rows with the version of their key as of their event time. Inputs come through `Port`.

    Args:
        shape: condition and fields of the result.
        how: "inner", or "left" to keep rows without a version.
        within: how old a version may be, in ms, inclusive; None for any age.

    Raises:
        ConfigError: `how` is neither.
    """

    shape: Joined
    how: str = "inner"
    within: int | None = None

    kind: ClassVar[str] = "as_of_join"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    sides: ClassVar[tuple[str, ...]] = (LATE,)

    def __post_init__(self) -> None:
        if self.how not in HOW:
            raise ConfigError(f"as_of_join: how is {self.how!r}: give one of {', '.join(HOW)}")

    @property
    def margin_before(self) -> int | None:
        """How old a version may be."""
        if self.within is None or any(self.shape.learns(self.how)):
            return ALL_HISTORY
        return self.within

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return AsOf(self, context)

    def required(self, wanted: Fields) -> Fields:
        """Of either input, the same as of the left one."""
        return self.shape.required(LEFT, wanted)

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """The fields of one input."""
        return self.shape.required(port, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the result."""
        return self.shape.yields()

    def bound(self, min_time: int) -> int:
        """When a row of that time is answered, or a version replaces those before it."""
        return min_time

    def describe(self) -> str:
        """What it keeps, and for how long."""
        names = " and ".join((self.shape.left_key.name, self.shape.right_key.name))
        age = "" if self.within is None else f", at most {format_duration(self.within)} old"
        return (
            f"{self.how} join by {names} as of event time: keeps rows until the watermark reaches"
            f" them, and per key the versions behind it and the newest one before it{age}"
        )


class Answer(NamedTuple):
    """A probe that is due and what it meets."""

    probe: list[Any]
    version: Any
    output: str


class AsOf(Instance):
    """Waiting probes as [time, row, late_by], versions as [time, row or None], both ascending."""

    def __init__(self, operator: AsOfJoin, context: OperatorContext) -> None:
        self._context = context
        self._within = operator.within
        self._outer = operator.how == "left"
        self._joining = operator.shape.open(context, operator.how)
        self._probes = context.state.keyed("probes")
        self._versions = context.state.keyed("versions")
        self._look = Forgetting(self._times)

    def _times(self) -> Iterable[tuple[int, Any]]:
        for key, probes in self._probes.items():
            for probe in probes:
                yield probe[0], key
        for key, versions in self._versions.items():
            for version in versions:
                for time in self._looks(version[0]):
                    yield time, key

    def _looks(self, time: int) -> Sequence[int]:
        """When a version replaces older ones, and when it is too old itself."""
        return (time,) if self._within is None else (time, time + self._within + 1)

    # -- records -----------------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Takes probes and versions in; answers come with the watermark."""
        look, watermark = self._look.adder(), batch.watermark
        self._joining.learn(batch.rows())
        for row, time in zip(batch.rows(), batch.times):
            port, key = row[0], row[1]
            if port == LEFT:
                late_by = watermark + 1 - time if time <= watermark else 0
                self._wait(key, [time, row[2], late_by])
                look(time, key)
            elif not is_null(key):
                gone = len(row) > 3 and row[3] == REMOVED
                self._learn(key, time, None if gone else row[2])
                for at in self._looks(time):
                    look(at, key)
        return ()

    def _wait(self, key: Any, probe: list[Any]) -> None:
        waiting = self._probes.touch(key)
        if waiting is None:
            self._probes.put(key, [probe])
        else:
            waiting.insert(bisect_right(waiting, probe[0], key=TIME), probe)

    def _learn(self, key: Any, time: int, row: Any) -> None:
        versions = self._versions.touch(key)
        if versions is None:
            self._versions.put(key, [[time, row]])
            return
        at = bisect_left(versions, time, key=TIME)
        if at < len(versions) and versions[at][0] == time:
            versions[at] = [time, row]
        else:
            versions.insert(at, [time, row])

    # -- answers -----------------------------------------------------------------------------

    def due(self) -> int:
        """When the next probe can be answered, or a version goes."""
        return self._look.due()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Answers the probes up to the watermark, then lets go of what no other will meet."""
        found: dict[tuple[int, Any, int], Answer] = {}
        for key in self._look.pop(watermark):
            waiting = self._probes.get(key) or ()
            count = bisect_right(waiting, watermark, key=TIME)
            for number, probe in enumerate(waiting[:count]):
                answer = self._answer(key, probe)
                if answer is not None:
                    found[probe[0], key, number] = answer
            if count == len(waiting):
                self._probes.delete(key)
            elif count:
                self._probes.put(key, waiting[count:])
            self._prune(key, watermark)
        return self._fired(found) if found else ()

    def _answer(self, key: Any, probe: list[Any]) -> Answer | None:
        versions = [] if is_null(key) else self._versions.get(key) or []
        at = bisect_right(versions, probe[0], key=TIME) - 1
        if at < 0 and probe[2] and not is_null(key):
            return Answer(probe, None, LATE)
        row = None
        if at >= 0:
            time, row = versions[at]
            if self._within is not None and probe[0] - time > self._within:
                row = None
        return Answer(probe, row, "") if row is not None or self._outer else None

    def _prune(self, key: Any, watermark: int) -> None:
        versions = self._versions.get(key)
        if versions is None:
            return
        first = max(0, bisect_right(versions, watermark, key=TIME) - 1)
        time, row = versions[first]
        old = self._within is not None and watermark - time > self._within
        if time <= watermark and (row is None or old):
            first += 1  # a tombstone hides nothing that is left; what is too old meets nobody
        if first == len(versions):
            self._versions.delete(key)
        elif first:
            self._versions.put(key, versions[first:])

    def _fired(self, found: dict[tuple[int, Any, int], Answer]) -> list[Batch]:
        places = sort_keys(list(found))
        out: list[Batch] = []
        for output in ("", LATE):
            mine = [place for place in places if found[place].output == output]
            if mine:
                made = self._batch(mine, [found[place] for place in mine])
                out += self._late(made) if output else self._joining.rows(made)
        return out

    def _batch(self, places: list[tuple[Any, ...]], answers: list[Answer]) -> Batch:
        order: list[tuple[Any, ...]] | None = None
        if self._context.ranked:
            order = [(time, encode_key(key), number) for time, key, number in places]
        columns = self._joining.columns(
            [answer.probe[1] for answer in answers], [answer.version for answer in answers]
        )
        columns["late_by"] = [answer.probe[2] for answer in answers]
        return Batch.fired(times=[place[0] for place in places], columns=columns, order=order)

    def _late(self, pairs: Batch) -> list[Batch]:
        self._context.count(LATE, pairs.count)
        rows = [
            {**row, "late_by": by} for row, by in zip(pairs.column("left"), pairs.column("late_by"))
        ]
        return [pairs.with_rows(rows).marked(output=LATE)]
