"""Garbage-collector settings for the length of a run.

The collector walks everything that is alive, the caller's objects and the run's state, and
finds no cycle in it; with default thresholds that costs a third of the speed. So a run
raises the thresholds, and takes what is alive when it begins out of the collector's sight.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (100_000, 20, 100)

_lock = threading.Lock()
_depth = 0
_before = (700, 10, 10)
_frozen = False


@contextmanager
def tuned() -> Iterator[None]:
    """Sets the collector for a run, and puts the caller's settings back at the end.

    Objects are frozen, and thawed again, only if the caller has frozen none himself.

    >>> before = gc.get_threshold()
    >>> with tuned():
    ...     inside = gc.get_threshold()
    >>> inside == THRESHOLDS, gc.get_threshold() == before, gc.get_freeze_count()
    (True, True, 0)
    """
    global _depth, _before, _frozen
    with _lock:
        _depth += 1
        if _depth == 1:
            _before = gc.get_threshold()
            _frozen = gc.get_freeze_count() == 0
            gc.set_threshold(*THRESHOLDS)
    settle()
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                gc.set_threshold(*_before)
                if _frozen:
                    gc.unfreeze()


def settle() -> None:
    """Takes what is alive by now, such as restored state, out of the collector's sight."""
    with _lock:
        if _frozen and _depth:
            gc.freeze()
