"""Nexmark: an auction house in events, and the 28 queries that stream engines are measured by.

    python -m benchmarks.nexmark --query q5 --events 1000000
    python -m benchmarks.nexmark --query q5 --input events.jsonl --output rows.jsonl

`generator` makes events, `events` reads and writes files of them and loads them into a log.
`bids`, `auctions` and `patterns` hold the queries, each a few lines; `catalog` lists them
with their columns. `running` runs one and folds its output into final rows, `measuring`
measures it in a process of its own. What a query means, and what is measured, is in
docs/nexmark.md.
"""
