"""Patterns against a naive matcher that has all rows at hand, and the laws of R1.

Random small patterns (quantifiers, contiguity, conditions that look back) run over random
histories with late rows, cut and restored anywhere; the matches must be those of
`pattern_model`, which goes back and forth over the rows that are not late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from operators.keyed_runs import Append, Driven, cuts, outputs, rows_of, same_however_cut
from pattern_model import Matcher, Taken, Var
from strategies import examples

from kappa import Log, Pipeline, agg
from kappa.errors import ConfigError, OperatorError
from kappa.expressions import Selector, col, lit, meta, param
from kappa.operators import Pattern
from kappa.patterns import PatternRow, matched, prev, row, to_first, to_last
from kappa.testing import Heartbeat, run
from kappa.time import MINUS_INFINITY, ManualClock

KEY = Selector.of("k")
NUMBERS = {"all": lambda match: [one["n"] for one in match.rows]}


def is_(value: int) -> Any:
    return col("v") == value


def history(*values: Any, gap: int = 1) -> list[Append]:
    """One row an append, `gap` apart, each passed by the watermark at once."""
    return [
        ([(n * gap, {"k": "a", "v": value, "n": n})], n * gap) for n, value in enumerate(values)
    ]


def found(rows: Sequence[PatternRow], *values: Any, gap: int = 1, **options: Any) -> list[Any]:
    """The rows' numbers of each match."""
    step = Pattern(KEY, rows, NUMBERS, **options)
    return [one["all"] for one in rows_of(outputs(step, history(*values, gap=gap)))]


# ---- by hand: quantifiers


def test_one_after_the_other_without_anything_between() -> None:
    pattern = [row("a", is_(1)), row("b", is_(2))]
    assert found(pattern, 1, 2, 1, 9, 2, 1, 2) == [[0, 1], [5, 6]]


@pytest.mark.parametrize(
    ("times", "matches"),
    [
        ("?", [[0, 1, 5]]),
        ("*", [[0, 1, 2, 3, 4, 5]]),
        ("+", [[0, 1, 2, 3, 4, 5]]),
        (2, []),
        ("2..4", [[0, 1, 2, 3, 4, 5]]),
        ("2..3", []),
        ("5+", []),
    ],
)
def test_quantifiers_take_so_many(times: Any, matches: Any) -> None:
    values = (1, 2, 3) if times == "?" else (1, 2, 2, 2, 2, 3)
    pattern = [row("a", is_(1)), row("b", is_(2), times=times), row("c", is_(3))]
    wanted = [[0, 1, 2]] if times == "?" else matches
    assert found(pattern, *values) == wanted


def test_greedy_takes_what_the_rest_allows_and_reluctant_as_little() -> None:
    def pattern(greedy: bool) -> list[PatternRow]:
        return [row("a", is_(1), times="+", greedy=greedy), row("b", times="1")]

    assert found(pattern(True), 1, 1, 1, 5) == [[0, 1, 2, 3]]
    assert found(pattern(True), 1, 1, 1) == [[0, 1, 2]]  # goes back by one at the end
    assert found(pattern(False), 1, 1, 1, 5) == [[0, 1], [2, 3]]


def test_a_greedy_match_waits_for_the_row_that_ends_it() -> None:
    step = Pattern(KEY, [row("a", is_(1), times="+")], NUMBERS)
    out = outputs(step, history(1, 1, 2))
    assert out == {(3, ""): [(2, {"k": "a", "all": [0, 1]})]}


def test_a_reluctant_one_comes_at_once() -> None:
    step = Pattern(KEY, [row("a", is_(1), times="+", greedy=False)], NUMBERS)
    assert list(outputs(step, history(1, 1, 2))) == [(1, ""), (2, "")]


# ---- by hand: contiguity, skip, within


