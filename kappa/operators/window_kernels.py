"""The generated loops of window aggregations: source text for exactly what was asked.

All take a batch's columns as iterators: a row that fails is then the one before what is
left of the first iterator, and the loop can go on behind it. Forms of aligned windows,
chosen from the earliest and latest time of a batch:

    rows1        all rows in one window
    rows2 … 4    in as many windows next to each other, told apart by the edges between them
    rows_many    anywhere; a row outside the window of the row before looks its own up

The names in the texts: `k` key, `t` event time, `a` accumulator, `new`, `base` and `touch`
of a `Generations`; sources and conditions as `kappa.aggregates.layout` names them.

`benchmarks/` guards their speed: windows.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kappa.aggregates import Layout, indented
from kappa.codec import check_key

NAMES = {"check": check_key, "int": int, "str": str}


ADJACENT = 4
"""Most windows that a loop tells apart by their edges."""

MANY = 0


def aligned_kernel(
    layout: Layout, windows: int, solid: Sequence[bool], *, loose: bool, guarded: bool, grid: bool
) -> Callable[..., None]:
    """The compiled loop over rows of aligned windows; see `aligned_source`."""
    source = aligned_source(layout, windows, solid, loose=loose, guarded=guarded, grid=grid)
    return layout.build(source, "rows", **NAMES)


def aligned_source(
    layout: Layout,
    windows: int,
    solid: Sequence[bool],
    *,
    loose: bool = False,
    guarded: bool = False,
    grid: bool = False,
) -> str:
    """The text of a loop over rows of aligned windows.

    Args:
        layout: the accumulators.
        windows: how many the rows are in, next to each other; `MANY` if more than that.
        solid: per source, whether its column holds only numbers and no null.
        loose: accumulators may lack values.
        guarded: a row that fails leaves its accumulator as it was.
        grid: windows are of one length; where they are many, a row finds its own by
            arithmetic, as each may be in another than the one before.

    >>> from kappa.aggregates import Layout, agg
    >>> print(aligned_source(Layout({"n": agg.count(), "high": agg.max("price")}), 1, [True]))
    def rows(new0, base0, touch0, ck, cv0):
        get0 = new0.get
        for k, v0 in zip(ck, cv0):
            a = get0(k)
            if a is None:
                if base0: a = touch0(k)
                if a is None:
                    if k.__class__ is not int and k.__class__ is not str: check(k)
                    new0[k] = [1, v0]
                    continue
            a[0] += 1
            if not v0 <= a[1] and a[1] == a[1]: a[1] = v0
    <BLANKLINE>
    """
    timed = layout.timed or windows != 1
    adds = layout.adds(solid, loose=loose)
    if windows == MANY:
        heads, before = ["locate"], ["low = high = 0"]
        cell = ["low, high, new, base, touch = locate(t)"]
        if grid:
            heads += ["size", "offset", "known"]
            cell = [
                "c = known(t - (t - offset) % size)",
                "low, high, new, base, touch = locate(t) if c is None else c",
            ]
        body = [
            "if not low <= t < high:",
            *indented([*cell, "get = new.get"]),
            *found(layout, solid),
        ]
    else:
        numbers = range(windows)
        heads = [f"edge{n}" for n in numbers[1:]]
        heads += [f"{name}{n}" for n in numbers for name in ("new", "base", "touch")]
        before = [f"get{n} = new{n}.get" for n in numbers]
        body = _apart(layout, solid, windows)
    lines = [
        f"def rows({', '.join((*heads, *_columns(layout, timed)))}):",
        *indented(before),
        f"    {_loop(layout, timed)}",
        *indented(body, 2),
        *indented([*_SAVE, *_restored(adds)] if guarded else adds, 2),
        "",
    ]
    return "\n".join(lines)


def _apart(layout: Layout, solid: Sequence[bool], windows: int) -> list[str]:
    """`found` in the window that holds `t`, the latest first: most rows are near the end."""
    if windows == 1:
        return found(layout, solid, suffix="0")
    lines: list[str] = []
    for number in range(windows - 1, -1, -1):
        test = f"{'elif' if lines else 'if'} t >= edge{number}:" if number else "else:"
        lines += [test, *indented(found(layout, solid, suffix=str(number)))]
    return lines


def found(
    layout: Layout, solid: Sequence[bool], *, suffix: str = "", more: str = "", then: str = ""
) -> list[str]:
    """Statements after which `a` is the key's accumulator, or that take its first row in.

    Args:
        layout: the accumulators.
        solid: as for `aligned_source`.
        suffix: of the names `get`, `new`, `base`, `touch`.
        more: items behind the aggregates' slots in a new accumulator.
        then: a statement to run once a key has been added.
    """
    return [
        f"a = get{suffix}(k)",
        "if a is None:",
        f"    if base{suffix}: a = touch{suffix}(k)",
        "    if a is None:",
        "        if k.__class__ is not int and k.__class__ is not str: check(k)",
        *indented(started(layout, solid, f"new{suffix}[k]", more), 2),
        *indented([then] if then else [], 2),
        "        continue",
    ]


def started(layout: Layout, solid: Sequence[bool], place: str, more: str = "") -> list[str]:
    """Statements that put an accumulator with the row's values in `place`.

    Where some part may get no value, it is filled before it is put there: a row that fails
    leaves nothing behind.
    """
    items = ", ".join(filter(None, (layout.start(solid), more)))
    rest = layout.rest(solid)
    if not rest:
        return [f"{place} = [{items}]"]
    return [f"a = [{items}]", *rest, f"{place} = a"]


def session_source(
    layout: Layout,
    solid: Sequence[bool],
    *,
    loose: bool = False,
    guarded: bool = False,
    inclusive: bool = False,
    lingering: bool = False,
) -> str:
    """The text of a loop over rows whose own session lies before the watermark.

    The state of a key is its latest session, which holds the earlier ones. A row that lies
    in the latest extends it; one behind it begins another; any other asks `joined` for the
    sessions it joins, put together, or has `placed` put its own among them. `ends` takes
    note of when to look at a key: see `SessionEnds`.

    Args:
        layout: the accumulators; behind their slots are start, last, others, ended and key.
        solid: as for `aligned_source`.
        loose: likewise.
        guarded: likewise.
        inclusive: a row exactly at the end belongs to the session.
        lingering: sessions that ended may be there; a row that extends one reopens it.
    """
    start, last, ended = layout.width, layout.width + 1, layout.width + 3
    note = "ends[(t + gap1) // step][k] = None"
    reopen = [f"if a[{ended}]:", f"    a[{ended}] = False", f"    {note}"]
    fresh = "t, t, None, False, k"
    apart = [*started(layout, solid, "b", fresh), "placed(k, b)", note, "continue"]
    adds = layout.adds(solid, loose=loose)
    lines = [
        f"def session({', '.join(('new', 'base', 'touch', *_SESSION, *_columns(layout, True)))}):",
        "    get = new.get",
        f"    {_loop(layout, True)}",
        *indented(found(layout, solid, more=fresh, then=note), 2),
        *indented(_SAVE if guarded else [], 2),
        f"        if t > a[{last}]:",
        f"            if t - gap {'>' if inclusive else '>='} a[{last}]:",
        *indented(apart, 4),
        f"            a[{last}] = t",
        *indented(reopen if lingering else [], 3),
        f"        elif t < a[{start}]:",
        "            b = joined(k, a, t)",
        "            if b is None:",
        *indented(apart, 4),
        "            a = b",
        *indented(_SAVE if guarded else [], 3),
        *indented(_restored(adds) if guarded else adds, 2),
        "",
    ]
    return "\n".join(lines)


_SESSION = ("gap", "gap1", "step", "ends", "joined", "placed")


def closing_source(layout: Layout) -> str:
    """The text of a loop over keys whose sessions may be over: `(last, key, start, *results)`.

    Sessions are read and dropped while they are at hand: nothing else in them is looked at
    again. A key with more sessions than one is left to `some`.

    >>> from kappa.aggregates import Layout, agg
    >>> print(closing_source(Layout({"n": agg.count()})))
    def closing(keys, limit, get, base, forget, step, gap1, ends, some):
        fired = []
        for k in keys:
            a = get(k)
            if a is None and base: a = base.get(k)
            if a is None: continue
            if a[3] is not None: fired += some(k)
            elif a[2] < limit:
                fired.append((a[2], a[5], a[1], a[0]))
                forget(k)
            else: ends[(a[2] + gap1) // step][k] = None
        return fired
    <BLANKLINE>
    """
    start, last, others, key = (layout.width + n for n in (0, 1, 2, 4))
    results = ", ".join(part.fill(part.code.result) for part in layout.parts)
    lines = [
        "def closing(keys, limit, get, base, forget, step, gap1, ends, some):",
        "    fired = []",
        "    for k in keys:",
        "        a = get(k)",
        "        if a is None and base: a = base.get(k)",
        "        if a is None: continue",
        f"        if a[{others}] is not None: fired += some(k)",
        f"        elif a[{last}] < limit:",
        f"            fired.append((a[{last}], a[{key}], a[{start}], {results}))",
        "            forget(k)",
        f"        else: ends[(a[{last}] + gap1) // step][k] = None",
        "    return fired",
        "",
    ]
    return "\n".join(lines)


def counting_source(
    layout: Layout, solid: Sequence[bool], *, loose: bool = False, guarded: bool = False
) -> str:
    """The text of a loop over rows of count windows; `full` gets what a row completes.

    >>> from kappa.aggregates import Layout, agg
    >>> print(counting_source(Layout({"n": agg.count()}), ()))
    def counting(new, base, touch, drop, size, full, ck, ct, ci):
        get = new.get
        for k, t, i in zip(ck, ct, ci):
            a = get(k)
            if a is None and base: a = touch(k)
            if a is None:
                if k.__class__ is not int and k.__class__ is not str: check(k)
                new[k] = a = [1, t, t, 0]
            else:
                a[0] += 1
                if t < a[1]: a[1] = t
                elif t > a[2]: a[2] = t
            n = a[3] = a[3] + 1
            if n == size:
                drop(k)
                full((i, k, a))
    <BLANKLINE>
    """
    low, high, number = layout.width, layout.width + 1, layout.width + 2
    adds = layout.adds(solid, loose=loose)
    columns = ["ck", "ct", "ci", *(f"c{name}" for name in layout.variables)]
    names = ["k", "t", "i", *layout.variables]
    lines = [
        f"def counting({', '.join(('new', 'base', 'touch', 'drop', 'size', 'full', *columns))}):",
        "    get = new.get",
        f"    for {', '.join(names)} in zip({', '.join(columns)}):",
        "        a = get(k)",
        "        if a is None and base: a = touch(k)",
        "        if a is None:",
        "            if k.__class__ is not int and k.__class__ is not str: check(k)",
        *indented(started(layout, solid, "new[k] = a", "t, t, 0"), 3),
        "        else:",
        *indented([*_SAVE, *_restored(adds)] if guarded else adds, 3),
        f"            if t < a[{low}]: a[{low}] = t",
        f"            elif t > a[{high}]: a[{high}] = t",
        f"        n = a[{number}] = a[{number}] + 1",
        "        if n == size:",
        "            drop(k)",
        "            full((i, k, a))",
        "",
    ]
    return "\n".join(lines)


def combine_kernel(layout: Layout) -> Callable[[dict[Any, Any], Any], None]:
    """`combine(out, items)`: takes accumulators by key into `out`, which shares none of them.

    >>> from kappa.aggregates import Layout, agg
    >>> out = {}
    >>> combine = combine_kernel(Layout({"n": agg.count()}))
    >>> combine(out, [("a", [1]), ("b", [2]), ("a", [3])])
    >>> out
    {'a': [4], 'b': [2]}
    """
    lines = [
        "def combine(out, items):",
        "    get = out.get",
        "    for k, b in items:",
        "        a = get(k)",
        "        if a is None:",
        *indented(layout.copies(), 3),
        "            out[k] = a",
        "        else:",
        *indented(layout.merges(), 3),
        "",
    ]
    return layout.build("\n".join(lines), "combine")


def _columns(layout: Layout, timed: bool) -> list[str]:
    return ["ck", *(["ct"] if timed else []), *(f"c{name}" for name in layout.variables)]


def _loop(layout: Layout, timed: bool) -> str:
    names = ["k", *(["t"] if timed else []), *layout.variables]
    columns = _columns(layout, timed)
    if len(columns) == 1:
        return "for k in ck:"
    return f"for {', '.join(names)} in zip({', '.join(columns)}):"


_SAVE = ["s = a[:]"]


def _restored(adds: list[str]) -> list[str]:
    return ["try:", *indented(adds), "except Exception:", "    a[:] = s", "    raise"]
