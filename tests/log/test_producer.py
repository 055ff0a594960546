"""R3, idempotent append: epochs, sequences in both modes, repeats and their results.

Method: drafts committed by hand for the rules, then `Producer` on top of them. A repeat is
also asked for long after the log forgot it, so that the journal has to answer.
"""

from __future__ import annotations

from typing import Any

import pytest
from crash.workload import open_log

from kappa.errors import ConfigError, OutputDiffers, ProducerFenced, SequenceError
from kappa.log import Draft, Log, ProducerHandle, encode_body
from kappa.log.catalog import KEPT_RESULTS
from kappa.log.memory import MemoryFiles
from kappa.time import ManualClock


def new_log() -> Log:
    log = Log.memory(clock=ManualClock(1_000))
    log.create_topic("a", partitions=2)
    return log


def draft(handle: ProducerHandle, first: int, last: int, value: Any = "v", **more: Any) -> Draft:
    body = encode_body([0], [value])
    return Draft([(1, 0, body)], (), handle.index, handle.epoch, first, last, **more)


def values(log: Log) -> list[Any]:
    return [record.value for record in log.read("a")]


# ---- the rules


@pytest.mark.parametrize("mode", ["monotone", "dense"])
def test_a_repeat_returns_the_first_result_and_changes_nothing(mode: Any) -> None:
    log = new_log()
    handle = log.open_producer("p", mode=mode)
    first = [log.commit([draft(handle, n, n, n)])[0] for n in range(3)]
    before = log.end_lsn
    again = [log.commit([draft(handle, n, n, n)])[0] for n in range(3)]
    assert again == [result._replace(duplicate=True) for result in first]
    assert (log.end_lsn, values(log)) == (before, [0, 1, 2])


def test_dense_sequences_have_no_gap_and_monotone_may() -> None:
    log = new_log()
    dense, monotone = log.open_producer("d", mode="dense"), log.open_producer("m")
    log.commit([draft(dense, 5, 7)])
    with pytest.raises(SequenceError, match="9 cannot follow 7"):
        log.commit([draft(dense, 9, 9)])
    log.commit([draft(dense, 8, 9)])
    log.commit([draft(monotone, 5, 7)])
    log.commit([draft(monotone, 90, 95)])
    repeat = log.commit([draft(monotone, 40, 41)])[0]
    assert repeat.duplicate
    assert log.catalog.producers["m"].last == 95


def test_a_partial_overlap_is_refused() -> None:
    log = new_log()
    handle = log.open_producer("p")
    log.commit([draft(handle, 1, 10)])
    with pytest.raises(SequenceError, match="5 to 12 overlap those appended, which end at 10"):
        log.commit([draft(handle, 5, 12)])
    with pytest.raises(SequenceError):
        log.commit([draft(handle, 12, 11)])
    assert log.commit([draft(handle, 3, 4)])[0].duplicate


def test_opening_again_fences_the_one_before() -> None:
    log = new_log()
    old = log.open_producer("p")
    log.commit([draft(old, 1, 1)])
    new = log.open_producer("p")
    assert (new.index, new.epoch) == (old.index, old.epoch + 1)
    with pytest.raises(ProducerFenced, match="'p' was opened again with epoch 2"):
        log.commit([draft(old, 2, 2)])
    with pytest.raises(ProducerFenced):
        log.commit([Draft((), ((1, 5),), old.index, old.epoch)])
    assert log.commit([draft(new, 1, 1)])[0].duplicate
    with pytest.raises(ConfigError, match="was opened as monotone"):
        log.open_producer("p", mode="dense")


def test_made_again_with_other_content_is_said() -> None:
    log = new_log()
    handle = log.open_producer("hot-items@1")
    log.commit([draft(handle, 1, 1, "then", origin=7)])
    with pytest.raises(
        OutputDiffers, match=r"answers LSN 7 \(to a; 1 rows now, 1 then\)"
    ) as raised:
        log.commit([draft(handle, 1, 1, "now", origin=7)])
    assert raised.value.lsn == 3
    for other in (
        Draft((), ((1, 9),), handle.index, handle.epoch, 1, 1),
        draft(handle, 1, 1, "then")._replace(claims=((1, 9),)),
        draft(handle, 1, 1, "then", flags=1),
    ):
        with pytest.raises(OutputDiffers):
            log.commit([other])
    assert log.commit([draft(handle, 1, 1, "now", checked=False)])[0].duplicate


def test_the_content_check_does_not_depend_on_the_codec() -> None:
    log = new_log()
    handle = log.open_producer("p")
    rows = [{"x": "y" * 2_000}] * 100
    plain, packed = encode_body([0] * 100, rows), encode_body([0] * 100, rows, codec="zlib")
    assert plain.data != packed.data
    for body in (plain, packed):
        log.commit([Draft([(1, 0, body)], (), handle.index, handle.epoch, 1, 1)])
    assert log.end_lsn == 3


