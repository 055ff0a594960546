"""The history of runs, kept in the log: what ran when, and how it ended.

A run writes a control record when it begins and one when it ends; the catalog puts the two
together and keeps the newest. A run that never wrote the second one was killed, or still
goes on: then it holds its lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from kappa.errors import KappaError, LogLocked, Stopped
from kappa.log import Log
from kappa.runtime.results import RunResult
from kappa.runtime.versions import BACKFILLS

DONE, FAILED, STOPPED, RUNNING, KILLED = "done", "failed", "stopped", "running", "killed"
MAX_ERROR = 500
"""Characters of an error's message that are kept."""


class Run(NamedTuple):
    """One run of a pipeline.

    Args:
        pipeline, version: what it wrote.
        kind: "run", "replay" or "backfill".
        began, ended: by the log's clock, ms; `ended` is None without an end.
        outcome: done, failed, stopped, running or killed.
        facts: what else there is to say: the range, records in and out, the error.
    """

    pipeline: str
    version: int
    kind: str
    began: int
    ended: int | None
    outcome: str
    facts: dict[str, Any]


@contextmanager
def recorded(
    log: Log, kind: str, pipeline: str, version: int, **facts: Any
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Records a run; the caller holds the lock of the version.

    Yields:
        What to call with the facts of its result.
    """
    name = f"{pipeline}@{version}"
    found: dict[str, Any] = {"outcome": FAILED}
    plain = pipeline.partition(BACKFILLS)[0]
    start = {"name": name, "pipeline": plain, "version": version, "kind": kind}
    log.control("run", {**start, "began": log.clock.now_ms(), **facts})

    def ended(result: Mapping[str, Any]) -> None:
        found.update(result)

    try:
        yield ended
        found.setdefault("outcome", DONE)
    except (Stopped, KeyboardInterrupt):
        found["outcome"] = STOPPED
        raise
    except BaseException as error:
        message = error.message if isinstance(error, KappaError) else str(error)
        found["error"] = f"{type(error).__name__}: {message}"[:MAX_ERROR]
        raise
    finally:
        with suppress(KappaError):  # what ended the run is the error to tell
            log.control("run", {"name": name, "ended": log.clock.now_ms(), **found})


def summary(result: RunResult, *, stopped: bool = False) -> dict[str, Any]:
    """The facts of a result that the history keeps."""
    return {
        "outcome": STOPPED if stopped else DONE,
        "records_in": result.records_in,
        "records_out": result.records_out,
        "late": result.late,
        "dead_letters": result.dead_letters,
        "seconds": round(result.seconds, 3),
        "lsn": result.lsn,
    }


def runs_of(log: Log, pipeline: str | None = None) -> list[Run]:
    """The newest runs in the log, oldest first.

    Args:
        log: which.
        pipeline: only of this one.
    """
    found = []
    for data in log.catalog.runs:
        if "pipeline" in data and pipeline in (None, data["pipeline"]):
            found.append(_run(log, data))
    return found


_OWN = ("name", "pipeline", "version", "kind", "began", "ended", "outcome")


def _run(log: Log, data: Mapping[str, Any]) -> Run:
    ended = data.get("ended")
    outcome = data["outcome"] if ended is not None else _unfinished(log, data)
    return Run(
        data["pipeline"],
        data["version"],
        data["kind"],
        data["began"],
        ended,
        outcome,
        {name: value for name, value in data.items() if name not in _OWN},
    )


def _unfinished(log: Log, data: Mapping[str, Any]) -> str:
    """Whether a run without an end still goes on: the last of its name that holds the lock."""
    same = [run for run in log.catalog.runs if run.get("name") == data["name"]]
    if same[-1] != data:
        return KILLED
    try:
        log.lock(data["name"]).release()
    except LogLocked:
        return RUNNING
    return KILLED
