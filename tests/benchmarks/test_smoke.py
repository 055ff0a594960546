"""Every benchmark at its smallest size: it runs, and the engine's result is the loop's.

What is measured is not looked at; `measure` raises where the two results differ.
"""

from __future__ import annotations

import json

import pytest

from benchmarks import lake
from benchmarks.__main__ import main
from benchmarks.catalog import WORKLOADS
from benchmarks.harness import Workload, digest, measure, percentile


@pytest.mark.parametrize("name", WORKLOADS)
def test_engine_and_loop_agree(name: str):
    kind = WORKLOADS[name]
    found = measure(kind, records=min(kind.sizes["smoke"], 1_000), keys=20, rounds=1, memory=False)
    assert found.workload == name
    assert found.ratio > 0


def test_text_keys_agree_too():
    measure(WORKLOADS["tumbling"], records=500, keys=7, text=True, rounds=1, memory=False)


def test_a_wrong_result_is_noticed():
    class Wrong(WORKLOADS["scan_rows"]):  # type: ignore[misc]
        def loop_rows(self, result: object) -> list[int]:
            return [0]

    with pytest.raises(AssertionError, match="scan_rows: the engine's result"):
        measure(Wrong, records=10, keys=2, rounds=1, memory=False)


def test_the_hash_ignores_order_and_nothing_else():
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    turned = [{"b": "y", "a": 2}, {"b": "x", "a": 1}]
    assert digest(rows) == digest(turned)
    assert digest(rows) != digest([*rows, rows[0]])
    assert digest([1]) != digest([1.0])


def test_percentiles_are_nearest_rank():
    assert percentile(list(range(1, 101)), 99) == 100
    assert percentile([5.0], 50) == 5.0


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]):
    assert main(["scan_rows", "--smoke", "--records", "50", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["workload"] == "scan_rows"
    assert found["records"] == 50


def test_the_command_refuses_an_unknown_name(capsys: pytest.CaptureFixture[str]):
    assert main(["nothing"]) == 2
    assert "no workload 'nothing'" in capsys.readouterr().err


def test_every_workload_says_what_it_does():
    for kind in WORKLOADS.values():
        assert issubclass(kind, Workload)
        assert kind.does
        assert set(kind.sizes) == {"smoke", "real"}


def test_the_formats_of_a_lake_agree_and_a_month_is_that_of_the_rebuild(
    capsys: pytest.CaptureFixture[str],
):
    assert lake.main(["--size", "smoke", "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["format"] for one in found["formats"]] == list(lake.FORMATS)
