"""Sessions: the visits of each user, a visit ending after half an hour of silence.

`kappa.testing.run` runs a pipeline over plain lists, in memory. Visits come in the order
in which they end.

Prints:

    bob: 1 pages from 00:10 to 00:10
    ann: 3 pages from 00:00 to 00:25
    ann: 1 pages from 02:00 to 02:00
"""

from kappa import Pipeline, Session, agg
from kappa.testing import run

MINUTE = 60_000
VIEWS = [
    {"user": "ann", "page": "/", "ts": 0},
    {"user": "bob", "page": "/", "ts": 10 * MINUTE},
    {"user": "ann", "page": "/docs", "ts": 20 * MINUTE},
    {"user": "ann", "page": "/price", "ts": 25 * MINUTE},
    {"user": "ann", "page": "/", "ts": 120 * MINUTE},
]

pipeline = Pipeline("visits")
(
    pipeline.source("views")
    .key_by("user")
    .window(Session("30m"))
    .aggregate(pages=agg.count(), first=agg.min("ts"), last=agg.max("ts"))
    .to("visits")
)


def clock(time_ms: int) -> str:
    """Hours and minutes."""
    hours, minutes = divmod(time_ms // MINUTE, 60)
    return f"{hours:02d}:{minutes:02d}"


def main() -> None:
    """Runs the pipeline over the views and prints the visits."""
    for row in run(pipeline, {"views": VIEWS})["visits"]:
        span = f"from {clock(row['first'])} to {clock(row['last'])}"
        print(f"{row['user']}: {row['pages']} pages {span}")


if __name__ == "__main__":
    main()
