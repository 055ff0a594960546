"""`kappa query`: a table's row by key, from the log alone."""

from __future__ import annotations

import json
from pathlib import Path

PIPELINE = """
from kappa import Pipeline, agg

towns = Pipeline("towns")
people = towns.table("people", key="name")
people.group_by("town").aggregate(n=agg.count()).to("per_town")
people.group_by("town", "age").aggregate(n=agg.count()).to("per_town_and_age")
"""
PEOPLE = '{"name": "ann", "town": "7", "age": 3}\n{"name": "bob", "town": "ulm", "age": 4}\n'


def test_a_row_is_found_by_text_number_and_several_fields(kappa, tmp_path: Path):
    (tmp_path / "towns.py").write_text(PIPELINE)
    (tmp_path / "people.jsonl").write_text(PEOPLE)
    assert kappa("topic", "create", "people", "--key", "name").code == 0
    assert kappa("load", "people", "people.jsonl").code == 0
    assert kappa("run", "towns.py:towns", "--until-idle", "--quiet").code == 0
    done = kappa("query", "per_town", "ulm", "--json")
    assert (done.code, json.loads(done.out)["row"]) == (0, {"town": "ulm", "n": 1})
    # "7" is a number as JSON; the key is the text.
    assert json.loads(kappa("query", "per_town", "7", "--json").out)["row"]["town"] == "7"
    found = json.loads(kappa("query", "per_town_and_age", '["ulm", 4]', "--json").out)
    assert found["row"] == {"town": "ulm", "age": 4, "n": 1}
    everything = json.loads(kappa("query", "per_town", "--json").out)
    assert [one["key"] for one in everything["rows"]] == ["7", "ulm"]


def test_a_key_that_is_not_there_has_an_exit_code_of_its_own(kappa, tmp_path: Path):
    test_a_row_is_found_by_text_number_and_several_fields(kappa, tmp_path)
    done = kappa("query", "per_town", "paris")
    assert (done.code, done.out) == (1, "")
    assert "no row with key paris as of LSN" in done.err
    before = kappa("query", "per_town", "ulm", "--as-of", "1")
    assert before.code == 1
    assert kappa("query", "nowhere", "ulm").code != 0
