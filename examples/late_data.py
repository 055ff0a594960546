"""Late data: what happens to a record that comes after its window has closed.

The window waits five seconds for disorder, and takes a record that is at most five more
seconds late with a corrected row. What is later still goes to the side "late".

Prints:

    sensor a [0s, 10s): 2 readings
    sensor a [0s, 10s): 3 readings
    sensor a [10s, 20s): 2 readings
    sensor a [20s, 30s): 1 readings
    late by 6 s: {'sensor': 'a', 'value': 4.0, 'ts': 3000}
"""

from kappa import Pipeline, Tumbling, agg
from kappa.testing import run

READINGS = [
    {"sensor": "a", "value": 1.0, "ts": 1_000},
    {"sensor": "a", "value": 2.0, "ts": 14_000},
    {"sensor": "a", "value": 1.5, "ts": 8_000},  # out of order: the window is still open
    {"sensor": "a", "value": 3.0, "ts": 16_000},  # the watermark passes 10 s: the window fires
    {"sensor": "a", "value": 1.2, "ts": 9_000},  # late, within the lateness: it fires again
    {"sensor": "a", "value": 2.5, "ts": 26_000},
    {"sensor": "a", "value": 4.0, "ts": 3_000},  # too late
]

pipeline = Pipeline("readings")
counts = (
    pipeline.source("readings", out_of_orderness="5s")
    .key_by("sensor")
    .window(Tumbling("10s"), lateness="5s")
    .aggregate(readings=agg.count())
)
counts.to("counts")
counts.side("late").to("late")


def main() -> None:
    """Runs the pipeline over the readings and prints both outputs."""
    result = run(pipeline, {"readings": READINGS})
    for row in result["counts"]:
        window = f"[{row['window_start'] // 1000}s, {row['window_end'] // 1000}s)"
        print(f"sensor {row['sensor']} {window}: {row['readings']} readings")
    for row in result["late"]:
        record = {name: row[name] for name in ("sensor", "value", "ts")}
        print(f"late by {row['late_by'] / 1000:.0f} s: {record}")


if __name__ == "__main__":
    main()
