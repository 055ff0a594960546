"""Values come back equal in value and type, or are refused; malformed bytes never do harm."""

from __future__ import annotations

import dataclasses
import enum
import os
import subprocess
import sys
from collections import OrderedDict, namedtuple
from contextlib import suppress
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from codec.drawn import SAMPLES, Point, exactly, stored
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType, packb
from strategies import examples

from kappa.codec import decode, encode, register
from kappa.codec import values as codec
from kappa.errors import ConfigError, CorruptBatch, RecordRefused


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__name__)
def test_sample_comes_back_as_it_was(value):
    assert exactly(decode(encode(value)), value)


@examples(400)
@given(stored)
def test_any_value_comes_back_as_it_was(value):
    data = encode(value)
    back = decode(data)
    assert exactly(back, value)
    assert encode(back) == data


class Colour(enum.IntEnum):
    RED = 1


class Loud(str):
    pass


class Odd(tzinfo):
    def utcoffset(self, moment: object) -> timedelta:
        return timedelta(0)


@dataclasses.dataclass
class Unknown:
    x: int = 0


Pair = namedtuple("Pair", "a b")  # a subclass of tuple without fields of types
UNSTORABLE = [
    Colour.RED, Loud("x"), Pair(1, 2), OrderedDict(a=1), bytearray(b"x"), memoryview(b"x"),
    object(), 1j, range(3), Unknown(), ExtType(1, b"x"), type, len, iter([]), "\ud800",
    time(1, tzinfo=Odd()), datetime(2020, 1, 1, tzinfo=Odd()), 1 << (8 * codec.MAX_INT_BYTES),
]  # fmt: skip


@pytest.mark.parametrize("wrap", [
    lambda value: value, lambda value: [value], lambda value: {"a": (1, value)},
    lambda value: Point(value), lambda value: [[{"b": [value]}]],
], ids=["bare", "list", "in a dict", "in a dataclass", "deep"])  # fmt: skip
@pytest.mark.parametrize("value", UNSTORABLE, ids=lambda value: type(value).__name__)
def test_what_would_change_is_refused_at_every_depth(value, wrap):
    with pytest.raises(RecordRefused):
        encode(wrap(value))


def test_a_dict_key_is_held_to_the_same():
    with pytest.raises(RecordRefused, match="plain int"):
        encode({Colour.RED: 1})


def test_numpy_scalars_are_refused_with_advice():
    numpy = pytest.importorskip("numpy")
    with pytest.raises(RecordRefused, match="plain float"):
        encode([numpy.float64(1.5)])
    with pytest.raises(RecordRefused, match=r"\.item\(\)"):
        encode({"a": numpy.int64(1)})


def test_depth_is_limited_alike_on_both_sides():
    def nest(depth, make):
        value: object = 1
        for _ in range(depth):
            value = make(value)
        return value

    for make in (lambda value: [value], lambda value: (value,), lambda value: {"a": value}, Point):
        deepest = nest(codec.MAX_DEPTH, make)
        assert decode(encode(deepest)) == deepest
        with pytest.raises(RecordRefused, match="nested deeper"):
            encode(nest(codec.MAX_DEPTH + 1, make))
    holds_itself: list[object] = []
    holds_itself += [1, holds_itself]
    with pytest.raises(RecordRefused, match="contains itself"):
        encode(holds_itself)


def test_deeply_nested_extensions_cannot_take_the_stack():
    data = b"\xc0"
    for _ in range(2000):
        data = packb(ExtType(7, b"\x91" + data))
    with pytest.raises(CorruptBatch, match="nested deeper"):
        decode(data)


def test_a_doubling_cycle_is_stopped_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr(codec, "MAX_ITEMS", 1 << 16)
    twice: list[object] = []
    twice += [twice] * 64
    with pytest.raises(RecordRefused, match="more than 65536 members"):
        encode(twice)


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__name__)
def test_cut_or_flipped_bytes_raise_corrupt_batch_or_give_a_value(value):
    data = encode(value)
    for cut in range(len(data)):
        with pytest.raises(CorruptBatch):
            decode(data[:cut])
    with pytest.raises(CorruptBatch):
        decode(data + b"\0")
    if len(data) > 100:
        return
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with suppress(CorruptBatch):
            decode(bytes(flipped))


