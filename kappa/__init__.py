"""kappa: one log, one clock, one code path."""
