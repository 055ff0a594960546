"""Transcripts: what goes in, how far the watermark moves, what comes out, line by line.

A step is (records, watermark after them, rows expected, late rows expected). A record is
its event time, or (time, value); all have one key. A row is (start, end, values) or, with
panes, (start, end, values, index, timing, last) and the word "retraction" where it is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from window_driver import Cuts, Run
from window_model import NEG, Append

from kappa.aggregates import agg
from kappa.expressions import Selector
from kappa.operators import WindowAggregate
from kappa.triggers import AtWatermark, Every, OnCount
from kappa.windows import Calendar, Count, Global, Session, Sliding, Tumbling

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Transcript:
    name: str
    window: Any
    steps: list[Step]
    closing: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


EARLY_2 = AtWatermark(early=OnCount(2))
NEW_YORK = Calendar("day", "America/New_York")
MARCH_10 = 1_362_891_600_000  # midnight of the day on which clocks go forward, in New York
HOUR = 3_600_000

TRANSCRIPTS = [
    Transcript(
        "a window fires when the watermark reaches end - 1, and then takes no more",
        Tumbling(10),
        [([9], 8, []), ([10], 9, [(0, 10, [9])]), ([9], 9, [], [(9, 0, 10, 1)])],
        [(10, 20, [10])],
    ),
    Transcript(
        "a late record fires its window again until end - 1 + lateness",
        Tumbling(10),
        [
            ([8], 9, [(0, 10, [8])]),
            ([], 13, []),
            ([9], 13, [(0, 10, [8, 9])]),
            ([], 14, []),
            ([9], 14, [], [(9, 0, 10, 1)]),
            ([7], 20, [], [(7, 0, 10, 1)]),
            ([6], 20, [], [(6, 0, 10, 7)]),
        ],
        options={"lateness": 5},
    ),
    Transcript(
        "records of one append are judged before their own append moves the watermark",
        Tumbling(10),
        [([25, 3], 24, [(0, 10, [3])]), ([4], 24, [], [(4, 0, 10, 16)])],
        [(20, 30, [25])],
    ),
    Transcript(
        "a window whose first record comes after its end fires at once",
        Tumbling(10),
        [([], 12, []), ([4], 12, [(0, 10, [4])]), ([5], 12, [(0, 10, [4, 5])])],
        options={"lateness": 5},
    ),
    Transcript(
        "a sliding record counts in the windows that are still open",
        Sliding(10, 5),
        [
            ([7], 9, [(0, 10, [7])]),
            ([8], 9, []),
            ([4], 9, [], [(4, 0, 10, 1)]),
            ([], 14, [(5, 15, [7, 8])]),
        ],
    ),
    Transcript(
        "a late record fires all its windows again, by ascending start",
        Sliding(10, 5),
        [
            ([7], 14, [(0, 10, [7]), (5, 15, [7])]),
            ([8], 14, [(0, 10, [7, 8]), (5, 15, [7, 8])]),
            ([2], 14, [(-5, 5, [2]), (0, 10, [2, 7, 8])]),
        ],
        options={"lateness": 20},
    ),
    Transcript(
        "records between windows are told, without a window",
        Sliding(2, 5),
        [([0, 3, 6], 2, [(0, 2, [0])], [(3, None, None, None)])],
        [(5, 7, [6])],
    ),
    Transcript(
        "a day of 23 hours",
        NEW_YORK,
        [
            ([MARCH_10 - 1, MARCH_10, MARCH_10 + 23 * HOUR - 1, MARCH_10 + 23 * HOUR], NEG, []),
            ([], MARCH_10 - 1, [(MARCH_10 - 24 * HOUR, MARCH_10, [MARCH_10 - 1])]),
            ([], MARCH_10 + 23 * HOUR - 2, []),
            (
                [],
                MARCH_10 + 23 * HOUR - 1,
                [(MARCH_10, MARCH_10 + 23 * HOUR, [MARCH_10, MARCH_10 + 23 * HOUR - 1])],
            ),
        ],
        [(MARCH_10 + 23 * HOUR, MARCH_10 + 47 * HOUR, [MARCH_10 + 23 * HOUR])],
    ),
    Transcript(
        "a record between two sessions makes them one",
        Session(5),
        [([10], 5, []), ([12], 6, []), ([20], 7, []), ([16], 8, [])],
        [(10, 25, [10, 12, 16, 20])],
    ),
    Transcript(
        "records exactly a gap apart are two sessions",
        Session(10),
        [([0, 10], 5, [])],
        [(0, 10, [0]), (10, 20, [10])],
    ),
    Transcript(
        "or one, if so said and the first is still there",
        Session(10, inclusive=True),
        [([0, 10], 5, []), ([30], 19, [(0, 20, [0, 10])]), ([20], 19, [])],
        [(20, 40, [20, 30])],
    ),
    Transcript(
        "a session is merged first and judged then",
        Session(5),
        [
            ([10], 11, []),
            ([6], 11, []),  # ends at 11 by itself, but joins the one that is open
            ([3], 11, []),
            ([1], 12, []),
            ([20], 14, [(1, 15, [1, 3, 6, 10])]),
            ([14], 14, []),  # its own session is open: the one before is gone
            ([9], 14, [], [(9, 9, 14, 2)]),
        ],
        [(14, 19, [14]), (20, 25, [20])],
    ),
    Transcript(
        "rows of one append join before they are judged",
        Session(5),
        [([20], 10, []), ([1, 5, 9, 13, 17], 10, [])],
        [(1, 25, [1, 5, 9, 13, 17, 20])],
    ),
    Transcript(
        "a late record may join two sessions that have fired",
        Session(5),
        [
            ([0, 8], 12, [(0, 5, [0]), (8, 13, [8])]),
            ([4], 12, [(0, 13, [0, 4, 8])]),
            ([12], 12, []),
            ([], 16, [(0, 17, [0, 4, 8, 12])]),
        ],
        options={"lateness": 20},
    ),
    Transcript(
        "early counts begin anew with every pane, the on-time pane comes even if it is empty",
        Tumbling(10),
        [
            ([(1, 1), (2, 2), (3, 3)], 0, [(0, 10, [1, 2], 0, "early", False)]),
            ([(4, 4), (12, 12), (13, 13)], 0, [
                (0, 10, [3, 4], 1, "early", False),
                (10, 20, [12, 13], 0, "early", False),
            ]),
            ([(6, 6)], 0, []),
            ([], 100, [
                (0, 10, [6], 2, "on_time", True),
                (10, 20, [], 1, "on_time", True),
            ]),
        ],
        options={"trigger": EARLY_2, "panes": "discarding"},
    ),
    Transcript(
        "accumulating panes repeat what was shown",
        Tumbling(10),
        [
            ([5, 8], 0, [(0, 10, [5, 8], 0, "early", False)]),
            ([3], 0, []),
            ([1, 9, 2], 9, [
                (0, 10, [1, 3, 5, 8], 1, "early", False),
                (0, 10, [1, 2, 3, 5, 8, 9], 2, "early", False),
                (0, 10, [1, 2, 3, 5, 8, 9], 3, "on_time", False),
            ]),
            ([4], 9, [(0, 10, [1, 2, 3, 4, 5, 8, 9], 4, "late", False)]),
        ],
        options={"trigger": EARLY_2, "lateness": 1},
    ),
    Transcript(
        "a late count fires when it is reached; the rest comes when the window is dropped",
        Tumbling(10),
        [
            ([5], 9, [(0, 10, [5], 0, "on_time", False)]),
            ([1], 9, []),
            ([3, 4], 9, [(0, 10, [1, 3, 4, 5], 1, "late", False)]),
            ([2], 15, []),
            ([], 19, [(0, 10, [1, 2, 3, 4, 5], 2, "late", True)]),
        ],
        options={"trigger": AtWatermark(late=OnCount(3)), "lateness": 10},
    ),
    Transcript(
        "a retracting window takes back what it showed",
        Tumbling(10),
        [
            ([5], 9, [(0, 10, [5], 0, "on_time", False)]),
            ([6], 9, [
                (0, 10, [5], 0, "on_time", False, "retraction"),
                (0, 10, [5, 6], 1, "late", False),
            ]),
        ],
        options={"panes": "retracting", "lateness": 10},
    ),
    Transcript(
        "panes of sessions that a record merges are taken back at that record",
        Session(5),
        [
            ([0, 8], 12, [
                (0, 5, [0], 0, "on_time", False), (8, 13, [8], 0, "on_time", False),
            ]),
            ([4, 12], 12, [
                (0, 5, [0], 0, "on_time", False, "retraction"),
                (8, 13, [8], 0, "on_time", False, "retraction"),
            ]),
            ([], 16, [(0, 17, [0, 4, 8, 12], 1, "on_time", False)]),
        ],
        options={"panes": "retracting", "lateness": 20},
    ),
    Transcript(
        "marks lie at start + k periods; a move that passes several shows one pane",
        Tumbling(100),
        [
            ([1], 9, []),
            ([2], 29, [(0, 100, [1, 2], 0, "early", False)]),
            ([], 60, []),
            ([3], 68, []),
            ([4], 89, [(0, 100, [1, 2, 3, 4], 1, "early", False)]),
            ([5], 120, [(0, 100, [1, 2, 3, 4, 5], 2, "on_time", True)]),
        ],
        options={"trigger": AtWatermark(early=Every(30))},
    ),
    Transcript(
        "once is for the first pane only",
        Tumbling(100),
        [
            ([1], 30, [(0, 100, [1], 0, "early", False)]),
            ([2], 60, []),
            ([], 100, [(0, 100, [1, 2], 1, "on_time", True)]),
        ],
        options={"trigger": AtWatermark(early=Every(30).once())},
    ),
    Transcript(
        "count windows go by arrival, and say which times they cover",
        Count(3),
        [([5, 1], 9, []), ([3, 7], 9, [(1, 5, [1, 3, 5])])],
        [(7, 7, [7])],
    ),
    Transcript(
        "count windows that overlap hold the last records",
        Count(3, slide=2),
        [([1, 2, 3, 4], 0, [(1, 2, [1, 2]), (2, 4, [2, 3, 4])]), ([5], 0, [])],
        [(4, 5, [4, 5])],
    ),
    Transcript(
        "a global window fires on closing",
        Global(),
        [([5, 1], 100, []), ([50], 100, [])],
        [(1, 50, [1, 5, 50])],
    ),
    Transcript(
        "a global window with a trigger shows what is left on closing",
        Global(),
        [([5, 1, 2], 0, [(1, 5, [1, 5], 0, "early", False)])],
        [(1, 5, [2], 1, "on_time", True)],
        {"trigger": OnCount(2), "panes": "discarding"},
    ),
]  # fmt: skip


def told(row: dict[str, Any], paned: bool) -> tuple[Any, ...]:
    found: tuple[Any, ...] = (row["window_start"], row["window_end"], row["all"])
    if paned:
        found += (row["pane_index"], row["pane_timing"], row["pane_last"])
        found += ("retraction",) if row.get("retraction") else ()
    return found


def wanted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(start, end, sorted(values), *rest) for start, end, values, *rest in rows]


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda one: one.name)
def test_transcript(transcript: Transcript) -> None:
    step = WindowAggregate(
        Selector.of("k"), transcript.window, {"all": agg.collect("v")}, **transcript.options
    )
    log = []
    for records, level, *_ in transcript.steps:
        pairs = [one if isinstance(one, tuple) else (one, one) for one in records]
        log.append(Append(tuple((time, {"k": "a", "v": v}) for time, v in pairs), level))
    *outputs, closing = Run(step, Cuts()).run(log)
    for (_, _, rows, *late), output in zip(transcript.steps, outputs, strict=True):
        found = [told(row, step.paned) for _, row in output.main]
        assert found == wanted(rows)
        lost = [
            (time, row["window_start"], row["window_end"], row["late_by"])
            for time, row in output.late
        ]
        assert lost == (late[0] if late else [])
    assert [told(row, step.paned) for _, row in closing.main] == wanted(transcript.closing)
