"""What the state machine must catch: a state and a store broken on purpose."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from runtime.test_checkpoints import damages, history, outcome
from state.test_step import Store

from kappa.log.memory import MemoryFiles
from kappa.runtime import manifests
from kappa.state import Generations, Timers

TRIES = settings(
    max_examples=3_000,
    derandomize=True,
    stateful_step_count=25,
    deadline=None,
    database=None,
    phases=[Phase.generate],
)


def unmarked(self: Generations, key: Any) -> Any:
    """Gives what is there for changing, and does not mark it as changed."""
    return self.get(key)


def traceless(self: Generations, key: Any) -> bool:
    """Deletes without a tombstone."""
    found = self.new.pop(key, None) is not None
    return self.base.pop(key, None) is not None or found


def forgotten(self: Timers, timer: Any) -> None:
    """Removes a timer without saying so to the next snapshot."""
    self.fresh.pop(timer, None)


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        (Generations, "touch", unmarked),
        (Generations, "delete", traceless),
        (Timers, "_forget", forgotten),
    ],
)
def test_the_state_machine_catches_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, broken: Any
) -> None:
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Store, settings=TRIES)


def test_the_damage_harness_catches_a_store_without_checksums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifests, "crc32", lambda data: 0)
    files = MemoryFiles()
    run = history(files, 1)
    seen = []
    for name, damage, original in damages(files):
        data = files.files[name].data
        damage(data)
        try:
            seen.append(outcome(files) in ("corrupt", *run.saved))
        except Exception:
            seen.append(False)
        data[:] = original
    assert not all(seen)
