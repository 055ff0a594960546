"""Checkpoints on disk: written aside, published by one rename, incremental, checked by CRC.

A checkpoint is a manifest and, per step, a chain of sections: a full one, then what changed
at each checkpoint after it. `kappa.runtime.manifests` has the byte layout. Invariants:

- a manifest gets its name only after all that it names is durable, so what has a name is
  whole, unless the disk lost something afterwards, which a CRC then shows;
- a state file belongs to the one checkpoint that wrote it and is never changed; it is removed
  once no manifest names it;
- a step's increments rest on exactly what its last published checkpoint holds: the step
  commits only after publication. A save that fails leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

from kappa.errors import ConfigError, CorruptCheckpoint, StateError
from kappa.log.files import Files, write_whole
from kappa.runtime.manifests import (
    STATE_SUFFIX,
    CheckpointInfo,
    Manifest,
    Rebase,
    Section,
    check_savepoint_name,
    pack_section,
    parse_name,
    read_manifest,
    read_section,
    state_name,
)

__all__ = ["CheckpointInfo", "CheckpointStore", "Loaded", "Rebase"]

KEEP = 3

Fits = Callable[[Mapping[str, Any]], "str | None"]
Found = list[tuple[int, "str | None"]]
Infos = list[CheckpointInfo]


class Snapshots(Protocol):
    """What a checkpoint asks of a step's state; `kappa.state.StepState` is one."""

    def snapshot(self, full: bool = False) -> Iterable[bytes]:
        """What changed since the last commit, or all there is, as frames."""
        ...

    def commit(self) -> None:
        """Makes what the last snapshot holds the base of the next."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint read back: what the runtime said about it, and frames per step."""

    manifest: dict[str, Any]
    steps: dict[str, list[bytes]]
    number: int
    name: str | None


@dataclass(slots=True)
class _Chain:
    """What a step's next increment rests on: the sections, of this very object's state."""

    state: Snapshots
    sections: list[Section] = field(default_factory=list)


