"""All the state of one step: its handles by name, their snapshot and their restore."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from kappa.errors import ConfigError, CorruptCheckpoint, IncompatibleState
from kappa.state.frames import Entries, Frame, decode_frame, encode_frame
from kappa.state.generations import Generations, KeyedState, Spaces
from kappa.state.timers import Timer, Timers

Handle = KeyedState | Spaces | Timers
H = TypeVar("H", KeyedState, Spaces, Timers)

KINDS: dict[str, Callable[[str], Handle]] = {
    "keyed": KeyedState,
    "spaces": Spaces,
    "timers": Timers,
}


class StepState:
    """The named handles of one step.

    A handle is made when it is first asked for, whether a restore came before or comes
    after, and stays the same object. Names are the addresses of state: another name, or
    another kind under the same name, is other state.

    Args:
        step: the step's name, for messages.

    >>> state = StepState("per auction")
    >>> state.keyed("counts").put("a", 3)
    >>> frames = state.snapshot()
    >>> state.commit()
    >>> again = StepState("per auction")
    >>> again.restore(frames)
    >>> again.keyed("counts").get("a")
    3
    """

    __slots__ = ("_claimed", "_handles", "step")

    def __init__(self, step: str) -> None:
        self.step = step
        self._handles: dict[str, Handle] = {}
        self._claimed: set[str] = set()

    def keyed(self, name: str) -> KeyedState:
        """The value per key that this step keeps under `name`."""
        return self._claim(name, KeyedState)

    def spaces(self, name: str) -> Spaces:
        """The values per namespace and key that this step keeps under `name`."""
        return self._claim(name, Spaces)

    def timers(self, name: str = "timers") -> Timers:
        """The timers of this step."""
        return self._claim(name, Timers)

    def _claim(self, name: str, kind: Callable[[str], H]) -> H:
        handle = self._handles.get(name)
        if handle is None:
            handle = self._handles[name] = kind(name)
        elif type(handle) is not kind:
            restored = name not in self._claimed
            message = (
                f"step {self.step!r}: the state {name!r} is of kind {_kind(handle)!r},"
                f" but is asked for as {_kind(kind(name))!r}"
            )
            if restored:
                raise IncompatibleState(f"{message}: the step has changed", step=self.step)
            raise ConfigError(message, step=self.step)
        self._claimed.add(name)
        return handle  # type: ignore[return-value]

    @property
    def handles(self) -> dict[str, Handle]:
        """The handles by name, in the order in which they were made."""
        return dict(self._handles)

    def unclaimed(self) -> list[str]:
        """Names of restored, non-empty state that no one has asked for since.

        After a step is opened, these are what its present code no longer knows.
        """
        return [n for n, handle in self._handles.items() if n not in self._claimed and len(handle)]

    def snapshot(self, full: bool = False) -> list[bytes]:
        """What changed since the last `commit`, as frames; with `full`, all there is.

        The frames are bytes: nothing that happens later changes them. Costs about half a
        microsecond per changed key, and nothing for what did not change.

        Raises:
            StateError: a key or value that cannot be stored; step, handle and key are named.
        """
        frames = [_frame(name, handle, full) for name, handle in self._handles.items()]
        pieces = [piece for frame in frames if frame for piece in frame.pieces()]
        return [encode_frame(piece, step=self.step, grouped=full) for piece in pieces]

    def commit(self) -> None:
        """Makes what the last snapshot holds the base of the next.

        Called when that snapshot is durable, and before anything else is written.
        """
        for handle in self._handles.values():
            handle.commit()

    def restore(
        self,
        frames: Iterable[bytes],
        *,
        groups: Collection[int] | None = None,
        merge: bool = False,
    ) -> None:
        """Puts back what one chain of snapshots holds, oldest first.

        Args:
            frames: those of the first snapshot (full, or of a state that began empty), then
                those of each one after it.
            groups: the key groups to restore; None for all.
            merge: add to what is there instead of replacing it: the chain of another worker,
                whose keys are others.

        Raises:
            CorruptCheckpoint: something in `frames` is not a frame.
        """
        target = self._handles
        if merge:
            target = {}
        else:
            for handle in target.values():
                handle.reset()
        for data in frames:
            _apply(target, decode_frame(data, groups))
        for handle in target.values():
            handle.commit()
        if merge:
            self._merge(target)

    def _merge(self, others: dict[str, Handle]) -> None:
        for name, other in others.items():
            handle = self._handles.setdefault(name, type(other)(name))
            if type(handle) is not type(other):
                raise IncompatibleState(
                    f"step {self.step!r}: the state {name!r} is of kind {_kind(handle)!r} in one"
                    f" worker's checkpoint and {_kind(other)!r} in another's",
                    step=self.step,
                )
            _load(handle, _frame(name, other, full=True))
            handle.commit()

    def check(self) -> None:
        """Raises InternalError where an invariant of a handle does not hold."""
        for handle in self._handles.values():
            handle.check()

    def __len__(self) -> int:
        """The number of entries in all handles."""
        return sum(map(len, self._handles.values()))


def _kind(handle: Handle) -> str:
    return next(name for name, kind in KINDS.items() if type(handle) is kind)


def _frame(name: str, handle: Handle, full: bool) -> Frame:
    if isinstance(handle, Timers):
        return _timers_frame(name, handle, full)
    if isinstance(handle, Spaces):
        return _spaces_frame(name, handle, full)
    keys, values = _changed(handle, full)
    gone = [] if full else list(handle.gone)
    return Frame("keyed", name, Entries(keys, values), Entries(gone))


def _changed(state: Generations, full: bool) -> tuple[list[Any], list[Any]]:
    if not full or not state.base:
        return list(state.new), list(state.new.values())
    keys, values = [], []
    for key, value in state.items():
        keys.append(key)
        values.append(value)
    return keys, values


def _spaces_frame(name: str, spaces: Spaces, full: bool) -> Frame:
    frame = Frame("spaces", name, Entries([], [], []), Entries([], None, []))
    changed, gone = frame.changed, frame.gone
    assert changed.values is not None
    assert changed.spaces is not None
    assert gone.spaces is not None
    for namespace, space in spaces.spaces.items():
        if not (space.new or space.gone or (full and space.base)):
            continue
        keys, values = _changed(space, full)
        changed.keys += keys
        changed.values += values
        changed.spaces += [len(frame.spaces)] * len(keys)
        if not full:
            gone.keys += space.gone
            gone.spaces += [len(frame.spaces)] * len(space.gone)
        frame.spaces.append(namespace)
    if not full:
        frame.dropped += spaces.dropped
    return frame


def _timers_frame(name: str, timers: Timers, full: bool) -> Frame:
    changed = list(timers.items()) if full else list(timers.fresh)
    gone = [] if full else list(timers.gone)
    return Frame("timers", name, _timer_entries(changed), _timer_entries(gone))


def _timer_entries(timers: list[Timer]) -> Entries:
    return Entries([key for _, key, _ in timers], [[time, tag] for time, _, tag in timers])


def _apply(handles: dict[str, Handle], frame: Frame) -> None:
    kind = KINDS.get(frame.kind)
    if kind is None:
        raise CorruptCheckpoint(f"state of unknown kind {frame.kind!r}: written by a newer kappa?")
    handle = handles.get(frame.name)
    if handle is None:
        handle = handles[frame.name] = kind(frame.name)
    elif type(handle) is not kind:
        raise IncompatibleState(
            f"the state {frame.name!r} is of kind {frame.kind!r} in the checkpoint"
            f" and {_kind(handle)!r} in the step: the step has changed"
        )
    try:
        _load(handle, frame)
    except (ValueError, TypeError, IndexError) as error:
        raise CorruptCheckpoint(f"the state {frame.name!r} does not restore: {error}") from error


def _load(handle: Handle, frame: Frame) -> None:
    changed, gone = frame.changed, frame.gone
    if isinstance(handle, Timers):
        handle.load(_timers(gone), _timers(changed))
    elif isinstance(handle, Spaces):
        for namespace in frame.dropped:
            handle.drop(namespace)
        for key, space in zip(gone.keys, gone.spaces or (), strict=True):
            handle.space(frame.spaces[space]).base.pop(key, None)
        bases = [handle.space(namespace).base for namespace in frame.spaces]
        for key, value, space in zip(
            changed.keys, changed.values or (), changed.spaces or (), strict=True
        ):
            bases[space][key] = value
    else:
        for key in gone.keys:
            handle.base.pop(key, None)
        handle.base.update(zip(changed.keys, changed.values or (), strict=True))


def _timers(entries: Entries) -> list[Timer]:
    columns = zip(entries.keys, entries.values or (), strict=True)
    return [(time, key, tag) for key, (time, tag) in columns]