def test_relaxed_leaves_out_what_fits_nothing_and_any_leaves_out_everything() -> None:
    def pattern(how: str) -> list[PatternRow]:
        return [
            row("a", is_(1)),
            row("b", is_(2), contiguity=how),
            row("c", is_(3), contiguity=how),
        ]

    values = (1, 9, 2, 2, 9, 3)
    assert found(pattern("strict"), *values) == []
    assert found(pattern("relaxed"), *values, skip="none") == [[0, 2, 5]]
    assert found(pattern("any"), *values, skip="none") == [[0, 2, 5], [0, 3, 5]]
    assert found(pattern("any"), *values) == [[0, 2, 5]]


def test_where_the_search_goes_on() -> None:
    pattern = [row("a", times=1), row("b", col("v") > prev("v"), times="+")]
    values = (1, 2, 3, 2, 4)
    assert found(pattern, *values) == [[0, 1, 2], [3, 4]]
    assert found(pattern, *values, skip="to_next") == [[0, 1, 2], [1, 2], [3, 4]]
    assert found(pattern, *values, skip=to_last("b")) == [[0, 1, 2], [3, 4]]
    assert found(pattern, *values, skip=to_first("b")) == [[0, 1, 2], [1, 2], [3, 4]]
    assert found(pattern, *values, skip=to_first("a")) == [[0, 1, 2], [1, 2], [3, 4]]
    assert sorted(found(pattern, *values, skip="none")) == [[0, 1], [0, 1, 2], [1, 2], [3, 4]]


def gaps(values: Sequence[int], **options: Any) -> list[list[int]]:
    """All matches of 1, then one or more 2 with gaps between."""
    on_error = options.pop("on_error", "stop")
    pipeline = Pipeline("gaps", on_error=on_error)
    rows = [row("a", is_(1)), row("b", is_(2), times="+", contiguity="any")]
    keyed = pipeline.source("in").key_by("k")
    keyed.pattern(rows, select=NUMBERS, within="1s", skip="none", **options).to("out")
    made = [{"k": 1, "v": value, "n": n, "ts": n} for n, value in enumerate(values)]
    return [one["all"] for one in run(pipeline, {"in": made})["out"]]


def test_ways_that_double_with_every_row_are_bounded() -> None:
    values = (1, 2, 2, 2, 2, 3)
    assert len(gaps(values)) == 2**4 - 1
    # From the four rows 2, before the last: the ways that end there, those that go on, and
    # those that wait, in one.
    enough = next(most for most in range(1, 100) if refused_at(values, most) is None)
    assert enough > 2**4
    assert gaps(values, max_ways=enough) == gaps(values)
    assert refused_at(values, enough - 1) == 4


def refused_at(values: Sequence[int], most: int) -> int | None:
    """The number of the row that makes more ways than there may be."""
    try:
        gaps(values, max_ways=most)
    except OperatorError as error:
        assert f"more than {most} ways through the pattern" in str(error)
        assert "max_ways=" in str(error)
        return next(n for n in range(len(values)) if f"'n': {n}" in str(error))
    return None


def test_a_row_that_makes_too_many_ways_can_be_set_aside() -> None:
    values = (1, 2, 2, 2, 2, 3)
    assert gaps(values, max_ways=9, on_error="dead_letter") == gaps(values[:3])


@pytest.mark.parametrize("most", [0, -1, 1.5, None, True])
def test_max_ways_is_a_whole_number(most: Any) -> None:
    with pytest.raises(ConfigError, match="max_ways"):
        gaps((1,), max_ways=most)


def test_a_skip_to_rows_that_there_are_none_of_goes_past_the_last() -> None:
    pattern = [row("a", is_(1), times=2), row("b", is_(2), times="?")]
    assert found(pattern, 1, 1, 1, skip=to_first("b")) == [[0, 1]]


def test_within_is_strict_and_the_watermark_decides() -> None:
    pattern = [row("a", is_(1)), row("b", is_(2))]
    assert found(pattern, 1, 2, gap=9, within=10) == [[0, 1]]
    assert found(pattern, 1, 2, gap=10, within=10) == []
    step = Pattern(KEY, [row("a", is_(1), times="+")], NUMBERS, within=10)
    appends: list[Append] = [([(0, {"k": "a", "v": 1, "n": 0})], 8), ([], 9)]
    assert outputs(step, appends, close=False) == {(2, ""): [(9, {"k": "a", "all": [0]})]}


