"""Keyed state: what a step remembers, its timers, and their snapshots.

A step's state lives in named handles of its `StepState`, and nowhere else:

- `KeyedState`: a value per key;
- `Spaces`: a value per namespace (a window) and key, dropped by namespace;
- `Timers`: due times in event time, with key and tag.

`ValueState`, `ListState` and `MapState` (`handles.py`) are what a user's class declares, on
top of these, with time to live in event time; `BroadcastState` is the same for all keys.

All of it is dicts in memory in two generations (`generations.py`): what changed since the
last checkpoint lies over the base, so that a snapshot costs only what changed. A snapshot is
a list of frames (`frames.py` has the byte layout), encoded at once with the values codec:
nothing that is read back is ever unpickled or evaluated. Key groups are worked out only when
a frame is written, and let a restore into several workers decode only what is theirs.

Laws, each with a test: `restore(snapshot())` changes nothing, iteration order included; a
chain of increments restores to what one full snapshot does; a snapshot never changes after
it was taken.
"""

from kappa.state.broadcast import BroadcastState
from kappa.state.copies import detached
from kappa.state.generations import Generations, KeyedState, Namespace, Spaces
from kappa.state.handles import ListState, MapState, ValueState
from kappa.state.step import StepState
from kappa.state.timers import Timer, Timers

__all__ = [
    "BroadcastState",
    "Generations",
    "KeyedState",
    "ListState",
    "MapState",
    "Namespace",
    "Spaces",
    "StepState",
    "Timer",
    "Timers",
    "ValueState",
    "detached",
]
