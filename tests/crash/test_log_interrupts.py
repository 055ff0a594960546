"""Ctrl-C at any line: the log that goes on is the log that the journal says.

Method: a trace function raises KeyboardInterrupt at the Nth line that the log's modules
run during an append, for N = 1, 2, ... until none is left. Afterwards the same log object
appends on, and a fresh one must read what it reads.
"""

from __future__ import annotations

import linecache
import sys
from itertools import count
from types import FrameType
from typing import Any

import pytest
from crash.disks import copy_of
from crash.workload import open_log

from kappa.log import Draft, encode_body
from kappa.log.memory import MemoryFiles

TRACED = ("store.py", "staging.py", "ledger.py", "heads.py", "journal.py", "catalog.py")


class Interrupt:
    """Raises KeyboardInterrupt at line number `at`; counts lines otherwise."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.lines = 0
        self.where = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if "/kappa/log/" not in name or not name.endswith(TRACED):
            return None
        if frame.f_code.co_name in ("_unlock", "__enter__", "__exit__"):
            return None
        return self.line

    def line(self, frame: FrameType, event: str, _: Any) -> Any:
        # Giving a lock back, in `finally` or by `with`, is as exposed as in any Python code.
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if event == "line" and "_unlock(" not in text and not text.startswith("with "):
            self.lines += 1
            if self.lines == self.at:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self.line


@pytest.mark.slow
@pytest.mark.parametrize("what", ["commit", "control", "refresh"])
def test_an_interrupt_at_every_line(what: str) -> None:
    for at in count(1):
        files = MemoryFiles()
        log = open_log(files)
        log.create_topic("a", partitions=2)
        handle = log.open_producer("p")
        other = open_log(files)
        for n in range(3):
            other.append("a", ["other" * n])
        body = encode_body([1], ["x" * 30])
        drafts = [Draft([(1, 0, body)], (), handle.index, handle.epoch, n, n) for n in (1, 2)]
        interrupt = Interrupt(at)
        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            if what == "commit":
                log.commit(drafts)
            elif what == "control":
                log.control("run", {"a": "b" * 200})
            else:
                log.end_lsn  # noqa: B018 - reads what the other appended
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert log._store._depth == 0, interrupt.where
        again = log.commit(drafts)
        assert [result.lsn for result in again] == sorted(result.lsn for result in again)
        log.append("a", ["end"])
        fresh = open_log(copy_of(files))
        assert not fresh.recovery.reason, interrupt.where
        assert list(fresh.entries(0)) == list(log.entries(0)), interrupt.where
        assert list(fresh.read("a")) == list(log.read("a")), interrupt.where
        values = [record.value for record in fresh.read("a")]
        assert values.count("x" * 30) == 2, interrupt.where
        if not interrupt.where:
            assert at > 30
            return