def test_rows_are_taken_by_event_time_and_late_ones_are_told() -> None:
    step = Pattern(KEY, [row("a", is_(1)), row("b", is_(2))], NUMBERS)
    appends: list[Append] = [
        ([(5, {"k": "a", "v": 2, "n": 0}), (3, {"k": "a", "v": 1, "n": 1})], 5),
        ([(4, {"k": "a", "v": 1, "n": 2})], 5),
    ]
    assert outputs(step, appends) == {
        (1, ""): [(5, {"k": "a", "all": [1, 0]})],
        (2, "late"): [(4, {"k": "a", "v": 1, "n": 2, "late_by": 2})],
    }


# ---- by hand: what conditions and results see


def test_conditions_see_rows_taken_before_and_the_row_at_hand_among_its_own() -> None:
    down = [
        row("start"),
        row("down", col("v") < prev("v"), times="2+"),
        row("up", col("v") > matched("down").last("v", 1)),
    ]
    assert found(down, 5, 4, 3, 9, 8, 7, 10, skip=to_last("up")) == [[0, 1, 2, 3], [3, 4, 5, 6]]
    assert found(down, 5, 4, 3, 4, 9) == []  # 4 is not above the last but one, 4
    run_ = [row("run", matched("run").mean("v") < 10, times="+"), row("after")]
    assert found(run_, 5, 9, 50, 1) == [[0, 1, 2]]
    limit = [row("a"), row("b", col("v") > matched("a").first("v") + 10, contiguity="relaxed")]
    assert found(limit, 1, 5, 11, 12) == [[0, 3]]
    counted = [row("a", matched("a").count() <= 2, times="+")]
    assert found(counted, 1, 1, 1, 1, 1) == [[0, 1], [2, 3], [4]]
    total = [row("a", matched("a").sum("v") < 10, times="+")]
    assert found(total, 4, 5, 1, 9, 3) == [[0, 1], [2], [3], [4]]
    spread = [row("a", matched("a").max("v") - matched("a").min("v") < 3, times="2+")]
    assert found(spread, 1, 3, 4, 2, 9) == [[0, 1], [2, 3]]


def test_results_see_the_whole_match_and_a_bare_field_is_the_last_rows() -> None:
    a = matched("a")
    step = Pattern(
        KEY,
        [row("a", is_(1), times="+"), row("b", is_(2), times="*"), row("c", is_(3))],
        {
            "first": a.first("n"),
            "last": a.last("n"),
            "before": a.last("n", 1),
            "far": a.last("n", 5),
            "rows": a.count(),
            "double": a.sum(col("n") * 2),
            "none": matched("b").last("n"),
            "no": matched("b").count(),
            "end": col("n"),
            "at": meta.time - a.first(meta.time),
            "names": lambda match: [match["a"][-1]["n"], match["b"], match.times],
        },
    )
    (one,) = rows_of(outputs(step, history(1, 1, 3, gap=5)))
    assert one == {
        "k": "a",
        "first": 0,
        "last": 1,
        "before": 0,
        "far": None,
        "rows": 2,
        "double": 2,
        "none": None,
        "no": 0,
        "end": 2,
        "at": 10,
        "names": [1, [], [0, 5, 10]],
    }


def test_functions_see_the_row_and_what_was_matched_before_it() -> None:
    pattern = [
        row("a", lambda one: one["v"] == 1),
        row("b", lambda one, match: one["v"] > match["a"][0]["v"] + len(match["b"]), times="+"),
    ]
    assert found(pattern, 1, 2, 3, 3) == [[0, 1, 2]]


def test_prev_looks_at_rows_before_the_match_too() -> None:
    pattern = [row("rise", col("v") > prev("v"), times="+")]
    assert found(pattern, 3, 4, 5, 1, 2) == [[1, 2], [4]]
    assert found([row("a", col("v") > prev("v", 2))], 1, 5, 3, 4) == [[2]]
    step = Pattern(KEY, pattern, NUMBERS)
    assert step.lookback == 1
    assert "and 1 before, for ever" in step.describe()


