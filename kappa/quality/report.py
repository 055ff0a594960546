"""Results as one HTML page that needs nothing else: a row per expectation, a cell per window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from kappa.time import MAX_TIME, MIN_TIME, format_time

Result = Mapping[str, Any]
CELLS = 400
"""Windows that a row shows as cells at most: the newest."""
SHOWN = 8
"""Breaches that are told in words per expectation at most."""

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
body{color:#1c2330}
h1{font-size:1.5rem;margin-bottom:.2rem}p.sum{margin-top:0;color:#5a6475}
section{border-top:1px solid #dfe3ea;padding:.7rem 0}
h2{font-size:1rem;margin:0}h2 code{font-weight:600}
.badge{display:inline-block;border-radius:3px;padding:0 .45em;font-size:.8rem;color:#fff}
.ok{background:#2e7d4f}.warn{background:#b7791f}.bad{background:#b3352b}
.cells{display:flex;flex-wrap:wrap;gap:2px;margin:.4rem 0}
.cells i{width:10px;height:16px;border-radius:1px}
table{border-collapse:collapse;font-size:.88rem}
td,th{text-align:left;padding:.1rem .9rem .1rem 0;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}small{color:#5a6475}
"""


def page(title: str, results: Iterable[Result]) -> str:
    """The page.

    Args:
        title: what was checked.
        results: rows of the topic of results, or of a `Report`.
    """
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(_identity(result), []).append(result)
    every = [result for group in groups.values() for result in group]
    held = sum(1 for result in every if result["success"])
    ordered = sorted(groups.values(), key=lambda group: all(one["success"] for one in group))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="sum">{held:,} of {len(every):,} results hold,'
            f" {len(groups):,} expectations</p>",
            *(_section(group) for group in ordered),
            "</html>\n",
        ]
    )


def _identity(result: Result) -> tuple[Any, ...]:
    key = repr(result["key"]) if result["key"] else ""
    return (result["step"], result["expectation"], repr(result["arguments"]), key)


def _section(group: Sequence[Result]) -> str:
    first = group[0]
    breaches = [one for one in group if not one["success"]]
    level = "ok" if not breaches else "warn" if first["severity"] == "warn" else "bad"
    word = "holds" if not breaches else f"{len(breaches):,} of {len(group):,} breached"
    arguments = ", ".join(f"{name}={value!r}" for name, value in first["arguments"].items())
    about = [f"severity {first['severity']}"]
    about += [f"key {first['key']!r}"] if first["key"] else []
    about += [f"contract {first['contract']}"] if first["contract"] else []
    parts = [
        "<section>",
        f'<h2><span class="badge {level}">{word}</span>'
        f" <code>{escape(first['expectation'])}</code></h2>",
        f"<small>{escape(arguments[:500])} · {escape(', '.join(about))}</small>",
    ]
    if len(group) > 1:
        parts.append(f'<div class="cells">{"".join(map(_cell, group[-CELLS:]))}</div>')
    parts += [_table(breaches), "</section>"]
    return "\n".join(parts)


def _cell(result: Result) -> str:
    level = "ok" if result["success"] else "warn" if result["severity"] == "warn" else "bad"
    text = escape(f"{when(result)}: {result['message']}")
    return f'<i class="{level}" title="{text}"></i>'


def _table(breaches: Sequence[Result]) -> str:
    if not breaches:
        return ""
    rows = [
        f'<tr><td>{escape(when(one))}</td><td class="n">{_number(one["element_count"])}</td>'
        f'<td class="n">{_number(one["unexpected_count"])}</td>'
        f"<td>{escape(one['message'])}</td></tr>"
        for one in breaches[:SHOWN]
    ]
    more = len(breaches) - SHOWN
    if more > 0:
        rows.append(f'<tr><td colspan="4"><small>and {more:,} more</small></td></tr>')
    head = "<tr><th>when</th><th>records</th><th>unexpected</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def when(result: Result) -> str:
    """The window of a result, or where its record lies."""
    start, end = result["window_start"], result["window_end"]
    if start is None:
        where = [f"{name} {result[name]}" for name in ("partition", "offset", "lsn")]
        return f"{result['topic']}, {', '.join(where)}"
    return f"{instant(start)} to {instant(end)}"


def instant(time: int) -> str:
    """An event time for people, without what is zero."""
    if not MIN_TIME <= time <= MAX_TIME:
        return "…"
    text = format_time(time).replace("T", " ").removesuffix("Z")
    return text.removesuffix(".000").removesuffix(":00").removesuffix(" 00:00")


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,}"
