"""A bug, its mending, a replay, a look at the difference, a promotion.

Version 1 sums the prices in cents as if they were euros. Version 2 is replayed over the
same log into a topic of its own, compared, and put behind the bare name.

Prints:

    revenue before: {'de': 1500, 'fr': 700}
    rows that differ: 3
    revenue after: {'de': 15.0, 'fr': 7.0}
    one more sale: {'de': 17.5, 'fr': 7.0}
"""

from kappa import Log, Pipeline, agg, col

SALES = [
    {"country": "de", "cents": 1000, "ts": 1_000},
    {"country": "fr", "cents": 700, "ts": 2_000},
    {"country": "de", "cents": 500, "ts": 3_000},
]


def revenue(mended: bool) -> Pipeline:
    """The pipeline, with its bug or without."""
    pipeline = Pipeline("revenue")
    amount = col("cents") / 100 if mended else col("cents")
    (
        pipeline.source("sales")
        .with_columns(amount=amount)
        .key_by("country")
        .aggregate(revenue=agg.sum("amount"))
        .to("revenue")
    )
    return pipeline


def latest(log: Log) -> dict[str, float]:
    """The last row of each country behind the bare name."""
    rows = (record.value for record in log.read("revenue"))
    return dict(sorted({row["country"]: row["revenue"] for row in rows}.items()))


def main() -> None:
    """Runs version 1, replays version 2, promotes it and lets it go on."""
    with Log.memory() as log:
        log.create_topic("sales", key="country", time="ts")
        log.append("sales", SALES)
        revenue(mended=False).run(log, until_idle=True)
        print("revenue before:", latest(log))

        mended = revenue(mended=True)
        mended.replay(log, version=2)
        difference = log.diff("revenue@1", "revenue@2")
        print("rows that differ:", len(difference.altered))
        log.promote("revenue@2")
        print("revenue after:", latest(log))

        log.append("sales", [{"country": "de", "cents": 250, "ts": 4_000}])
        mended.run(log, until_idle=True)
        print("one more sale:", latest(log))


if __name__ == "__main__":
    main()
