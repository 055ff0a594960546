"""The oracle against vectors worked out by hand from the rules, so that it is no second guess.

Each test states the rule; the numbers are those of the field's own documents where they have
some (Flink's window tests, Kafka Streams' SessionWindows, Beam's transcripts).
"""

from datetime import UTC, datetime

from oracle import Append, Dedup, FlatMap, Late, Running, Source, Union, Window, run

COUNT = {"n": ("count", None)}


def at(*times, topic="a", partition=0, now=0):
    return Append(now, {(topic, partition): [(time, {"k": 1, "t": time}) for time in times]})


def tumbling(source, size=10, lateness=0, aggs=COUNT):
    return Window(source, ("k",), ("tumbling", size, 0), aggs, lateness)


def fired(output, sink="out"):
    """{append: [(window_start, window_end, n)]}"""
    return {
        index: [(row["window_start"], row["window_end"], row["n"]) for _, row in made[sink]]
        for index, made in output.appends.items()
        if sink in made
    }


def test_window_fires_at_end_minus_one():
    window = tumbling(Source("a"))
    log = [at(9), at(10), at(9)]
    output = run(log, {"out": window, "late": Late(window)})
    assert output.watermarks == [8, 9, 9]
    assert fired(output) == {1: [(0, 10, 1)]}
    late = output.appends[2]["late"]
    assert late == [(9, {"k": 1, "t": 9, "window_start": 0, "window_end": 10, "late_by": 1})]
    assert [row["n"] for _, row in output.closing["out"]] == [1]


def test_allowed_lateness_fires_again_until_cleanup():
    window = tumbling(Source("a"), lateness=5)
    output = run([at(9), at(14), at(9), at(15), at(9)], {"out": window, "late": Late(window)})
    assert output.watermarks == [8, 13, 13, 14, 14]
    assert fired(output) == {1: [(0, 10, 1)], 2: [(0, 10, 2)]}
    assert output.appends[4]["late"][0][1]["late_by"] == 1


def test_record_at_the_bound_is_not_late():
    window = tumbling(Source("a", out_of_orderness=5), size=1)
    output = run([at(20), at(15), at(14)], {"out": window, "late": Late(window)})
    assert output.watermarks == [14, 14, 14]
    assert [list(made) for made in output.appends.values()] == [["late"]]


def test_minimum_over_partitions_and_a_new_partition_never_pulls_back():
    source = Source("a")
    log = [at(100), at(50, partition=1), at(200), at(150, partition=1)]
    assert run(log, {"out": tumbling(source)}).watermarks == [99, 99, 99, 149]


def test_a_source_without_records_holds_and_idles():
    one, two = Source("a"), Source("b", idle_after=10)
    union = Union((one, two))
    log = [at(100, now=0), at(200, now=10), at(300, now=11), at(50, topic="b", now=12)]
    marks = run(log, {"out": tumbling(union)}).watermarks
    assert marks == [-(1 << 62), -(1 << 62), 299, 299]


def test_idle_partition_is_left_out_and_a_tick_moves_append_time_only():
    source = Source("a", idle_after=10)
    log = [at(5, now=0), at(100, partition=1, now=1), Append(11, ticks=("a",))]
    assert run(log, {"out": tumbling(source)}).watermarks == [4, 4, 99]
    assert run([*log, Append(50, ticks=("a",))], {"out": tumbling(source)}).watermarks[-1] == 99


def test_max_lag_leaves_out_what_is_strictly_more_behind():
    log = [at(0), at(100, partition=1), at(101, partition=1)]
    assert run(log, {"out": tumbling(Source("a", max_lag=100))}).watermarks == [-1, -1, 100]


def test_claims_take_over_and_are_the_minimum_over_producers():
    source = Source("a", out_of_orderness=50)
    log = [
        at(100),
        Append(0, claims={"a": 70}, producer="p"),
        at(500),
        Append(0, claims={"a": 60}, producer="q"),
        Append(0, claims={"a": 90}, producer="q"),
        Append(0, claims={"a": 80}, producer="p"),
    ]
    assert run(log, {"out": tumbling(source)}).watermarks == [49, 70, 70, 70, 70, 80]


def test_sessions_of_the_javadoc_and_the_strict_gap():
    def sessions(gap, inclusive, *times):
        window = Window(Source("a", 1000), ("k",), ("session", gap, inclusive), COUNT)
        closed = run([at(time) for time in times], {"out": window}).closing["out"]
        return [(row["window_start"], row["window_end"] - gap, row["n"]) for _, row in closed]

    assert sessions(5, False, 10, 12, 20) == [(10, 12, 2), (20, 20, 1)]
    assert sessions(5, False, 10, 12, 20, 16) == [(10, 20, 4)]
    assert sessions(10, False, 0, 10) == [(0, 0, 1), (10, 10, 1)]
    assert sessions(10, True, 0, 10) == [(0, 10, 2)]


def test_an_old_record_that_bridges_into_a_live_session_is_taken():
    window = Window(Source("a"), ("k",), ("session", 10, False), COUNT)
    output = run([at(20), at(29), at(12), at(1)], {"out": window, "late": Late(window)})
    assert output.closing["out"][0][1] == {"k": 1, "window_start": 12, "window_end": 39, "n": 3}
    late = output.appends[3]["late"][0][1]
    assert (late["window_start"], late["window_end"], late["late_by"]) == (1, 11, 19)


