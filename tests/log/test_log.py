"""The log's face: topics, append, read, times, keys, limits, locks.

Method: small logs in memory with a clock that stands still; every law beside its refusal.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from crash.workload import open_log

from kappa.codec import stable_hash
from kappa.errors import (
    ConfigError,
    LogError,
    LogLocked,
    RecordRefused,
    UnknownTopic,
)
from kappa.log import LSN, Draft, Log, Written, encode_body
from kappa.log.memory import MemoryFiles
from kappa.time import MINUS_INFINITY, ManualClock


def new_log(**options: Any) -> Log:
    return Log.memory(clock=ManualClock(1_000), **options)


def values(log: Log, topic: str, **options: Any) -> list[Any]:
    return [record.value for record in log.read(topic, **options)]


# ---- topics


def test_a_topic_is_what_it_was_created_as() -> None:
    log = new_log()
    made = log.create_topic("bids", partitions=3, key=["a", "b"], time="t", codec="zlib")
    assert made == log.topic("bids") == log.topics()[0]
    assert (made.partitions, made.key, made.time, made.codec) == (3, ("a", "b"), "t", "zlib")
    assert (
        log.create_topic(
            "bids", partitions=3, key=("a", "b"), time="t", codec="zlib", if_exists="ok"
        )
        == made
    )


def test_a_topic_that_exists_is_refused_unless_it_is_equal() -> None:
    log = new_log()
    log.create_topic("bids", partitions=3)
    with pytest.raises(ConfigError, match="bids exists"):
        log.create_topic("bids", partitions=3)
    with pytest.raises(ConfigError, match="partitions is 3, not 4"):
        log.create_topic("bids", partitions=4, if_exists="ok")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a@2", "x" * 201, "..", "ä", 7, None])
def test_names_that_are_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="1 to 200"):
        new_log().create_topic(name)


@pytest.mark.parametrize(
    "options",
    [
        {"partitions": 0},
        {"partitions": 1.5},
        {"partitions": 10_001},
        {"key": ""},
        {"key": []},
        {"time": 7},
        {"codec": "lz4"},
        {"version": 0},
        {"retention_bytes": -1},
        {"max_future_skew": "soon"},
        {"if_exists": "maybe"},
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any]) -> None:
    log = new_log()
    with pytest.raises(ConfigError):
        log.create_topic("a", **options)
    assert not log.topics()


def test_versions_are_found_by_name_and_through_the_alias() -> None:
    log = new_log()
    for version in (1, 2):
        log.create_topic("delays", version=version, owner=f"p@{version}")
    assert log.topic("delays@2").full_name == "delays@2"
    assert log.topic(("delays", 1)).version == 1
    with pytest.raises(UnknownTopic, match="delays@1, delays@2, and none is promoted"):
        log.topic("delays")
    log.control("alias", {"outputs": {"delays": 2}})
    assert log.topic("delays").version == 2
    log.control("alias", {"outputs": {"delays": 1}})
    assert (log.topic("delays").version, log.catalog.earlier["delays"]) == (1, [2])
    log.control("alias", {"outputs": {"delays": 2}, "rollback": True})
    assert (log.topic("delays").version, log.catalog.earlier["delays"]) == (2, [])
    with pytest.raises(ConfigError, match="alias"):
        log.create_topic("delays")
    with pytest.raises(ConfigError, match=r"written by p@2 alone"):
        log.append("delays@2", [1])


def test_an_unknown_topic_names_what_there_is() -> None:
    log = new_log()
    with pytest.raises(UnknownTopic, match="no topics yet"):
        log.read("bids")
    log.create_topic("asks")
    with pytest.raises(UnknownTopic, match="there are asks"):
        log.append("bids", [1])


def test_a_topic_deleted_and_made_again_is_another() -> None:
    log = new_log()
    first = log.create_topic("a")
    log.append("a", [1])
    log.delete_topic("a")
    assert not any("000001/" in name for name in log.files.files)  # type: ignore[attr-defined]
    with pytest.raises(UnknownTopic):
        log.read("a")
    second = log.create_topic("a")
    assert second.id > first.id
    log.append("a", [2])
    assert [(record.offset, record.value) for record in log.read("a")] == [(0, 2)]
    with pytest.raises(UnknownTopic, match="deleted"):
        log.commit([Draft([(first.id, 0, encode_body([1], [1]))])])
    assert values(log, "a") == [2]


# ---- append and read


def test_every_append_has_the_next_lsn_and_dense_offsets() -> None:
    log = new_log()
    log.create_topic("a", partitions=2)
    results = [log.append("a", [n, n]) for n in range(4)]
    assert [result.lsn for result in results] == [2, 3, 4, 5]
    assert [result.offsets for result in results] == [
        (Written("a", 0, 0, 2),),
        (Written("a", 1, 0, 2),),
        (Written("a", 0, 2, 2),),
        (Written("a", 1, 2, 2),),
    ]
    assert log.end_offset("a", 0) == 4
    records = list(log.read("a"))
    assert [record.lsn for record in records] == [2, 2, 3, 3, 4, 4, 5, 5]
    assert records[0]._asdict() == {
        "topic": "a", "partition": 0, "offset": 0, "lsn": 2, "time": 1_000, "key": None, "value": 0,
    }  # fmt: skip


def test_an_append_to_several_topics_is_one() -> None:
    log = new_log()
    log.create_topic("a", partitions=2, key="k")
    log.create_topic("b")
    result = log.append_many({"a": [{"k": n} for n in range(4)], "b": ["x"]})
    assert {written.topic for written in result.offsets} == {"a", "b"}
    assert {record.lsn for topic in "ab" for record in log.read(topic)} == {result.lsn}
    before = log.end_lsn
    with pytest.raises(RecordRefused):
        log.append_many({"b": ["y"], "a": [{"no": "key"}]})
    assert (log.end_lsn, values(log, "b")) == (before, ["x"])


def test_keys_pick_the_partition_and_are_not_stored_twice() -> None:
    log = new_log()
    log.create_topic("one", partitions=4, key="k")
    log.create_topic("two", partitions=4, key=["k", "l"])
    log.create_topic("given", partitions=4)
    rows = [{"k": n, "l": "x"} for n in range(20)]
    log.append("one", rows)
    log.append("two", rows)
    log.append("given", rows, key=lambda row: ("made", row["k"]))
    log.append("given", rows[:2], key=["a", "b"])
    log.append("given", rows[:2], key="all")
    for topic, key in (("one", lambda row: row["k"]), ("two", lambda row: (row["k"], "x"))):
        for record in log.read(topic):
            assert record.key == key(record.value)
            assert record.partition == stable_hash(record.key) % 4
    given = list(log.read("given"))
    assert {record.key for record in given[:20]} == {("made", n) for n in range(20)}
    assert sorted(record.key for record in given[20:]) == ["a", "all", "all", "b"]


@pytest.mark.parametrize("key", [float("nan"), [1], datetime(2020, 1, 1)])
def test_keys_that_are_refused(key: Any) -> None:
    log = new_log()
    log.create_topic("a", partitions=2, key="k")
    with pytest.raises(RecordRefused, match="record 1 for a"):
        log.append("a", [{"k": 1}, {"k": key}])


def test_event_times_of_every_form() -> None:
    log = new_log()
    log.create_topic("field", time="t")
    log.create_topic("none")
    aware = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    log.append("field", [{"t": 5}, {"t": aware}, {"t": "1970-01-01T00:00:01+00:00"}])
    assert [record.time for record in log.read("field")] == [5, 1577829600000, 1000]
    assert values(log, "field")[1] == {"t": aware}
    log.append("none", [1])
    log.append("none", [2, 3], time=[7, aware])
    log.append("none", [4], time=lambda value: value * 10)
    log.append("none", [5], time="1970-01-02")
    assert [record.time for record in log.read("none")] == [1000, 7, 1577829600000, 40, 86400000]


@pytest.mark.parametrize("time", [datetime(2020, 1, 1), 1.5, None, "soon", 10**18, True])
def test_event_times_that_are_refused(time: Any) -> None:
    log = new_log()
    log.create_topic("a", time="t")
    with pytest.raises(RecordRefused, match="record 0 for a"):
        log.append("a", [{"t": time}])
    with pytest.raises(RecordRefused, match=r"no field 't', which is the topic's time; it has x"):
        log.append("a", [{"x": 1}])
    assert log.end_lsn == 1


def test_records_from_the_future_are_dead_letters() -> None:
    log = new_log()
    log.create_topic("a", time="t", key="k", max_future_skew="1s")
    result = log.append("a", [{"k": 1, "t": 2_000}, {"k": 2, "t": 2_001}, {"k": 3, "t": 5}])
    assert result.dead_letters == 1
    assert [value["k"] for value in values(log, "a")] == [1, 3]
    (letter,) = log.read("a.dead_letters")
    assert letter.lsn == result.lsn
    assert letter.value["record"] == {"k": 2, "t": 2_001}
    assert letter.value["topic"] == "a"
    assert "1001 ms ahead" in letter.value["error"]
    assert log.append("a", [{"k": 4, "t": 9_999}]).dead_letters == 1
    part = [part for entry in log.entries(0) for part in entry.parts if part.topic_id == 2]
    assert max(p.max_time for p in part) == 2_000


def test_lag_is_the_largest_time_before_minus_the_least() -> None:
    log = new_log()
    log.create_topic("a", time="t")
    for times in ([10, 30], [25, 50], [50]):
        log.append("a", [{"t": time} for time in times])
    lags = [part.lag for entry in log.entries(1) for part in entry.parts]
    assert lags == [MINUS_INFINITY - 10, 5, 0]


def test_an_empty_append_is_a_tick_and_a_heartbeat_a_claim() -> None:
    log = new_log()
    topic = log.create_topic("a")
    log.append("a", [])
    log.heartbeat("a", 70)
    with log.producer("a", id="p") as producer:
        producer.heartbeat("1970-01-01T00:00:01+00:00")
    ticks = [entry for entry in log.entries(1) if entry.kind == "append"]
    assert [entry.claims for entry in ticks] == [
        ((topic.id, None),),
        ((topic.id, 70),),
        ((topic.id, 1000),),
    ]
    assert [entry.producer for entry in ticks] == [None, None, 0]


def test_append_times_never_go_back() -> None:
    clock = ManualClock(1_000)
    log = Log.memory(clock=clock)
    log.create_topic("a")
    log.append("a", [1])
    clock.advance(-500)
    assert log.append("a", [2]).append_time == 1_000
    assert [record.time for record in log.read("a")] == [1_000, 1_000]


@pytest.mark.parametrize("wrong", ["text", b"bytes", {"a": 1}, 7, None])
def test_append_takes_a_list(wrong: Any) -> None:
    log = new_log()
    log.create_topic("a")
    with pytest.raises(ConfigError, match="a list of records"):
        log.append("a", wrong)
    log.append("a", (n for n in range(3)))
    assert values(log, "a") == [0, 1, 2]


def test_sizes_are_refused_before_anything_is_written() -> None:
    log = new_log(max_record_bytes=100, max_append_bytes=500)
    log.create_topic("a")
    with pytest.raises(RecordRefused, match=r"record 1 for a has \d+ bytes: at most 100"):
        log.append("a", ["x", "y" * 101])
    with pytest.raises(RecordRefused, match="at most 500"):
        log.append("a", ["x" * 90] * 6)
    log.append("a", ["x" * 90] * 5)
    assert log.end_lsn == 2


# ---- reading from a place


@pytest.fixture
def placed() -> Log:
    """Ten appends of two records over two partitions, in many small files."""
    log = open_log(MemoryFiles())
    log.create_topic("a", partitions=2, time="t")
    for n in range(10):
        log.append("a", [{"t": n * 10}, {"t": n * 10 + 5}], partition=n % 2)
    return log


def test_reading_by_offset(placed: Log) -> None:
    offsets = [record.offset for record in placed.read("a", partition=1, start=3, stop=7)]
    assert offsets == [3, 4, 5, 6]
    assert not list(placed.read("a", partition=1, start=10))
    with pytest.raises(ConfigError, match="each its own offsets"):
        placed.read("a", start=3)
    with pytest.raises(ConfigError, match="0 to 1"):
        placed.read("a", partition=2)


def test_reading_by_lsn_and_by_time(placed: Log) -> None:
    lsns = [record.lsn for record in placed.read("a", start=LSN(4), stop=LSN(6))]
    assert lsns == [4, 4, 5, 5]
    start = datetime(1970, 1, 1, 0, 0, 0, 35_000, tzinfo=UTC)
    times = [r.time for r in placed.read("a", start=start, stop="1970-01-01T00:00:00.060+00:00")]
    assert times == [35, 40, 45, 50, 55]


@pytest.mark.parametrize("start", [-1, True, 1.5, (1,)])
def test_places_that_are_refused(placed: Log, start: Any) -> None:
    with pytest.raises(ConfigError):
        placed.read("a", partition=0, start=start)


def test_voided_appends_are_skipped(placed: Log) -> None:
    lsns = sorted({record.lsn for record in placed.read("a")})
    placed.control("void", {"lsn": lsns[3]})
    assert sorted({record.lsn for record in placed.read("a")}) == lsns[:3] + lsns[4:]
    assert lsns[3] in [entry.lsn for entry in placed.entries(0)]


def test_entries_from_anywhere_are_the_same(placed: Log) -> None:
    whole = list(placed.entries(0))
    assert [entry.lsn for entry in whole] == list(range(1, placed.end_lsn + 1))
    for after in range(placed.end_lsn + 1):
        assert list(placed.entries(after)) == whole[after:]
    chains = {lsn: placed.chain_crc(lsn) for lsn in range(1, placed.end_lsn + 1)}
    assert len(set(chains.values())) == len(chains)


def test_parts_are_read_in_the_order_asked(placed: Log) -> None:
    parts = [part for entry in placed.entries(0) for part in entry.parts]
    bodies = placed.read_parts(parts)
    assert placed.read_parts(parts[::-1]) == bodies[::-1]
    assert [placed.read_parts([part])[0] for part in parts] == bodies


def test_unknown_kinds_of_control_record_are_kept(placed: Log) -> None:
    placed.control("quantum", {"x": 1})
    assert placed.catalog.unknown == 1
    assert [e.data for e in placed.entries(0) if e.kind == "quantum"] == [{"x": 1}]


# ---- opening, closing, sharing


def test_a_log_opened_again_is_the_same(tmp_path: Path) -> None:
    with Log(tmp_path / "new" / "log", segment_bytes=500, journal_bytes=1_000) as log:
        log.create_topic("a", partitions=2)
        log.control("alias", {"outputs": {"x": 3}})
        for n in range(50):
            log.append("a", [n] * 5)
        first = list(log.entries(0)), list(log.read("a"))
        assert len(log.files.names("journal")) > 2
    with Log(tmp_path / "new" / "log") as log:
        assert not log.recovery.reason
        assert log.recovery.verified == 0
        entries = list(log.entries(0))
        assert (entries[: len(first[0])], list(log.read("a"))) == first
        assert [entry.kind for entry in entries[len(first[0]) :]] == ["synced"]
        assert log.catalog.aliases == {"x": 3}
        end = log.end_lsn
    with Log(tmp_path / "new" / "log") as log:
        assert log.end_lsn == end  # opening and closing writes nothing
        log.append("a", [1])
        assert list(log.read("a"))[:-1] == first[1]


def test_a_closed_log_says_so() -> None:
    log = new_log()
    log.create_topic("a")
    log.close()
    log.close()
    with pytest.raises(LogError, match="closed"):
        log.append("a", [1])
    with pytest.raises(LogError, match="closed"):
        log.read("a")


def test_folders_that_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x")
    with pytest.raises(LogError, match=r"not a kappa log: it holds data.csv"):
        Log(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]
    with pytest.raises(LogError, match="cannot be opened"):
        Log(tmp_path / "data.csv")
    Log(tmp_path / "log").close()
    (tmp_path / "log" / "format").write_text("kappa log format 99\n")
    with pytest.raises(LogError, match="use a newer kappa"):
        Log(tmp_path / "log")
    with pytest.raises(ConfigError, match="fsync"):
        Log(tmp_path / "log2", fsync="sometimes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_permission_denied_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(LogError, match="Permission denied"):
        Log(tmp_path / "closed" / "log")


def test_two_logs_on_one_folder_see_each_other(tmp_path: Path) -> None:
    with Log(tmp_path) as one, Log(tmp_path) as other:
        one.create_topic("a")
        for n in range(10):
            (one, other)[n % 2].append("a", [n])
        assert values(one, "a") == values(other, "a") == list(range(10))
        assert list(one.entries(0)) == list(other.entries(0))


def test_a_forked_child_may_not_use_the_log(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        log.create_topic("a")
        log._store._process = -1  # what a child finds: it is not the process that opened it
        with pytest.raises(LogError, match="must open the log itself"):
            log.append("a", [1])
        log._store._process = os.getpid()


def test_a_name_is_held_by_one(tmp_path: Path) -> None:
    with Log(tmp_path, clock=ManualClock(0)) as log, Log(tmp_path) as other:
        with log.lock("p@1"):
            with pytest.raises(LogLocked, match=rf"p@1 is held by pid={os.getpid()} host="):
                other.lock("p@1")
            with other.lock("p@2"):
                pass
        with other.lock("p@1"):
            pass


def test_the_append_lock_times_out_and_names_the_holder(tmp_path: Path) -> None:
    with Log(tmp_path) as log, Log(tmp_path, timeout="20ms") as other:
        log.create_topic("a")
        with log._store.writing(), pytest.raises(LogLocked, match=f"pid={os.getpid()}"):
            other.append("a", [1])
        other.append("a", [1])


# ---- waiting


def test_waiting_ends_with_an_append_a_stop_or_the_time() -> None:
    log = Log.memory()
    log.create_topic("a")
    assert log.wait(0, 10.0)
    assert not log.wait(log.end_lsn, 0.001)
    stop = threading.Event()
    stop.set()
    assert not log.wait(log.end_lsn, 10.0, stop)
    thread = threading.Timer(0.01, log.append, ("a", [1]))
    thread.start()
    assert log.wait(log.end_lsn, 10.0)
    thread.join()


def test_waiting_sees_what_another_process_appends(tmp_path: Path) -> None:
    with Log(tmp_path) as log, Log(tmp_path) as other:
        other.create_topic("a")
        before = log.end_lsn
        thread = threading.Timer(0.01, other.append, ("a", [1]))
        thread.start()
        assert log.wait(before, 10.0)
        thread.join()


def test_waiting_with_a_manual_clock_ends() -> None:
    log = new_log()
    assert not log.wait(log.end_lsn, 5.0)
    assert log.clock.now_ms() >= 6_000


def test_who_sees_a_roll_before_the_next_file_does_not_write_over_it() -> None:
    class Watched(MemoryFiles):
        def open(self, name: str, *, create: bool = False) -> Any:
            if create and name.startswith("journal/") and others:
                others[0].end_lsn  # noqa: B018 - reads on, at the worst moment
            return super().open(name, create=create)

    others: list[Log] = []
    files = Watched()
    log = open_log(files)
    log.create_topic("a")
    others.append(open_log(files))
    for n in range(20):
        log.append("a", [n])
    assert len(files.names("journal")) > 2
    others[0].append("a", ["other"])
    assert values(log, "a") == values(others[0], "a") == [*range(20), "other"]


def test_the_lock_is_kept_while_its_holder_appends(tmp_path: Path) -> None:
    with Log(tmp_path) as log, Log(tmp_path, timeout="5ms") as other:
        log.create_topic("a")
        with log._store.writing() as writing:
            log.append("a", [1])
            with pytest.raises(LogLocked):
                other.append("a", [2])
            writing.control("run", {})
        other.append("a", [3])
        assert values(log, "a") == [1, 3]
