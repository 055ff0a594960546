"""`kappa dlq` in one process."""

from __future__ import annotations

from pathlib import Path

MEND = """
def mend(row):
    return {**row, 'n': int(row['n'])}


def parse(text):
    return {'n': 7}
"""


def test_from_list_to_replay(kappa, tmp_path: Path):
    (tmp_path / "c.yaml").write_text("topic: t\nfields: {n: int}\n")
    (tmp_path / "mend.py").write_text(MEND)
    (tmp_path / "t.jsonl").write_text('{"n": 1}\n{"n": "2"}\n{"n": "x"}\n')
    kappa("topic", "create", "t")
    assert kappa("dlq", "list").out == "no topic has dead letters\n"
    kappa("contract", "set", "c.yaml")
    kappa("load", "t", "t.jsonl")
    assert kappa("dlq", "list", "--json").json == [
        {"letters": "t.dead_letters", "waiting": 2, "resolved": 0}
    ]
    listed = kappa("dlq", "list", "t").out
    assert "2 x n: '2' is a str, not int, since LSN" in listed
    assert kappa("dlq", "show", "t", "1", "--json").json["record"] == {"n": "x"}
    assert kappa("dlq", "show", "t", "9").code == 2
    done = kappa("dlq", "replay", "t", "--map", "mend.py:mend")
    assert done.code == 3
    assert "1 records are back in the log" in done.out
    assert "1 still cannot be taken: mending fails: ValueError" in done.out
    assert kappa("dlq", "drop", "t", "1", "--yes").out == "1 dropped\n"
    assert kappa("dlq", "list", "t").out == "t: no dead letter waits\n"
    outcomes = [
        one["outcome"] for one in kappa("dlq", "list", "t", "--all", "--json").json["letters"]
    ]
    assert outcomes == ["replayed", "dropped"]
    assert kappa("dlq", "replay", "t", "0").code == 2
    assert kappa("dlq", "list", "nothing").code == 2


def test_lines_that_a_load_could_not_read(kappa, tmp_path: Path):
    (tmp_path / "mend.py").write_text(MEND)
    (tmp_path / "t.jsonl").write_text('{"n": 1}\n{"n": \n')
    kappa("topic", "create", "t")
    kappa("load", "t", "t.jsonl", "--on-error", "dead_letter")
    assert "text that a load could not read" in kappa("dlq", "replay", "t").err
    assert kappa("dlq", "replay", "t", "--map", "mend.py:parse").code == 0
    assert "{'n': 7}" in kappa("topic", "tail", "t").out
