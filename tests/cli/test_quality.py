"""`kappa quality`: the results of a pipeline as table, JSON and page."""

from __future__ import annotations

import json
from pathlib import Path

PIPELINE = """
from kappa import Pipeline, Tumbling
from kappa import expectations as ex

bids = Pipeline("bids-watch")
bids.source("bids").expect(ex.expect_column_max_to_be_between("n", 0, 5), window=Tumbling("1s"))
"""


def test_results_of_a_pipeline(kappa, tmp_path: Path):
    (tmp_path / "p.py").write_text(PIPELINE)
    lines = [json.dumps({"n": n, "ts": n * 1_000}) for n in range(8)]
    (tmp_path / "b.jsonl").write_text("\n".join(lines) + "\n")
    kappa("topic", "create", "bids", "--time", "ts")
    assert kappa("quality", "bids-watch").code == 2
    kappa("load", "bids", "b.jsonl")
    kappa("run", "p.py:bids", "--until-idle")
    done = kappa("quality", "bids-watch", "--html", "q.html")
    assert done.code == 3
    assert "6 of 7 hold" in done.out
    assert "n: 6 is not from 0 to 5" in done.out
    assert (tmp_path / "q.html").read_text().count("<section>") == 1
    (broken,) = kappa("quality", "bids-watch@1", "--broken", "--json").json
    assert broken["window_start"] == 6_000
    assert kappa("quality", "bids-watch", "--until", "1970-01-01T00:00:05Z").code == 0
