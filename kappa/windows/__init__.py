"""Windows: frozen descriptions of how event time is cut, that know nothing of who runs them.

`aligned` holds tumbling and sliding windows, `calendar` days to years of a time zone,
`unaligned` sessions, count windows and the global window. When windows show results is a
trigger's matter (`kappa.triggers`); what is computed, the aggregates' (`kappa.aggregates`).
"""

from kappa.windows.aligned import Sliding, Tumbling
from kappa.windows.calendar import Calendar
from kappa.windows.contract import Span, Window
from kappa.windows.unaligned import Count, Global, Session

__all__ = ["Calendar", "Count", "Global", "Session", "Sliding", "Span", "Tumbling", "Window"]
