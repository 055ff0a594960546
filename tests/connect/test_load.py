"""Loading is idempotent by file and line, names what is broken, and loses nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kappa.connect import CellTypes, Reading, TimeField, load
from kappa.connect.lines import Lines
from kappa.errors import ConfigError, SourceError, UnknownTopic
from kappa.log import Log


@pytest.fixture
def log():
    with Log.memory() as opened:
        opened.create_topic("people")
        yield opened


def values(log: Log, topic: str = "people") -> list:
    return [record.value for record in log.read(topic)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_loaded_once(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "name,age\nann,7\nbob,\n")
    first = load(log, "people", path)
    again = load(log, "people", path)
    assert (first.appended, first.repeated) == (2, 0)
    assert (again.appended, again.repeated) == (0, 2)
    assert values(log) == [{"name": "ann", "age": 7}, {"name": "bob", "age": None}]


def test_a_file_that_grows_is_loaded_from_where_it_ended(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.jsonl", '{"n": 1}\n')
    load(log, "people", path)
    write(path, '{"n": 1}\n{"n": 2}\n')
    result = load(log, "people", path)
    assert (result.appended, result.repeated) == (1, 1)
    assert values(log) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_load_that_was_cut_goes_on(log: Log, tmp_path: Path, batch: int):
    good = [f"{n}\n" for n in range(20)]
    path = write(tmp_path / "p.csv", "n\n" + "".join([*good[:11], "1,2\n", *good[11:]]))
    with pytest.raises(SourceError, match=r"p\.csv, line 13: 2 cells"):
        load(log, "people", path, batch=batch)
    assert values(log) == [{"n": n} for n in range(11)]
    write(path, "n\n" + "".join([*good[:11], "99\n", *good[11:]]))
    assert load(log, "people", path, batch=3).appended == 10
    assert [v["n"] for v in values(log)] == [*range(11), 99, *range(11, 20)]


def test_another_file_under_the_same_name_is_another_source(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n1\n2\n")
    load(log, "people", path)
    write(path, "n\n3\n4\n")
    assert load(log, "people", path).appended == 2


def test_a_file_that_shrank_is_refused(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n1\n2\n3\n")
    load(log, "people", path)
    write(path, "n\n1\n")
    with pytest.raises(SourceError, match="has 2 lines, but 4 were loaded before"):
        load(log, "people", path)


def test_a_file_can_go_into_two_topics_and_into_one_made_anew(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n1\n2\n")
    log.create_topic("others")
    assert load(log, "people", path).appended == 2
    assert load(log, "others", path).appended == 2
    assert load(log, "others", path, id="x").appended == 2
    log.delete_topic("others")
    log.create_topic("others")
    assert load(log, "others", path).appended == 2
    assert load(log, "others", path, id="x").appended == 2


def test_a_stream_needs_a_name(log: Log):
    lines = Lines(io.BytesIO(b'{"n": 1}\n'), "standard input")
    with pytest.raises(ConfigError, match="--id"):
        load(log, "people", lines, reading=Reading(format="jsonl"))


def test_a_name_that_says_nothing_needs_a_format(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.dat", "n\n1\n")
    with pytest.raises(ConfigError, match="--format"):
        load(log, "people", path)
    assert load(log, "people", path, reading=Reading(format="csv")).appended == 1


def test_broken_records_go_to_the_dead_letters_once(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n1\n2,3\n4\n")
    for _ in range(2):
        result = load(log, "people", path, on_error="dead_letter")
        assert result.broken == 1
    assert values(log) == [{"n": 1}, {"n": 4}]
    assert values(log, "people.dead_letters") == [
        {"error": "2 cells, but the header has 1", "source": str(path), "line": 3, "record": "2,3"}
    ]


def test_broken_records_can_be_skipped(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n1\n2,3\n4\n")
    result = load(log, "people", path, on_error="skip")
    assert (result.appended, result.broken) == (2, 1)
    assert [topic.name for topic in log.topics()] == ["people"]


def test_time_and_key_come_from_fields(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "at,who\n1970-01-01 01:00,ann\nsoon,bob\n")
    time = TimeField("at", zone="Europe/Paris")
    result = load(log, "people", path, time=time, key="who", on_error="skip")
    assert (result.appended, result.broken) == (1, 1)
    [record] = log.read("people")
    assert (record.time, record.key) == (0, "ann")
    assert record.value == {"at": "1970-01-01 01:00", "who": "ann"}


def test_a_missing_key_is_a_broken_record(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.jsonl", '{"a": 1}\n')
    with pytest.raises(SourceError, match="no key: field 'who' is missing"):
        load(log, "people", path, key="who")


def test_types_are_taken_from_the_reading(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "zip\n10001\n")
    load(log, "people", path, reading=Reading(types=CellTypes({"zip": "str"})))
    assert values(log) == [{"zip": "10001"}]


def test_an_unknown_topic_is_named(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n1\n")
    with pytest.raises(UnknownTopic, match="peopel"):
        load(log, "peopel", path)


def test_progress_is_told(log: Log, tmp_path: Path):
    path = write(tmp_path / "p.csv", "n\n" + "1\n" * 12_000)
    seen = []
    load(log, "people", path, progress=seen.append)
    assert [progress.records for progress in seen] == [5_000, 10_000, 12_000]
    assert seen[-1].bytes_read == seen[-1].size == path.stat().st_size
