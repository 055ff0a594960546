"""Two layers against one pipeline: who is wrong where, and that the example shows it."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from datetime import date, timedelta
from pathlib import Path

import pytest

from examples.lambda_to_kappa.__main__ import append, lambda_week, truth
from examples.lambda_to_kappa.batch import Totals
from examples.lambda_to_kappa.deliveries import DAYS, HOUR_MS, deliveries, midnight
from examples.lambda_to_kappa.pipeline import TOPIC, latest, pipeline
from kappa import Log, ManualClock

ROOT = Path(__file__).parents[2]


def wrong_days(totals: Totals, right: Totals) -> set[date]:
    return {day for (day, shop), cents in right.items() if totals.get((day, shop)) != cents}


@pytest.mark.slow
def test_it_prints_what_its_docstring_says():
    page = (ROOT / "examples" / "lambda_to_kappa" / "__init__.py").read_text()
    _, _, block = (ast.get_docstring(ast.parse(page)) or "").partition("Prints:\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.lambda_to_kappa"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == textwrap.dedent(block).strip()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_pipeline_has_the_truth_where_both_layers_miss_it(seed):
    week = deliveries(seed)
    right = truth(week)
    end = midnight(DAYS[-1] + timedelta(days=1)) + 12 * HOUR_MS
    batch, speed = lambda_week(week, until=end)
    assert len(wrong_days(batch, right)) >= 3
    assert wrong_days(speed, right) == set(DAYS)
    clock = ManualClock()
    with Log.memory(clock=clock) as log:
        log.create_topic("events", partitions=3, key="shop", time="at")
        for first in range(0, len(week), 900):
            append(log, clock, week[first : first + 900])
            pipeline.run(log, until_idle=True)
        pipeline.run(log, until_idle=True, drain=True)
        assert latest(log) == right
        pipeline.replay(log, version=2)
        assert not log.diff(f"{TOPIC}@1", f"{TOPIC}@2")
