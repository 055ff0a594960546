"""Which version a bare output name stands for: promote, and roll back.

Both are one control record that switches all outputs of a version at once. Who reads the
bare name resolves it when it opens; a pipeline pins what it reads when its version is
created, so those still pinned to the old one are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kappa.errors import ConfigError
from kappa.log.catalog import split_name

if TYPE_CHECKING:
    from kappa.log.log import Log


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promote or a rollback did.

    Args:
        pipeline: whose outputs they are.
        version: that the names now stand for.
        before: version that each name stood for.
        outputs: the names.
        pinned: pipeline versions that still read an old one, as `pipeline@version`.
    """

    pipeline: str
    version: int
    before: dict[str, int | None]
    outputs: tuple[str, ...]
    pinned: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{', '.join(self.outputs)} now stand for version {self.version}"]
        if self.pinned:
            lines.append(f"still pinned to the old one: {', '.join(self.pinned)}")
        return "\n".join(lines)


def promote(log: Log, name: str) -> Promotion:
    """Makes `name@version` what the bare name stands for, with all outputs beside it."""
    bare, version = split_name(name)
    if version is None:
        raise ConfigError(f"{name!r}: say which version, such as {bare}@2")
    return _switch(log, log.topic(name).owner or "", bare, version, rollback=False)


def rollback(log: Log, name: str) -> Promotion:
    """Goes back to the version that a bare name stood for before."""
    bare, version = split_name(name)
    if version is not None:
        raise ConfigError(f"{name!r}: give the bare name; rollback goes to the one before")
    stood = log.catalog.earlier.get(bare) or []
    if not stood:
        raise ConfigError(f"{bare!r} stood for no other version before: nothing to roll back to")
    target = stood[-1]
    return _switch(log, log.topic(f"{bare}@{target}").owner or "", bare, target, rollback=True)


def _switch(log: Log, owner: str, bare: str, version: int, *, rollback: bool) -> Promotion:
    catalog = log.catalog
    pipeline = owner.rpartition("@")[0]
    record = catalog.versions.get((pipeline, version))
    if record is not None and record["status"] == "replaying":
        raise ConfigError(
            f"the replay into {pipeline}@{version} is not finished: start it again, then promote"
        )
    outputs = tuple(record["outputs"]) if record is not None else (bare,)
    before = {name: catalog.aliases.get(name) for name in outputs}
    if all(old == version for old in before.values()):
        raise ConfigError(f"{bare!r} stands for version {version} already")
    pinned = _pinned(log, outputs, before)
    log.control(
        "alias",
        {"outputs": dict.fromkeys(outputs, version), "pipeline": pipeline, "rollback": rollback},
    )
    log.sync()
    return Promotion(pipeline, version, before, outputs, pinned)


def _pinned(log: Log, outputs: tuple[str, ...], before: dict[str, int | None]) -> tuple[str, ...]:
    catalog = log.catalog
    old = {
        topic.id
        for name in outputs
        if before[name] is not None and (topic := catalog.find(name, before[name])) is not None
    }
    return tuple(
        f"{reader}@{number}"
        for (reader, number), record in sorted(catalog.versions.items())
        if old & set(record.get("pins", {}).values())
    )
