"""Process functions: timers in order, state that expires, laws that are enforced, R1."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from operators.keyed_runs import Append, cuts, histories, outputs, rows_of, same_however_cut

from kappa.batch import RowFailure
from kappa.errors import ConfigError, OperatorError
from kappa.expressions import Selector
from kappa.operators.process import Process
from kappa.state import ListState, MapState, ValueState
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

KEY = Selector.of("k")


def process(cls: type) -> Process:
    return Process(KEY, cls)


def one(*items: tuple[str, int], watermark: int = 0) -> Append:
    return [(time, {"k": key}) for key, time in items], watermark


# ---- records and state


class Numbered:
    n = ValueState(default=0)

    def on_record(self, row: Any, ctx: Any) -> None:
        self.n.set(self.n.get() + 1)
        ctx.emit({"k": ctx.key, "n": self.n.get()})


def test_state_belongs_to_a_key() -> None:
    found = outputs(process(Numbered), [one(("a", 1), ("b", 2), ("a", 3)), one(("a", 4))])
    assert rows_of(found) == [
        {"k": "a", "n": 1},
        {"k": "b", "n": 1},
        {"k": "a", "n": 2},
        {"k": "a", "n": 3},
    ]
    assert [time for items in found.values() for time, _ in items] == [1, 2, 3, 4]


def test_what_was_emitted_does_not_change_with_the_state() -> None:
    class Keeps:
        seen = ValueState()

        def on_record(self, row: Any, ctx: Any) -> None:
            state = self.seen.get() or {"k": ctx.key, "times": []}
            state["times"].append(ctx.time)
            self.seen.set(state)
            ctx.emit(state)

    found = outputs(process(Keeps), [one(("a", 1), ("a", 2)), one(("a", 3))])
    assert [row["times"] for row in rows_of(found)] == [[1], [1, 2], [1, 2, 3]]


def test_the_context_says_what_is_handled() -> None:
    class Says:
        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.emit([ctx.key, ctx.time, ctx.lsn, ctx.watermark, ctx.params["p"]])

    found = outputs(process(Says), [one(("a", 1), watermark=7), one(("b", 2))], params={"p": 5})
    assert rows_of(found) == [["a", 1, 1, MINUS_INFINITY, 5], ["b", 2, 2, 7, 5]]


def test_rows_may_have_other_times_and_outputs() -> None:
    class Splits:
        sides = ("odd",)

        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.emit("main", time=ctx.time + 1000)
            if ctx.time % 2:
                ctx.side("odd", "side")

    found = outputs(process(Splits), [one(("a", 1), ("a", 2))])
    assert found == {(1, ""): [(1001, "main"), (1002, "main")], (1, "odd"): [(1, "side")]}
    assert process(Splits).declared_sides == ("odd",)


def test_open_may_make_what_never_changes() -> None:
    class Scales:
        factor: int

        def open(self, ctx: Any) -> None:
            self.factor = ctx.params["factor"]

        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.emit(ctx.time * self.factor)

    assert rows_of(outputs(process(Scales), [one(("a", 2))], params={"factor": 10})) == [20]


# ---- timers


class Timed:
    """Sets timers as its rows say, and says what fires."""

    def on_record(self, row: Any, ctx: Any) -> None:
        for time, tag in row.get("set", ()):
            ctx.set_timer(time, tag)
        for time, tag in row.get("delete", ()):
            ctx.delete_timer(time, tag)

    def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
        ctx.emit((ctx.key, time, tag))


def test_timers_fire_by_time_key_and_tag() -> None:
    rows = [
        (0, {"k": "b", "set": [(10, 1), (10, 0)]}),
        (0, {"k": "a", "set": [(10, 5), (5, 0), (99, 0)]}),
        (0, {"k": "b", "set": [(7, 0)], "delete": [(7, 0)]}),
    ]
    found = outputs(process(Timed), [(rows, 4), ([], 10)], close=False)
    assert found == {
        (2, ""): [(5, ("a", 5, 0)), (10, ("a", 10, 5)), (10, ("b", 10, 0)), (10, ("b", 10, 1))]
    }


def test_a_timer_at_or_before_the_watermark_fires_at_the_end_of_the_append() -> None:
    rows = [(50, {"k": "a", "set": [(20, 0)]}), (50, {"k": "a", "set": [(20, 0)]})]
    found = outputs(process(Timed), [([], 30), (rows, 30)], close=False)
    assert found == {(2, ""): [(20, ("a", 20, 0))]}


class Chained:
    def on_record(self, row: Any, ctx: Any) -> None:
        ctx.set_timer(ctx.time + 10, "first")
        ctx.set_timer(ctx.time + 12, "unset")

    def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
        ctx.emit((ctx.key, time, tag, ctx.watermark))
        if tag == "first":
            ctx.set_timer(time - 5, "back")
            ctx.set_timer(time, "again")
            assert ctx.delete_timer(time + 2, "unset")
            assert not ctx.delete_timer(time + 2, "unset")


@pytest.mark.parametrize("ranked", [False, True])
def test_a_timer_may_set_and_delete_others_that_are_due(ranked: bool) -> None:
    history = [one(("b", 0), ("a", 0)), ([], 100)]
    found = outputs(process(Chained), history, close=False, ranked=ranked)
    assert rows_of(found) == [
        ("a", 10, "first", 100),
        ("a", 5, "back", 100),
        ("a", 10, "again", 100),
        ("b", 10, "first", 100),
        ("b", 5, "back", 100),
        ("b", 10, "again", 100),
    ]


def test_a_timer_that_sets_itself_again_ends_with_the_stream() -> None:
    class Ticks:
        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.set_timer(ctx.time + 10)

        def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
            ctx.emit(time)
            if not tag:
                ctx.set_timer(time + 10)
                ctx.set_timer(time + 1, "once")

    found = outputs(process(Ticks), [one(("a", 0), watermark=25)])
    assert rows_of(found) == [10, 11, 20, 21, 30, 31]
    assert sorted(found) == [(1, ""), (2, "")]


# ---- time to live


class Expiring:
    value = ValueState(default=0, ttl=10)
    items = ListState(ttl=10)
    entries = MapState(ttl=10)

    def on_record(self, row: Any, ctx: Any) -> None:
        if row.get("look"):
            ctx.emit((self.value.get(), self.items.get(), self.entries.items()))
            return
        self.value.set(ctx.time)
        self.items.append(ctx.time)
        self.entries.put(row["n"], ctx.time)


def look(time: int) -> tuple[int, Any]:
    return time, {"k": "a", "look": True}


def test_what_is_written_expires_when_the_watermark_reaches_its_time_and_the_ttl() -> None:
    history: list[Append] = [
        ([(0, {"k": "a", "n": 1}), (5, {"k": "a", "n": 2}), (3, {"k": "a", "n": 1})], 0),
        ([look(8)], 9),
        ([look(8)], 10),
        ([look(8)], 13),
        ([look(8)], 14),
        ([look(8)], 15),
        ([look(8)], 15),
    ]
    whole = (3, [0, 5, 3], [(1, 3), (2, 5)])
    found = rows_of(outputs(process(Expiring), history))
    assert found == [
        whole,
        whole,
        (3, [5, 3], [(1, 3), (2, 5)]),
        (3, [5], [(2, 5)]),  # of two writes to a value the later end counts: that of time 5
        (3, [5], [(2, 5)]),
        (0, [], []),
    ]


def test_a_late_write_lives_until_the_end_of_its_append() -> None:
    history: list[Append] = [([], 100), ([(0, {"k": "a", "n": 1}), look(0)], 100), ([look(0)], 100)]
    assert rows_of(outputs(process(Expiring), history)) == [(0, [0], [(1, 0)]), (0, [], [])]


def test_state_that_expires_before_a_timer_is_gone_and_at_its_time_is_not() -> None:
    class Both:
        value = ValueState(default=0, ttl=10)

        def on_record(self, row: Any, ctx: Any) -> None:
            self.value.set(7)
            for time in (9, 10, 11):
                ctx.set_timer(time)

        def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
            ctx.emit((time, self.value.get()))

    assert rows_of(outputs(process(Both), [one(("a", 0)), ([], 50)])) == [(9, 7), (10, 7), (11, 0)]


# ---- laws


def test_no_attribute_may_be_set_while_records_are_handled() -> None:
    class Remembers:
        def on_record(self, row: Any, ctx: Any) -> None:
            self.n = 1

    class Forgets:
        def open(self, ctx: Any) -> None:
            self.n = 1

        def on_record(self, row: Any, ctx: Any) -> None:
            del self.n

    for cls in (Remembers, Forgets):
        for dead_letters in (False, True):
            with pytest.raises(RowFailure) as caught:
                outputs(process(cls), [one(("a", 1))], dead_letters=dead_letters)
            assert "n = ValueState()" in str(caught.value.cause)


def test_state_outside_of_a_record_is_refused() -> None:
    class Early:
        n = ValueState(default=0)

        def open(self, ctx: Any) -> None:
            self.n.get()

        def on_record(self, row: Any, ctx: Any) -> None:
            """Does nothing."""

    with pytest.raises(ConfigError, match="no key anywhere else"):
        outputs(process(Early), [])


@pytest.mark.parametrize("what", ["emit", "side", "set_timer"])
def test_open_has_no_effects(what: str) -> None:
    class Early:
        def open(self, ctx: Any) -> None:
            arguments = {"emit": (1,), "side": ("x", 1), "set_timer": (5,)}[what]
            getattr(ctx, what)(*arguments)

        def on_record(self, row: Any, ctx: Any) -> None:
            """Does nothing."""

        def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
            """Does nothing."""

    with pytest.raises(ConfigError, match="no key yet"):
        outputs(process(Early), [])


def test_the_watermark_is_seen_only_where_every_append_comes_by_itself() -> None:
    def behind(ctx: Any) -> int:
        return int(ctx.watermark)

    class Hidden:
        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.emit(behind(ctx))

    class Said(Hidden):
        reads_watermark = True

    with pytest.raises(RowFailure) as caught:
        outputs(process(Hidden), [one(("a", 1))], dead_letters=True)
    assert "reads_watermark = True" in str(caught.value.cause)
    assert process(Hidden).bound(5) == PLUS_INFINITY
    assert process(Said).bound(5) == MINUS_INFINITY
    assert rows_of(outputs(process(Said), [([], 3), one(("a", 1))])) == [3]


def test_the_bound() -> None:
    class Delayed(Timed):
        timer_delay = "10ms"

    class Live(Delayed):
        value = ValueState(ttl=4)

    class Reads(Delayed):
        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.emit([ctx.watermark for _ in range(2)])

    assert process(Numbered).bound(5) == PLUS_INFINITY
    assert process(Expiring).bound(5) == 15
    assert process(Timed).bound(5) == MINUS_INFINITY
    assert process(Delayed).bound(5) == 15
    assert process(Live).bound(5) == 9
    assert process(Reads).bound(5) == MINUS_INFINITY


def test_a_timer_sooner_than_declared_stops_the_run() -> None:
    class Hasty(Timed):
        timer_delay = "10ms"

    rows = [(0, {"k": "a", "set": [(9, 0)]})]
    with pytest.raises(RowFailure) as caught:
        outputs(process(Hasty), [(rows, 0)])
    assert "less than timer_delay" in str(caught.value.cause)


def test_a_class_without_on_timer_sets_none() -> None:
    class Deaf:
        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.set_timer(5)

    with pytest.raises(RowFailure) as caught:
        outputs(process(Deaf), [one(("a", 1))])
    assert "no method on_timer" in str(caught.value.cause)


def test_an_undeclared_side_is_refused_where_sides_are_declared() -> None:
    class Splits:
        sides = ("odd",)

        def on_record(self, row: Any, ctx: Any) -> None:
            ctx.side("even", row)

    with pytest.raises(RowFailure) as caught:
        outputs(process(Splits), [one(("a", 1))])
    assert "'even' is not among the class's sides: odd" in str(caught.value.cause)


def test_wrong_classes_are_refused_when_the_pipeline_is_built() -> None:
    class Empty:
        pass

    class Wrong:
        on_record = 5

    class Delay:
        timer_delay = "soon"

        def on_record(self, row: Any, ctx: Any) -> None:
            """Does nothing."""

    class Needs:
        def __init__(self, n: int) -> None:
            """Takes an argument."""

        def on_record(self, row: Any, ctx: Any) -> None:
            """Does nothing."""

    for cls, message in (
        (Empty, "no method on_record"),
        (Wrong, "on_record is not a method"),
        (Numbered(), "not a class"),
        (Delay, "Delay.timer_delay"),
    ):
        with pytest.raises(ConfigError, match=message):
            process(cls)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="made without arguments"):
        outputs(process(Needs), [])


def test_what_it_says_of_itself() -> None:
    class Everything(Timed):
        a = ValueState(default=0, ttl="1h")
        b = MapState()
        timer_delay = "3s"
        holdback = "5s"

    assert process(Everything).describe() == (
        "keeps a (ValueState(default=0, ttl='1h')), b (MapState()), timers (3s ahead) per k"
    )
    assert process(Everything).holdback == 5_000
    assert process(Timed) == process(Timed)


# ---- failures


class Fails:
    n = ValueState(default=0)

    def on_record(self, row: Any, ctx: Any) -> None:
        self.n.set(self.n.get() + 1)
        ctx.emit(self.n.get())
        ctx.set_timer(ctx.time + 5)
        if row["n"] % 2:
            raise ValueError("odd")

    def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
        ctx.emit("timer")
        if time == 6:
            raise ValueError("six")


ROWS = [(1, {"k": "a", "n": 1}), (2, {"k": "a", "n": 2}), (3, {"k": [0], "n": 2})]


def test_a_failing_record_stops_the_run_and_is_named() -> None:
    with pytest.raises(RowFailure) as caught:
        outputs(process(Fails), [(ROWS, 0)])
    assert caught.value.row == {"k": "a", "n": 1}
    with pytest.raises(OperatorError, match=r"on_timer failed at .*006Z for key 'a', tag 0: Val"):
        outputs(process(Fails), [([(1, {"k": "a", "n": 2})], 50)])


def test_a_failing_record_or_timer_is_a_dead_letter_and_emits_nothing() -> None:
    found = outputs(process(Fails), [(ROWS, 50)], dead_letters=True)
    assert rows_of(found) == [2, "timer"]
    letters = rows_of(found, "dead_letter")
    assert [letter["error"][:30] for letter in letters] == [
        "ValueError: odd",
        "RecordRefused: key [0] is a li",
        "ValueError: six",
    ]
    assert letters[0]["record"] == {"k": "a", "n": 1}
    assert letters[2]["record"] == {"key": "a", "time": 6, "tag": 0}
    assert letters[0]["step"] == "step"


# ---- R1


class Busy:
    """A little of everything, to be cut anywhere."""

    total = ValueState(default=0)
    recent = ListState(ttl=6)
    by_number = MapState(ttl=9)

    def on_record(self, row: Any, ctx: Any) -> None:
        self.total.set(self.total.get() + row["n"])
        self.recent.append(row["n"])
        self.by_number.put(row["n"] % 3, ctx.time)
        ctx.emit((ctx.key, self.total.get(), self.recent.get(), self.by_number.items(), ctx.lsn))
        if row["n"] % 2:
            ctx.set_timer(ctx.time + 4, row["n"] % 2)
        if row["n"] % 5 == 0:
            ctx.side("five", row["n"])

    def on_timer(self, time: int, tag: Any, ctx: Any) -> None:
        ctx.emit((ctx.key, time, tag, ctx.watermark, self.recent.get(), self.by_number.items()))
        self.recent.append(-time)
        if tag == 1:
            ctx.set_timer(time + 3, 2)
            ctx.set_timer(time - 2, 3)
        if time % 4 == 0:
            self.by_number.clear()


class BusyAhead(Busy):
    timer_delay = "4ms"


class BusyAlone(Busy):
    def on_record(self, row: Any, ctx: Any) -> None:
        super().on_record(row, ctx)
        ctx.emit(ctx.watermark)


@pytest.mark.parametrize("cls", [Numbered, Busy, BusyAhead, BusyAlone])
@given(history=histories(), cut=cuts())
@settings(max_examples=100, deadline=None)
def test_any_history_however_cut(cls: type, history: list[Append], cut: Any) -> None:
    same_however_cut(process(cls), history, cut)


@given(history=histories(), cut=cuts())
@settings(max_examples=50, deadline=None)
def test_a_declared_delay_changes_nothing(history: list[Append], cut: Any) -> None:
    assert same_however_cut(process(BusyAhead), history, cut) == outputs(process(Busy), history)
