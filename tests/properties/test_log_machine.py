"""A log against a list, with reopening, crashes and power cuts among the moves.

Method: a state machine. The model is the list of appends that were made, each a list of
(topic, value, time, key), and how many of them are promised to be durable. A power cut may
take a suffix of what was not; the model then forgets it too. A second handle on the same
folder stands for another process.
"""

from __future__ import annotations

from typing import Any

from crash.disks import PowerFiles, copy_of
from crash.test_log_faults import on_power
from crash.workload import open_log
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from kappa.codec import stable_hash
from kappa.errors import OutputDiffers, ProducerFenced
from kappa.log import LSN, Draft, Log, ProducerHandle, encode_body

TOPICS = {"plain": 1, "keyed": 3, "spread": 2}

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), min_size=1, max_size=4)
topics = st.sampled_from(sorted(TOPICS))


class LogMachine(RuleBasedStateMachine):
    """See the module."""

    log: Log
    other: Log | None = None

    @initialize(fsync=st.sampled_from(["always", "never"]))
    def create(self, fsync: str) -> None:
        self.options: dict[str, Any] = {"fsync": fsync, "segment_bytes": 200, "journal_bytes": 900}
        self.disk = PowerFiles()
        self.log = open_log(self.disk, **self.options)
        for name, partitions in TOPICS.items():
            key = "k" if name == "keyed" else None
            self.log.create_topic(name, partitions=partitions, key=key, time="t")
        self.producer: ProducerHandle = self.log.open_producer("p")
        self.log.sync()
        self.appends: list[tuple[int, list[tuple[str, dict[str, int]]]]] = []
        self.sequences: dict[int, tuple[int, int]] = {}
        self.last = 0
        self.durable = 0

    # What is done to the log.

    def made(self, lsn: int, written: list[tuple[str, dict[str, int]]]) -> None:
        self.appends.append((lsn, written))
        if self.options["fsync"] == "always":
            self.durable = len(self.appends)

    def handle(self, second: bool) -> Log:
        if second and self.other is None:
            self.other = open_log(self.disk, **self.options)
        return self.other if second and self.other is not None else self.log

    @rule(topic=topics, drawn=rows, second=st.booleans())
    def append(self, topic: str, drawn: list[tuple[int, int]], second: bool) -> None:
        values = [{"k": k, "t": t} for k, t in drawn]
        result = self.handle(second).append(topic, values)
        self.made(result.lsn, [(topic, value) for value in values])

    @rule(drawn=st.dictionaries(topics, rows, min_size=1), second=st.booleans())
    def append_many(self, drawn: dict[str, list[tuple[int, int]]], second: bool) -> None:
        values = {name: [{"k": k, "t": t} for k, t in found] for name, found in drawn.items()}
        result = self.handle(second).append_many(values)
        self.made(result.lsn, [(name, value) for name in values for value in values[name]])

    @rule(gap=st.integers(1, 3), value=st.integers(0, 9))
    def deliver(self, gap: int, value: int) -> None:
        sequence = self.last + gap
        result = self.log.commit([self.draft(sequence, value)])[0]
        assert not result.duplicate
        self.sequences[sequence] = (value, result.lsn)
        self.last = sequence
        self.made(result.lsn, [("plain", {"k": value, "t": value})])

    def draft(self, sequence: int, value: int) -> Draft:
        body = encode_body([value], [{"k": value, "t": value}])
        topic = self.log.topic("plain").id
        name = (self.producer.index, self.producer.epoch)
        return Draft([(topic, 0, body)], (), *name, sequence, sequence)

    @precondition(lambda self: self.sequences)
    @rule(data=st.data(), differ=st.booleans())
    def deliver_again(self, data: st.DataObject, differ: bool) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.sequences)))
        value, lsn = self.sequences[sequence]
        before = self.log.end_lsn
        try:
            result = self.log.commit([self.draft(sequence, value + differ)])[0]
            assert (result.duplicate, result.lsn, differ) == (True, lsn, False)
        except OutputDiffers:
            assert differ
        assert self.log.end_lsn == before

    @rule()
    def open_producer_again(self) -> None:
        old, self.producer = self.producer, self.log.open_producer("p")
        try:
            self.log.commit([Draft((), (), old.index, old.epoch)])
            raise AssertionError("not fenced")
        except ProducerFenced:
            pass

    @rule(second=st.booleans())
    def sync(self, second: bool) -> None:
        self.handle(second).sync()
        self.durable = len(self.appends)

    # What happens to it.

    @rule()
    def reopen(self) -> None:
        self.log.close()
        if self.other is not None:
            self.other.close()
            self.other = None
        self.durable = len(self.appends)
        self.open_again()
        assert not self.log.recovery.reason

    @rule()
    def kill(self) -> None:
        """The process dies; the machine goes on."""
        pending = self.disk
        self.disk = on_power(copy_of(pending))
        self.durable = len(self.appends)
        self.open_again()
        assert not self.log.recovery.reason

    @rule(data=st.data())
    def cut_power(self, data: st.DataObject) -> None:
        images = list(self.disk.images(sampled=4))
        image = data.draw(st.sampled_from(images))
        self.disk = on_power(image)
        self.open_again()
        kept = [append for append in self.appends if append[0] <= self.log.recovery.lsn]
        assert len(kept) >= self.durable
        self.appends = kept
        end = self.log.recovery.lsn
        self.sequences = {s: found for s, found in self.sequences.items() if found[1] <= end}
        self.last = max(self.sequences, default=0)
        self.producer = self.log.open_producer("p")
        self.log.sync()
        self.durable = len(kept)

    def open_again(self) -> None:
        self.other = None
        self.log = open_log(self.disk, **self.options)
        self.producer = self.log.open_producer("p")
        self.log.sync()

    # What must hold.

    @invariant()
    def the_log_is_the_list(self) -> None:
        if not hasattr(self, "appends"):
            return
        for log in (self.log, self.other):
            if log is not None:
                self.check(log)

    def check(self, log: Log) -> None:
        offsets: dict[tuple[str, int], int] = {}
        for name in TOPICS:
            wanted = [
                (lsn, value) for lsn, all in self.appends for topic, value in all if topic == name
            ]
            found = list(log.read(name))
            assert sorted((r.lsn, r.value["k"], r.value["t"]) for r in found) == sorted(
                (lsn, value["k"], value["t"]) for lsn, value in wanted
            )
            assert [r.lsn for r in found] == sorted(r.lsn for r in found)
            for record in found:
                place = (name, record.partition)
                assert record.offset == offsets.get(place, 0)
                offsets[place] = record.offset + 1
                assert record.time == record.value["t"]
                if name == "keyed":
                    assert record.partition == stable_hash(record.key) % TOPICS[name]
        for (name, partition), end in offsets.items():
            assert log.end_offset(name, partition) == end

    @precondition(lambda self: self.appends)
    @rule(data=st.data(), topic=topics)
    def read_from_a_place(self, data: st.DataObject, topic: str) -> None:
        whole = list(self.log.read(topic))
        lsn = data.draw(st.integers(0, self.log.end_lsn + 1))
        assert list(self.log.read(topic, start=LSN(lsn))) == [r for r in whole if r.lsn >= lsn]
        partition = data.draw(st.integers(0, TOPICS[topic] - 1))
        offset = data.draw(st.integers(0, 8))
        assert list(self.log.read(topic, partition=partition, start=offset)) == [
            r for r in whole if r.partition == partition and r.offset >= offset
        ]


LogMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLog = LogMachine.TestCase
