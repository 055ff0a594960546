"""`kappa schema` in one process: exit codes, messages, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ONE = {
    "type": "record",
    "name": "Bid",
    "fields": [{"name": "price", "type": "int"}, {"name": "note", "type": ["null", "string"]}],
}
PIPELINES = """
from dataclasses import dataclass
from kappa import Pipeline

dear = Pipeline("dear")
dear.source("bids").filter(lambda row: row["price"] > 5).select("note").to("dear")
notes = Pipeline("notes")
notes.source("bids").select("note").to("notes")

@dataclass
class Bid:
    price: float
    note: str | None
    unit: str = "EUR"
"""


def written(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document))
    return path.name


def with_price(type_: str) -> dict[str, Any]:
    return {**ONE, "fields": [{"name": "price", "type": type_}, ONE["fields"][1]]}


def begun(kappa: Any, tmp_path: Path) -> None:
    (tmp_path / "pipes.py").write_text(PIPELINES)
    kappa("topic", "create", "bids")
    done = kappa("schema", "set", "bids", written(tmp_path / "one.avsc", ONE))
    assert (done.code, done.out.startswith("topic bids has schema version 1")) == (0, True)


def test_from_a_document_to_a_class_and_back(kappa, tmp_path: Path):
    begun(kappa, tmp_path)
    assert "has it already" in kappa("schema", "set", "bids", "one.avsc").out
    assert kappa("schema", "check", "bids", "pipes.py:Bid").code == 0
    kappa("schema", "set", "bids", "pipes.py:Bid")
    assert kappa("schema", "set", "bids", "bids@2", "--mode", "full").out == (
        "topic bids, version 2: now FULL\n"
    )
    (listed,) = kappa("schema", "list", "--json").json
    assert (listed["topic"], listed["version"], listed["mode"]) == ("bids", 2, "FULL")
    assert listed["fields"] == ["price", "note", "unit"]
    shown = kappa("schema", "show", "bids").out
    assert "float64" in shown and "'EUR'" in shown and "string or null" in shown
    assert kappa("schema", "show", "bids@1", "--avro").json == ONE
    document = kappa("schema", "show", "bids", "--json-schema").json
    assert document["required"] == ["price", "note"]
    versions = kappa("schema", "show", "bids", "--versions", "--json").json
    assert [one["version"] for one in versions] == [1, 2]
    assert kappa("topic", "describe", "bids", "--json").json["schema"] == "version 2, FULL"


def test_a_breaking_change_has_exit_code_3_and_names_who_reads_the_field(kappa, tmp_path: Path):
    begun(kappa, tmp_path)
    (tmp_path / "bids.jsonl").write_text('{"price": 7, "note": "x"}\n')
    kappa("load", "bids", "bids.jsonl")
    kappa("run", "pipes.py:dear", "--until-idle")
    new = written(tmp_path / "new.json", with_price("string"))
    done = kappa("schema", "check", "bids", new, "pipes.py:notes")
    assert done.code == 3
    assert "version 1" in done.out and "dear@1 reads price" in done.out and "notes" not in done.out
    found = kappa("schema", "check", "bids", new, "pipes.py:dear", "--json").json
    assert found["readers"] == {"dear@1": ["price"], "dear": ["price"]}
    assert [(one["version"], one["field"]) for one in found["breaks"]] == [(1, "price")]
    refused = kappa("schema", "set", "bids", new)
    assert refused.code == 1 and "dear@1 reads price" in refused.err
    assert kappa("schema", "check", "bids", new, "--mode", "none").code == 0
    gone = {**ONE, "fields": [ONE["fields"][1]]}
    done = kappa("schema", "check", "bids", written(tmp_path / "gone.json", gone))
    assert done.code == 0 and "field 'price' is removed" in done.out and "dear@1" in done.out


def test_a_first_schema_is_held_against_the_records_that_are_there(kappa, tmp_path: Path):
    kappa("topic", "create", "bids")
    (tmp_path / "bids.jsonl").write_text('{"price": "7", "note": null}\n')
    kappa("load", "bids", "bids.jsonl")
    done = kappa("schema", "check", "bids", written(tmp_path / "one.json", ONE))
    assert done.code == 3 and "version" not in done.out
    assert "offset 0) does not fit: field 'price': expected int32, got str '7'" in done.out


def test_what_makes_no_sense_is_said_in_a_line(kappa, tmp_path: Path):
    begun(kappa, tmp_path)
    (tmp_path / "bad.json").write_text('{"type": "record"}')
    for arguments, message in [
        (("set", "bids", "bad.json"), "bad.json"),
        (("set", "bids", "none.avsc"), "no file none.avsc"),
        (("set", "bids", "pipes.py"), "pipes.py:Class"),
        (("set", "bids", "pipes.py:dear"), "is no schema"),
        (("show", "bids@7"), "versions 1 to 1"),
        (("show", "others"), "others"),
        (("check", "bids", "bids@1", "--mode", "sideward"), "sideward"),
    ]:
        done = kappa("schema", *arguments)
        assert done.code in (1, 2) and message in done.err, (arguments, done)
