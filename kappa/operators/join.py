"""join: two streams, row by row, within a span of event time or for as long as rows are kept.

With `within`, rows a and b of one key are a pair if a.time + lower <= b.time <= a.time +
upper, both inclusive; a pair comes at the LSN of the later to arrive, with the later of the
two event times. A row at or before the watermark is late: it goes to the side "late" and is
never a pair. A row is kept until the watermark rules a further match out; an outer join then
gives the row that found none, with its own event time.

With `keep`, any two rows of a key are a pair, and each is kept that long behind its event
time (or for ever), whenever it arrives; nothing is late. What found no match comes when it
is forgotten.

State, per side and key: [event time, row, matched], ascending in (event time, arrival).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar

from kappa.batch import Batch
from kappa.codec import encode_key, sort_keys
from kappa.errors import ConfigError
from kappa.operators.contract import ALL_HISTORY, Fields, Instance, Names, Operator, OperatorContext
from kappa.operators.forgetting import Forgetting
from kappa.operators.joined import KINDS, PAIR, Joined, is_null
from kappa.operators.ports import LEFT, RIGHT
from kappa.state import KeyedState
from kappa.time import MAX_TIME, PLUS_INFINITY, format_duration, shift

LATE = "late"
FOREVER = "forever"
TIME = itemgetter(0)

STEPS_PER_SPAN = 64

Element = list[Any]


@dataclass(frozen=True)
class Join(Operator):
    """Pairs of rows of two streams with one key. Its inputs come through `Port`.

    Args:
        shape: condition and fields of the result.
        how: "inner", "left", "right" or "full": whose rows come without a partner.
        within: (lower, upper) in ms, or None.
        keep: how long rows are kept, in ms, "forever", or None.

    Raises:
        ConfigError: neither or both of `within` and `keep` are given, or `how` is wrong.
    """

    shape: Joined
    how: str = "inner"
    within: tuple[int, int] | None = None
    keep: int | str | None = None

    kind: ClassVar[str] = "join"
    stateful: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.how not in KINDS:
            raise ConfigError(f"join: how is {self.how!r}: give one of {', '.join(KINDS)}")
        if (self.within is None) == (self.keep is None):
            raise ConfigError(
                "a join of two streams keeps rows until a match is ruled out: say until when with"
                ' within="10m" or window=..., or keep="1d"; keep="forever" where it must be so'
            )
        if self.within is not None and self.within[0] > self.within[1]:
            lower, upper = map(format_duration, self.within)
            raise ConfigError(f"join: within runs from {lower} to {upper}: give the lesser first")

    @property
    def sides(self) -> tuple[str, ...]:  # type: ignore[override]
        """Late rows, where there are any."""
        return (LATE,) if self.within is not None else ()

    @property
    def padded(self) -> tuple[bool, bool]:
        """Whether left and right rows come without a partner."""
        return self.how in ("left", "full"), self.how in ("right", "full")

    @property
    def spans(self) -> tuple[int | None, int | None]:
        """How long behind its event time a left and a right row are kept; None: for ever."""
        if self.within is not None:
            return self.within[1], -self.within[0]
        span = self.keep if isinstance(self.keep, int) else None
        return span, span

    @property
    def holdback(self) -> int:
        """An outer row comes when it is forgotten, with its own time."""
        spans = [s for s, padded in zip(self.spans, self.padded, strict=True) if padded and s]
        return max(0, *spans) if spans else 0

    @property
    def margin_before(self) -> int | None:
        """Within a span, the largest distance between two rows of a pair."""
        if self.within is None or any(self.shape.learns(self.how)):
            return ALL_HISTORY
        lower, upper = self.within
        return max(abs(lower), abs(upper), upper - lower)

    def open(self, context: OperatorContext) -> Instance:
        """The instance on the step's state."""
        return StreamJoin(self, context)

    def required(self, wanted: Fields) -> Fields:
        """Of either input, the same as of the left one."""
        return self.shape.required(LEFT, wanted)

    def required_at(self, port: int, wanted: Fields) -> Fields:
        """The fields of one input."""
        return self.shape.required(port, wanted)

    def yields(self, inputs: Sequence[Names]) -> Names:
        """The fields of the result."""
        return self.shape.yields()

    def bound(self, min_time: int) -> int:
        """When a row of that time is late, or the first one is forgotten."""
        effects = [span for span in self.spans if span is not None]
        if self.within is not None:
            effects.append(0)
        return shift(min_time, min(effects)) if effects else PLUS_INFINITY

    def describe(self) -> str:
        """What it keeps, and for how long."""
        names = " and ".join((self.shape.left_key.name, self.shape.right_key.name))
        text = f"{self.how} join by {names}{self.shape.describe()}: "
        left, right = self.spans
        if left is None or right is None:
            return f"{text}keeps all rows of both sides, for ever"
        kept = f"keeps left rows for {format_duration(left)} and right rows for"
        return f"{text}{kept} {format_duration(right)} behind the watermark"


