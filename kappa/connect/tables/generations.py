"""What a table was: its commits, the way back to one, and the end of what was kept for it.

Invariants:
- A way back undoes replacements alone, the newest first. What was added beside them stays.
- It is a replacement itself: one step for readers of the ledger, one per partition for others,
  finished after a crash by whoever looks next, and it can be undone in the same way.
- It is refused before anything is touched if a file that it needs is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from kappa.connect.tables.ledger import Commit, DataFile, State, folders_of
from kappa.connect.tables.replacing import Rows, check_own, compared, settle, show
from kappa.connect.tables.table import Table
from kappa.errors import ConfigError, SinkError
from kappa.sinks import Change, Mark

UNDONE = ("replace", "rollback")
TAKEN_BACK = ("discard", "reopen")


@dataclass(frozen=True, slots=True)
class Generation:
    """A table after one commit.

    Args:
        number: of the commit.
        kind: "begin", "add", "replace", "rollback", "reopen" or "discard".
        owner: whose commit it was, "pipeline@2".
        lsn: what LSNs up to this one caused is in the table, as far as it was complete.
        partitions: that the commit changed.
        added, removed: files.
        files, rows, bytes: of the whole table after it.
        within_reach: whether the table can be rolled back to it, or is at it.
    """

    number: int
    kind: str
    owner: str
    lsn: int
    partitions: tuple[str, ...]
    added: int
    removed: int
    files: int
    rows: int
    bytes: int
    within_reach: bool


def generations(table: Table) -> list[Generation]:
    """Every commit of a table, from the first.

    Cost: reads all commits.
    """
    settle(table)
    steps = list(table.ledger.history())
    there = _there(table)
    found: list[Generation] = []
    states = [State(), *(state for _, state in steps)]
    reach = True
    for (commit, state), before in zip(reversed(steps), reversed(states[:-1]), strict=True):
        gone = [before.files[path] for path in commit.remove if path in before.files]
        found.append(_told(commit, state, gone, reach))
        kept = all(file.path in there for file in gone)
        reach = reach and commit.kind not in TAKEN_BACK and (commit.kind not in UNDONE or kept)
    return found[::-1]


def _told(commit: Commit, state: State, gone: list[DataFile], reach: bool) -> Generation:
    files = state.files.values()
    return Generation(
        state.number,
        commit.kind,
        commit.mark.owner,
        commit.mark.lsn,
        tuple(folders_of([*commit.add, *gone])),
        len(commit.add),
        len(gone),
        len(files),
        sum(file.rows for file in files),
        sum(file.bytes for file in files),
        reach,
    )


def roll_back(table: Table, number: int) -> State:
    """Makes the partitions that were replaced after a commit what they were at it.

    Args:
        table: that is changed; the caller holds it against other writers.
        number: of the commit.

    Raises:
        SinkError: files of that time are gone, or rows were taken back since.
    """
    state = settle(table)
    files, owner = _undone(table, number)
    changed = {state.files[path].folder for path in state.files.keys() - files.keys()}
    changed |= {files[path].folder for path in files.keys() - state.files.keys()}
    if not changed:
        return state
    there = _there(table)
    wanted: dict[str, dict[str, str]] = {folder: {} for folder in sorted(changed)}
    for file in files.values():
        if file.folder in changed:
            if file.path not in there:
                raise _out_of_reach(table, number, f"{file.path} is not kept any more")
            wanted[file.folder][file.path] = there[file.path]
    for folder in wanted:
        check_own(table, folder, _suffix([*state.files.values(), *files.values()]))
    back = tuple(file for path, file in files.items() if state.files.get(path) != file)
    gone = tuple(path for path in state.files if path not in files)
    commit = Commit("rollback", state.marks[owner], back, gone)
    whole = {folder for folder, paths in wanted.items() if paths and table.is_complete(folder)}
    return show(table, state.number, commit, wanted, whole)


def told_again(table: Table, mark: Mark, rows: Rows, changes: list[Change]) -> list[Change]:
    """What a run did that was killed behind its swap, and finds nothing to change now.

    Args:
        table: that it changed.
        mark: of the run, which no other run has.
        rows: reads the rows of a file.
        changes: what it finds now; given back where the table was not changed by this run, or
            where what it replaced is not kept any more.
    """
    steps = list(table.ledger.history())
    for at in range(len(steps) - 1, 0, -1):
        commit, before = steps[at][0], steps[at - 1][1]
        if commit.mark == mark and commit.kind == "replace" and (commit.add or commit.remove):
            break
    else:
        return changes
    there, found = _there(table), []
    touched = {*commit.remove, *(file.path for file in commit.add)}
    gone = [file for path, file in before.files.items() if path in touched]
    if not all(file.path in there for file in gone):
        return changes
    for change in changes:
        old, new = (
            [there[file.path] for file in files if file.folder == change.partition]
            for files in (gone, commit.add)
        )
        sides = ((rows(table.store.read(name)) for name in names) for names in (old, new))
        found.append(compared(change.partition, *sides) if old or new else change)
    return found


def _undone(table: Table, number: int) -> tuple[dict[str, DataFile], str]:
    """The files without the replacements after a commit, and who made the last of these."""
    steps = list(table.ledger.history())
    if not 0 < number <= len(steps):
        raise ConfigError(f"{table.where} has commits 1 to {len(steps)}, and no {number}")
    files, owner = dict(steps[-1][1].files), ""
    for at in range(len(steps) - 1, number - 1, -1):
        commit, before = steps[at][0], steps[at - 1][1]
        if commit.kind in TAKEN_BACK:
            why = f"{commit.mark.owner} has taken rows back since, and their files are gone"
            raise _out_of_reach(table, number, why)
        if commit.kind in UNDONE:
            owner = owner or commit.mark.owner
            for file in commit.add:
                files.pop(file.path, None)
            touched = [*commit.remove, *(file.path for file in commit.add)]
            files.update((path, before.files[path]) for path in touched if path in before.files)
    return files, owner


def _out_of_reach(table: Table, number: int, why: str) -> SinkError:
    return SinkError(
        f"{table.where} cannot be rolled back to {number}: {why}. Run a backfill instead",
        path=table.where,
    )


def _suffix(files: list[DataFile]) -> str:
    """What the names of a table's files end in, from the first point on."""
    _, point, rest = files[0].path.rpartition("/")[2].partition(".")
    return point + rest


def _there(table: Table) -> dict[str, str]:
    """Where each file lies that is in view or kept, by its path in the table."""
    kept = f"{table.control}/kept"
    found = {}
    for name in table.store.names(kept):
        found[name.partition("/")[2]] = f"{kept}/{name}"
    found.update((name, f"{table.name}/{name}") for name in table.store.names(table.name))
    return found
