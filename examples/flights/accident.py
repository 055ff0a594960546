"""The accident: in the middle of the year an upstream writes its dates the other way round.

    python -m examples.flights.accident

Every airport reports its departures with a date, as 2013-07-03. For two weeks in July JFK
writes 03/07/2013. The topic's contract catches it at append: those records are set aside
with the reason, and everything else goes on. Then the contract is raised, the dead letters
are mended and replayed, and the days they touch are recomputed. In the end every row is that
of a year without the accident, which is run beside it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from examples.flights import data
from examples.flights.history import HistoryClock
from kappa import Calendar, Log, Pipeline, Tumbling, agg, col
from kappa.contracts.contract import Contract
from kappa.quality import causes, letters_of, replay_letters, set_contract
from kappa.quality.recompute import Replayed
from kappa.time import format_time

TOPIC = "departures"
AIRPORTS = ("EWR", "JFK", "LGA")
WRONG = "JFK"
FIRST, LAST = date(2013, 7, 1), date(2013, 7, 14)
OUTPUTS = ("delays_per_hour", "delays_per_day")

PROMISED: dict[str, Any] = {
    "topic": TOPIC,
    "owner": "airports@example.com",
    "fields": {
        "date": {"type": "str", "format": "%Y-%m-%d"},
        "origin": {"type": "str"},
        "scheduled": {"type": "int", "min": 0},
        "delay": {"type": "int", "nullable": True, "min": -120},
    },
}

Row = dict[str, Any]


def pipeline() -> Pipeline:
    """Delays per airport, by the hour and by New York's days."""
    delays = Pipeline("airport-delays")
    departures = delays.source(TOPIC, out_of_orderness="4h", idle_after="6h").key_by("origin")
    aggregates = {
        "flights": agg.count(),
        "cancelled": agg.count(where=col("delay").is_null()),
        "mean_delay": agg.mean("delay"),
    }
    departures.window(Tumbling("1h")).aggregate(aggregates).named("hours").to(OUTPUTS[0])
    days = departures.window(Calendar("day", zone="America/New_York"))
    days.aggregate(aggregates).named("days").to(OUTPUTS[1])
    return delays


def mend(row: Row) -> Row:
    """The repair: the date as it should have been written."""
    return {**row, "date": datetime.strptime(row["date"], "%d/%m/%Y").strftime("%Y-%m-%d")}


@dataclass(frozen=True)
class Year:
    """A log that the airports write, one append for each airport and half-hour."""

    log: Log
    clock: HistoryClock

    @classmethod
    def create(cls, folder: Path) -> Year:
        """A log with the topic and its contract, as of the beginning of the year."""
        clock = HistoryClock()
        clock.time_ms = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp() * 1000)
        log = Log(folder, clock=clock, fsync="never")
        log.create_topic(TOPIC, partitions=3, key="origin", time="scheduled")
        set_contract(log, Contract.from_plain(PROMISED))
        return cls(log, clock)

    def load(self, slots: Iterable[data.Slot], *, accident: bool) -> None:
        """Appends what the airports report; with the accident, JFK's dates are turned."""
        producers = {
            name: self.log.producer(TOPIC, id=f"airport-{name}", batch=100_000) for name in AIRPORTS
        }
        for slot in slots:
            self.clock.time_ms = slot.end
            for row in slot.departures:
                day = datetime.fromtimestamp(row["scheduled"] / 1000, data.ZONE).date()
                turned = accident and row["origin"] == WRONG and FIRST <= day <= LAST
                text = day.strftime("%d/%m/%Y" if turned else "%Y-%m-%d")
                producers[row["origin"]].send({**row, "date": text})
            for producer in producers.values():
                producer.flush()


def final(log: Log, topic: str) -> dict[tuple[str, int], Row]:
    """The last row of each airport and window: later ones correct those before."""
    rows = (record.value for record in log.read(topic))
    return {(row["origin"], row["window_start"]): row for row in rows}


def different(one: Log, other: Log) -> dict[str, int]:
    """How many airports and windows two logs disagree on, per output.

    Up to the last window that is closed in both: the repair itself is heard of, and may close
    the newest ones a little sooner.
    """
    found = {}
    for name in OUTPUTS:
        left, right = final(one, f"{name}@1"), final(other, f"{name}@1")
        newest = min(max(start for _, start in rows) for rows in (left, right))
        places = [at for at in left.keys() | right.keys() if at[1] <= newest]
        found[name] = sum(1 for at in places if left.get(at) != right.get(at))
    return found


def repair(log: Log) -> Replayed:
    """The contract is raised, the letters are replayed, the days recomputed."""
    fields = {**PROMISED["fields"], "origin": {"type": "str", "values": list(AIRPORTS)}}
    set_contract(log, Contract.from_plain({**PROMISED, "fields": fields}))
    return replay_letters(log, TOPIC, pipeline=pipeline(), mend=mend)


def told(one: Year, other: Year, slots: Sequence[data.Slot]) -> Iterable[str]:
    """The story, line by line: one year with the accident, the other without."""
    middle = int(datetime.combine(LAST, datetime.min.time(), data.ZONE).timestamp() * 1000)
    broken, fine = one.log, other.log
    one.load((slot for slot in slots if slot.end <= middle), accident=True)
    pipeline().run(broken, until_idle=True)
    (cause,) = causes(broken, TOPIC)
    yield f"on {LAST} waiting: {cause}"
    one.load((slot for slot in slots if slot.end > middle), accident=True)
    other.load(slots, accident=False)
    pipeline().run(broken, until_idle=True)
    pipeline().run(fine, until_idle=True)
    through = sum(broken.end_offset(TOPIC, number) for number in range(3))
    yield f"{through:,} departures went through; nothing stopped"
    before = different(broken, fine)
    yield "wrong now: " + ", ".join(f"{count:,} rows of {name}" for name, count in before.items())
    done = repair(broken)
    assert done.results is not None
    yield f"replayed: {done.records.appended:,} records, under contract {TOPIC}@2"
    first, last = done.results.spans[0][0], done.results.spans[-1][1]
    yield f"recomputed: {format_time(first)[:10]} to {format_time(last)[:10]}, and no other day"
    corrected = done.results.corrected.items()
    yield "corrected: " + ", ".join(f"{count:,} rows of {name}" for name, count in corrected)
    after = different(broken, fine)
    verdict = "equal to" if not any(after.values()) else f"NOT {after}"
    yield f"{verdict} a year without the accident"
    waiting = sum(1 for letter in letters_of(broken, TOPIC) if letter.outcome is None)
    yield f"{waiting} dead letters wait"


def main(slots: Sequence[data.Slot] | None = None) -> int:
    """Runs the story; returns the exit code."""
    slots = data.slots() if slots is None else slots
    with tempfile.TemporaryDirectory() as folder:
        broken, fine = Year.create(Path(folder) / "broken"), Year.create(Path(folder) / "fine")
        lines = []
        for line in told(broken, fine, slots):
            print(line, flush=True)
            lines.append(line)
        broken.log.close()
        fine.log.close()
    return 0 if "equal to a year without the accident" in lines else 1


if __name__ == "__main__":
    sys.exit(main())
