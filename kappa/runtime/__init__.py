"""What executes a plan: units of work, watermarks, the loop, checkpoints, delivery, versions.

The walk of an append: `units` plans from the journal alone which parts make the next unit
and which watermark it has (`watermarks`); `reading` turns parts into batches; `executor`
takes them through the steps, a stateful one through a `driver` that takes in several LSNs
at once only where that cannot show; `merge` orders fan-in; `delivery` appends what came
out under the LSN that caused it. `job` holds it together, `live` and `replay` say where it
begins and ends, `versions` what it may write, `checkpoints` what it goes on from.

Invariants: output is a function of the log (R1); an effect is named by its LSN (R7); a
checkpoint never rests on an append that is not durable.
"""
