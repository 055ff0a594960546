"""The command: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json

import pytest
from nexmark.made import COLUMNS, bid, expected, same_rows

from benchmarks.nexmark.__main__ import main
from benchmarks.nexmark.catalog import QUERIES
from benchmarks.nexmark.events import read_events, write_events
from benchmarks.nexmark.generator import Generator
from benchmarks.nexmark.running import folded


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def events(tmp_path):
    """A file of events out of order."""
    path = tmp_path / "events.jsonl"
    assert (
        main(["--generate", str(path), "--events", "600", "--rate", "20", "--disorder", "50"]) == 0
    )
    return path


@pytest.mark.parametrize("name", ["q1", "q5", "q16", "q19", "q22"])
def test_a_query_over_a_file_writes_its_final_rows(name, events, tmp_path, capsys):
    output = tmp_path / "rows.jsonl"
    assert main(["--query", name, "--input", str(events), "--output", str(output)]) == 0
    rows = lines_of(output)
    same_rows(name, rows, expected(name, list(read_events(events)), tmp_path))
    assert all(list(row) == COLUMNS[name].split() for row in rows)
    assert f"{name}: {len(rows):,} rows in {output}" in capsys.readouterr().out


def test_letters_of_every_kind_come_through(tmp_path):
    path, output = tmp_path / "events.jsonl", tmp_path / "rows.jsonl"
    extra = 'ünï "quoted" \\ \t \u2028 😀'
    write_events(path, [bid(1, 2, 3, 4, extra=extra)])
    assert main(["--query", "q0", "--input", str(path), "--output", str(output)]) == 0
    assert [row["extra"] for row in lines_of(output)] == [extra]


@pytest.mark.slow
def test_measuring_prints_rate_memory_and_a_hash(capsys):
    asked = ["--query", "q2", "q5", "--events", "3000", "--json"]
    assert main([*asked, "--partitions", "4", "--append", "7"]) == 0
    shaped = json.loads(capsys.readouterr().out)
    assert main(asked) == 0
    plain = json.loads(capsys.readouterr().out)
    assert [one["query"] for one in plain] == ["q2", "q5"]
    for one, other in zip(plain, shaped, strict=True):
        assert one["records"] == 2_760
        assert one["rate"] > 0
        assert one["peak_mb"] >= one["before_mb"] > 1
        assert (one["digest"], one["rows"]) == (other["digest"], other["rows"])
    assert main(["--query", "q2", "--events", "500"]) == 0
    _, names, numbers = capsys.readouterr().out.splitlines()
    assert "records/s" in names
    assert numbers.split()[0] == "q2"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--query", "q99"], "no query 'q99'; there are: q0, q1"),
        ([], "give --query NAME, or --generate FILE"),
        (["--query", "q0", "q1", "--output", "rows"], "--output takes the rows of one query"),
        (["--query", "q0", "--input", "nothing.jsonl", "--output", "rows"], "cannot read nothing"),
        (["--query", "q0", "--rate", "0"], "rate is 0"),
    ],
)
def test_wrong_use_is_told_in_a_line(asked, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(asked) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_what_a_query_cannot_read_is_told_in_a_line(capsys, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "bid", "dateTime": 1, "auction": 123}\n')
    for more in (["--output", str(tmp_path / "rows.jsonl")], []):
        assert main(["--query", "q2", "--input", str(path), *more]) == 2
        error = capsys.readouterr().err
        assert "'price'" in error
        assert "Traceback" not in error


def test_rows_that_are_taken_back_are_gone_and_equal_rows_counted():
    def row(n, retraction):
        return {"n": n, "retraction": retraction}

    changes = [row(1, False), row(1, False), row(2, False), row(1, True), row(2, True)]
    assert list(folded(changes, ())) == [row(1, False)]
    with pytest.raises(ValueError, match="takes back a row that is not there"):
        list(folded([row(1, True)], ()))


def test_the_catalog_says_what_each_query_asks():
    assert all(query.title.endswith((".", "?")) for query in QUERIES.values())
    assert all(name == query.name for name, query in QUERIES.items())


def test_generated_events_are_those_of_the_options(events):
    made = Generator(600, rate=20, disorder=50)
    assert list(read_events(events)) == list(made.rows())