class CheckpointStore:
    """The checkpoints and savepoints of one version of a pipeline, in one folder.

    Args:
        files: where they lie.
        folder: the folder, made on demand.
        keep: how many checkpoints to keep, beside the savepoints.
        rebase: when a step writes all its state again.

    Attributes:
        fallbacks: what `load` passed over, a sentence each.

    >>> from kappa.log.memory import MemoryFiles
    >>> from kappa.state import StepState
    >>> store, step = CheckpointStore(MemoryFiles(), "checkpoints"), StepState("count")
    >>> step.keyed("counts").put("a", 3)
    >>> store.save({"lsn": 17}, {"count": step}).lsn
    17
    >>> loaded = store.load()
    >>> again = StepState("count")
    >>> again.restore(loaded.steps["count"])
    >>> loaded.manifest["lsn"], again.keyed("counts").get("a")
    (17, 3)
    """

    def __init__(
        self, files: Files, folder: str, *, keep: int = KEEP, rebase: Rebase | None = None
    ) -> None:
        if keep < 1:
            raise ConfigError(f"keep is {keep}, must be at least 1")
        self.fallbacks: list[str] = []
        self._files = files
        self._folder = folder.strip("/")
        if not self._folder or {"..", ""} & set(self._folder.split("/")):
            raise ConfigError(f"checkpoint folder {folder!r} is not one within the log's folder")
        self._keep = keep
        self._rebase = rebase or Rebase()
        self._chains: dict[str, _Chain] = {}
        self._known: dict[str, Manifest] = {}
        self._next: int | None = None

    # -- writing -----------------------------------------------------------------------

    def save(
        self,
        manifest: Mapping[str, Any],
        steps: Mapping[str, Snapshots],
        *,
        name: str | None = None,
    ) -> CheckpointInfo:
        """Makes the present state of `steps` durable.

        A checkpoint holds what changed since the one before; a savepoint all there is, and
        has no effect on the checkpoints after it. Costs four fsyncs.

        Args:
            manifest: what it is the state of; "lsn" at least.
            steps: the state of each step by name.
            name: makes it a savepoint, kept until someone removes it.

        Raises:
            StateError: it could not be written, or state could not be encoded; nothing has
                changed, and the next one holds what this one would have.
            ConfigError: the name is taken, or not one.
        """
        if name is not None:
            check_savepoint_name(name)
        try:
            return self._save(dict(manifest), steps, name)
        except OSError as error:
            where = self._files.path(self._folder)
            raise StateError(
                f"no checkpoint could be written to {where}: {error}", path=where
            ) from error

    def _save(
        self, manifest: dict[str, Any], steps: Mapping[str, Snapshots], name: str | None
    ) -> CheckpointInfo:
        if name is not None and any(name == taken for _, taken in self._found()):
            raise ConfigError(f"there is a savepoint {name!r} already: choose another name")
        number = self._number()
        chains: dict[str, list[Section]] = {}
        data: list[bytes] = []
        position = 0
        for step, state in steps.items():
            chain = [] if name is not None else self._chain(step, state)
            section = pack_section(state.snapshot(full=not chain))
            if section:
                chain = [
                    *chain,
                    Section(state_name(number), position, len(section), crc32(section)),
                ]
            data.append(section)
            position += len(section)
            chains[step] = chain
        written = Manifest(number, name, manifest, chains)
        self._publish(written, b"".join(data))
        if name is None:
            for step, state in steps.items():
                self._chains[step] = _Chain(state, chains[step])
                state.commit()
        # What cannot be removed now is removed after the next checkpoint.
        with suppress(OSError, StateError):
            self._clean()
        return self._info(written, position)

    def _chain(self, step: str, state: Snapshots) -> list[Section]:
        """What the step's next section rests on; nothing if that must be a full one."""
        chain = self._chains.get(step)
        if chain is None or chain.state is not state or self._rebase.due(chain.sections):
            return []
        return chain.sections

    def _number(self) -> int:
        if self._next is None:
            self._make_folder()
            self._next = max((number for number, _ in self._found()), default=0) + 1
        number = self._next
        self._next += 1  # a number is never used twice, not even after a failure
        return number

    def _make_folder(self) -> None:
        parts = self._folder.split("/")
        for depth in range(len(parts)):
            self._files.make_folder("/".join(parts[: depth + 1]))
            self._files.sync_folder("/".join(parts[:depth]))

    def _publish(self, manifest: Manifest, data: bytes) -> None:
        """Makes the state durable, then the manifest; the rename within is the moment."""
        if state_name(manifest.number) in manifest.files:
            file = self._files.open(self._path(state_name(manifest.number)), create=True)
            file.truncate(0)
            file.write_at(0, data)
            file.sync()
            self._files.sync_folder(self._folder)
        write_whole(self._files, self._path(manifest.file_name), manifest.encode())
        self._known[manifest.file_name] = manifest

    # -- reading -----------------------------------------------------------------------

    def load(self, name: str | None = None, *, fits: Fits | None = None) -> Loaded | None:
        """The newest checkpoint that reads back and fits, or the savepoint `name`.

        What is passed over on the way is said in `fallbacks`.

        Args:
            name: of a savepoint; None for the newest of all.
            fits: says of a manifest why it cannot be used, or None if it can.

        Returns:
            None if there is none, or none that fits.

        Raises:
            CorruptCheckpoint: there are some, but none reads back; or the savepoint does not.
            StateError: there is no savepoint of that name, or it does not fit.
        """
        self.fallbacks = []
        damaged: CorruptCheckpoint | None = None
        for number, found in sorted(self._found(), reverse=True):
            if name is not None and found != name:
                continue
            try:
                loaded = self._load(number, found)
            except CorruptCheckpoint as error:
                damaged = damaged or error
                self.fallbacks.append(error.message)
                continue
            reason = fits(loaded.manifest) if fits is not None else None
            if reason is None:
                return loaded
            self.fallbacks.append(f"checkpoint {number}: {reason}")
        if damaged is not None:
            raise self._nothing_left(damaged)
        if name is not None:
            reason = self.fallbacks[-1] if self.fallbacks else "there is none of that name"
            raise StateError(f"savepoint {name!r} cannot be used: {reason}")
        return None

    def _load(self, number: int, name: str | None) -> Loaded:
        path = self._path(Manifest(number, name, {}, {}).file_name)
        try:
            manifest = read_manifest(self._files, path)
            steps = {
                step: [
                    frame
                    for section in chain
                    for frame in read_section(self._files, self._folder, section)
                ]
                for step, chain in manifest.steps.items()
            }
        except OSError as error:
            where = self._files.path(path)
            raise CorruptCheckpoint(f"checkpoint {where}: {error}", path=where) from error
        return Loaded(manifest.manifest, steps, number, name)

    def _nothing_left(self, damaged: CorruptCheckpoint) -> CorruptCheckpoint:
        where = self._files.path(self._folder)
        return CorruptCheckpoint(
            f"no checkpoint in {where} reads back: {'; '.join(self.fallbacks)}."
            " Mend the disk or restore the folder; or remove the folder, and the run makes"
            " its state again from the start of the log",
            path=damaged.path,
            position=damaged.position,
        )

    def list(self) -> Infos:
        """All checkpoints and savepoints, oldest first; damaged manifests with the error."""
        return [self._inspect(number, name) for number, name in sorted(self._found())]

    def _inspect(self, number: int, name: str | None) -> CheckpointInfo:
        path = self._path(Manifest(number, name, {}, {}).file_name)
        try:
            manifest = read_manifest(self._files, path)
        except (CorruptCheckpoint, OSError) as error:
            return CheckpointInfo(number, name, None, 0, 0, self._files.path(path), str(error))
        own = state_name(number)
        parts = [part for chain in manifest.steps.values() for part in chain if part.file == own]
        return self._info(manifest, sum(part.length for part in parts))

    def _info(self, manifest: Manifest, written: int) -> CheckpointInfo:
        return CheckpointInfo(
            number=manifest.number,
            name=manifest.name,
            lsn=manifest.manifest.get("lsn"),
            size=manifest.size,
            written=written,
            path=self._files.path(self._path(manifest.file_name)),
        )

    # -- removing ----------------------------------------------------------------------

    def drop_after(self, lsn: int) -> int:
        """Removes checkpoints (not savepoints) of a later LSN; says how many.

        Raises:
            StateError: one could not be removed.
        """
        late = [i for i in self.list() if i.name is None and i.lsn is not None and i.lsn > lsn]
        try:
            for info in late:
                self._remove(Manifest(info.number, None, {}, {}).file_name)
            if late:
                self._chains.clear()  # what they rest on may be gone: begin with full ones
                self._clean()
        except OSError as error:
            where = self._files.path(self._folder)
            message = f"a checkpoint in {where} could not be removed: {error}"
            raise StateError(message, path=where) from error
        return len(late)

    def remove(self, name: str) -> None:
        """Removes the savepoint `name`.

        Raises:
            StateError: there is none of that name, or it could not be removed.
        """
        numbers = [number for number, found in self._found() if found == name]
        if not numbers:
            raise StateError(f"there is no savepoint {name!r}")
        try:
            for number in numbers:
                self._remove(Manifest(number, name, {}, {}).file_name)
            self._clean()
        except OSError as error:
            raise StateError(f"savepoint {name!r} could not be removed: {error}") from error

    def _clean(self) -> None:
        """Removes checkpoints beyond `keep`, and state files that no manifest names.

        Manifests go first and for good: a state file that went before a manifest that
        names it would look like damage.
        """
        unnamed = sorted(number for number, name in self._found() if name is None)
        for number in unnamed[: -self._keep]:
            self._remove(Manifest(number, None, {}, {}).file_name)
        needed: set[str] = set()
        for number, name in self._found():
            needed |= self._needs(Manifest(number, name, {}, {}).file_name)
        self._files.sync_folder(self._folder)
        for name in self._files.names(self._folder):
            if (name.endswith(STATE_SUFFIX) and name not in needed) or name.endswith(".tmp"):
                self._files.remove(self._path(name))

    def _needs(self, file_name: str) -> set[str]:
        """The state files a manifest names; none if it is damaged for good."""
        manifest = self._known.get(file_name)
        if manifest is None:
            try:
                manifest = read_manifest(self._files, self._path(file_name))
            except CorruptCheckpoint:
                return set()
            self._known[file_name] = manifest
        return manifest.files

    def _remove(self, file_name: str) -> None:
        self._files.remove(self._path(file_name))
        self._known.pop(file_name, None)

    def _found(self) -> Found:
        """Number and name of each manifest in the folder."""
        try:
            names = self._files.names(self._folder)
        except OSError as error:
            where = self._files.path(self._folder)
            message = f"checkpoints in {where} cannot be listed: {error}"
            raise StateError(message, path=where) from error
        return [parsed for name in names if (parsed := parse_name(name)) is not None]

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
