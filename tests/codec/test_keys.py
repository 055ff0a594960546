"""Keys: equal exactly when Python holds them equal, ordered as Python orders them."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from codec.drawn import keys, ordered_pools
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa.codec import (
    KEY_GROUPS,
    check_key,
    encode_key,
    encode_keys,
    key_group,
    sort_keys,
    stable_hash,
)
from kappa.codec.keys import MAX_DIGITS, MAX_KEY_BYTES
from kappa.errors import RecordRefused


@examples(600)
@given(keys, keys)
def test_bytes_are_equal_exactly_if_the_keys_are(left, right):
    assert (encode_key(left) == encode_key(right)) == (left == right)


@pytest.mark.parametrize("pool", ordered_pools)
def test_bytes_are_equal_and_ordered_as_the_keys_are(pool):
    @examples(300)
    @given(ordered_pools[pool], ordered_pools[pool])
    def holds(left, right):
        ours, theirs = encode_key(left), encode_key(right)
        assert (ours == theirs) == (left == right)
        assert (ours < theirs) == (left < right)

    holds()


@examples(300)
@given(st.lists(keys, max_size=4), st.lists(keys, max_size=4))
def test_no_tuple_is_mistaken_for_another(left, right):
    assert (encode_key(tuple(left)) == encode_key(tuple(right))) == (tuple(left) == tuple(right))


EQUAL = [
    (True, 1, 1.0, Decimal(1), Decimal("1.00")),
    (False, 0, 0.0, -0.0, Decimal("-0")),
    (0.5, Decimal("0.5"), Decimal("0.50")),
    (0.1, Decimal.from_float(0.1)),
    (1e22, 10**22, Decimal("1E22")),
    (-1.25, Decimal("-1.25")),
    (float("inf"), Decimal("Infinity")),
    ((1, (True,)), (1.0, (1,))),
    (frozenset({1, 2}), frozenset({2.0, True})),
    (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
     datetime(2019, 12, 31, 19, tzinfo=ZoneInfo("America/New_York"))),
]  # fmt: skip


@pytest.mark.parametrize("group", EQUAL, ids=repr)
def test_equal_keys_are_one(group):
    assert len(set(group)) == 1
    assert len(set(map(encode_key, group))) == 1
    assert len(set(map(stable_hash, group))) == 1
    assert len(set(map(key_group, group))) == 1


def test_different_keys_differ():
    different = [
        None, 0, 1, 0.1, Decimal("0.1"), "", "1", b"", b"1", (), (1,), ((1,),), (None,),
        frozenset(), frozenset({1}), "a", b"a", ("a", "b"), ("ab",), ("a\0", "b"), ("a", "\0b"),
        5e-324, -5e-324, 2.0**1023, UUID(int=0), timedelta(0), time(0), datetime.min.date(),
        datetime(2020, 1, 1, tzinfo=UTC), timedelta.max, timedelta.min, 1 << 400, -(1 << 400),
    ]  # fmt: skip
    assert len(set(encode_keys(different))) == len(different)


def test_ints_of_every_width_are_in_order():
    edges = sorted({sign * (1 << bits) + by for sign in (1, -1) for bits in range(0, 600, 4)
                    for by in (-1, 0, 1)})  # fmt: skip
    encoded = encode_keys(edges)
    assert encoded == sorted(encoded)
    assert len(set(encoded)) == len(edges)


class Colour(enum.IntEnum):
    RED = 1


BERLIN = ZoneInfo("Europe/Berlin")
REFUSED = [
    (float("nan"), "equals nothing"),
    (Decimal("NaN"), "equals nothing"),
    (Decimal("sNaN"), "equals nothing"),
    ((1, float("nan")), "equals nothing"),
    ([1], "use a tuple"),
    ({1}, "use a frozenset"),
    ((1, [2]), "use a tuple"),
    ({}, "a dict"),
    (datetime(2020, 1, 1), "no time zone"),
    (datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN), "twice or not at all"),
    (datetime(2020, 3, 29, 2, 30, tzinfo=BERLIN), "twice or not at all"),
    (time(1, tzinfo=UTC), "not an instant"),
    (Colour.RED, "plain int"),
    ("\ud800", "lone surrogate"),
    (object(), "cannot be a key"),
    (1j, "cannot be a key"),
    ("x" * MAX_KEY_BYTES, "bytes"),
    (1 << 8 * MAX_KEY_BYTES, "too long"),
    (-(1 << 8 * MAX_KEY_BYTES), "too long"),
    (Decimal("1E+999999"), "too long"),
    (Decimal("1E-999999"), "too long"),
    ((1 << 100_000, [1]), "use a tuple"),
]


@pytest.mark.parametrize(("key", "words"), REFUSED, ids=lambda part: type(part).__name__)
def test_what_cannot_be_a_key_is_refused_and_named(key, words):
    with pytest.raises(RecordRefused, match=words):
        encode_key(key)
    with pytest.raises(RecordRefused):
        check_key(key)
    with pytest.raises(RecordRefused):
        sort_keys([key, None])


def test_long_decimals_up_to_the_limit_keep_order():
    small = Decimal("0." + "0" * 1000 + "1")
    assert encode_key(Decimal(0)) < encode_key(small) < encode_key(small * 2)
    assert encode_key(-small) < encode_key(0)
    assert encode_key(Decimal(f"1E+{MAX_DIGITS - 1}")) == encode_key(10 ** (MAX_DIGITS - 1))


SORTED = st.one_of(
    st.lists(st.integers(), max_size=8),
    st.lists(st.text(max_size=3), max_size=8),
    st.lists(st.tuples(st.integers(-3, 3), st.text(max_size=2)), max_size=8),
    st.lists(st.tuples(st.integers(-3, 3) | st.booleans(), st.text(max_size=2)), max_size=8),
    st.lists(st.tuples(st.tuples(st.integers(-2, 2)), st.integers(-2, 2)), max_size=8),
    st.lists(st.lists(st.integers(-2, 2), max_size=2).map(tuple), max_size=8),
    st.lists(keys, max_size=8),
)


@examples(400)
@given(SORTED)
def test_sort_keys_is_the_order_of_bytes(drawn):
    assert encode_keys(sort_keys(drawn)) == sorted(encode_keys(drawn))


@examples(200)
@given(keys)
def test_a_group_is_within_range(key):
    assert 0 <= key_group(key) < KEY_GROUPS
    assert 0 <= stable_hash(key) < 1 << 32


def test_hash_is_the_same_in_every_process():
    program = "from kappa.codec import stable_hash; print(stable_hash(('a', 1, frozenset('xyz'))))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


KEPT_FOR_EVER = {
    None: "01", 0: "2a", 7: "2b07", 300: "2c012c", -1: "29fe", -300: "28fed3",
    1.5: "2b01ff3300", -0.25: "29feff4c00", float("-inf"): "20", "a\0b": "406100ff6200",
    b"\xff": "41ff00", (1, "x"): "602b0140780000", frozenset({1, 2}): "612b012b0200",
    UUID(int=5): "5400000000000000000000000000000005",
    datetime(1970, 1, 1, tzinfo=UTC): "5180dcbffeff2bc000",
    timedelta(days=1): "533b9aca010000000000", time(0, 0, 1): "5200000000000f4240",
    datetime(1970, 1, 1).date(): "50000af93b", 1 << 64: "330009010000000000000000",
    -(1 << 64): "21fff6feffffffffffffffff",
}  # fmt: skip


@pytest.mark.parametrize("key", KEPT_FOR_EVER, ids=repr)
def test_the_bytes_of_a_key_never_change(key):
    # Partitions were chosen by the hash of these bytes: other bytes would tear keys apart.
    assert encode_key(key).hex() == KEPT_FOR_EVER[key]
