"""Hot items: the bids per auction in windows of ten seconds.

Prints:

    [0s, 10s) auction 1: 2 bids, highest 250
    [0s, 10s) auction 2: 1 bids, highest 90
    [10s, 20s) auction 1: 1 bids, highest 300
"""

from kappa import Log, Pipeline, Tumbling, agg

BIDS = [
    {"auction": 1, "price": 200, "ts": 1_000},
    {"auction": 2, "price": 90, "ts": 4_000},
    {"auction": 1, "price": 300, "ts": 12_000},
    {"auction": 1, "price": 250, "ts": 9_000},  # out of order, but within the bound
]

pipeline = Pipeline("hot-items")
(
    pipeline.source("bids", out_of_orderness="5s")
    .key_by("auction")
    .window(Tumbling("10s"))
    .aggregate(bids=agg.count(), high=agg.max("price"))
    .to("bids_per_auction")
)


def main() -> None:
    """Appends the bids one by one and closes all windows at the end."""
    with Log.memory() as log:
        log.create_topic("bids", key="auction", time="ts")
        for bid in BIDS:
            log.append("bids", [bid])
        pipeline.run(log, until_idle=True, drain=True)
        for record in log.read("bids_per_auction"):
            row = record.value
            window = f"[{row['window_start'] // 1000}s, {row['window_end'] // 1000}s)"
            print(f"{window} auction {row['auction']}: {row['bids']} bids, highest {row['high']}")


if __name__ == "__main__":
    main()
