"""Avro container files, record by record; fastavro reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from kappa.errors import MissingExtra, SourceError


class AvroRows:
    """The records of one Avro file.

    Args:
        file: its bytes; closed by `close`.
        name: what to call it in messages.
        size: in bytes.

    Attributes:
        number: number of the record read last, from 0.

    Raises:
        SourceError: it is not an Avro file.
        MissingExtra: fastavro is not installed.
    """

    def __init__(self, file: BinaryIO, name: str, size: int | None) -> None:
        try:
            from fastavro import reader
        except ImportError as error:
            file.close()
            raise MissingExtra.of("fastavro", extra="lake") from error
        self.name = name
        self.size = size
        self.number = -1
        self.skipped = 0
        self._raw = file
        try:
            self._records: Any = reader(file)
        except (ValueError, EOFError, KeyError, TypeError, IndexError) as error:
            file.close()
            raise SourceError(f"{name} is not an Avro file: {error}", path=name) from error

    @property
    def bytes_read(self) -> int:
        """How far it was read."""
        return self._raw.tell()

    def records(self) -> Iterator[tuple[int, object]]:
        """Each record with its number, from 0.

        Raises:
            SourceError: the file is damaged, or ends within a record.
        """
        records = iter(self._records)
        while True:
            try:
                value = next(records)
            except StopIteration:
                return
            except Exception as error:  # whatever fastavro meets in bytes that are damaged
                raise SourceError(
                    f"{self.name}, behind record {self.number}: {type(error).__name__}: {error}",
                    path=self.name,
                    position=self.number + 1,
                ) from error
            self.number += 1
            yield self.number, value

    def fingerprint(self) -> str:
        """The sync marker, which the writer of the file drew at random."""
        marker: bytes = self._records._header["sync"]
        return marker.hex()

    def close(self) -> None:
        """Closes the file."""
        self._raw.close()
