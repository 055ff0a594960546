"""`kappa sql`: what is printed, written and appended; wrong use is one line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from kappa.cli import exits


@pytest.fixture
def loaded(kappa, tmp_path: Path):
    rows = [{"k": n % 2, "x": n, "t": n * 3_600_000} for n in range(150)]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert kappa("topic", "create", "n", "--key", "k", "--time", "t").code == 0
    assert kappa("load", "n", "n.jsonl").code == 0
    return kappa


def test_it_prints_a_table_and_says_what_it_leaves_out(loaded):
    done = loaded("sql", "SELECT k, sum(x) AS total FROM n GROUP BY k ORDER BY k")
    assert (done.code, done.out.split()) == (0, ["k", "total", "0", "5,550", "1", "5,625"])
    done = loaded("sql", "SELECT x FROM n ORDER BY x")
    assert len(done.out.splitlines()) == 101
    assert done.err == "kappa: 50 more rows; --rows 0 shows all\n"
    assert len(loaded("sql", "SELECT x FROM n", "--rows", "0").out.splitlines()) == 151


def test_it_prints_csv_and_json(loaded):
    query = "SELECT x, _time AS at FROM n WHERE x < 2 ORDER BY x"
    assert loaded("sql", query, "--json").json == [
        {"x": 0, "at": "1970-01-01 00:00:00+00"},
        {"x": 1, "at": "1970-01-01 01:00:00+00"},
    ]
    done = loaded("sql", query, "--format", "csv", "--zone", "Europe/Zurich")
    assert list(csv.reader(io.StringIO(done.out)))[1:] == [
        ["0", "1970-01-01 01:00:00+01"],
        ["1", "1970-01-01 02:00:00+01"],
    ]
    lines = loaded("sql", query, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["x"] for line in lines] == [0, 1]


def test_days_are_those_of_the_zone(loaded):
    query = "SELECT count(*) n FROM n WHERE _time >= '1970-01-02' AND _time < '1970-01-03'"
    assert loaded("sql", query, "--json").json == [{"n": 24}]
    query = "SELECT min(x) lowest FROM n WHERE _time >= '1970-01-02'"
    assert loaded("sql", query, "--json").json == [{"lowest": 24}]
    assert loaded("sql", query, "--json", "--zone", "Europe/Zurich").json == [{"lowest": 23}]
    done = loaded("sql", query, "--zone", "Mars/Base")
    assert (done.code, "no time zone" in done.err) == (exits.USAGE, True)


def test_it_writes_files_and_topics(loaded, tmp_path: Path):
    done = loaded("sql", "SELECT * FROM n", "-o", "n.parquet", "--json")
    assert done.json["rows"] == 150
    query = "SELECT count(*) n FROM 'n.parquet' WHERE x >= $least"
    assert loaded("sql", query, "--param", "least=100", "--json").json == [{"n": 50}]
    assert loaded("topic", "create", "few", "--key", "k").code == 0
    query = "SELECT k, max(x) AS x, max(_time) AS at FROM n GROUP BY k ORDER BY k"
    into = ("sql", query, "--into", "few", "--time", "at", "--id", "nightly", "--json")
    assert [loaded(*into).json["rows"] for _ in range(2)] == [2, 0]
    assert loaded("sql", "SELECT max(_time) AS t, sum(x) AS s FROM few", "--json").json == [
        {"t": "1970-01-07 05:00:00+00", "s": 297}
    ]


def test_it_asks_the_log_as_it_stood(loaded):
    lsn = loaded("sql", "SELECT max(_lsn) AS l FROM n", "--json").json[0]["l"]
    loaded("topic", "create", "other")
    assert loaded("sql", "SELECT count(*) c FROM n", "--as-of", str(lsn - 1), "--json").json == [
        {"c": 0}
    ]
    assert loaded("sql", f"SELECT count(*) c FROM n AS OF {lsn}", "--json").json == [{"c": 150}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELECT nope FROM n"], "n has k, t, x"),
        (["DROP TABLE n"], "only a SELECT"),
        (["SELECT 1", "--as-of", "99999"], "from LSN 1 to"),
        (["SELECT 1", "-o", "x.parquet", "--format", "table"], "for the screen"),
        (["SELECT 1", "-o", "x.doc"], "format 'doc'"),
        (["SELECT 1", "--into", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use_is_one_message(loaded, arguments, said):
    done = loaded("sql", *arguments)
    assert done.code in (exits.USAGE, exits.FAILED)
    assert said in done.err
