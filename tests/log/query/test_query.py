"""SQL over a log: what it sees against a plain reading, and how little it reads for that."""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kappa import Pipeline, Tumbling, agg
from kappa.errors import ConfigError, MissingExtra, RecordRefused, UnknownTopic
from kappa.log import Log

DAY = 86_400_000


@pytest.fixture
def log():
    with Log.memory() as opened:
        yield opened


def asked(log: Log, query: str, **options: Any) -> list[tuple[Any, ...]]:
    with log.sql(query, **options) as result:
        return list(result.tuples())


def bids(log: Log, days: int = 40, per_day: int = 200) -> None:
    log.create_topic("bids", partitions=2, key="auction", time="ts")
    for day in range(days):
        rows = [
            {"auction": n % 5, "price": n + day, "ts": day * DAY + n, "note": "x" * 50}
            for n in range(per_day)
        ]
        log.append("bids", rows)


# -- what is seen ----------------------------------------------------------------------------

ROWS = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {"k": st.integers(0, 3), "x": st.integers(-5, 5), "ts": st.integers(0, 20_000)}
        ),
        max_size=6,
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 20_000), st.integers(0, 20_000), st.data())
def test_a_query_sees_what_a_reading_sees(appends, since, until, data):
    with Log.memory() as log:
        log.create_topic("t", partitions=2, key="k", time="ts")
        for rows in appends:
            log.append("t", rows)
        at = data.draw(st.integers(1, log.end_lsn))
        wanted: dict[int, list[int]] = defaultdict(list)
        for record in log.read("t"):
            if since <= record.time < until and record.lsn <= at:
                wanted[record.value["k"]].append(record.value["x"])
        got = asked(
            log,
            "SELECT k, count(*), sum(x), min(_lsn) <= $at FROM t WHERE _time >= $since"
            " AND _time < $until GROUP BY k ORDER BY k",
            as_of=at,
            params={
                "since": datetime.fromtimestamp(since / 1000, UTC),
                "until": datetime.fromtimestamp(until / 1000, UTC),
                "at": at,
            },
        )
        assert got == [(k, len(xs), sum(xs), True) for k, xs in sorted(wanted.items())]


def test_the_facts_of_a_record_are_columns(log):
    bids(log, days=3, per_day=4)
    got = asked(log, "SELECT _partition, _offset, _lsn, _key, _time, price FROM bids ORDER BY ALL")
    want = [
        (r.partition, r.offset, r.lsn, r.key, r.time, r.value["price"]) for r in log.read("bids")
    ]
    assert [(*row[:4], row[4].timestamp() * 1000, row[5]) for row in got] == sorted(want)
    times = {entry.lsn: entry.append_time for entry in log.entries(0)}
    for lsn, moment in asked(log, "SELECT DISTINCT _lsn, _append_time FROM bids"):
        assert moment.timestamp() * 1000 == times[lsn]


def test_facts_give_way_to_fields_of_their_name(log):
    log.create_topic("t")
    log.append("t", [{"_time": "noon", "_lsn": 7}])
    assert asked(log, "SELECT _time, _lsn FROM t WHERE _lsn = 7") == [("noon", 7)]


def test_only_what_is_needed_is_read(log):
    bids(log)
    with log.sql("SELECT sum(price) FROM bids WHERE _time >= '1970-01-25'") as result:
        assert result.scalar() == sum(n + day for day in range(24, 40) for n in range(200))
        assert result.read["bids"] < 6000
    with log.sql("SELECT count(*) FROM bids WHERE _lsn = 5") as result:
        assert result.scalar() == 200
        assert result.read["bids"] < 6000
    with log.sql("SELECT count(*) FROM bids WHERE _time > '2030-01-01'") as result:
        assert (result.scalar(), result.read["bids"]) == (0, 0)


def test_only_the_fields_that_a_query_names_are_decoded(log, monkeypatch):
    from kappa.log.query import pieces

    bids(log, days=2)
    seen: set[str] = set()
    decode = pieces.decode_seen

    def spy(bodies, lsns, fields, view):
        if len(bodies) > 1:  # not the sample, which looks at each
            seen.update(["every"] if fields is None else fields)
        return decode(bodies, lsns, fields, view)

    monkeypatch.setattr(pieces, "decode_seen", spy)
    asked(log, "SELECT b.auction, max(b.price) FROM bids b GROUP BY 1")
    assert seen == {"auction", "price"}
    asked(log, "SELECT * FROM bids LIMIT 1")
    assert "every" in seen


