"""deduplicate against a model that keeps every record, and the laws of R1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from operators.keyed_runs import Append, cuts, histories, outputs, rows_of, same_however_cut

from kappa.errors import ConfigError
from kappa.expressions import Selector, col
from kappa.operators.deduplicate import Deduplicate
from kappa.time import PLUS_INFINITY

KEY = Selector.of("k")


def numbers(found: Any) -> list[int]:
    return [row["n"] for row in rows_of(found)]


def rows(*items: tuple[str, int, int]) -> list[tuple[int, Any]]:
    return [(time, {"k": key, "n": n}) for key, time, n in items]


def test_the_first_of_a_key_for_ever() -> None:
    history: list[Append] = [
        (rows(("a", 5, 1), ("a", 5, 2), ("b", 1, 3)), 100),
        (rows(("a", 900, 4), ("b", 0, 5)), 1000),
    ]
    assert numbers(outputs(Deduplicate(KEY), history)) == [1, 3]


def test_first_within_is_judged_in_event_time_on_both_sides() -> None:
    history: list[Append] = [
        (rows(("a", 20, 1), ("a", 29, 2), ("a", 11, 3), ("a", 10, 4), ("a", 30, 5)), 0)
    ]
    assert numbers(outputs(Deduplicate(KEY, within=10), history)) == [1, 4, 5]


def test_a_kept_record_is_forgotten_when_the_watermark_reaches_its_time_and_the_span() -> None:
    for watermark, expected in ((29, [1]), (30, [1, 2])):
        history: list[Append] = [
            (rows(("a", 20, 1)), watermark),
            (rows(("a", 20, 2)), watermark),
        ]
        assert numbers(outputs(Deduplicate(KEY, within=10), history)) == expected


def test_a_late_record_is_kept_until_the_end_of_its_append() -> None:
    history: list[Append] = [
        (rows(("b", 100, 0)), 99),
        (rows(("a", 20, 1), ("a", 20, 2)), 99),
        (rows(("a", 20, 3)), 99),
    ]
    assert numbers(outputs(Deduplicate(KEY, within=10), history)) == [0, 1, 3]


def test_the_last_comes_when_it_is_forgotten() -> None:
    history: list[Append] = [
        (rows(("a", 20, 1), ("a", 25, 2), ("a", 22, 3), ("b", 40, 4)), 34),
        ([], 35),
        ([], 50),
    ]
    found = outputs(Deduplicate(KEY, keep="last", within=10), history)
    assert found == {(2, ""): [(25, {"k": "a", "n": 2})], (3, ""): [(40, {"k": "b", "n": 4})]}


def test_of_equal_times_the_last_to_arrive_is_the_last() -> None:
    history: list[Append] = [(rows(("a", 20, 1), ("a", 20, 2)), 0)]
    assert numbers(outputs(Deduplicate(KEY, keep="last", within=10), history)) == [2]
    assert numbers(outputs(Deduplicate(KEY, keep="last"), history)) == [2]


def test_the_last_without_a_span_comes_at_the_end_by_key() -> None:
    history: list[Append] = [
        (rows(("b", 1, 1), ("a", 5, 2), ("b", 0, 3)), 10**9),
    ]
    found = outputs(Deduplicate(KEY, keep="last"), history)
    assert found == {(2, ""): [(5, {"k": "a", "n": 2}), (1, {"k": "b", "n": 1})]}


class Model:
    """Every record ever; what is kept is worked out anew each time."""

    def __init__(self, keep: str, within: int) -> None:
        self.keep, self.within = keep, within
        self.kept: list[tuple[Any, int, int]] = []

    def record(self, key: Any, time: int, n: int) -> list[int]:
        near = [one for one in self.kept if one[0] == key and abs(one[1] - time) < self.within]
        if self.keep == "first":
            if near:
                return []
            self.kept.append((key, time, n))
            return [n]
        if any(one[1] > time for one in near):
            return []
        for one in near:
            self.kept.remove(one)
        self.kept.append((key, time, n))
        return []

    def forget(self, watermark: int) -> list[int]:
        gone = [
            one
            for one in self.kept
            if one[1] + self.within <= watermark or watermark == PLUS_INFINITY
        ]
        for one in gone:
            self.kept.remove(one)
        return [n for _, _, n in gone] if self.keep == "last" else []


def modelled(keep: str, within: int, history: Sequence[Append]) -> list[tuple[int, int]]:
    model = Model(keep, within)
    out: list[tuple[int, int]] = []
    for lsn, (items, watermark) in enumerate([*history, ([], PLUS_INFINITY)], start=1):
        for time, row in items:
            out += [(lsn, n) for n in model.record(row["k"], time, row["n"])]
        out += [(lsn, n) for n in sorted(model.forget(watermark))]
    return out


@pytest.mark.parametrize("keep", ["first", "last"])
@given(history=histories(), cut=cuts())
@settings(max_examples=150, deadline=None)
def test_any_history(keep: str, history: list[Append], cut: Any) -> None:
    within = 7
    found = same_however_cut(Deduplicate(KEY, keep=keep, within=within), history, cut)
    seen = [(lsn, row["n"]) for (lsn, _), items in sorted(found.items()) for _, row in items]
    assert sorted(seen) == sorted(modelled(keep, within, history))


@pytest.mark.parametrize("keep", ["first", "last"])
@given(history=histories(), cut=cuts())
@settings(max_examples=60, deadline=None)
def test_any_history_without_a_span(keep: str, history: list[Append], cut: Any) -> None:
    found = same_however_cut(Deduplicate(KEY, keep=keep), history, cut)
    expected = modelled(keep, PLUS_INFINITY, history)
    assert sorted(numbers(found)) == sorted(n for _, n in expected)


def test_a_failing_key_is_a_dead_letter() -> None:
    history: list[Append] = [
        ([(1, {"k": [1], "n": 1}), (2, {"k": "a", "n": 2}), (3, {"n": 3}), (4, {"k": "a"})], 0)
    ]
    for keep in ("first", "last"):
        found = outputs(Deduplicate(KEY, keep=keep), history, dead_letters=True)
        errors = sorted(row["error"] for row in rows_of(found, "dead_letter"))
        assert len(rows_of(found)) == 1
        assert "key [1] is a list: cannot be a key" in errors[0]
        assert "unknown field 'k'" in errors[1]


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ConfigError, match="keep is 'any'"):
        Deduplicate(KEY, keep="any")
    with pytest.raises(ConfigError, match="within"):
        Deduplicate(KEY, within=0)


def test_what_it_declares() -> None:
    last = Deduplicate(KEY, keep="last", within="10s")
    assert last == Deduplicate(KEY, keep="last", within=10_000)
    assert last.holdback == 10_000
    assert Deduplicate(KEY, within="10s").holdback == 0
    assert last.bound(5) == 10_005
    assert Deduplicate(KEY).bound(5) == PLUS_INFINITY
    assert last.required(frozenset({"n"})) == {"k", "n"}
    assert Deduplicate(Selector.of(str)).required(frozenset({"n"})) is None
    assert "10s behind the watermark" in last.describe()
    assert "until the end" in Deduplicate(KEY, keep="last").describe()
    assert "every price it has seen" in Deduplicate(Selector.of(col("price"))).describe()
