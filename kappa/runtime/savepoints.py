"""Savepoints: a person's checkpoints, named and kept, from which another version begins.

A version that begins from a savepoint takes the state of every step with the same name and
the same description, and goes on behind the savepoint's LSN. What does not match is
refused by name: state is never dropped or misread in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kappa.errors import ConfigError, IncompatibleState
from kappa.log import Log
from kappa.plan import Plan
from kappa.runtime import versions
from kappa.runtime.checkpoints import CheckpointStore, Loaded
from kappa.runtime.versions import Version

FOLDER = "pipelines"


def checkpoint_store(log: Log, version: Version, *, keep: int) -> CheckpointStore:
    """The checkpoints of a version, in a folder of the log."""
    return CheckpointStore(log.files, f"{FOLDER}/{version.pipeline}/{version.version}", keep=keep)


def find(log: Log, pipeline: str, name: str) -> Version:
    """The version of a pipeline that has a savepoint.

    Args:
        name: of the savepoint; "2/name" where several versions have one of that name.

    Raises:
        ConfigError: none has it, or several have.
    """
    number, slash, bare = name.rpartition("/")
    having = [
        version
        for version in versions.versions_of(log, pipeline).values()
        if (not slash or str(version.version) == number)
        and any(info.name == bare for info in checkpoint_store(log, version, keep=1).list())
    ]
    if len(having) != 1:
        found = ", ".join(f"{version.version}/{bare}" for version in having) or "no version has it"
        raise ConfigError(f"savepoint {name!r} of pipeline {pipeline!r}: {found}")
    return having[0]


def load(log: Log, pipeline: str, name: str) -> Loaded:
    """The savepoint's manifest and state."""
    store = checkpoint_store(log, find(log, pipeline, name), keep=1)
    loaded = store.load(name.rpartition("/")[2])
    if loaded is None:
        raise ConfigError(f"pipeline {pipeline!r} has no savepoint {name!r}")
    return loaded


def check_matches(plan: Plan, manifest: Mapping[str, Any], name: str) -> None:
    """Refuses a savepoint whose state does not fit the plan's steps.

    A step that the savepoint does not know begins empty.

    Raises:
        IncompatibleState: naming the steps, and what to do.
    """
    saved: Mapping[str, str] = manifest["extra"]["states"]
    own = plan.state_texts()
    gone = sorted(saved.keys() - own.keys())
    if gone:
        raise IncompatibleState(
            f"savepoint {name!r} holds state of {_listed(gone)}, which the pipeline does not have"
            " any more; give the step its old name with .named(...), or replay instead",
            step=gone[0],
        )
    changed = sorted(step for step in saved if saved[step] != own[step])
    if changed:
        raise IncompatibleState(
            f"savepoint {name!r}: {_listed(changed)} changed from {saved[changed[0]]} to"
            f" {own[changed[0]]}, so its state does not fit; replay instead",
            step=changed[0],
        )
    topics = manifest["extra"]["clocks"].keys()
    unread = sorted(topics ^ set(versions.source_names(plan)))
    if unread:
        raise IncompatibleState(
            f"savepoint {name!r} was made with other sources ({', '.join(unread)}); replay instead"
        )


def _listed(steps: list[str]) -> str:
    return ("step " if len(steps) == 1 else "steps ") + ", ".join(map(repr, steps))
