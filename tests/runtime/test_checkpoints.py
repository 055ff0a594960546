"""Checkpoints: what is read back is a state that was saved, whatever happened to the files.

Method: a history of saves, whose states are remembered. Then every file is cut at every
byte and has every bit flipped, every file call fails in turn, and the power is cut at every
call; a load must give one of the remembered states, or CorruptCheckpoint, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kappa.errors import ConfigError, CorruptCheckpoint, StateError
from kappa.log.files import OsFiles
from kappa.log.memory import MemoryFiles
from kappa.runtime.checkpoints import CheckpointStore, Loaded, Rebase
from kappa.state import StepState

FOLDER = "checkpoints/p/1"


def restored(loaded: Loaded) -> dict[str, Any]:
    """The LSN and the content of every step."""
    out: dict[str, Any] = {"lsn": loaded.manifest["lsn"]}
    for name, frames in loaded.steps.items():
        state = StepState(name)
        state.restore(frames)
        out[name] = list(state.keyed("cells").items())
    return out


def content(lsn: int, steps: dict[str, StepState]) -> dict[str, Any]:
    return {"lsn": lsn} | {n: list(s.keyed("cells").items()) for n, s in steps.items()}


class Run:
    """A run of two steps that saves as it goes, and remembers what it saved."""

    def __init__(self, files: Any, **options: Any) -> None:
        self.store = CheckpointStore(files, FOLDER, **options)
        self.steps = {"a": StepState("a"), "b": StepState("b")}
        self.lsn = 0
        self.saved: list[dict[str, Any]] = []

    def work(self) -> None:
        """Changes one key, adds one, deletes one."""
        self.lsn += 1
        cells = self.steps["a"].keyed("cells")
        cells.put(0, [self.lsn])
        cells.put(self.lsn, [1])
        cells.delete(self.lsn - 3)
        if self.lsn == 1:
            self.steps["b"].keyed("cells").put("once", "unchanged since")

    def save(self, name: str | None = None) -> None:
        self.store.save({"lsn": self.lsn}, self.steps, name=name)
        self.saved.append(content(self.lsn, self.steps))


def history(files: Any, saves: int, **options: Any) -> Run:
    run = Run(files, **options)
    for _ in range(saves):
        run.work()
        run.save()
    return run


# ---- what is saved


def test_increments_hold_only_what_changed_and_restore_to_the_whole() -> None:
    files = MemoryFiles()
    run = Run(files)
    cells = run.steps["a"].keyed("cells")
    for key in range(500):
        cells.put(key, [key])
    first = run.store.save({"lsn": 1}, run.steps)
    cells.touch(7).append(1)
    second = run.store.save({"lsn": 2}, run.steps)
    third = run.store.save({"lsn": 3}, run.steps)
    assert first.written == first.size > 1500
    assert second.written < 120
    assert second.size == first.size + second.written
    assert third.written == 0
    loaded = CheckpointStore(files, FOLDER).load()
    assert loaded is not None
    assert restored(loaded) == content(3, run.steps)


def test_a_step_writes_all_again_when_its_increments_outgrow_it() -> None:
    run = history(MemoryFiles(), 30, rebase=Rebase(growth=1.0), keep=30)
    infos = run.store.list()
    full = infos[0].size
    assert all(info.size < 4 * full for info in infos)
    rebased = [info for info in infos[1:] if info.size == info.written]
    assert rebased == []  # step "b" never changed, so its section is the first one's
    smaller = [one for one, next_ in pairwise(infos) if next_.size < one.size]
    assert len(smaller) >= 5


def test_the_number_of_increments_is_bounded() -> None:
    files = MemoryFiles()
    run = history(files, 9, rebase=Rebase(growth=1e9, max_increments=2), keep=9)
    sizes = [info.size for info in run.store.list()]
    assert [n for n in range(1, 9) if sizes[n] < sizes[n - 1]] == [3, 6]
    with pytest.raises(ConfigError, match="negative"):
        Rebase(growth=-1)


def test_the_first_checkpoint_of_a_store_is_full() -> None:
    files = MemoryFiles()
    run = history(files, 3)
    again = CheckpointStore(files, FOLDER)
    info = again.save({"lsn": 3}, run.steps)
    assert info.size == info.written


def test_a_step_whose_state_is_another_object_is_written_whole() -> None:
    files = MemoryFiles()
    run = history(files, 3)
    run.steps["a"] = StepState("a")
    run.steps["a"].keyed("cells").put("new", 1)
    run.save()
    loaded = CheckpointStore(files, FOLDER).load()
    assert loaded is not None
    assert restored(loaded) == run.saved[-1]


def test_only_the_newest_are_kept_and_no_file_that_none_needs() -> None:
    files = MemoryFiles()
    run = history(files, 10, keep=2, rebase=Rebase(growth=0, max_increments=0))
    assert [info.lsn for info in run.store.list()] == [9, 10]
    assert files.names(FOLDER) == [
        "0000000009.checkpoint",
        "0000000009.state",
        "0000000010.checkpoint",
        "0000000010.state",
    ]


def test_a_state_that_cannot_be_stored_changes_nothing() -> None:
    files = MemoryFiles()
    run = history(files, 2)
    run.steps["b"].keyed("cells").put("bad", object())
    with pytest.raises(StateError, match="step 'b', state 'cells': the value of key 'bad'"):
        run.store.save({"lsn": 9}, run.steps)
    run.steps["b"].keyed("cells").delete("bad")
    run.work()
    run.save()
    loaded = run.store.load()
    assert loaded is not None
    assert restored(loaded) == run.saved[-1]


def test_an_empty_state_has_no_state_file() -> None:
    files = MemoryFiles()
    store = CheckpointStore(files, FOLDER)
    store.save({"lsn": 1}, {"a": StepState("a")})
    store.save({"lsn": 2}, {})
    assert [name for name in files.names(FOLDER) if name.endswith(".state")] == []
    loaded = store.load()
    assert loaded is not None
    assert loaded.steps == {}


# ---- savepoints


def test_a_savepoint_stays_and_has_no_effect_on_checkpoints() -> None:
    files = MemoryFiles()
    run = history(files, 2, keep=1)
    run.save("before")
    at_savepoint = run.saved[-1]
    for _ in range(3):
        run.work()
        run.save()
    store = CheckpointStore(files, FOLDER)
    newest, savepoint = store.load(), store.load("before")
    assert newest is not None and savepoint is not None
    assert restored(newest) == run.saved[-1]
    assert restored(savepoint) == at_savepoint
    assert [(info.name, info.lsn) for info in store.list()] == [("before", 2), (None, 5)]
    store.remove("before")
    assert [info.name for info in store.list()] == [None]


def test_a_savepoint_that_is_newest_is_what_a_load_gives() -> None:
    run = history(MemoryFiles(), 2)
    run.work()
    run.save("stop")
    loaded = run.store.load()
    assert loaded is not None
    assert (loaded.name, restored(loaded)) == ("stop", run.saved[-1])


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "x" * 201, "a b", "x\n"])
def test_a_savepoint_name_cannot_leave_the_folder(name: str) -> None:
    run = history(MemoryFiles(), 1)
    with pytest.raises(ConfigError, match="savepoint name"):
        run.save(name)


def test_a_savepoint_name_is_taken_once() -> None:
    run = history(MemoryFiles(), 1)
    run.save("x")
    with pytest.raises(ConfigError, match="already"):
        run.save("x")
    with pytest.raises(StateError, match="none of that name"):
        run.store.load("y")
    with pytest.raises(StateError, match="no savepoint 'y'"):
        run.store.remove("y")


@pytest.mark.parametrize("folder", ["", "/", "../x", "a/../../b", "a//b"])
def test_the_folder_lies_within(folder: str) -> None:
    with pytest.raises(ConfigError, match="folder"):
        CheckpointStore(MemoryFiles(), folder)


def test_a_manifest_that_names_a_file_elsewhere_is_damage() -> None:
    from kappa.runtime.manifests import Manifest, Section

    files = MemoryFiles()
    store = CheckpointStore(files, FOLDER)
    store.save({"lsn": 1}, {})
    bad = Manifest(2, None, {"lsn": 2}, {"a": [Section("../../secret", 0, 0, 0)]})
    files.open(f"{FOLDER}/{bad.file_name}", create=True).write_at(0, bad.encode())
    loaded = store.load()
    assert loaded is not None
    assert loaded.number == 1
    assert "not the name of a state file" in store.fallbacks[0]


# ---- what does not fit


def test_what_does_not_fit_is_passed_over_with_the_reason() -> None:
    run = history(MemoryFiles(), 3)

    def fits(manifest: Any) -> str | None:
        return "it rests on a lost future" if manifest["lsn"] > 1 else None

    loaded = run.store.load(fits=fits)
    assert loaded is not None
    assert restored(loaded) == run.saved[0]
    assert run.store.fallbacks == [
        "checkpoint 3: it rests on a lost future",
        "checkpoint 2: it rests on a lost future",
    ]
    assert run.store.load(fits=lambda manifest: "no") is None
    run.save("s")
    with pytest.raises(StateError, match="savepoint 's' cannot be used: checkpoint 4: no"):
        run.store.load("s", fits=lambda manifest: "no")


def test_checkpoints_of_a_later_lsn_can_be_dropped() -> None:
    files = MemoryFiles()
    run = history(files, 3)
    run.save("kept")
    assert run.store.drop_after(1) == 2
    assert [(i.name, i.lsn) for i in run.store.list()] == [(None, 1), ("kept", 3)]
    run.work()
    run.save()
    loaded = run.store.load()
    assert loaded is not None
    assert restored(loaded) == run.saved[-1]


# ---- damage


def outcome(files: Any) -> dict[str, Any] | str | None:
    """What a load gives: a state, None, or the name of the one error that is allowed."""
    try:
        loaded = CheckpointStore(files, FOLDER).load()
    except CorruptCheckpoint as error:
        assert "no checkpoint in" in error.message
        return "corrupt"
    return None if loaded is None else restored(loaded)


def damages(files: MemoryFiles) -> Iterator[tuple[str, Callable[[bytearray], None], bytes]]:
    for name in list(files.files):
        original = bytes(files.files[name].data)
        for size in range(len(original)):
            yield name, lambda data, size=size: data.__delitem__(slice(size, None)), original
        for at in range(len(original)):
            for bit in range(8):
                mask = 1 << bit
                yield (
                    name,
                    lambda data, at=at, mask=mask: data.__setitem__(at, data[at] ^ mask),
                    original,
                )


@pytest.mark.parametrize("saves", [1, 3])
def test_no_cut_and_no_flipped_bit_gives_a_state_that_was_never_saved(saves: int) -> None:
    files = MemoryFiles()
    run = history(files, saves, rebase=Rebase(growth=9, max_increments=1))
    fell_back = 0
    for name, damage, original in damages(files):
        data = files.files[name].data
        damage(data)
        seen = outcome(files)
        assert seen == "corrupt" or seen in run.saved, name
        fell_back += seen != run.saved[-1]
        if saves == 1:
            assert seen == "corrupt", name
        data[:] = original
    assert fell_back > 1000
    assert outcome(files) == run.saved[-1]


def test_a_missing_file_falls_back_and_says_so() -> None:
    files = MemoryFiles()
    run = history(files, 3, rebase=Rebase(growth=0, max_increments=0))
    files.remove(f"{FOLDER}/0000000003.state")
    store = CheckpointStore(files, FOLDER)
    loaded = store.load()
    assert loaded is not None
    assert restored(loaded) == run.saved[1]
    assert "0000000003.state at byte 0: the file is missing" in store.fallbacks[0]
    assert "0000000003" in store.list()[-1].path


def test_a_damaged_savepoint_is_an_error_of_its_own() -> None:
    files = MemoryFiles()
    run = history(files, 2)
    run.save("s")
    files.files[f"{FOLDER}/0000000003-s.checkpoint"].data[20] ^= 1
    with pytest.raises(CorruptCheckpoint):
        run.store.load("s")
    assert run.store.list()[-1].error is not None
    assert outcome(files) == run.saved[1]


def test_a_run_goes_on_after_a_damaged_checkpoint() -> None:
    files = MemoryFiles()
    run = history(files, 3)
    files.files[f"{FOLDER}/0000000003.checkpoint"].data[20] ^= 1
    again = CheckpointStore(files, FOLDER)
    loaded = again.load()
    assert loaded is not None
    for name, frames in loaded.steps.items():
        run.steps[name] = StepState(name)
        run.steps[name].restore(frames)
    run.store, run.lsn = again, loaded.manifest["lsn"]
    for _ in range(4):
        run.work()
        run.save()
        assert outcome(files) == run.saved[-1]


# ---- failing calls and power cuts


class Failing:
    """Files whose Nth call fails; a failing write leaves half of its bytes.

    `durable` is what a power cut leaves at worst: bytes at their last sync, names at the
    last sync of their folder.
    """

    def __init__(self, fail_at: int = -1, *, always: bool = False) -> None:
        self.inner = MemoryFiles()
        self.fail_at, self.always = fail_at, always
        self.calls = 0
        self.synced: dict[int, bytes] = {}
        self.names_durable: dict[str, int] = {}
        self.by_id: dict[int, Any] = {}

    def failing(self) -> bool:
        self.calls += 1
        return self.calls == self.fail_at or (self.always and self.calls > self.fail_at > 0)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        if name == "path":
            return method

        def call(*args: Any, **options: Any) -> Any:
            if self.failing():
                raise OSError(5, f"{name} failed")
            result = method(*args, **options)
            if name == "sync_folder":
                self.sync_names(args[0] if args else "")
            return FailingFile(self, result) if name == "open" else result

        return call

    def sync_names(self, folder: str) -> None:
        for known in list(self.names_durable):
            if known.rpartition("/")[0] == folder:
                del self.names_durable[known]
        for name, file in self.inner.files.items():
            if name.rpartition("/")[0] == folder:
                self.names_durable[name] = id(file)
                self.by_id[id(file)] = file

    def after_power_cut(self) -> MemoryFiles:
        disk = MemoryFiles()
        for name, number in self.names_durable.items():
            disk.make_folder(name.rpartition("/")[0])
            disk.open(name, create=True).write_at(0, self.synced.get(number, b""))
        return disk


class FailingFile:
    def __init__(self, files: Failing, file: Any) -> None:
        self.files, self.file = files, file

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.file, name)

        def call(*args: Any) -> Any:
            if self.files.failing():
                if name == "write_at":
                    method(args[0], args[1][: len(args[1]) // 2])
                raise OSError(28, f"{name} failed")
            if name == "sync":
                self.files.synced[id(self.file)] = bytes(self.file.data)
                self.files.by_id[id(self.file)] = self.file
            return method(*args)

        return call


def calls_of_a_history() -> int:
    files = Failing()
    history(files, 5, keep=2, rebase=Rebase(growth=9, max_increments=1))
    return files.calls


@pytest.mark.parametrize("always", [False, True])
def test_whichever_call_fails_the_state_is_one_that_was_saved(always: bool) -> None:
    total = calls_of_a_history()
    assert total > 80
    for fail_at in range(1, total + 1):
        files = Failing(fail_at, always=always)
        run = Run(files, keep=2, rebase=Rebase(growth=9, max_increments=1))
        possible: list[Any] = [None]  # the last acknowledged, and what was tried since
        for _ in range(5):
            run.work()
            tried = content(run.lsn, run.steps)
            try:
                run.save()
            except StateError as error:
                assert error.path is not None
                # Published before the call failed, or not: either is a state of the run.
                possible.append(tried)
                assert outcome(files.inner) in possible
            else:
                possible = [tried]
                assert outcome(files.inner) == tried
            # What a power cut leaves now is no older than what was acknowledged.
            assert outcome(files.after_power_cut()) in possible
        if not always:
            run.save()
            assert outcome(files.inner) == run.saved[-1]
            names = {name for name in files.inner.names(FOLDER) if name.endswith(".tmp")}
            assert not names


def test_whichever_call_fails_in_a_load_it_is_a_fallback_or_corrupt() -> None:
    files = Failing()
    run = history(files, 3, rebase=Rebase(growth=0, max_increments=0))
    written = files.calls
    run.store.load()
    reads = files.calls - written
    assert reads > 6
    for fail_at in range(reads):
        files.calls, files.fail_at = 0, fail_at + 1
        try:
            loaded = run.store.load()
        except StateError as error:
            assert "cannot be listed" in error.message
        else:
            assert loaded is not None
            assert restored(loaded) in run.saved
            assert len(run.store.fallbacks) <= 1


def test_on_disk(tmp_path: Any) -> None:
    files = OsFiles(tmp_path)
    run = history(files, 4)
    run.save("s")
    assert outcome(files) == run.saved[-1]
    assert [info.name for info in run.store.list()] == [None, None, None, "s"]


# ---- any history


@given(st.lists(st.sampled_from(["work", "work", "save", "point", "reopen"]), max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_load_gives_what_was_last_saved(moves: list[str]) -> None:
    files = MemoryFiles()
    run = Run(files, keep=1, rebase=Rebase(growth=2, max_increments=3))
    points: dict[str, Any] = {}
    for n, move in enumerate(moves):
        if move == "work":
            run.work()
        elif move == "save":
            run.save()
        elif move == "point":
            run.save(f"p{n}")
            points[f"p{n}"] = run.saved[-1]
        elif run.saved:
            store = CheckpointStore(files, FOLDER, keep=1)
            loaded = store.load()
            assert loaded is not None
            assert restored(loaded) == run.saved[-1]
            run.store, run.lsn = store, loaded.manifest["lsn"]
            run.steps = {name: StepState(name) for name in run.steps}
            for name, frames in loaded.steps.items():
                run.steps[name].restore(frames)
        for name, state in points.items():
            point = run.store.load(name)
            assert point is not None
            assert restored(point) == state
