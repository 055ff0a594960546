"""`kappa contract` in one process: exit codes, messages, JSON."""

from __future__ import annotations

from pathlib import Path

CONTRACT = """
topic: bids
fields:
  price: {type: int, min: 0}
  who: {type: str, nullable: true, pii: name}
expectations:
- expect_column_values_to_be_unique: {column: price}
"""


def test_from_a_file_to_a_broken_promise(kappa, tmp_path: Path):
    (tmp_path / "c.yaml").write_text(CONTRACT)
    (tmp_path / "bids.jsonl").write_text('{"price": 1, "who": "a"}\n{"price": 1, "who": null}\n')
    kappa("topic", "create", "bids")
    done = kappa("contract", "set", "c.yaml")
    assert (done.code, done.out.partition(" from")[0]) == (0, "contract bids@1 is in force")
    assert "already" in kappa("contract", "set", "c.yaml").out
    kappa("load", "bids", "bids.jsonl")
    done = kappa("contract", "check", "bids", "--json")
    assert done.code == 3
    (report,) = done.json
    broken = [row["expectation"] for row in report["results"] if not row["success"]]
    assert broken == ["expect_column_values_to_be_unique"]
    done = kappa("contract", "check", "bids", "--html", "page.html", "--per", "1h")
    assert done.code == 3
    assert "1 broken" in done.out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert kappa("contract", "check", "bids", "--since", "2200-01-01").code == 0


def test_versions_are_compared_and_shown(kappa, tmp_path: Path):
    (tmp_path / "c.yaml").write_text(CONTRACT)
    (tmp_path / "d.yaml").write_text(CONTRACT.replace("min: 0", "min: 5"))
    kappa("topic", "create", "bids")
    kappa("contract", "set", "c.yaml")
    assert kappa("contract", "diff", "bids", "c.yaml").code == 0
    done = kappa("contract", "diff", "bids", "d.yaml", "--json")
    assert (done.code, done.json) == (
        3,
        [{"what": "field price: min", "before": 0, "after": 5, "effect": "stricter"}],
    )
    kappa("contract", "set", "d.yaml")
    assert kappa("contract", "show", "bids", "--json").json["fields"]["price"]["min"] == 5
    assert kappa("contract", "show", "bids@1", "--json").json["fields"]["price"]["min"] == 0
    kappa("contract", "set", "bids", "--remove")
    assert kappa("contract", "show", "bids").code == 2


def test_what_makes_no_sense_is_said_in_a_line(kappa, tmp_path: Path):
    kappa("topic", "create", "bids")
    (tmp_path / "c.yaml").write_text("topic: bids\nfields: {price: {typ: int}}\n")
    done = kappa("contract", "check", "c.yaml")
    assert (done.code, "did you mean 'type'" in done.err) == (2, True)
    assert "no contract" in kappa("contract", "check", "bids").err


def test_exit_codes(kappa, tmp_path: Path):
    """0 kept, 3 broken, 2 a contract that makes no sense, 1 what is not there."""
    kappa("topic", "create", "bids")
    (tmp_path / "empty.yaml").write_text("topic: bids\n")
    (tmp_path / "fresh.yaml").write_text("topic: bids\nfreshness: 1h\n")
    (tmp_path / "other.yaml").write_text("topic: others\n")
    (tmp_path / "odd.yaml").write_text("topic: bids\nfields: {price: {type: int, max: x}}\n")
    assert kappa("contract", "check", "empty.yaml").code == 0
    assert kappa("contract", "check", "empty.yaml", "fresh.yaml").code == 3, "no record at all"
    assert kappa("contract", "check", "other.yaml").code == 1, "no topic keeps no promise"
    assert kappa("contract", "check", "odd.yaml").code == 2
    assert kappa("contract", "check", "none.yaml").code == 2
    assert kappa("contract", "infer", "others").code == 1
    done = kappa("contract", "infer", "bids")
    assert (done.code, done.out) == (0, "topic: bids\non_violation: dead_letter\n")
    (tmp_path / "c.py").write_text(
        "from kappa.contracts.contract import Contract\npromised = Contract('bids')\n"
    )
    assert kappa("contract", "set", "c.py").code == 0
    assert "no 'other'; its contracts are promised" in kappa("contract", "show", "c.py:other").err
