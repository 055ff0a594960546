"""docs/format-body.md shows true bytes: its examples are compared with what is written."""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

from kappa.log import body
from kappa.log.body_blocks import ALIGN, ALIGN_FROM, MAX_BODY_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "format-body.md").read_text(encoding="utf-8")


def shown():
    """The bytes of each example, in pieces: between pieces the page leaves some out."""
    for block in re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL):
        lines = [line.partition("#")[0].strip() for line in block.splitlines()]
        yield [bytes.fromhex(piece) for piece in " ".join(lines).split("...")]


SMALL, LARGE = shown()


def test_the_small_example_is_what_is_written():
    rows = [{"id": 7, "who": "ann"}, {"id": 8, "who": None}]
    made = body.encode_body([1000, 2000], rows, ["a", "b"])
    assert [made.data] == SMALL
    assert f"{len(made.data)} bytes, CRC-32 {crc32(made.data):08x}" in PAGE


def test_the_large_example_is_what_is_written():
    times = [1000 + at for at in range(33)]
    rows = [{"ts": 1000 + at, "x": at / 2, "who": "ab"[at % 2], "at": "NYC"} for at in range(33)]
    data = body.encode_body(times, rows).data
    places = [0, *map(int, re.findall(r"# byte (\d+)\n", PAGE))]
    assert LARGE[-1] == b"" and len(places) == len(LARGE) - 1
    for place, piece in zip(places, LARGE[:-1], strict=True):
        assert data[place : place + len(piece)] == piece
    assert f"{len(data)} bytes, CRC-32 {crc32(data):08x}" in PAGE


def test_the_limits_on_the_page_are_those_in_the_code():
    assert f"at most {body.SMALL_ROWS} records and under {body.SMALL_BYTES} bytes" in PAGE
    assert f"{ALIGN} where the blocks have more than {ALIGN_FROM} bytes" in PAGE
    assert f"{MAX_BODY_BYTES >> 20} MiB (`MAX_BODY_BYTES`)" in PAGE
