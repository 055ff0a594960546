"""Compression: back as it was, and never more memory than was said."""

from __future__ import annotations

import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from kappa.codec.compression import CODECS, check_codec, compress, decompress
from kappa.errors import ConfigError, CorruptBatch, MissingExtra

COMPRESSING = ("zlib", "zstd")


@pytest.mark.parametrize("codec", COMPRESSING)
@examples(50)
@given(st.binary(min_size=1, max_size=50), st.integers(1, 200))
def test_a_block_comes_back(codec, part, times):
    data = part * times
    packed = compress(codec, data)
    assert len(packed) <= len(data)
    if len(packed) == len(data):
        assert packed == data
    else:
        assert decompress(codec, packed, len(data)) == data
        assert decompress(codec, memoryview(packed), len(data)) == data


@pytest.mark.parametrize("codec", COMPRESSING)
def test_every_cut_and_flip_is_corrupt_or_the_right_size(codec):
    data = b"kappa " * 20
    packed = compress(codec, data)
    for cut in range(len(packed)):
        with pytest.raises(CorruptBatch):
            decompress(codec, packed[:cut], len(data))
    for bit in range(8 * len(packed)):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            result = decompress(codec, bytes(flipped), len(data))
        except CorruptBatch:
            continue
        assert len(result) == len(data)


@pytest.mark.parametrize("codec", COMPRESSING)
@pytest.mark.parametrize("size", [0, 99_999, 100_001, 1 << 40])
def test_another_size_than_said_is_corrupt(codec, size):
    with pytest.raises(CorruptBatch):
        decompress(codec, compress(codec, bytes(100_000)), size)


def test_a_bomb_takes_no_more_than_what_was_said():
    tracemalloc = pytest.importorskip("tracemalloc")
    bomb = zlib.compress(bytes(1 << 26))
    tracemalloc.start()
    try:
        with pytest.raises(CorruptBatch):
            decompress("zlib", bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_zstd_frame_that_does_not_say_its_size_is_corrupt():
    zstandard = pytest.importorskip("zstandard")
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000))
    with pytest.raises(CorruptBatch, match="claim"):
        decompress("zstd", frame, 1000)


def test_codecs_are_checked_by_name():
    for codec in CODECS:
        check_codec(codec)
    with pytest.raises(ConfigError, match="lz4"):
        check_codec("lz4")
    with pytest.raises(CorruptBatch):
        decompress("none", b"abc", 5)


def test_zstd_without_zstandard_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtra, match=r"kappa-streams\[zstd\]"):
        check_codec("zstd")