def test_null_is_not_true_and_params_are_filled_in() -> None:
    limit = param("limit", int, default=2)
    assert found([row("a", col("v") >= limit)], 1, None, 2, 3) == [[2], [3]]
    assert (
        found([row("a", lit(True)), row("b", matched("a").first("v") == col("v"))], None, 1) == []
    )


def test_ties_in_time_go_by_arrival_and_matches_of_an_instant_by_key() -> None:
    rows = [(5, {"k": key, "v": v, "n": n}) for n, (key, v) in enumerate([("b", 1), ("a", 1)] * 2)]
    step = Pattern(KEY, [row("two", is_(1), times=2)], NUMBERS)
    assert [one["all"] for one in rows_of(outputs(step, [(rows, 5)]))] == [[1, 3], [0, 2]]


def test_rows_kept_for_prev_alone_begin_nothing_after_a_restore() -> None:
    pattern = [row("a", prev("v").is_null() | (col("v") > prev("v")), times=2)]
    for restores in ([], [True] * 5):
        step = Pattern(KEY, pattern, NUMBERS)
        out = outputs(step, history(1, 2, 3, 4), restores=restores)
        assert [one["all"] for one in rows_of(out)] == [[0, 1], [2, 3]]


# ---- rows on which a condition fails


def test_a_row_on_which_a_condition_fails_is_set_aside_as_if_it_had_not_come() -> None:
    for skip in ("past_last", "to_next", "none"):
        pattern = [row("a", is_(1)), row("b", col("v") > 1)]
        step = Pattern(KEY, pattern, NUMBERS, skip=skip)
        out = outputs(step, history(1, "x", 2, "y", 1, 3), dead_letters=True)
        assert [one["all"] for one in rows_of(out)] == [[0, 2], [4, 5]]
        letters = rows_of(out, "dead_letter")
        assert [one["record"]["v"] for one in letters] == ["x"]


def test_a_result_that_fails_is_a_dead_letter_and_the_search_goes_on() -> None:
    step = Pattern(KEY, [row("a", times=1)], {"double": matched("a").sum("v")})
    out = outputs(step, history(1, "x", 2), dead_letters=True)
    assert [one["double"] for one in rows_of(out)] == [1, 2]
    assert len(rows_of(out, "dead_letter")) == 1


def test_without_dead_letters_the_error_names_the_row() -> None:
    pipeline = Pipeline("p")
    keyed = pipeline.source("in").key_by("k")
    keyed.pattern([row("a", col("v") > 1)], select={"v": col("v")}).to("out")
    with pytest.raises(OperatorError, match=r"failed on the record .*'v': 'x'"):
        run(pipeline, {"in": [{"k": 1, "v": "x", "ts": 1}]})


# ---- any pattern over any history: conditions twice, as expressions and over plain lists

Test = Callable[[Sequence[Any], Taken], Any]


def value(rows: Sequence[Any], index: int) -> Any:
    return rows[index][1]["v"]


def own(rows: Sequence[Any], taken: Taken, variable: int | None = None) -> list[Any]:
    """The values that a variable has taken: the row's own, if none is given."""
    wanted = taken[-1][0] if variable is None else variable
    return [value(rows, index) for one, index in taken if one == wanted]


def before(rows: Sequence[Any], taken: Taken) -> Any:
    index = taken[-1][1]
    return value(rows, index - 1) if index else None


