"""`kappa backfill`: forecast, report, exit codes, history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kappa.cli import exits
from kappa.log import Log

PIPELINE = """
from kappa import Pipeline, Tumbling, agg, col
from kappa.connect import JsonLinesSink

def build(unit):
    p = Pipeline("sums")
    rows = p.source("n", out_of_orderness="1h").with_columns(y=col("x") * unit)
    sums = rows.key_by("k").window(Tumbling("1h")).aggregate(s=agg.sum("y")).named("hourly")
    sums.sink(JsonLinesSink("lake", by="date", zone="Europe/Zurich"))
    return p

one = build(1)
ten = build(10)
"""
RANGE = ("--since", "1970-01-03", "--until", "1970-01-04", "--zone", "Europe/Zurich")


@pytest.fixture
def loaded(kappa, tmp_path: Path):
    (tmp_path / "pipelines.py").write_text(PIPELINE)
    rows = [{"k": n % 2, "x": n + 1, "t": n * 1_800_000} for n in range(200)]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert kappa("topic", "create", "n", "--time", "t").code == 0
    assert kappa("load", "n", "n.jsonl", "--batch", "10").code == 0
    assert kappa("run", "pipelines.py:one", "--until-idle").code == 0
    return kappa


def lake(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*.jsonl") if path.is_file()}


def test_a_dry_run_foretells_and_writes_nothing(loaded, tmp_path):
    before = lake(tmp_path / "lake")
    end = loaded("history", "--json").json
    said = loaded("backfill", "pipelines.py:ten", *RANGE, "--dry-run", "--json").json
    assert said["partitions"] == {"json lines lake of hourly": ["date=1970-01-03"]}
    assert said["spans"] == {
        "json lines lake of hourly": ["1970-01-02T23:00:00.000Z", "1970-01-03T23:00:00.000Z"]
    }
    found = said["estimate"]
    assert 48 <= found["records"] <= 80 and found["bytes"] > 0 and found["seconds"] > 0
    assert lake(tmp_path / "lake") == before
    assert loaded("history", "--json").json == end
    out = loaded("backfill", "pipelines.py:ten", *RANGE, "--dry-run", "--throttle", "7").out
    assert "at 7/s, by throttle" in out and "1 partitions date=1970-01-03" in out


def test_it_reports_what_changed_and_nothing_the_second_time(loaded, tmp_path):
    before = lake(tmp_path / "lake")
    said = loaded("backfill", "pipelines.py:ten", *RANGE, "--json").json
    assert (said["outcome"], said["exit_code"], said["version"]) == ("done", 0, 1)
    assert (said["altered"], said["added"], said["removed"]) == (48, 0, 0)
    assert [(one["partition"], one["altered"]) for one in said["partitions"]] == [
        ("date=1970-01-03", 48)
    ]
    after = lake(tmp_path / "lake")
    assert {name for name in after if after[name] != before.get(name)} == {
        name for name in after if "date=1970-01-03" in name
    }
    again = loaded("backfill", "pipelines.py:ten", *RANGE)
    assert again.code == 0 and "0 of 1 partitions changed" in again.out
    kinds = [(run["kind"], run["outcome"]) for run in loaded("history", "--json").json]
    assert kinds == [("run", "done"), ("backfill", "done"), ("backfill", "done")]


def test_two_at_once_and_foreign_files_have_exit_codes(loaded, tmp_path):
    with Log(tmp_path / "log") as log, log.lock("sums~backfill"):
        assert loaded("backfill", "pipelines.py:ten", *RANGE).code == exits.BUSY
    (tmp_path / "lake" / "date=1970-01-03" / "mine.csv").write_text("a,b\n")
    done = loaded("backfill", "pipelines.py:ten", *RANGE, "--json")
    assert done.code == exits.FAILED
    assert (done.json["error"], "mine.csv" in done.json["message"]) == ("SinkError", True)


def test_wrong_ranges_are_usage_errors(loaded):
    done = loaded("backfill", "pipelines.py:ten", "--since", "1970-01-04", "--until", "1970-01-03")
    assert done.code == exits.USAGE
    done = loaded("backfill", "pipelines.py:ten", "--since", "1970-01-04T00:00", "--until", "today")
    assert (done.code, "no time zone" in done.err) == (exits.USAGE, True)


def test_a_backfill_is_taken_back_and_its_leavings_collected(loaded, tmp_path):
    before = lake(tmp_path / "lake")
    number = loaded("table", "history", "lake", "--json").json[-1]["number"]
    assert loaded("backfill", "pipelines.py:ten", *RANGE).code == 0
    assert lake(tmp_path / "lake") != before
    listed = loaded("table", "history", "lake")
    assert [line.split()[1] for line in listed.out.splitlines()[1:]][-1] == "replace"
    done = loaded("table", "rollback", "lake", str(number))
    assert (done.code, "1 partitions put back" in done.out) == (0, True)
    assert lake(tmp_path / "lake") == before
    files = loaded("table", "files", "./lake/").out.splitlines()
    assert sorted(files) == sorted(before)
    assert loaded("table", "rollback", "lake", str(number)).out.startswith("lake: nothing put back")
    assert loaded("table", "collect", "lake", "--keep", "0").out == "lake: 4 files removed\n"
    again = loaded("table", "rollback", "lake", str(number + 1), "--json")
    assert (again.code, "is not kept any more" in again.err) == (1, True)
    assert loaded("table", "history", "nowhere").code == 2
