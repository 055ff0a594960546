"""From Lambda to Kappa: two codebases that disagree, replaced by one pipeline.

A chain of shops asks for its takings per day and shop. It has what is called a Lambda
architecture: `batch.py` recomputes yesterday every night, `speed.py` counts today as it
comes, and a view merges the two. Both teams wrote correct-looking code from one sheet of
requirements. `pipeline.py` is what replaces both; `python -m examples.lambda_to_kappa` runs
all three over the same deliveries and compares them with the truth.

Prints:

    1. A day in the evening, and the same day the next morning
       Sat 30 Mar   speed said 8,982.31, batch says 9,278.71

    2. The week as Sunday ends: differences from the truth
       day             truth      batch      speed     merged
       Mon 25 Mar   9,490.69     -49.52    +946.63     -49.52
       Tue 26 Mar  10,026.85      -6.54    +523.10      -6.54
       Wed 27 Mar   9,883.47    -206.84  +1,227.48    -206.84
       Thu 28 Mar  10,363.54     -52.35    +427.04     -52.35
       Fri 29 Mar  10,127.20     -25.73    +638.68     -25.73
       Sat 30 Mar   9,259.62     +19.09  +1,087.40     +19.09
       Sun 31 Mar   8,949.92   none yet    -179.92    -179.92

    3. One pipeline
       live: 21 days and shops, 0 wrong; 0 events too late
       Friday's rows were there on Saturday: 10,127.20
       replay into version 2: 735 rows equal, 0 differ
"""
