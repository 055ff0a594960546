"""What kappa costs, next to plain loops: `python -m benchmarks [NAMES] [--size smoke|real]`.

How it measures:

- Every workload runs the engine on a log on disk and a hand-written loop over the same
  rows, held in memory as dicts, in the same process, under the same collector settings.
- Engine and loop take turns for several rounds, after one that is not counted. The ratio
  is the median over the rounds of loop time / engine time: above 1 the engine is faster.
  A busy machine slows both, so ratios travel where records/s do not.
- The uncounted round proves the result: a hash of the engine's rows, read back from its
  output topic, equals the hash of the loop's.
- Peak memory is that of a process of its own, which runs the engine without any rows in
  memory; `tracemalloc` is off throughout.

`data` makes the rows, `harness` measures, `report` prints; the workloads are in `logs`,
`stateless`, `windows`, `keyed` and `operations`.
"""
