"""Compression of one block: zlib from the standard library, zstd as an extra.

A block that does not shrink is stored as it is, which readers tell by its length being
its size. The size is known before a block is decompressed, and memory is taken for no
more than that: what would grow beyond it is corrupt.
"""

from __future__ import annotations

import zlib
from types import ModuleType

from kappa.errors import ConfigError, CorruptBatch, MissingExtra

__all__ = ["CODECS", "check_codec", "compress", "decompress"]

CODECS = ("none", "zlib", "zstd")
_ZLIB_LEVEL = 1
_ZSTD_LEVEL = 1


def check_codec(codec: str) -> None:
    """Refuse a codec that is unknown or not installed.

    Raises:
        ConfigError: unknown.
        MissingExtra: "zstd", and zstandard is not installed.

    >>> check_codec("lz4")
    Traceback (most recent call last):
    kappa.errors.ConfigError: codec 'lz4' is unknown; there are none, zlib, zstd
    """
    if codec == "none" or codec == "zlib":
        return
    if codec != "zstd":
        raise ConfigError(f"codec {codec!r} is unknown; there are {', '.join(CODECS)}")
    _zstandard()


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ImportError:
        raise MissingExtra.of("zstandard", extra="zstd") from None
    return zstandard


def compress(codec: str, data: bytes) -> bytes:
    """The block compressed, or itself where that is not smaller.

    >>> len(compress("zlib", bytes(1000))), compress("zlib", b"a")
    (19, b'a')
    """
    if codec == "none":
        return data
    if codec == "zlib":
        packed = zlib.compress(data, _ZLIB_LEVEL)
    else:
        packed = _zstandard().ZstdCompressor(level=_ZSTD_LEVEL).compress(data)
    return packed if len(packed) < len(data) else data


def decompress(codec: str, data: bytes | memoryview, size: int) -> bytes:
    """The block as it was.

    Args:
        codec: "zlib" or "zstd".
        data: the compressed block.
        size: its length before; the caller has held it against a limit.

    Raises:
        CorruptBatch: `data` does not decompress to exactly `size` bytes.
        MissingExtra: "zstd", and zstandard is not installed.

    >>> decompress("zlib", compress("zlib", bytes(1000)), 1000) == bytes(1000)
    True
    """
    if codec == "zlib":
        result = _inflate(data, size)
    elif codec == "zstd":
        result = _unzstd(data, size)
    else:
        raise CorruptBatch(f"a block of {size} bytes takes {len(data)} without a codec")
    if len(result) != size:
        raise CorruptBatch(f"a block of {size} bytes decompresses to {len(result)}")
    return result


def _inflate(data: bytes | memoryview, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        # One byte more than expected is enough to see that there is more.
        result = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise CorruptBatch(f"a block does not decompress: {error}") from error
    if not stream.eof or stream.unused_data:
        raise CorruptBatch("a compressed block ends elsewhere than its bytes")
    return result


def _unzstd(data: bytes | memoryview, size: int) -> bytes:
    zstandard = _zstandard()
    try:
        # The frame's own claim decides how much memory is taken, so look at it first.
        if zstandard.frame_content_size(data) != size:
            raise CorruptBatch(f"a compressed block does not claim {size} bytes")
        result: bytes = zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise CorruptBatch(f"a block does not decompress: {error}") from error
    return result