CONDITIONS: list[tuple[Callable[[str, str], Any], Test]] = [
    (lambda me, first: None, lambda rows, taken: True),
    (lambda me, first: is_(1), lambda rows, taken: value(rows, taken[-1][1]) == 1),
    (lambda me, first: col("v") != 1, lambda rows, taken: value(rows, taken[-1][1]) != 1),
    (
        lambda me, first: col("v") > prev("v"),
        lambda rows, taken: (
            before(rows, taken) is not None and value(rows, taken[-1][1]) > before(rows, taken)
        ),
    ),
    (
        lambda me, first: matched(me).mean("v") < 1.5,
        lambda rows, taken: sum(own(rows, taken)) / len(own(rows, taken)) < 1.5,
    ),
    (lambda me, first: matched(me).count() <= 2, lambda rows, taken: len(own(rows, taken)) <= 2),
    (
        lambda me, first: (
            matched(me).last("v", 1).is_null() | (col("v") < matched(me).last("v", 1))
        ),
        lambda rows, taken: (
            len(own(rows, taken)) < 2 or own(rows, taken)[-1] < own(rows, taken)[-2]
        ),
    ),
    (
        lambda me, first: col("v") >= matched(first).first("v"),
        lambda rows, taken: (
            bool(own(rows, taken, 0)) and value(rows, taken[-1][1]) >= own(rows, taken, 0)[0]
        ),
    ),
    (
        lambda me, first: lambda one, match: sum(r["v"] for r in match.rows) + one["v"] < 6,
        lambda rows, taken: sum(value(rows, index) for _, index in taken) < 6,
    ),
    (
        lambda me, first: matched(me).max("v") - matched(me).min("v") < 2,
        lambda rows, taken: max(own(rows, taken)) - min(own(rows, taken)) < 2,
    ),
]
TIMES = st.sampled_from([(1, 1), (0, 1), (0, None), (1, None), (2, None), (2, 2), (1, 3), (0, 2)])
SKIPS = ["past_last", "to_next", "none", ("first", "x0"), ("last", "x0"), ("last", "x1")]


@st.composite
def patterns(draw: Callable[..., Any]) -> tuple[Pattern, list[Var], Any]:
    rows: list[PatternRow] = []
    model: list[Var] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"x{number}"
        condition, test = draw(st.sampled_from(CONDITIONS))
        (least, most), greedy = draw(TIMES), draw(st.booleans())
        how = draw(st.sampled_from(["strict", "strict", "relaxed", "any"]))
        rows.append(PatternRow(name, condition(name, "x0"), least, most, greedy, how))
        model.append(Var(name, test, least, most, greedy, how))
    skip = draw(st.sampled_from(SKIPS[: 5 + (len(rows) > 1)]))
    given_ = skip if isinstance(skip, str) else (to_first, to_last)[skip[0] == "last"](skip[1])
    within = draw(st.sampled_from([None, 3, 8, 20]))
    results = {
        "rows": lambda match: [(one["n"]) for one in match.rows],
        **{one.name: _numbers(one.name) for one in rows},
        "first": matched("x0").first("n"),
        "last": matched(rows[-1].name).last("n"),
        "total": matched("x0").sum("v"),
    }
    try:
        return Pattern(KEY, rows, results, within=within, skip=given_), model, skip
    except ConfigError:
        assume(False)
        raise


def _numbers(name: str) -> Callable[[Any], list[int]]:
    return lambda match: [one["n"] for one in match[name]]


@st.composite
def sequences(draw: Callable[..., Any]) -> list[Append]:
    appends: list[Append] = []
    watermark, number, low = -1, 0, 0
    for _ in range(draw(st.integers(1, 7))):
        rows = []
        for _ in range(draw(st.integers(0, 4))):
            number += 1
            time = low + draw(st.integers(0, 6))
            row_ = {"k": draw(st.sampled_from(["a", "a", "b"])), "v": draw(st.integers(0, 3))}
            rows.append((time, {**row_, "n": number}))
        watermark += draw(st.sampled_from([0, 1, 3, 6]))
        low = max(0, watermark - draw(st.integers(0, 2)))
        appends.append((rows, watermark))
    return appends


def wanted(
    appends: list[Append], model: list[Var], skip: Any, within: int | None
) -> dict[str, list[Any]]:
    kept: dict[str, list[Any]] = {}
    passed = MINUS_INFINITY
    for items, watermark in appends:
        for time, one in items:
            if time > passed:
                kept.setdefault(one["k"], []).append((time, one))
        passed = max(passed, watermark)
    out: dict[str, list[Any]] = {}
    for key, rows in kept.items():
        rows.sort(key=lambda item: item[0])
        for match in Matcher(model, within, rows).matches(skip):
            out.setdefault(key, []).append(shown(rows, match, model))
    return out


