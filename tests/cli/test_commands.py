"""Every command once in its plain use, and once with what people get wrong."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from kappa.cli import exits
from kappa.cli.app import COMMANDS

PIPELINE = """
from kappa import Pipeline, Tumbling, agg, col, param

def build(unit):
    pipeline = Pipeline("sums")
    (
        pipeline.source("numbers")
        .with_columns(y=col("x") * unit)
        .key_by("k")
        .window(Tumbling("10s"))
        .aggregate(total=agg.sum("y"))
        .to("sums")
    )
    return pipeline

one = build(1)
two = build(2)

raising = Pipeline("raising")
raising.source("numbers").map(lambda row: {"y": 1 // (row["x"] - 3)}).to("inverse")

import itertools
numbers = itertools.count()
counting = Pipeline("counting")
counting.source("numbers").map(lambda row: {"n": next(numbers)}).to("counted")

limited = Pipeline("limited")
limited.source("numbers").filter(col("x") < param("limit", int, default=100)).to("few")
"""
NUMBERS = "".join(f'{{"k": {n % 2}, "x": {n}, "t": {n * 1000}}}\n' for n in range(30))


@pytest.fixture
def loaded(kappa, tmp_path: Path):
    """A log with numbers in it, and pipelines.py beside it."""
    (tmp_path / "pipelines.py").write_text(PIPELINE)
    (tmp_path / "numbers.jsonl").write_text(NUMBERS)
    assert kappa("topic", "create", "numbers", "--time", "t").code == 0
    assert kappa("load", "numbers", "numbers.jsonl").code == 0
    return kappa


def rows(done) -> list:
    return [json.loads(line)["value"] for line in done.out.splitlines()]


# -- topics and loading --------------------------------------------------------------------


def test_a_topic_from_create_to_describe(kappa):
    assert kappa("topic", "create", "a", "--partitions", "2", "--key", "k").code == 0
    [facts] = kappa("topic", "list", "--json").json
    assert (facts["topic"], facts["partitions"], facts["records"]) == ("a", 2, 0)
    described = kappa("topic", "describe", "a", "--json").json
    assert described["key"] == "k" and len(described["partitions"]) == 2
    assert "a" in kappa("topic", "list").out
    assert "partition" in kappa("topic", "describe", "a").out


def test_creating_twice_is_an_error_unless_it_is_ok(kappa):
    kappa("topic", "create", "a")
    done = kappa("topic", "create", "a")
    assert done.code != 0 and done.err.count("\n") <= 2
    assert kappa("topic", "create", "a", "--if-exists", "ok").code == 0


def test_no_log_is_made_by_mistake(kappa, tmp_path: Path):
    done = kappa("topic", "list")
    assert done.code == exits.USAGE and "there is no log in" in done.err
    assert not (tmp_path / "log").exists()


def test_tail_shows_the_last_records(loaded):
    assert [row["x"] for row in rows(loaded("topic", "tail", "numbers", "-n", "2", "--json"))] == [
        28,
        29,
    ]
    assert len(rows(loaded("topic", "tail", "numbers", "-n", "0", "--json"))) == 30
    late = rows(loaded("topic", "tail", "numbers", "--from", "1970-01-01T00:00:28Z", "--json"))
    assert [row["x"] for row in late] == [28, 29]
    assert "'x': 29" in loaded("topic", "tail", "numbers", "-n", "1").out
    two = rows(loaded("topic", "tail", "numbers", "--from", "5", "-n", "2", "--json"))
    assert [row["x"] for row in two] == [5, 6]
    named = rows(loaded("topic", "tail", "numbers", "--from", "lsn:1", "-n", "1", "--json"))
    assert [row["x"] for row in named] == [0]


def test_an_unknown_topic_is_one_line(loaded):
    done = loaded("topic", "tail", "nubmers")
    assert done.code == exits.FAILED
    assert done.err.startswith("kappa: no topic nubmers") and "numbers" in done.err
    assert done.err.count("\n") == 1


def test_loading_twice_appends_once(loaded):
    done = loaded("load", "numbers", "numbers.jsonl", "--json").json
    assert (done["appended"], done["repeated"]) == (0, 30)


def test_a_broken_line_names_file_and_line(loaded, tmp_path: Path):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3\n")
    loaded("topic", "create", "t")
    done = loaded("load", "t", "bad.csv")
    assert done.code == exits.FAILED
    assert "bad.csv, line 3: 1 cells, but the header has 2" in done.err
    assert done.err.count("\n") == 1
    assert loaded("load", "t", "bad.csv", "--on-error", "skip").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["load", "numbers", "-"],
        ["load", "numbers", "numbers.jsonl", "--types", "x"],
        ["load", "numbers", "numbers.jsonl", "--time", "t", "--time-format", "odd"],
        ["load", "numbers", "numbers.jsonl", "--time-zone", "Europe/Paris"],
        ["load", "numbers", "a.csv", "b.csv", "--id", "x"],
        ["load", "numbers"],
        ["topic", "tail", "numbers", "--from", "yesterday"],
        ["topic", "create", "a b"],
        ["topic", "create", "x", "--partitions", "0"],
        ["run", "pipelines.py:three"],
        ["run", "nothing.py:one"],
        ["run", "pipelines.py:limited", "--param", "limit=many", "--until-idle"],
        ["replay", "pipelines.py:one", "--since", "2013-01-01T00:00:00"],
        ["replay", "pipelines.py:one", "--since", "2013-01-02", "--until", "2013-01-01"],
        ["run", "pipelines.py:one", "--checkpoint-every", "often"],
        ["frobnicate"],
    ],
)
def test_wrong_use_is_exit_code_2(loaded, arguments: list[str]):
    done = loaded(*arguments)
    assert done.code == exits.USAGE, done.err
    assert done.err.strip()


# -- pipelines -----------------------------------------------------------------------------


def test_run_replay_diff_promote_rollback(loaded):
    done = loaded("run", "pipelines.py:one", "--until-idle", "--json").json
    assert (done["version"], done["records_in"]) == (1, 30)
    assert len(rows(loaded("topic", "tail", "sums@1", "--json", "-n", "0"))) == 4

    done = loaded("replay", "pipelines.py:two", "--json").json
    assert (done["version"], done["records_in"]) == (2, 30)

    assert loaded("diff", "sums@1", "sums@1").code == exits.OK
    done = loaded("diff", "sums@1", "sums@2")
    assert done.code == exits.DIFFERENT and "sums@2" in done.out
    assert loaded("diff", "sums@1", "sums@2", "--json").code == exits.DIFFERENT

    assert loaded("promote", "sums@2").code == 0
    assert "2" in loaded("topic", "describe", "sums").out
    assert loaded("rollback", "sums").code == 0
    assert loaded("topic", "describe", "sums", "--json").json["topic"] == "sums@1"


def test_checkpoints_are_listed(loaded):
    loaded("run", "pipelines.py:one", "--until-idle")
    found = loaded("checkpoints", "pipelines.py:one", "--json").json
    assert found and all(one["version"] == 1 for one in found)
    assert loaded("checkpoints", "pipelines.py:one").code == 0


def test_a_savepoint_is_kept_and_a_version_begins_from_it(loaded):
    loaded("run", "pipelines.py:one", "--until-idle", "--savepoint", "before")
    assert "before" in {
        one["name"] for one in loaded("checkpoints", "pipelines.py:one", "--json").json
    }
    done = loaded(
        "run",
        "pipelines.py:one",
        "--until-idle",
        "--version",
        "2",
        "--restore",
        "1/before",
        "--json",
    )
    assert done.code == 0 and done.json["records_in"] == 0


def test_explain_says_what_is_kept(loaded):
    assert "sums" in loaded("explain", "pipelines.py:one").out
    assert "flowchart" in loaded("explain", "pipelines.py:one", "--mermaid").out


def test_parameters_have_types(loaded):
    done = loaded("run", "pipelines.py:limited", "--param", "limit=5", "--until-idle", "--json")
    assert done.json["records_out"] == 5


def test_a_function_that_fails_is_named(loaded):
    done = loaded("run", "pipelines.py:raising", "--until-idle")
    assert done.code == exits.FAILED
    assert "ZeroDivisionError" in done.err and "map" in done.err
    assert done.err.count("\n") <= 2


def test_a_changed_pipeline_is_refused(loaded):
    loaded("run", "pipelines.py:one", "--until-idle")
    done = loaded("run", "pipelines.py:two", "--until-idle")
    assert done.code == exits.FAILED and "replay it into a new version" in done.err


def test_a_missing_topic_is_named(kappa, tmp_path: Path):
    (tmp_path / "pipelines.py").write_text(PIPELINE)
    kappa("topic", "create", "other")
    done = kappa("run", "pipelines.py:one", "--until-idle")
    assert done.code == exits.FAILED and "numbers" in done.err


# -- the log -------------------------------------------------------------------------------


def test_verify_and_repair_of_a_sound_log(loaded):
    assert loaded("log", "verify").code == 0
    assert loaded("log", "verify", "--json").json["damage"] == []
    assert loaded("log", "repair").code == 0


def flip(tmp_path: Path) -> Path:
    """Flips a bit in the middle of the largest segment; returns its path."""
    segments = [path for path in (tmp_path / "log" / "topics").rglob("*") if path.is_file()]
    segment = max(segments, key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    return segment


def test_a_flipped_bit_is_found_and_can_be_given_up(loaded, tmp_path: Path):
    segment = flip(tmp_path)
    done = loaded("log", "verify")
    assert done.code == exits.DIFFERENT and segment.name in done.out
    assert loaded("log", "verify", "--json").json["damage"][0]["path"].endswith(segment.name)
    assert loaded("topic", "tail", "numbers").code == exits.FAILED
    assert loaded("log", "repair", "--yes").code == 0
    assert loaded("log", "verify").code == 0
    assert loaded("topic", "tail", "numbers").code == 0


def test_repair_asks_first(loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    flip(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert loaded("log", "repair").code == exits.INTERRUPTED
    assert loaded("log", "verify").code == exits.DIFFERENT


# -- the whole -----------------------------------------------------------------------------


def test_every_command_has_help(kappa):
    for command in COMMANDS:
        done = kappa(command, "--help")
        assert done.code == 0 and done.out.startswith(f"Usage: kappa {command}")


def test_debug_shows_the_traceback(kappa, capfd: pytest.CaptureFixture[str]):
    from kappa.cli.app import run

    assert run(["topic", "list", "--debug"]) == exits.USAGE
    assert "Traceback" in capfd.readouterr().err


def test_the_page_lists_the_exit_codes():
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    codes = {value for name, value in vars(exits).items() if name.isupper()}
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.M)}
    assert codes == listed


def test_the_page_lists_the_commands():
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert all(f"`kappa {command}" in page for command in COMMANDS)


# -- verify --------------------------------------------------------------------------------


def test_verify_has_an_exit_code_for_what_differs(loaded):
    same = loaded("verify", "pipelines.py:one")
    assert (same.code, same.out) == (exits.OK, "sums: two runs gave the same 6 rows\n")
    differs = loaded("verify", "pipelines.py:counting", "--since", "1970-01-01T00:00:10Z", "--json")
    assert differs.code == exits.DIFFERENT
    assert differs.json["same"] is False
    assert differs.json["exit_code"] == exits.DIFFERENT
    assert differs.json["difference"]["output"] == "counted"
    assert "no topic counted" in loaded("topic", "describe", "counted").err  # nothing was written


def test_a_replay_calls_functions_outside_only_if_asked(loaded, tmp_path):
    (tmp_path / "calls.py").write_text(
        "from pathlib import Path\nfrom kappa import Pipeline\n\n"
        "def told(row):\n    with Path('told').open('a') as file:\n        file.write('x')\n\n"
        "calls = Pipeline('calls')\ncalls.source('numbers').sink(told)\n"
    )
    assert loaded("replay", "calls.py:calls", "--version", "1").code == 0
    assert not (tmp_path / "told").exists()
    assert loaded("replay", "calls.py:calls", "--version", "2", "--sinks", "all").code == 0
    assert (tmp_path / "told").read_text() == "x" * 30
    assert loaded("replay", "calls.py:calls", "--sinks", "some").code == exits.USAGE