def test_a_compacted_topic_shows_the_last_value_of_each_key(log):
    log.create_topic("people", partitions=2, key="id", compact=True)
    log.append("people", [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}])
    log.append("people", [{"id": True, "name": "eve"}])  # the same key as 1
    before = log.end_lsn
    log.append("people", [None], key=2)
    assert asked(log, "SELECT name FROM people") == [("eve",)]
    assert asked(log, f"SELECT name FROM people ORDER BY 1 AS OF LSN {before}") == [
        ("bob",),
        ("eve",),
    ]
    assert asked(log, "SELECT count(*), count(name) FROM records.people") == [(4, 3)]
    log.create_topic("plain", key="id")
    log.append("plain", [{"id": 1, "n": 1}, {"id": 1, "n": 2}])
    assert asked(log, "SELECT n FROM latest.plain") == [(2,)]
    assert asked(log, "SELECT n FROM plain ORDER BY n") == [(1,), (2,)]


# -- as of -----------------------------------------------------------------------------------


def test_as_of_belongs_to_the_query_or_to_one_table(log):
    bids(log, days=4)
    first = next(log.read("bids")).lsn
    assert asked(log, f"SELECT count(*) FROM bids AS OF {first}") == [(200,)]
    assert asked(log, f"SELECT 'AS OF 1', count(*) FROM bids as of lsn {first} ; -- end") == [
        ("AS OF 1", 200)
    ]
    both = f"SELECT a.n, b.n FROM (SELECT count(*) n FROM bids AT (VERSION => {first})) a,"
    assert asked(log, both + " (SELECT count(*) n FROM bids) b") == [(200, 800)]
    assert asked(log, f"SELECT bids.auction FROM bids AT (VERSION => {first}) WHERE price = 7") == [
        (2,)
    ]
    with pytest.raises(ConfigError, match="from LSN 1 to"):
        log.sql("SELECT 1 FROM bids", as_of=10_000)
    with pytest.raises(ConfigError, match="leave one out"):
        log.sql("SELECT 1 FROM bids AS OF 3", as_of=3)
    with pytest.raises(ConfigError, match="takes a VERSION"):
        log.sql("SELECT 1 FROM bids AT (TIMESTAMP => '2020-01-01')")


def sums(unit: int) -> Pipeline:
    pipeline = Pipeline("sums")
    source = pipeline.source("n").map(lambda row: {**row, "x": row["x"] * unit})
    source.key_by("k").window(Tumbling("10s")).aggregate(s=agg.sum("x")).to("sums")
    return pipeline


def test_closing_appends_are_seen_until_they_are_voided(log):
    log.create_topic("n", key="k", time="ts")
    log.append("n", [{"k": 1, "x": 1, "ts": 1_000}, {"k": 1, "x": 2, "ts": 12_000}])
    sums(1).replay(log, version=1)
    closed = log.end_lsn
    assert asked(log, "SELECT s FROM sums ORDER BY s") == [(1,), (2,)]
    log.append("n", [{"k": 1, "x": 5, "ts": 13_000}, {"k": 1, "x": 0, "ts": 25_000}])
    sums(1).run(log, until_idle=True)
    assert asked(log, "SELECT s FROM sums ORDER BY s") == [(1,), (7,)]
    assert asked(log, "SELECT s FROM sums ORDER BY s", as_of=closed) == [(1,), (2,)]


def test_a_bare_name_stands_for_what_it_stood_for_then(log):
    log.create_topic("n", key="k", time="ts")
    log.append("n", [{"k": 1, "x": 1, "ts": 1_000}])
    sums(1).replay(log, version=1)
    sums(10).replay(log, version=2)
    before = log.end_lsn
    log.promote("sums@2")
    assert asked(log, "SELECT s FROM sums") == [(10,)]
    assert asked(log, "SELECT s FROM sums", as_of=before) == [(1,)]
    assert asked(log, 'SELECT a.s, b.s FROM "sums@1" a, "sums@2" b') == [(1, 10)]
    log.delete_topic("sums@1")
    with pytest.raises(UnknownTopic, match="deleted since"):
        log.sql("SELECT s FROM sums", as_of=before)


def test_as_of_reaches_over_journal_files(log):
    with Log.memory(journal_bytes=2000) as small:
        bids(small, days=30, per_day=2)
        lsns = sorted({record.lsn for record in small.read("bids")})
        for count in (1, 13, 30):
            found = asked(small, "SELECT count(*) FROM bids", as_of=lsns[count - 1])
            assert found == [(2 * count,)]