def test_one_refused_draft_refuses_all_of_its_commit() -> None:
    log = new_log()
    handle = log.open_producer("p")
    log.commit([draft(handle, 1, 1)])
    before = (log.end_lsn, log.end_offset("a", 0), log.catalog.producers["p"].last)
    with pytest.raises(OutputDiffers):
        log.commit([draft(handle, 2, 2), draft(handle, 3, 3), draft(handle, 1, 1, "other")])
    assert (log.end_lsn, log.end_offset("a", 0), log.catalog.producers["p"].last) == before
    assert not log.commit([draft(handle, 2, 2)])[0].duplicate


def test_a_repeat_within_one_commit() -> None:
    log = new_log()
    handle = log.open_producer("p")
    one, two = log.commit([draft(handle, 1, 1), draft(handle, 1, 1)])
    assert (one.lsn, two.lsn, two.duplicate) == (3, 3, True)


@pytest.mark.parametrize("reopen", [False, True])
def test_repeats_from_long_ago_are_found_in_the_journal(reopen: bool) -> None:
    files = MemoryFiles()
    log = open_log(files, journal_bytes=4_000)
    log.create_topic("a")
    handle = log.open_producer("p")
    total = 6 * KEPT_RESULTS
    drafts = [draft(handle, 10 * n, 10 * n + 3, n, origin=n) for n in range(total)]
    first = [log.commit([one])[0] for one in drafts]
    assert len(log.files.names("journal")) > 2
    if reopen:
        log.close()
        log = open_log(files)
        handle = log.open_producer("p")
        drafts = [one._replace(epoch=handle.epoch) for one in drafts]
    end = log.end_lsn
    wanted = [result._replace(duplicate=True) for result in first]
    assert log.commit(drafts) == wanted
    for n in (total - 1, 3, 200, 0):
        without = drafts[n]._replace(origin=None)
        assert log.commit([without]) == [wanted[n]]
        assert log.commit([without._replace(first=10 * n + 1, last=10 * n + 2)]) == [wanted[n]]
    assert log.end_lsn == end
    with pytest.raises(OutputDiffers):
        log.commit([draft(handle, 20, 23, "other", origin=2)])


# ---- Producer


def test_a_producer_appends_in_batches_and_counts_on() -> None:
    log = new_log()
    with log.producer("a", id="loader", batch=3) as producer:
        for n in range(7):
            producer.send(n)
        assert values(log) == [0, 1, 2, 3, 4, 5]
    assert values(log) == list(range(7))
    sequences = [(entry.first, entry.last) for entry in log.entries(2)]
    assert sequences == [(0, 2), (3, 5), (6, 6)]
    with log.producer("a", id="loader") as producer:
        assert producer.last_sequence == 6
        producer.send("on")
    assert log.catalog.producers["loader"].last == 7


def test_a_loader_starts_behind_its_last_sequence_whatever_its_batches() -> None:
    log = new_log()
    lines = [f"line {n}" for n in range(20)]
    for stop, batch in ((7, 3), (13, 5), (20, 4)):
        with log.producer("a", id="file", batch=batch, mode="dense") as producer:
            for number, line in enumerate(lines[:stop]):
                producer.send(line, sequence=number)
    assert sorted(values(log)) == sorted(lines)
    assert producer.repeated == 13


def test_a_flush_that_was_interrupted_is_safe_to_repeat() -> None:
    log = new_log()
    producer = log.producer("a", id="p")
    producer.send("x")
    store, commit = producer._store, producer._store.commit

    def interrupted(drafts: Any) -> Any:
        commit(drafts)
        raise KeyboardInterrupt

    store.commit = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        producer.flush()
    del store.commit
    result = producer.flush()
    assert result is not None and result.duplicate
    assert values(log) == ["x"]


@pytest.mark.parametrize("sequence", [5, 4, 1.5, "6"])
def test_sequences_that_do_not_follow(sequence: Any) -> None:
    log = new_log()
    producer = log.producer("a", id="p")
    producer.send("x", sequence=5)
    with pytest.raises((SequenceError, ConfigError)):
        producer.send("y", sequence=sequence)


def test_a_producer_without_an_id_only_batches() -> None:
    log = new_log()
    with log.producer("a", batch=2) as producer:
        assert producer.last_sequence is None
        with pytest.raises(ConfigError, match="needs a producer with an id"):
            producer.send("x", sequence=1)
        for n in range(3):
            producer.send(n, key=f"k{n}", time=n)
    assert [(r.key, r.time) for r in log.read("a")] != []
    assert {(r.key, r.time) for r in log.read("a")} == {(f"k{n}", n) for n in range(3)}


def test_an_error_leaves_the_batch_unsent() -> None:
    log = new_log()
    with pytest.raises(RuntimeError), log.producer("a", id="p") as producer:
        producer.send("x")
        raise RuntimeError
    assert values(log) == []


def test_keys_and_times_come_with_all_records_or_none() -> None:
    log = Log.memory()
    log.create_topic("t", time="t", key="k")
    producer = log.producer("t")
    producer.send({"t": 1, "k": 1}, time=5)
    producer.send({"t": 1, "k": 1})
    with pytest.raises(ConfigError, match="send time= with all records of t, or none"):
        producer.flush()