@examples(300)
@given(st.binary(max_size=40))
def test_any_bytes_raise_corrupt_batch_or_give_a_value(data):
    try:
        value = decode(data)
    except CorruptBatch:
        return
    codec.check([value])  # and nothing else than could have been stored


@pytest.mark.parametrize("claim", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
                                   b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
                                   b"\xc9\xff\xff\xff\xff\x07"])  # fmt: skip
def test_a_claimed_length_is_not_believed(claim):
    with pytest.raises(CorruptBatch):
        decode(claim + bytes(16))


@pytest.mark.parametrize(
    "zone", ["../../etc/passwd", "/etc/passwd", "Europe", "", "a\0b", "\ud800"]
)
def test_a_stored_zone_cannot_name_a_file(zone):
    payload = bytes(4) + bytes(9) + b"z" + zone.encode(errors="surrogatepass")
    with pytest.raises(CorruptBatch):
        decode(packb(ExtType(4, payload)))


def test_a_set_has_one_encoding_under_every_hash_seed():
    program = (
        "from kappa.codec import encode;"
        "print(encode([{'b','a','c',1,(2,'x')}, frozenset('abc')]).hex())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


# ---- dataclasses


def test_a_registered_dataclass_may_gain_fields_with_defaults():
    old = dataclasses.make_dataclass("Event", ["a"])
    new = dataclasses.make_dataclass(
        "Event", ["a", ("tags", list, dataclasses.field(default_factory=list)), ("n", int, 7)]
    )
    register(old, name="tests.Event")
    data = encode(old(1))
    register(new, name="tests.Event")
    assert decode(data) == new(1, [], 7)
    assert decode(data).tags is not decode(data).tags


def test_a_field_that_went_away_or_has_no_default_is_named():
    old = dataclasses.make_dataclass("Gone", ["a", "b"])
    register(old, name="tests.Gone")
    data = encode(old(1, 2))
    register(dataclasses.make_dataclass("Gone", ["a"]), name="tests.Gone")
    with pytest.raises(CorruptBatch, match="no field 'b'"):
        decode(data)
    register(dataclasses.make_dataclass("Gone", ["a", "b", "c"]), name="tests.Gone")
    with pytest.raises(CorruptBatch, match="lacks field 'c'"):
        decode(data)


def test_reading_runs_none_of_the_class_s_code():
    ran = []

    @dataclasses.dataclass(slots=True)
    class Careful:
        a: int

        def __post_init__(self) -> None:
            ran.append(self.a)

    register(Careful, name="tests.Careful")
    data = encode(Careful(3))
    ran.clear()
    assert decode(data).a == 3
    assert not ran


def test_an_unknown_dataclass_says_how_to_register_it():
    data = encode(Point(1)).replace(b"Point", b"Joint")
    with pytest.raises(CorruptBatch, match="register"):
        decode(data)
    with pytest.raises(RecordRefused, match=r"kappa\.codec\.register"):
        encode(Unknown())


def test_only_dataclasses_register_and_a_name_stands_for_one():
    with pytest.raises(ConfigError, match="not a dataclass"):
        register(int)
    with pytest.raises(ConfigError, match="already stands for"):
        register(Unknown, name=f"{Point.__module__}.Point")


def test_a_sub_class_of_a_registered_class_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Further(Point):
        pass

    with pytest.raises(RecordRefused, match="register"):
        encode(Further(1))


# ---- times


def test_a_time_in_a_gap_or_a_repeated_hour_keeps_its_wall_time():
    berlin = ZoneInfo("Europe/Berlin")
    for fold in (0, 1):
        for wall in (datetime(2020, 3, 29, 2, 30), datetime(2020, 10, 25, 2, 30)):
            moment = wall.replace(tzinfo=berlin, fold=fold)
            back = decode(encode(moment))
            assert (back.replace(tzinfo=None), back.fold) == (wall, fold)
            assert back.tzinfo is berlin


def test_a_decimal_is_not_rounded_to_the_context():
    number = Decimal(1) / Decimal(3)
    long = Decimal("0." + "123456789" * 20)
    assert decode(encode([number, long])) == [number, long]