# -- types -----------------------------------------------------------------------------------


def appended(log: Log, *values: Any) -> None:
    """Many appends without surprises, so that the sample does not see what follows."""
    log.create_topic("t")
    for _ in range(40):
        log.append("t", [{"x": 1}] * 100)
    log.append("t", [{"x": value} for value in values])


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([2.5], 2.5),
        ([2**53 + 1, 0.5], "9007199254740993"),
        ([True], "true"),
        (["many"], "many"),
        ([2**70], Decimal(2**70)),
        ([2**200], str(2**200)),
        ([[1, "a"]], '[1, "a"]'),
        ([{"a": (1, 2)}], '{"a": [1, 2]}'),
        ([datetime(2020, 1, 1, tzinfo=UTC)], "2020-01-01T00:00:00+00:00"),
        ([Decimal("1.50")], Decimal("1.50")),
    ],
)
def test_a_column_widens_to_hold_what_is_met_later(log, values, wanted):
    appended(log, *values)
    got = [row[0] for row in asked(log, "SELECT x FROM t")]
    assert wanted in got
    assert len(got) == 4000 + len(values)
    assert float(got[0]) == 1


def test_types_come_back_as_they_went_in(log):
    log.create_topic("t")
    row = {
        "i": 1,
        "f": 0.5,
        "b": False,
        "s": "ä",
        "y": b"\x00",
        "d": date(2020, 2, 29),
        "l": [1, 2],
        "m": {"a": {"b": "c"}},
        "n": None,
        "z": datetime(2020, 1, 1, tzinfo=UTC),
    }
    log.append("t", [row])
    assert log.sql("SELECT * FROM t").rows() == [row]


def test_a_field_that_only_few_records_have_is_found(log):
    appended(log)
    log.append("t", [{"x": 1, "rare": 5}])
    log.append("t", [{"x": 1}])
    assert asked(log, "SELECT rare FROM t WHERE rare IS NOT NULL") == [(5,)]
    assert log.sql("SELECT * FROM t ORDER BY rare LIMIT 1").rows() == [{"x": 1, "rare": 5}]
    names = [name for name, *_ in asked(log, "DESCRIBE t")]
    assert names == ["x", "rare"]


def test_values_of_any_shape_have_a_column(log):
    log.create_topic("t")
    log.append("t", [{"x": 1}, {"y": 2}, 7, None])
    assert asked(log, "SELECT x, y, _value FROM t ORDER BY _offset") == [
        (1, None, None),
        (None, 2, None),
        (None, None, 7),
        (None, None, None),
    ]


def test_a_topic_without_records_is_an_empty_table(log):
    log.create_topic("none", key="k")
    assert (
        asked(log, "SELECT price, sum(amount) FROM none WHERE _time > '2020-01-01' GROUP BY 1")
        == []
    )
    assert asked(log, "SELECT count(*) FROM none") == [(0,)]
    assert asked(log, "SELECT * FROM none") == []


# -- what a query may say --------------------------------------------------------------------


def test_everything_that_duckdb_can_ask(log):
    bids(log, days=2, per_day=3)
    for query, wanted in {
        "FROM bids SELECT max(price)": [(3,)],
        "SELECT max(b.price) FROM bids b": [(3,)],
        "SELECT b['price'] FROM (SELECT bids AS b FROM bids) ORDER BY 1 DESC LIMIT 1": [(3,)],
        "WITH bids AS (SELECT price FROM bids WHERE price > 2) SELECT * FROM bids": [(3,)],
        "SELECT count(*) FROM bids a JOIN bids b USING (auction)": [(12,)],
        "SELECT count(*) FROM bids a NATURAL JOIN bids b": [(6,)],
        "SELECT max(COLUMNS('pri.*')) FROM bids": [(3,)],
        "SELECT price FROM bids WHERE EXISTS (SELECT 1 FROM bids c WHERE c.ts = 2) AND ts = 1": [
            (1,)
        ],
    }.items():
        assert asked(log, query) == wanted, query


def test_tables_of_the_caller_join_topics(log):
    import pyarrow as pa

    bids(log, days=1, per_day=3)
    names = pa.table({"auction": [0, 1], "name": ["zero", "one"]})
    query = "SELECT name FROM bids JOIN names USING (auction) ORDER BY price"
    assert asked(log, query, tables={"names": names}) == [("zero",), ("one",)]
    with pytest.raises(ConfigError, match="names does not exist"):
        log.sql(query)


