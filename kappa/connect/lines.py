"""Raw lines with their numbers, and what a line is when it cannot be read.

A source is read as bytes, so that its position can be told and one line that is not
UTF-8 does not spoil the others. `Lines.number` is the line read last, counted from 1.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from kappa.errors import SourceError

MAX_LINE_BYTES = 16 * 1024 * 1024
PACKED = ".gz"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Broken:
    """One record of a source that could not be read.

    Args:
        reason: what is wrong with it.
        text: the raw text, so that nothing is lost.
    """

    reason: str
    text: str


class Lines:
    """The lines of one source, in order, each with its line end.

    Of one that is `growing`, a last line without an end is left.

    Args:
        raw: the open source, in bytes.
        name: what to call it in messages: a path, or "standard input".
        size: bytes in all, if that is known; for gzip, the packed size.

    >>> import io
    >>> lines = Lines(io.BytesIO(b"a\\nb"), "example")
    >>> list(lines), lines.number
    ([b'a\\n', b'b'], 2)
    """

    def __init__(self, raw: BinaryIO, name: str, *, size: int | None = None) -> None:
        self.name = name
        self.size = size
        self.number = 0
        self.growing = False
        self._raw = raw
        self._counted = raw

    @classmethod
    def open(cls, path: str | Path) -> Lines:
        """Opens a file, or standard input for "-".

        Raises:
            SourceError: there is no such file, or it may not be read.
        """
        if str(path) == "-":
            return cls(sys.stdin.buffer, "standard input")
        try:
            # Lines.close() closes it.
            file = cast(BinaryIO, Path(path).open("rb"))  # noqa: SIM115
            size = Path(path).stat().st_size
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}", path=str(path)) from error
        return cls.of(file, str(path), size)

    @classmethod
    def of(cls, file: BinaryIO, name: str, size: int | None) -> Lines:
        """The lines of an open file, unpacked where its name ends in .gz."""
        lines = cls(file, name, size=size)
        if name.endswith(PACKED):
            lines._raw = cast(BinaryIO, gzip.GzipFile(fileobj=file))
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self._readline():
            if self.growing and not line.endswith(b"\n"):
                return
            self.number += 1
            yield line

    def _readline(self) -> bytes:
        try:
            line = self._raw.readline(MAX_LINE_BYTES + 1)
        except (OSError, EOFError) as error:
            raise SourceError(
                f"{self.name}, after line {self.number}: cannot be read: {error}", path=self.name
            ) from error
        if len(line) > MAX_LINE_BYTES:
            raise SourceError(
                f"{self.name}, line {self.number + 1}: longer than {MAX_LINE_BYTES} bytes;"
                " is this a file of lines?",
                path=self.name,
                position=self.number + 1,
            )
        if self.number == 0 and line.startswith(BOM):
            return line[len(BOM) :]
        return line

    @property
    def bytes_read(self) -> int:
        """How far the source was read, in bytes of what `size` counts; 0 if it cannot tell."""
        try:
            return self._counted.tell()
        except OSError:
            return 0

    def close(self) -> None:
        """Closes the source, unless it is standard input."""
        if self._counted is not sys.stdin.buffer:
            self._raw.close()
            self._counted.close()


def decode(line: bytes) -> str:
    """The text of a line for people, whatever its bytes are."""
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")