def test_records_of_one_append_are_judged_as_one_session():
    window = Window(Source("a"), ("k",), ("session", 10, False), COUNT)
    together = run([at(30), at(15, 21, 24)], {"out": window, "late": Late(window)})
    assert "late" not in together.appends.get(1, {})
    apart = run([at(30), at(15), at(21)], {"out": window, "late": Late(window)})
    assert "late" in apart.appends[1]


def test_sliding_windows_and_a_record_late_for_some_of_them():
    window = Window(Source("a"), ("k",), ("sliding", 10, 5, 0), COUNT)
    output = run([at(7), at(12), at(6), at(1)], {"out": window, "late": Late(window)})
    assert fired(output) == {1: [(0, 10, 1)]}
    assert [r["n"] for _, r in output.closing["out"]] == [3, 1]
    late = output.appends[3]["late"][0][1]
    assert (late["window_start"], late["window_end"], late["late_by"]) == (0, 10, 3)


def test_negative_times_fall_in_windows_by_floor():
    output = run([at(-1)], {"out": tumbling(Source("a"))})
    assert output.closing["out"][0][1]["window_start"] == -10


def test_calendar_days_over_daylight_saving_and_skipped_midnight():
    def day(zone, *when):
        moment = datetime(*when, tzinfo=UTC)
        window = Window(Source("a"), ("k",), ("calendar", "day", zone), COUNT)
        row = run([at(int(moment.timestamp()) * 1000)], {"out": window}).closing["out"][0][1]
        return (row["window_end"] - row["window_start"]) / 3_600_000

    assert day("Europe/Berlin", 2024, 3, 31, 12) == 23
    assert day("Europe/Berlin", 2024, 10, 27, 12) == 25
    assert day("Europe/Berlin", 2024, 6, 1, 12) == 24
    assert day("America/Sao_Paulo", 2018, 11, 4, 12) == 23  # midnight itself was skipped


def test_count_windows_by_arrival_and_the_rest_on_closing():
    window = Window(Source("a"), ("k",), ("count", 2), COUNT)
    output = run([at(5, 3, 4)], {"out": window})
    assert output.appends[0]["out"] == [
        (5, {"k": 1, "window_start": 3, "window_end": 5, "n": 2}),
    ]
    assert [row["n"] for _, row in output.closing["out"]] == [1]


def test_running_aggregate_gives_one_row_per_record_and_takes_late_ones():
    running = Running(Source("a"), ("k",), {"n": ("count", None), "t": ("max", "t")})
    output = run([at(5, 3), at(1)], {"out": running})
    assert [(time, row["n"], row["t"]) for time, row in output.rows("out")] == [
        (5, 1, 5),
        (3, 2, 5),
        (1, 3, 5),
    ]


def test_deduplicate_within_is_strict_and_forgets_by_the_watermark():
    dedup = Dedup(Source("a", out_of_orderness=100), ("k",), 10)
    assert [t for t, _ in run([at(0, 9, 10, 15, 1)], {"out": dedup}).rows("out")] == [0, 10]
    forgetful = Dedup(Source("a"), ("k",), 10)
    log = [at(0), at(11), at(1)]  # W 10 forgets the one at 0; 1 lies 10 from 11
    assert [t for t, _ in run(log, {"out": forgetful}).rows("out")] == [0, 11, 1]


def test_a_diamond_keeps_the_order_of_records_then_of_branches():
    source = Source("a")
    tagged = FlatMap(source, lambda row: [{**row, "b": 1}])
    output = run([at(1, 2)], {"out": Union((source, tagged))})
    assert [(time, row.get("b")) for time, row in output.rows("out")] == [
        (1, None),
        (1, 1),
        (2, None),
        (2, 1),
    ]


def test_rows_fired_at_an_lsn_are_judged_downstream_against_the_watermark_before():
    inner = tumbling(Source("a"), size=10)
    outer = Window(inner, ("k",), ("tumbling", 20, 0), {"n": ("sum", "n")})
    output = run([at(1), at(100)], {"out": outer})
    assert fired(output) == {1: [(0, 20, 1)]}


def test_ties_of_first_and_last_go_by_arrival_and_nulls_are_left_out():
    aggs = {"f": ("first", "v"), "l": ("last", "v"), "c": ("collect", "v"), "s": ("sum", "v")}
    rows = [(5, {"k": 1, "v": 1}), (5, {"k": 1, "v": 2}), (3, {"k": 1, "v": None})]
    output = run([Append(0, {("a", 0): rows})], {"out": tumbling(Source("a"), aggs=aggs)})
    row = output.closing["out"][0][1]
    assert (row["f"], row["l"], row["c"], row["s"]) == (1, 2, [1, 2], 3)


def test_an_arrival_that_touches_a_session_on_both_sides_gives_one_pane():
    window = Window(Source("a"), ("k",), ("session", 10, False), COUNT, lateness=100)
    output = run([at(20), at(50), at(11, 29)], {"out": window})
    assert fired(output) == {1: [(20, 30, 1)], 2: [(11, 39, 3)]}
