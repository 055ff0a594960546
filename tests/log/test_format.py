"""docs/format.md shows the bytes that are written, and the code names the kinds it lists."""

from __future__ import annotations

import re
from pathlib import Path

from kappa.log import Log
from kappa.log.catalog import Catalog
from kappa.time import ManualClock

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")


def test_the_example_is_what_is_written() -> None:
    log = Log.memory(clock=ManualClock(1_700_000_000_000))
    log.create_topic("bids", time="ts")
    log.append("bids", [{"ts": 1_700_000_000_000, "price": 250}])
    files = log.files.files  # type: ignore[attr-defined]
    journal, segment = (
        bytes.fromhex(block) for block in re.findall(r"```hex\n(.*?)```", PAGE, re.S)
    )
    assert files["journal/00000000000000000001.jnl"].data.endswith(journal)
    assert files["topics/000001/00000-00000000000000000000.seg"].data == segment
    assert f"`{journal[:4].hex(' ')}`" in PAGE


def test_every_kind_of_control_record_is_listed() -> None:
    kinds = {name.removeprefix("_on_") for name in vars(Catalog) if name.startswith("_on_")}
    listed = re.search(r"Controls are the catalog's: (.*?);", PAGE, re.S)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == kinds