class StreamJoin(Instance):
    """The rows of both sides that may still find a partner."""

    def __init__(self, operator: Join, context: OperatorContext) -> None:
        self._context = context
        self._within = operator.within
        self._spans = operator.spans
        self._padded = operator.padded
        self._joining = operator.shape.open(context, operator.how)
        self._sides = (context.state.keyed("left"), context.state.keyed("right"))
        self._steps = [self._step(port) for port in (LEFT, RIGHT)]
        self._forget = Forgetting(self._times)

    def _step(self, port: int) -> int:
        """How exactly rows of a side are forgotten, in ms.

        That an inner row of a span is still there shows nowhere: no row that is not late can
        meet it. So many are forgotten at once.
        """
        span = self._spans[port]
        if self._within is None or self._padded[port] or span is None:
            return 1
        return max(1, span // STEPS_PER_SPAN)

    def _times(self) -> Iterable[tuple[int, Any]]:
        for port, side in enumerate(self._sides):
            if self._spans[port] is not None:
                for key, elements in side.items():
                    for element in elements:
                        yield self._due(port, element[0]), (port, key)

    def _due(self, port: int, time: int) -> int:
        """When a row is to be forgotten."""
        step = self._steps[port]
        return -(-(time + (self._spans[port] or 0)) // step) * step

    # -- records -----------------------------------------------------------------------------

    def process(self, batch: Batch) -> Iterable[Batch]:
        """The pairs that rows make with those that are kept, and with each other."""
        late: list[int] = []
        causes: list[int] = []
        pairs: list[tuple[Element, Element]] = []
        watermark, within = batch.watermark, self._within
        add = self._forget.adder()
        self._joining.learn(batch.rows())
        for index, ((port, key, row), time) in enumerate(zip(batch.rows(), batch.times)):
            if within is not None and time <= watermark:
                late.append(index)
                continue
            element: Element = [time, row, False]
            if not is_null(key):
                hits = self._hits(port, key, time)
                causes += [index] * len(hits)
                pairs += [(element, hit) if port == LEFT else (hit, element) for hit in hits]
            elif not self._padded[port]:
                continue
            insert(self._sides[port], key, element)
            if self._spans[port] is not None:
                add(self._due(port, time), (port, key))
        out = self._pairs(batch, causes, pairs) if pairs else []
        return [*out, self._late(batch, late)] if late else out

    def _hits(self, port: int, key: Any, time: int) -> list[Element]:
        other = self._sides[1 - port]
        # Only an outer join's rows are marked as matched.
        kept: list[Element] = other.touch(key) if self._padded[1 - port] else other.get(key)
        if not kept:
            return []
        if self._within is None:
            return kept[:]
        lower, upper = self._within
        if port == RIGHT:
            lower, upper = -upper, -lower
        first = bisect_left(kept, time + lower, key=TIME)
        return kept[first : bisect_right(kept, time + upper, lo=first, key=TIME)]

    def _pairs(
        self, batch: Batch, causes: list[int], pairs: list[tuple[Element, Element]]
    ) -> list[Batch]:
        joining = self._joining
        columns = joining.columns([left[1] for left, _ in pairs], [right[1] for _, right in pairs])
        times = [max(left[0], right[0]) for left, right in pairs]
        made, dead = joining.matching(batch.emitted(causes, columns=columns, times=times))
        if any(self._padded):
            for number in made.column(PAIR):
                left, right = pairs[number]
                left[2] = right[2] = True
        return [*joining.rows(made), *dead]

    def _late(self, batch: Batch, indices: list[int]) -> Batch:
        self._context.count(LATE, len(indices))
        picked = batch.take(indices)
        return picked.with_rows(late_rows(picked)).marked(output=LATE)

    # -- forgetting --------------------------------------------------------------------------

    def due(self) -> int:
        """When the next row is forgotten."""
        return self._forget.due()

    def advance(self, watermark: int) -> Iterable[Batch]:
        """Forgets rows that can find no partner; gives those of an outer join that found none."""
        if watermark >= PLUS_INFINITY and None in self._spans:
            places = [(port, key) for port in (LEFT, RIGHT) for key, _ in self._sides[port].items()]
        else:
            places = self._forget.pop(watermark)
        alone: dict[tuple[int, Any, int, int], Element] = {}
        for port, key in places:
            span = self._spans[port]
            gone = forgotten(self._sides[port], key, watermark - (span or 0), all=span is None)
            if gone and self._padded[port]:
                for number, element in enumerate(gone):
                    if not element[2]:
                        due = PLUS_INFINITY if span is None else element[0] + span
                        alone[due, key, port, number] = element
        return self._alone(alone)

    def _alone(self, found: dict[tuple[int, Any, int, int], Element]) -> list[Batch]:
        if not found:
            return []
        places = sort_keys(list(found))
        elements = [found[place] for place in places]
        order: list[tuple[Any, ...]] | None = None
        if self._context.ranked:
            order = [(due, encode_key(key), port, n) for due, key, port, n in places]
        lefts = [e[1] if p[2] == LEFT else None for p, e in zip(places, elements, strict=True)]
        rights = [e[1] if p[2] == RIGHT else None for p, e in zip(places, elements, strict=True)]
        columns = self._joining.columns(lefts, rights)
        times = [element[0] for element in elements]
        return self._joining.rows(Batch.fired(times=times, columns=columns, order=order))


def insert(side: KeyedState, key: Any, element: Element) -> None:
    """Keeps an element, behind those of its time."""
    kept = side.touch(key)
    if kept is None:
        side.put(key, [element])
    elif kept[-1][0] <= element[0]:
        kept.append(element)
    else:
        kept.insert(bisect_right(kept, element[0], key=TIME), element)


def forgotten(side: KeyedState, key: Any, until: int, *, all: bool = False) -> list[Element]:
    """Removes and returns the elements of a key up to an event time, or all of them."""
    kept = side.get(key)
    if kept is None:
        return []
    count = len(kept) if all else bisect_right(kept, min(until, MAX_TIME), key=TIME)
    if count == len(kept):
        side.delete(key)
    elif count:
        side.put(key, kept[count:])
    gone: list[Element] = kept[:count]
    return gone


def late_rows(batch: Batch) -> list[dict[str, Any]]:
    """Rows behind the watermark of a step with several inputs, for its side "late"."""
    beyond = batch.watermark + 1
    return [
        {**row, "late_by": beyond - time, "join_side": "left" if port == LEFT else "right"}
        for (port, _, row), time in zip(batch.rows(), batch.times)
    ]
