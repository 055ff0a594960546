"""docs/state.md shows true bytes, and the bytes of every version are read for ever."""

from __future__ import annotations

import re
from pathlib import Path

from kappa.log.memory import MemoryFiles
from kappa.runtime.checkpoints import CheckpointStore
from kappa.state import StepState

PAGE = (Path(__file__).parents[2] / "docs" / "state.md").read_text(encoding="utf-8")

FULL_AND_MANIFEST = (
    "730000003700000085a46b696e64a56b65796564a46e616d65a6636f756e7473a673706163657390a764726f70706564"
    "90a6626c6f636b739292341c92771c92959100c091a1610292910391cb40040000000000009590c09000c0929591"
    "01c091a1620292910191cb3fe00000000000009590c09000c04d0000003500000085a46b696e64a674696d657273a4"
    "6e616d65a674696d657273a673706163657390a764726f7070656490a6626c6f636b739192341492959100c091a161"
    "0292910591009590c0900090",
    "6b61707061636b3146000000a6f98c2884a66e756d62657201a46e616d65c0a86d616e696665737481a36c736e11a5"
    "737465707381a5636f756e749194b0303030303030303030312e737461746500ccc8cefbcc15c8",
)
"""A checkpoint as the first version wrote it: its state file and its manifest."""


def counts() -> StepState:
    state = StepState("count")
    state.keyed("counts").put("a", [3, 2.5])
    state.keyed("counts").put("b", [1, 0.5])
    return state


def test_the_example_is_what_is_written() -> None:
    (block,) = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    text = "".join(line.partition("#")[0] for line in block.splitlines())
    assert counts().snapshot() == [bytes.fromhex(text)]


def test_a_checkpoint_of_the_first_version_is_read() -> None:
    files = MemoryFiles()
    files.make_folder("c")
    for name, data in zip(("state", "checkpoint"), FULL_AND_MANIFEST, strict=True):
        files.open(f"c/0000000001.{name}", create=True).write_at(0, bytes.fromhex(data))
    loaded = CheckpointStore(files, "c").load()
    assert loaded is not None
    assert loaded.manifest == {"lsn": 17}
    state = StepState("count")
    state.restore(loaded.steps["count"])
    assert list(state.keyed("counts").items()) == [("a", [3, 2.5]), ("b", [1, 0.5])]
    assert state.timers().pop(5) == [(5, "a", 0)]