def shown(rows: list[Any], match: Taken, model: list[Var]) -> dict[str, Any]:
    made: dict[str, Any] = {"rows": [rows[index][1]["n"] for _, index in match]}
    for place, one in enumerate(model):
        made[one.name] = [rows[index][1]["n"] for variable, index in match if variable == place]
    values = own(rows, match, 0)
    return {
        **made,
        "first": made["x0"][0] if made["x0"] else None,
        "last": made[model[-1].name][-1] if made[model[-1].name] else None,
        "total": sum(values) if values else None,
    }


@given(case=patterns(), appends=sequences(), cut=cuts())
@examples(600)
def test_any_pattern_over_any_history(case: Any, appends: list[Append], cut: Any) -> None:
    step, model, skip = case
    out: dict[str, list[Any]] = {}
    for one in rows_of(same_however_cut(step, appends, cut)):
        out.setdefault(one.pop("k"), []).append(one)
    want = wanted(appends, model, skip, step.span)
    if skip in ("none", "to_next"):  # several starts are under way: by when they are decided
        order = repr
        out = {key: sorted(rows, key=order) for key, rows in out.items()}
        want = {key: sorted(rows, key=order) for key, rows in want.items()}
    assert out == want


@given(case=patterns(), appends=sequences())
@examples(150)
def test_no_match_lies_behind_the_watermark(case: Any, appends: list[Append]) -> None:
    step, _, _ = case
    marks = {lsn: mark for lsn, (_, mark) in enumerate(appends, start=2)}
    for (lsn, output), rows in outputs(step, appends, close=False).items():
        if output == "":
            assert all(time > marks.get(lsn, MINUS_INFINITY) for time, _ in rows)


# ---- state


