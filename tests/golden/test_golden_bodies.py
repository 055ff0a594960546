"""Every form of body that was ever written is read for ever, and written alike.

bodies.txt has one per line: name, codec, bytes in hex. Lines are only ever added: a log
outlives the version that wrote it, and output made again after a crash must be the same
bytes. (Compressed bytes may change with the codec's library; their content may not.)
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zlib import crc32

import pytest

from kappa.log.body import decode_body, encode_body, keep_rows

LINES = (Path(__file__).parent / "bodies.txt").read_text(encoding="ascii").splitlines()
STORED = {name: (codec, bytes.fromhex(data)) for name, codec, data in map(str.split, LINES)}

ONE = [{"auction": 1, "bidder": 7, "price": 250.5, "who": "ann", "ts": 1_700_000_000_000}]
MANY = [
    {
        "int": at - 20,
        "time": 1_000 + at,
        "float": at / 8 if at else -math.inf,
        "text": "ab"[at % 2] * 2,
        "some": None if at % 3 else at,
        "big": 1 << 63,
        "rich": (Decimal("1.50"), date(2020, 1, at + 1 if at < 31 else 31), {"x": [at]}),
    }
    for at in range(40)
]
VALUES = [
    None, True, -1, 1 << 70, 0.5, "naïve", b"\0\xff", [1, [2]], {"a": {1: None}}, (1, ()),
    {1, 2}, frozenset({"x"}), date(2013, 1, 1), datetime(2013, 1, 1, 5), Decimal("-0.10"),
    datetime(2013, 7, 1, 5, tzinfo=UTC), timedelta(days=-1, microseconds=5), UUID(int=9),
]  # fmt: skip
TIMES = [1_000 + at for at in range(40)]
KEYS = [("k", at % 4) for at in range(40)]

MADE = {
    "small-row": lambda: encode_body([1_700_000_000_000], ONE),
    "small-keys": lambda: encode_body([5, 6], [{"a": 1}, {"a": None}], ["x", (1, "y")]),
    "small-values": lambda: encode_body(list(range(len(VALUES))), VALUES),
    "small-kept": lambda: keep_rows(encode_body([5, 6, 7], [{"a": 1}] * 3).data, [0, 2]),
    "large-rows": lambda: encode_body(TIMES, MANY),
    "large-keys": lambda: encode_body(TIMES, MANY, KEYS),
    "large-values": lambda: encode_body(TIMES, [[at, str(at)] for at in range(40)]),
    "large-kept": lambda: keep_rows(encode_body(TIMES, MANY, KEYS).data, range(1, 40)),
    "large-aligned": lambda: encode_body([7] * 200, [{"a": at, "b": 0.0} for at in range(200)]),
    "large-zlib": lambda: encode_body(TIMES, MANY, codec="zlib"),
    "large-zstd": lambda: encode_body(TIMES, MANY, codec="zstd"),
}
EARLIER = [name for name in MADE if name.startswith("large-")]
"""Form 02, which is read but no longer written."""
MADE |= {name.replace("large-", "large3-"): MADE[name] for name in EARLIER}
MADE["large3-same"] = lambda: encode_body([7] * 40, [{"a": 5, "b": "x", "c": None}] * 40)


def test_every_stored_body_is_tested():
    assert list(STORED) == list(MADE)


@pytest.mark.parametrize("name", MADE)
def test_a_stored_body_reads_as_it_did(name):
    _, data = STORED[name]
    found, made = decode_body(data), decode_body(MADE[name]().data)
    for part in ("times", "keys", "offsets", "names", "columns", "values", "solid"):
        assert repr(getattr(found, part)) == repr(getattr(made, part)), part


def test_a_stored_body_reads_as_the_records_that_went_in():
    assert decode_body(STORED["small-row"][1]).rows() == ONE
    assert decode_body(STORED["small-values"][1]).values == VALUES
    kept = decode_body(STORED["large-kept"][1])
    assert kept.rows() == MANY[1:]
    assert (kept.keys, kept.times, kept.offsets) == (KEYS[1:], TIMES[1:], list(range(1, 40)))
    for name in ("large-rows", "large3-rows", "large-keys", "large3-zlib", "large3-zstd"):
        assert decode_body(STORED[name][1]).rows() == MANY


@pytest.mark.parametrize("name", [name for name in MADE if name not in EARLIER])
def test_a_body_is_written_as_it_was(name):
    codec, data = STORED[name]
    if codec == "none":
        assert MADE[name]().data.hex() == data.hex()
    else:
        plain = STORED["large3-rows"][1]
        assert MADE[name]().content_crc == crc32(plain)
