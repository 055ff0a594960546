"""What data has to be like: descriptions, and how columns are judged by them.

`expectations` are rules with an exact meaning per record or per window, named as in Great
Expectations. They are frozen descriptions over batches and know neither log nor pipeline:
the log judges appends by them, `kappa.operators.expect` the rows of a stream, and
`kappa.quality` what a topic holds.
"""

from kappa.contracts import expectations

__all__ = ["expectations"]
