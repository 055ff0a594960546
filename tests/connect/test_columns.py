"""Parquet and Avro into a topic: values exact, once, only what is asked; folders and ranges."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import fastavro
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from strategies import examples

from kappa.batch import Frame
from kappa.connect import Reading, TimeField, load, load_all
from kappa.connect.arrow import frame_of
from kappa.connect.parquet import ParquetRows
from kappa.errors import ConfigError, SourceError
from kappa.log import Log

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def log():
    with Log.memory() as opened:
        opened.create_topic("events", partitions=3, key="k", time="ts")
        yield opened


def rows(count: int, start: int = 0) -> list[dict]:
    return [{"k": n % 5, "ts": n * 1_000, "v": n / 4} for n in range(start, start + count)]


def written(path: Path, content: list[dict], **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(content), path, **options)
    return path


def values(log: Log) -> list[dict]:
    found = [record.value for record in log.read("events")]
    return sorted(found, key=lambda row: row["ts"])


# ---- values

SCHEMA = pa.schema(
    {
        "whole": pa.int64(),
        "big": pa.uint64(),
        "real": pa.float64(),
        "text": pa.string(),
        "word": pa.dictionary(pa.int8(), pa.string()),
        "raw": pa.binary(),
        "yes": pa.bool_(),
        "day": pa.date32(),
        "clock": pa.time64("us"),
        "money": pa.decimal128(12, 2),
        "instant": pa.timestamp("us", tz="UTC"),
        "local": pa.timestamp("ms"),
        "span": pa.duration("ms"),
        "many": pa.list_(pa.timestamp("ms")),
        "pair": pa.struct({"a": pa.int32(), "at": pa.timestamp("s")}),
        "bag": pa.map_(pa.string(), pa.int64()),
    }
)
PARIS = ZoneInfo("Europe/Paris")
ARROW = {
    "whole": -5, "big": 2**64 - 1, "real": 0.1, "text": "é", "word": "x", "raw": b"\0",
    "yes": True, "day": date(2013, 3, 1), "clock": time(1, 2, 3, 4), "money": Decimal("1.50"),
    "instant": NOON, "local": NOON.replace(tzinfo=None), "span": timedelta(seconds=5),
    "many": [NOON.replace(tzinfo=None), None],
    "pair": {"a": 1, "at": NOON.replace(tzinfo=None)}, "bag": [("x", 1), ("y", 2)],
}  # fmt: skip
THERE = NOON.replace(tzinfo=PARIS)
KAPPA = ARROW | {
    "local": THERE, "many": [THERE, None], "pair": {"a": 1, "at": THERE},
    "bag": {"x": 1, "y": 2},
}  # fmt: skip


def test_values_come_as_what_python_has_for_them():
    nothing = dict.fromkeys(ARROW)
    batch = pa.RecordBatch.from_pylist([ARROW, nothing], schema=SCHEMA)
    frame = frame_of(batch, PARIS)
    assert frame[0] == KAPPA
    assert frame[1] == nothing
    assert {name: type(v) for name, v in frame[0].items()} == {
        name: type(v) for name, v in KAPPA.items()
    }


def test_a_fraction_that_would_be_lost_is_refused_by_the_name_of_its_column():
    fine = pa.array([1], pa.timestamp("ns"))
    with pytest.raises(SourceError, match=r"column 't' \(timestamp\[ns\]\) cannot be read without"):
        frame_of(pa.RecordBatch.from_arrays([fine], ["t"]), UTC)


def test_the_log_keeps_them_all(log: Log, tmp_path: Path):
    log.create_topic("all")
    path = tmp_path / "all.parquet"
    pq.write_table(pa.Table.from_pylist([ARROW], schema=SCHEMA), path)
    load(log, "all", path, time=TimeField("instant", zone="Europe/Paris"))
    (record,) = log.read("all")
    assert record.value == KAPPA
    assert record.time == round(NOON.timestamp() * 1000)


# ---- once


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_a_file_is_loaded_once(log: Log, tmp_path: Path, batch: int):
    path = written(tmp_path / "a.parquet", rows(50), row_group_size=20)
    first = load(log, "events", path, batch=batch)
    again = load(log, "events", path, batch=batch)
    assert (first.appended, first.repeated) == (50, 0)
    assert (again.appended, again.repeated) == (0, 50)
    assert values(log) == rows(50)


@given(cut=st.integers(0, 49), group=st.integers(1, 60), one=st.integers(1, 9))
@examples(30)
def test_a_load_that_was_cut_goes_on_behind_the_last_row(tmp_path_factory, cut, group, one):
    path = written(tmp_path_factory.mktemp("cut") / "a.parquet", rows(50), row_group_size=group)
    with Log.memory() as log:
        topic = log.create_topic("events", partitions=3, key="k", time="ts")
        print_ = Reading().fingerprint(path)
        name = f"load:events.{topic.id}:file:{path.resolve()}:{print_}"
        with log.producer("events", id=name) as producer:
            for at, row in enumerate(rows(cut)):
                producer.send(row, sequence=at)
        done = load(log, "events", path, batch=one)
        assert (done.appended, done.repeated) == (50 - cut, cut)
        assert values(log) == rows(50)


def test_another_file_under_the_name_is_another_source(log: Log, tmp_path: Path):
    load(log, "events", written(tmp_path / "a.parquet", rows(5)))
    path = written(tmp_path / "a.parquet", rows(3, start=5))
    assert load(log, "events", path).appended == 3


def test_avro_is_loaded_once_with_its_logical_types(log: Log, tmp_path: Path):
    schema = {
        "type": "record", "name": "E",
        "fields": [
            {"name": "k", "type": "long"},
            {"name": "ts", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }  # fmt: skip
    content = [{"k": 1, "ts": 5, "at": NOON}, {"k": 2, "ts": 6, "at": NOON}]
    path = tmp_path / "a.avro"
    with path.open("wb") as file:
        fastavro.writer(file, schema, content)
    assert load(log, "events", path).appended == 2
    assert load(log, "events", path).repeated == 2
    assert values(log) == content


@pytest.mark.parametrize(
    ("name", "words"), [("a.parquet", "not a whole Parquet file"), ("a.avro", "not an Avro file")]
)
@pytest.mark.parametrize("data", [b"", b"PAR1", b"Obj\x01\x00", b"garbage" * 20])
def test_bytes_that_are_neither_are_named(log: Log, tmp_path: Path, name, words, data):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"{name} is {words}"):
        load(log, "events", path)


def test_a_record_without_a_time_is_named_by_its_row(log: Log, tmp_path: Path):
    path = written(tmp_path / "a.parquet", [*rows(3), {"k": 1, "ts": None, "v": 0.0}, *rows(2, 9)])
    with pytest.raises(SourceError, match=r"a\.parquet, row 3: no time: field 'ts'"):
        load(log, "events", path)
    assert values(log) == rows(3)
    done = load(log, "events", path, on_error="dead_letter")
    assert (done.appended, done.repeated, done.broken) == (2, 3, 1)
    assert [letter.value["line"] for letter in log.read("events.dead_letters")] == [3]


# ---- only what is asked


def test_columns_and_row_groups_that_do_not_matter_are_not_read(log: Log, tmp_path: Path):
    path = written(tmp_path / "a.parquet", rows(100), row_group_size=10)
    reading = Reading(columns=["k", "ts"], since=25_000, until=41_000)
    source = reading.open(path)
    found = list(reading.records(source, TimeField("ts")))
    source.close()
    assert [first for first, _ in found] == [25, 30, 40]
    assert [row["ts"] for _, frame in found for row in frame] == list(range(25_000, 41_000, 1_000))
    assert load(log, "events", path, reading=reading).appended == 16
    assert values(log)[0] == {"k": 0, "ts": 25_000}


def test_the_range_holds_for_times_that_are_timestamps(tmp_path: Path):
    days = [{"at": NOON + timedelta(days=n), "n": n} for n in range(10)]
    path = written(tmp_path / "a.parquet", days, row_group_size=3)
    since, until = (round((NOON + timedelta(days=n)).timestamp() * 1000) for n in (4, 6))
    reading = Reading(since=since, until=until)
    source = reading.open(path)
    found = [row["n"] for _, frame in reading.records(source, TimeField("at")) for row in frame]
    source.close()
    assert found == [4, 5]


def test_a_file_is_not_loaded_with_two_ranges(log: Log, tmp_path: Path):
    path = written(tmp_path / "a.parquet", rows(10))
    load(log, "events", path, reading=Reading(since=5_000))
    with pytest.raises(SourceError, match="would be there twice"):
        load(log, "events", path)
    assert load(log, "events", path, reading=Reading(since=5_000)).repeated == 5
    assert load(log, "events", path, id="again").appended == 10


def test_a_column_that_is_not_there_is_named(log: Log, tmp_path: Path):
    path = written(tmp_path / "a.parquet", rows(3))
    with pytest.raises(SourceError, match="has no column 'x'; it has k, ts, v"):
        load(log, "events", path, reading=Reading(columns=["ts", "x"]))


def test_columns_may_be_told_by_folders_and_stand_in_any_order(log: Log, tmp_path: Path):
    written(tmp_path / "n=1" / "a.parquet", [{"ts": 1, "x": 5, "y": 0}])
    written(tmp_path / "n=2" / "a.parquet", [{"y": 0, "x": 6, "ts": 2}])
    (tmp_path / "n=3").mkdir()
    (tmp_path / "n=3" / "a.jsonl").write_text('{"x": 7, "ts": 3, "n": "own"}\n')
    (tmp_path / "n=4").mkdir()
    (tmp_path / "n=4" / "a.csv").write_text("y,ts,x\n0,4,8\n")
    log.create_topic("told", time="ts")
    load_all(log, "told", tmp_path, reading=Reading(columns=["n", "ts", "x"]))
    assert [record.value for record in log.read("told")] == [
        {"n": n, "ts": ts, "x": ts + 4} for ts, n in enumerate(("1", "2", "own", "4"), 1)
    ]
    log.create_topic("plain")
    load_all(log, "plain", tmp_path, reading=Reading(columns=["ts"]))
    assert [record.value for record in log.read("plain")] == [{"ts": n} for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("row", [{"k": 1, "ts": 2, "v": 0.5}, None])
def test_files_without_rows_or_columns_are_passed(log: Log, tmp_path: Path, row):
    schema = pa.schema([("ts", pa.int64())]) if row else pa.schema([])
    pq.write_table(schema.empty_table(), tmp_path / "a.parquet")
    written(tmp_path / "b.parquet", rows(2))
    assert [one.appended for one in load_all(log, "events", tmp_path)] == [0, 2]


def test_damage_within_a_page_is_named_and_nothing_of_it_is_loaded(log: Log, tmp_path: Path):
    """The file's footer is whole; its pages carry checksums, as those of the sink do."""
    path = written(tmp_path / "a.parquet", rows(300), row_group_size=100, write_page_checksum=True)
    group = pq.read_metadata(path).row_group(2).column(0)
    data = bytearray(path.read_bytes())
    data[group.data_page_offset + group.total_compressed_size // 2 + 8] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.parquet, row group 2: "):
        load(log, "events", path)
    assert [row["k"] for row in values(log)] == [row["k"] for row in rows(200)]


def test_row_groups_without_statistics_are_read_and_cut(log: Log, tmp_path: Path):
    path = written(tmp_path / "a.parquet", rows(30), row_group_size=10, write_statistics=False)
    assert load(log, "events", path, reading=Reading(since=5_000, until=7_000)).appended == 2


def test_timestamps_without_a_zone_are_pruned_in_the_zone_that_is_given(tmp_path: Path):
    noon = NOON.replace(tzinfo=None)
    path = written(tmp_path / "a.parquet", [{"at": noon + timedelta(hours=n)} for n in range(12)],
                   row_group_size=4)  # fmt: skip
    zone = TimeField("at", zone="America/New_York")
    since = zone.moment(noon + timedelta(hours=4))
    source = Reading().open(path)
    assert isinstance(source, ParquetRows)
    found = [first for first, _ in source.frames(time=zone, since=since, until=since + 1)]
    source.close()
    assert found == [4]


def test_a_range_needs_a_time(log: Log, tmp_path: Path):
    log.create_topic("plain")
    with pytest.raises(ConfigError, match="need the event time"):
        load(log, "plain", written(tmp_path / "a.parquet", rows(3)), reading=Reading(since=0))


# ---- folders and patterns


def test_a_folder_is_loaded_in_order_with_what_its_folders_tell(log: Log, tmp_path: Path):
    lake = tmp_path / "lake"
    written(lake / "date=2013-03-02" / "part-1.parquet", rows(2, start=2))
    written(lake / "date=2013-03-01" / "part-1.parquet", rows(2))
    written(lake / "date=__HIVE_DEFAULT_PARTITION__" / "part-1.parquet", rows(1, start=4))
    (lake / "date=2013-03-01" / "_SUCCESS").touch()
    written(lake / "_staged" / "part-9.parquet", rows(9))
    (lake / "README").write_text("not data")
    done = load_all(log, "events", lake)
    assert [result.appended for result in done] == [2, 2, 1]
    assert [row["date"] for row in values(log)] == ["2013-03-01"] * 2 + ["2013-03-02"] * 2 + [None]
    assert sum(result.appended for result in load_all(log, "events", lake)) == 0


def test_a_pattern_takes_what_it_matches(log: Log, tmp_path: Path):
    for n in range(3):
        written(tmp_path / f"a{n}.parquet", rows(1, start=n))
    (tmp_path / "b.jsonl").write_text('{"k": 1, "ts": 9000}\n')
    assert len(load_all(log, "events", tmp_path / "a[01].parquet")) == 2
    assert len(load_all(log, "events", f"{tmp_path}/*.jsonl")) == 1
    with pytest.raises(SourceError, match="there is no file at"):
        load_all(log, "events", tmp_path / "c*.parquet")


def test_files_of_a_store_that_fsspec_knows(log: Log, tmp_path: Path):
    import fsspec

    fs = fsspec.filesystem("memory")
    written(tmp_path / "a.parquet", rows(3))
    fs.pipe("/bucket/day=1/a.parquet", (tmp_path / "a.parquet").read_bytes())
    fs.pipe("/bucket/day=1/b.jsonl", b'{"k": 1, "ts": 9000, "v": 0.5}\n')
    try:
        done = load_all(log, "events", "memory://bucket")
        assert [result.appended for result in done] == [3, 1]
        assert {row["day"] for row in values(log)} == {"1"}
        assert [r.appended for r in load_all(log, "events", "memory://bucket/*/*.jsonl")] == [0]
    finally:
        fs.rm("/bucket", recursive=True)


# ---- frames into a log


@given(
    content=st.lists(
        st.fixed_dictionaries({"k": st.integers(0, 3), "ts": st.integers(0, 99),
                               "v": st.one_of(st.none(), st.floats(allow_nan=False))}),
        min_size=1, max_size=20,
    ),
    partitions=st.sampled_from([1, 3]),
)  # fmt: skip
@examples(40)
def test_a_frame_is_appended_as_the_equal_rows_are(content, partitions):
    frame = Frame({name: [row[name] for row in content] for name in ("k", "ts", "v")})
    made = []
    for given_rows in (content, frame):
        with Log.memory() as log:
            log.create_topic("t", partitions=partitions, key="k", time="ts")
            log.append("t", given_rows)
            made.append(
                [
                    (r.partition, r.offset, r.time, r.key, sorted(r.value.items()))
                    for r in log.read("t")
                ]
            )
    assert repr(made[0]) == repr(made[1])


def test_columns_of_different_lengths_are_no_frame():
    with pytest.raises(ConfigError, match="different lengths"):
        Frame({"a": [1], "b": []})