def test_folders_of_files_join_topics(log, tmp_path):
    bids(log, days=1, per_day=3)
    for day, auction in (("2013-03-01", 0), ("2013-03-02", 2)):
        folder = tmp_path / "lake" / f"date={day}"
        folder.mkdir(parents=True)
        log.sql(f"SELECT {auction} AS auction").write(folder / "part-1.parquet")
        (folder / "_SUCCESS").touch()
    (tmp_path / "lake" / ".hidden").mkdir()
    (tmp_path / "lake" / ".hidden" / "x.parquet").write_text("no parquet")
    query = "SELECT price, date FROM bids JOIN lake USING (auction) ORDER BY price"
    got = asked(log, query, tables={"lake": tmp_path / "lake"})
    assert got == [(0, date(2013, 3, 1)), (2, date(2013, 3, 2))]
    with pytest.raises(ConfigError, match="has no file"):
        log.sql(query, tables={"lake": str(tmp_path / "nothing")})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("DELETE FROM bids", "only a SELECT"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELEC", "syntax error"),
        ("SELECT nope FROM bids", "bids has auction, note, price, ts"),
        ("SELECT x FROM nothing", "nothing does not exist"),
        ('SELECT x FROM "bids@7"', "bids@7 does not exist"),
        ("SELECT x FROM latest.nothing", "no topic nothing"),
        ("SELECT 1/price::DATE FROM bids", "query"),
    ],
)
def test_a_wrong_query_is_one_clear_error(log, query, said):
    bids(log, days=1, per_day=3)
    with pytest.raises((ConfigError, UnknownTopic), match=said):
        log.sql(query)


def test_damage_is_said_as_damage(tmp_path):
    from kappa.errors import CorruptBatch

    with Log(tmp_path / "log") as log:
        bids(log, days=1)
        (segment, *_) = sorted((tmp_path / "log" / "topics").rglob("*.seg"))
        data = bytearray(segment.read_bytes())
        data[len(data) // 2] ^= 1
        segment.write_bytes(bytes(data))
        with pytest.raises(CorruptBatch):
            log.sql("SELECT sum(price) FROM bids")


def test_without_the_extra_it_says_what_to_install(log, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match=r"duckdb is not installed.*kappa-streams\[sql\]"):
        log.sql("SELECT 1")


# -- what comes out --------------------------------------------------------------------------


def test_files_hold_the_rows(log, tmp_path: Path):
    bids(log, days=2, per_day=3)
    result = log.sql("SELECT auction, sum(price) AS s, max(_time) AS t FROM bids GROUP BY 1")
    rows = sorted(result.tuples())
    for name in ("x.csv", "x.json", "x.jsonl", "x.parquet"):
        path = result.write(tmp_path / name)
        with duckdb.connect() as connection:
            found = connection.execute(
                f"SELECT auction, s::BIGINT, t::TIMESTAMPTZ FROM '{path}' ORDER BY 1"
            ).fetchall()
        assert [(a, s, t.astimezone(UTC)) for a, s, t in found] == rows, name
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x.csv", "x.json", "x.jsonl", "x.parquet",
    ]  # fmt: skip
    read_back = csv.DictReader((tmp_path / "x.csv").read_text().splitlines())
    assert [row["s"] for row in read_back] == [str(row[1]) for row in result.tuples()]
    assert json.loads((tmp_path / "x.json").read_text())[0].keys() == {"auction", "s", "t"}
    assert result.arrow().num_rows == len(result) == 3
    with pytest.raises(ConfigError, match="format 'doc'"):
        result.write(tmp_path / "x.doc")


def test_rows_go_into_a_topic_once(log):
    bids(log, days=2, per_day=3)
    log.create_topic("totals", key="auction")
    query = "SELECT auction, sum(price) AS s, max(_time) AS t FROM bids GROUP BY 1 ORDER BY 1"
    assert log.sql(query).into(log, "totals", time="t", id="totals") == 3
    assert log.sql(query).into(log, "totals", time="t", id="totals") == 0
    got = [(r.time, r.key, r.value["s"]) for r in log.read("totals")]
    assert got == [(DAY, 0, 1), (DAY + 1, 1, 3), (DAY + 2, 2, 5)]
    with pytest.raises(ConfigError, match="no column 'nope'"):
        log.sql(query).into(log, "totals", time="nope")
    with pytest.raises((ConfigError, RecordRefused, UnknownTopic)):
        log.sql(query).into(log, "nowhere")
