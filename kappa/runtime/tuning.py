"""Garbage-collector settings for the length of a run.

Default thresholds cost a third of the speed with many keys, for the collector walks the
whole state again and again and finds no cycle in it.
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


@contextmanager
def tuned() -> Iterator[None]:
    """Raises the collector's thresholds, and puts the caller's back at the end.

    >>> before = gc.get_threshold()
    >>> with tuned():
    ...     inside = gc.get_threshold()
    >>> inside == THRESHOLDS, gc.get_threshold() == before
    (True, True)
    """
    global _depth, _before
    with _lock:
        _depth += 1
        if _depth == 1:
            _before = gc.get_threshold()
            gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                gc.set_threshold(*_before)