def test_state_is_bounded_by_within_and_empty_where_nothing_is_under_way() -> None:
    pattern = [row("a", is_(1)), row("b", is_(2), contiguity="relaxed")]
    driven = Driven(Pattern(KEY, pattern, NUMBERS, within=50, skip="to_next"))
    sizes = []
    for n in range(400):
        driven.take([([(n, {"k": n // 20, "v": 1, "n": n})], n)], n + 1)
        sizes.append(sum(len(entries) for _, (_, entries) in driven.state.keyed("rows").items()))
    assert max(sizes) == 49
    driven.take([([], 500)], 401)
    assert len(driven.state) == 0


def test_rows_that_can_begin_nothing_are_not_kept() -> None:
    driven = Driven(Pattern(KEY, [row("a", is_(1)), row("b", is_(2))], NUMBERS))
    for n, v in enumerate([3, 3, 1]):
        driven.take([([(n, {"k": "a", "v": v, "n": n})], n)], n + 1)
        assert len(driven.state.keyed("rows")) == (v == 1)


# ---- what it declares, and what it refuses


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (list, "give at least one row"),
        (lambda: ["a"], "is no row of a pattern"),
        (lambda: [row("a"), row("a")], "two rows are named 'a'"),
        (lambda: [row("a", times="*"), row("b", times="?")], "all rows are optional"),
        (lambda: [row("a", col("v") > matched("b").last("v")), row("b")], "known there: 'a'"),
        (lambda: [row("a", meta.offset > 3)], "only meta.time"),
        (lambda: [row("a"), row("b", times="+", contiguity="relaxed")], "give within="),
        (lambda: [row("", times=1)], "give the variable a name"),
        (lambda: [row("a", 5)], "no expression or function"),
        (lambda: [row("a", contiguity="loose")], "contiguity is 'loose'"),
        *((lambda t=times: [row("a", times=t)], "times is") for times in (0, -1, "", "3..2", "x")),
        (lambda: [row("a", times=True)], "times is True"),
        (lambda: [row("a", col("v") > prev("v", 0))], "back is 0"),
        (lambda: [row("a", matched("a").last("v", -1) > 1)], "back is -1"),
        (lambda: [row("a", prev(prev("v")) > 1)], "matched rows inside of matched rows"),
    ],
)
def test_wrong_rows_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pattern(KEY, make(), NUMBERS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"select": {}}, "give results by name"),
        ({"select": {"n": 5}}, "the result 'n' is 5"),
        ({"select": {"n": matched("z").count()}}, "the result 'n' speaks of matched"),
        ({"select": {"k": matched("a").count()}}, "'k' is the name of the key"),
        ({"skip": "later"}, "skip is 'later'"),
        ({"skip": to_last("z")}, "no such row"),
        ({"within": 0}, "within"),
        ({"contiguity": "loose"}, "contiguity is 'loose'"),
    ],
)
def test_wrong_use_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pattern(KEY, [row("a")], **{"select": NUMBERS, **arguments})


def test_words_of_a_pattern_mean_nothing_elsewhere() -> None:
    pipeline = Pipeline("p")
    pipeline.source("in").filter(col("v") > prev("v")).to("out")
    with pytest.raises((ConfigError, OperatorError), match="only in a pattern"):
        run(pipeline, {"in": [{"v": 1, "ts": 1}]})


def test_what_it_declares() -> None:
    pattern = [row("a"), row("b", col("v") > matched("a").first("w"), times="+")]
    select = {"x": matched("b").sum(col("y") + 1)}
    step = Pattern(KEY, pattern, select, within="10s", skip="to_next")
    assert step.required(None) == {"k", "v", "w", "y"}
    assert step.yields([None]) == ("k", "x")
    assert (step.bound(5), step.margin_before) == (5, 10_000)
    assert Pattern(KEY, pattern, select, within="10s").margin_before is None
    assert Pattern(KEY, pattern, select, skip="none").margin_before is None
    assert Pattern(KEY, pattern, NUMBERS).required(None) is None
    assert Pattern(KEY, [row("a", lambda one: one["z"])], select | {"x": col("y")}).required(
        None
    ) == {"k", "y", "z"}
    assert "for ever; give within=" in Pattern(KEY, pattern, select).describe()
    assert repr(matched("a").last("v", 1)) == "matched('a').last('v', 1)"
    assert repr(matched("a").count()) == "matched('a').count()"


def test_a_pipeline_with_a_pattern_replays() -> None:
    pipeline = Pipeline("p")
    keyed = pipeline.source("in").key_by("k")
    matches = keyed.pattern(
        [row("a", is_(1)), row("b", is_(2))],
        select={"at": matched("b").last("ts")},
        skip="to_next",
        within=100,
    )
    matches.to("out")
    matches.side("late").to("late")
    matches.aggregate(n=agg.count()).to("counts")
    log = Log.memory(clock=ManualClock(0))
    log.create_topic("in", time="ts")
    for time, v in ((1, 1), (5, 2), (4, 9), (9, 1), (14, 2)):
        log.append("in", [{"k": 7, "v": v, "ts": time}])
    pipeline.replay(log)
    assert [(r.time, r.value) for r in log.read("out@1")] == [
        (5, {"k": 7, "at": 5}),
        (14, {"k": 7, "at": 14}),
    ]
    assert [record.value["n"] for record in log.read("counts@1")] == [1, 2]
    assert [record.value["late_by"] for record in log.read("late@1")] == [1]
    pipeline.replay(log, since=9)
    assert [record.time for record in log.read("out@2")] == [14]


def test_heartbeats_decide_what_within_bounds() -> None:
    pipeline = Pipeline("p")
    pipeline.source("in").key_by("k").pattern(
        [row("a", is_(1)), row("b", is_(1), times="*", contiguity="relaxed")],
        select={"n": matched("b").count()},
        within=10,
    ).to("out")
    rows = [{"k": 1, "v": v, "ts": ts} for ts, v in ((0, 1), (3, 5), (6, 1))]
    assert run(pipeline, {"in": [*rows, Heartbeat(9)]})["out"] == [{"k": 1, "n": 1}]
