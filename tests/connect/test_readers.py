"""Lines, CSV and JSON lines: what is read, what is broken, and where."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from kappa.connect import Broken, CellTypes, TimeField
from kappa.connect.celltypes import infer_type
from kappa.connect.csvrows import read_csv
from kappa.connect.jsonlines import read_json_lines
from kappa.connect.lines import MAX_LINE_BYTES, Lines
from kappa.errors import ConfigError, SourceError


def lines(data: bytes) -> Lines:
    return Lines(io.BytesIO(data), "in")


def csv(data: bytes, **options) -> list:
    options.setdefault("types", CellTypes())
    return list(read_csv(lines(data), **options))


# -- lines ---------------------------------------------------------------------------------


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert list(lines(b"\xef\xbb\xbfa\nb\n")) == [b"a\n", b"b\n"]


def test_gzip_by_its_suffix(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    source = Lines.open(path)
    assert list(source) == [b"a\n", b"1\n"]
    source.close()


def test_a_cut_gzip_is_named(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n" * 1000)[:-10])
    source = Lines.open(path)
    with pytest.raises(SourceError, match=r"a\.csv\.gz, after line"):
        list(source)
    source.close()


def test_a_missing_file_and_a_folder_are_source_errors(tmp_path: Path):
    with pytest.raises(SourceError, match=r"cannot read .*nothing: No such file"):
        Lines.open(tmp_path / "nothing")
    with pytest.raises(SourceError, match="cannot read"):
        Lines.open(tmp_path)


def test_a_line_without_end_is_refused():
    with pytest.raises(SourceError, match="line 1: longer than"):
        list(lines(b"x" * (MAX_LINE_BYTES + 1)))


# -- CSV -----------------------------------------------------------------------------------


def test_records_have_the_line_they_begin_on():
    data = b'a,b\n1,"x\ny"\n\n2,z\n'
    assert csv(data) == [(2, {"a": 1, "b": "x\ny"}), (5, {"a": 2, "b": "z"})]


def test_a_broken_record_costs_itself_only():
    found = csv(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert [line for line, value in found if isinstance(value, Broken)] == [3, 4]
    assert found[-1] == (5, {"a": 7, "b": 8})
    assert found[1][1] == Broken("1 cells, but the header has 2", "3")


def test_bytes_that_are_no_text_cost_their_record():
    found = csv(b"a,b\n1,ok\n2,\xff\xfe\n3,\xc3\xa9\n")
    assert found[1] == (3, Broken("not UTF-8", "2,\\xff\\xfe"))
    assert found[2] == (4, {"a": 3, "b": "é"})


def test_a_quote_that_never_closes_is_named_where_it_opens():
    found = csv(b'a,b\n1,2\n"3,4\n5,6\n')
    assert found[0] == (2, {"a": 1, "b": 2})
    line, broken = found[1]
    assert line == 3 and isinstance(broken, Broken)
    assert broken.text == '"3,4\n5,6'


def test_a_later_cell_that_does_not_fit_says_which_type_to_give():
    rows = "".join(f"{n}\n" for n in range(1000))
    found = csv(f"n\n{rows}2.5\n".encode())
    line, broken = found[-1]
    assert line == 1002
    assert broken.reason == "column 'n' is '2.5', not int (give --types n=float)"


def test_other_delimiters_and_no_header():
    assert csv(b"1;2\n", fields=["a", "b"], delimiter=";") == [(1, {"a": 1, "b": 2})]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"a,a\n1,2\n", "names a twice"),
        (b"a,\n1,2\n", "column without a name"),
    ],
)
def test_an_unusable_header_is_refused(data: bytes, message: str):
    with pytest.raises(SourceError, match=message):
        csv(data)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-20", "+3", "0"], "int"),
        (["9" * 18], "int"),
        (["9" * 19], "float"),
        (["1", "2.5"], "float"),
        (["1e5", ".5", "5."], "float"),
        (["007"], "str"),
        (["1_000"], "str"),
        ([" 1"], "str"),
        (["nan"], "str"),
        (["inf"], "str"),
        ([".", "e5"], "str"),
        (["true"], "str"),
        ([], "str"),
    ],
)
def test_types_are_inferred_as_documented(cells: list[str], kind: str):
    assert infer_type(cells) == kind


def test_nulls_have_no_say_and_are_none():
    types = CellTypes(nulls=("NA",))
    assert csv(b"n,s\nNA,x\n1,\n", types=types) == [
        (2, {"n": None, "s": "x"}),
        (3, {"n": 1, "s": None}),
    ]


def test_a_column_called_text_keeps_its_empty_cells():
    types = CellTypes({"s": "str"}, nulls=("NA",))
    assert [v["s"] for _, v in csv(b"s,n\n,1\nNA,2\n7,3\n", types=types)] == ["", None, "7"]


def test_a_type_for_no_column_is_refused():
    with pytest.raises(ConfigError, match="no column z; the columns are a"):
        csv(b"a\n1\n", types=CellTypes({"z": "int"}))


def test_truth_is_asked_for():
    types = CellTypes({"b": "bool"})
    assert [v["b"] for _, v in csv(b"b\ntrue\nF\n1\n", types=types)] == [True, False, True]


# -- JSON lines ----------------------------------------------------------------------------


def test_json_lines_that_are_broken():
    data = b'{"a": 1}\n{"a": \n\xff\n{"a": NaN}\n[1]\n'
    found = list(read_json_lines(lines(data)))
    assert found[0] == (1, {"a": 1})
    assert [line for line, value in found if isinstance(value, Broken)] == [2, 3, 4]
    assert "at column" in found[1][1].reason
    assert found[2][1].reason == "not UTF-8 at byte 1"
    assert "NaN" in found[3][1].reason
    assert found[4] == (5, [1])


def test_json_nested_too_deeply_is_broken_not_a_crash():
    [(line, value)] = read_json_lines(lines(b"[" * 200_000 + b"\n"))
    assert line == 1 and isinstance(value, Broken)


# -- times ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "value", "expected"),
    [
        ("auto", 1500, 1500),
        ("auto", "1970-01-01T00:00:01Z", 1000),
        ("s", 1.5, 1500),
        ("s", "2", 2000),
        ("us", 1_999, 1),
        ("ns", 1_500_000, 1),
        ("%d.%m.%Y %H:%M %z", "01.01.1970 01:00 +0100", 0),
    ],
)
def test_times_in_all_their_forms(format: str, value: object, expected: int):
    assert TimeField("t", format).read({"t": value}) == expected


def test_local_times_over_both_clock_changes():
    read = TimeField("t", zone="America/New_York").read
    hour = 3_600_000
    assert read({"t": "2013-03-10 03:00"}) - read({"t": "2013-03-10 01:00"}) == hour
    assert read({"t": "2013-11-03 02:00"}) - read({"t": "2013-11-03 00:00"}) == 3 * hour


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "missing or null"),
        ({"t": "2013-01-01 00:00"}, "no time zone"),
        ({"t": "soon"}, "'soon'"),
        ({"t": True}, "True"),
        ({"t": 10**18}, "outside years"),
        ([1], "is a list"),
    ],
)
def test_what_is_no_time_says_why(value: object, message: str):
    with pytest.raises(ValueError, match=message):
        TimeField("t").read(value)


def test_unknown_formats_and_zones_are_refused():
    with pytest.raises(ConfigError, match="time format"):
        TimeField("t", "unix")
    with pytest.raises(ConfigError, match="no time zone"):
        TimeField("t", zone="Mars/Olympus")
