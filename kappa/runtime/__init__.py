"""What carries a plan out: over the log's journal, into the log's topics.

    Pipeline.run, start ── live ─┐                     replay ── Pipeline.replay
                                 ├── job ──────────────────┤
                                 │    ├── units             the journal, cut into units:
                                 │    │    └── watermarks   parts to read, W after each LSN   R5
                                 │    ├── reading           parts -> one batch per source
                                 │    ├── executor          a unit through the graph
                                 │    │    ├── driver       one stateful step, LSNs together   R1
                                 │    │    └── merge        fan-in by (LSN, rank)
                                 │    ├── delivery          one append per LSN                 R7
                                 │    └── checkpoints       state after LSN x; savepoints
                                 └── versions               what outputs are bound to

One record's walk: its append gets LSN x and a line in the journal. `units` reads the line,
moves the source's clock, and puts the part and W(x) into a unit. `reading` reads the body,
checks its CRC, decodes the fields that the plan uses. `executor` sends the batch down the
steps; a window takes it in, judged against W(x-1), and fires what W(x) completes. `delivery`
appends all rows of x, over all outputs, under the name x, with the watermark they claim. A
crash in between loses nothing and doubles nothing: the newest checkpoint says "the state
after LSN c", the LSNs behind c are handled again, and what they had written already is
recognised by its name and compared.

Nothing here depends on how much is read at once (`RunOptions`), and no result depends on
the wall clock, which decides only when checkpoints and ticks happen.
"""
