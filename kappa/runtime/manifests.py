"""The bytes of a checkpoint: its manifest, and the sections of its state files.

    <number, 10 digits>.checkpoint           the manifest of a checkpoint
    <number, 10 digits>-<name>.checkpoint    the manifest of a savepoint
    <number, 10 digits>.state                what that checkpoint wrote: sections end to end

    manifest file = "kappack1" · u32 length · u32 CRC-32 · payload       (little-endian)
    payload       = values codec, of {"number", "name", "manifest", "steps"}
    steps         = {step name: [[state file, position, length, CRC-32] …]}, oldest first
    section       = frame · frame … , each u32 length · bytes

Every byte that a manifest names lies under a CRC, and every length is compared with the
file's before memory is taken. A name in a manifest that is not of the form above is damage:
nothing outside the folder is ever opened.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

from kappa.codec import decode, encode
from kappa.errors import ConfigError, CorruptCheckpoint, KappaError
from kappa.log.files import Files, read_whole

MAGIC = b"kappack1"
SUFFIX = ".checkpoint"
STATE_SUFFIX = ".state"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")

_HEAD = struct.Struct("<8sII")
_LENGTH = struct.Struct("<I")
_MANIFEST_NAME = re.compile(r"(\d{10})(?:-(.+))?\.checkpoint")
_STATE_NAME = re.compile(r"\d{10}\.state")


class Section(NamedTuple):
    """Where the frames lie that one checkpoint wrote for one step."""

    file: str
    position: int
    length: int
    crc: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint is: whose state, after which LSN, and where the state lies.

    Args:
        number: its place in the order in which checkpoints were written.
        name: a savepoint's name; None for a checkpoint.
        manifest: what the runtime says about it (pipeline, lsn, chain_crc, ...).
        steps: the chain of sections of each step, oldest first.
    """

    number: int
    name: str | None
    manifest: dict[str, Any]
    steps: dict[str, list[Section]]

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.number:010}{f'-{self.name}' if self.name else ''}{SUFFIX}"

    @property
    def files(self) -> set[str]:
        """The state files it needs."""
        return {section.file for chain in self.steps.values() for section in chain}

    @property
    def size(self) -> int:
        """Bytes of state that a restore reads."""
        return sum(section.length for chain in self.steps.values() for section in chain)

    def encode(self) -> bytes:
        """The bytes of its file."""
        payload = encode(
            {
                "number": self.number,
                "name": self.name,
                "manifest": self.manifest,
                "steps": {
                    step: [list(part) for part in chain] for step, chain in self.steps.items()
                },
            }
        )
        return _HEAD.pack(MAGIC, len(payload), crc32(payload)) + payload


@dataclass(frozen=True)
class Rebase:
    """When a step writes all its state again instead of what changed.

    Each bound limits what a restore reads beyond the state itself.

    Args:
        growth: the increments may take this many times the bytes of the full section.
        max_increments: and there may be at most this many.
    """

    growth: float = 1.0
    max_increments: int = 100

    def __post_init__(self) -> None:
        if self.growth < 0 or self.max_increments < 0:
            raise ConfigError(f"{self}: neither bound may be negative")

    def due(self, chain: list[Section]) -> bool:
        """Whether a step with this chain writes a full section next.

        >>> part = Section("0000000001.state", 0, 100, 0)
        >>> Rebase().due([part, part]), Rebase().due([part, part, part])
        (False, True)
        """
        if not chain:
            return True
        increments = sum(section.length for section in chain[1:])
        too_large = increments > self.growth * chain[0].length
        return too_large or len(chain) > self.max_increments


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """One line about a checkpoint.

    Args:
        number: its place in the order in which they were written.
        name: a savepoint's name; None for a checkpoint.
        lsn: it is the state after this LSN; None if it is damaged.
        size: bytes of state that a restore reads.
        written: bytes that this checkpoint wrote itself.
        path: its manifest file.
        error: what is wrong with its manifest, or None.
    """

    number: int
    name: str | None
    lsn: int | None
    size: int
    written: int
    path: str
    error: str | None = None


def check_savepoint_name(name: str) -> str:
    """`name`, if it may name a savepoint.

    Raises:
        ConfigError: it may not.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"savepoint name {name!r}: use 1 to 200 of the characters A-Z a-z 0-9 . _ -,"
            " not beginning with . or -"
        )
    return name


def state_name(number: int) -> str:
    """The state file that checkpoint `number` writes."""
    return f"{number:010}{STATE_SUFFIX}"


def parse_name(name: str) -> tuple[int, str | None] | None:
    """The number and savepoint name in the name of a manifest file; None if it is none.

    >>> parse_name("0000000007-before.checkpoint"), parse_name("0000000007.state")
    ((7, 'before'), None)
    """
    match = _MANIFEST_NAME.fullmatch(name)
    if match is None or (match[2] is not None and not NAME.fullmatch(match[2])):
        return None
    return int(match[1]), match[2]


def read_manifest(files: Files, path: str) -> Manifest:
    """The manifest in a file.

    Raises:
        CorruptCheckpoint: it does not read back as it was written.
        OSError: it cannot be read.
    """
    data = read_whole(files, path)
    where = files.path(path)
    try:
        magic, length, crc = _HEAD.unpack_from(data)
        payload = data[_HEAD.size :]
        if magic != MAGIC or len(payload) != length or crc32(payload) != crc:
            raise ValueError("its bytes are not those that were written")
        content = decode(payload)
        steps = {step: list(map(_section, chain)) for step, chain in content["steps"].items()}
        manifest = Manifest(content["number"], content["name"], content["manifest"], steps)
        if manifest.file_name != path.rpartition("/")[2]:
            raise ValueError(f"it was written as {manifest.file_name}")
    except (KappaError, ValueError, TypeError, KeyError, AttributeError, struct.error) as error:
        raise CorruptCheckpoint(f"checkpoint {where}: {error}", path=where) from error
    return manifest


def _section(columns: list[Any]) -> Section:
    section = Section(*columns)
    if not _STATE_NAME.fullmatch(section.file):
        raise ValueError(f"{section.file!r} is not the name of a state file")
    return section


def pack_section(frames: Iterable[bytes]) -> bytes:
    """Frames as one section."""
    return b"".join(part for frame in frames for part in (_LENGTH.pack(len(frame)), frame))


def read_section(files: Files, folder: str, section: Section) -> list[bytes]:
    """The frames of a section.

    Raises:
        CorruptCheckpoint: it does not read back as it was written, or its file is gone.
        OSError: it cannot be read.
    """
    path = f"{folder}/{section.file}"
    try:
        file = files.open(path)
    except FileNotFoundError:
        raise _damage(files, path, section, "the file is missing") from None
    if section.position < 0 or not 0 <= section.length <= file.size() - section.position:
        raise _damage(files, path, section, "the file is too short")
    data = file.read_at(section.position, section.length)
    if len(data) != section.length or crc32(data) != section.crc:
        raise _damage(files, path, section, "its bytes are not those that were written")
    frames = []
    position = 0
    while position < len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        frames.append(data[position : position + length])
        position += length
    return frames


def _damage(files: Files, path: str, section: Section, what: str) -> CorruptCheckpoint:
    return CorruptCheckpoint(
        f"state file {files.path(path)} at byte {section.position}: {what}",
        path=files.path(path),
        position=section.position,
    )
