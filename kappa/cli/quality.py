"""`kappa quality`: what expectations in a pipeline found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import aware, json_option, log_option, open_log
from kappa.cli.output import print_json, print_table
from kappa.errors import ConfigError
from kappa.log import Log
from kappa.quality.report import page, when
from kappa.time import instant_ms

SUFFIX = ".quality"
SHOWN = 20


@click.command(short_help="What expectations in a pipeline found; exit code 3 if some broke.")
@click.argument("name")
@log_option
@click.option("--since", help="Only results from this event time on (ISO 8601).")
@click.option("--until", help="Only results before this event time (ISO 8601).")
@click.option("--broken", is_flag=True, help="Only those that do not hold.")
@click.option("-n", "--lines", default=SHOWN, show_default=True, help="Results to show; 0: all.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the results as a page.")
@json_option
def quality(
    directory: Path,
    name: str,
    broken: bool,
    lines: int,
    html: Path | None,
    as_json: bool,
    **span: Any,
) -> int:
    """Show the results of the pipeline NAME (or NAME@VERSION): its topic NAME.quality."""
    with open_log(directory) as log:
        results = _results(log, name, **span)
    failed = [result for result in results if not result["success"]]
    shown = failed if broken else results
    if html is not None:
        html.write_text(page(f"Quality of {name}", shown), encoding="utf-8")
    if as_json:
        print_json(shown)
    else:
        rows = [_line(one) for one in (shown[-lines:] if lines else shown)]
        print_table(("", "when", "expectation", "message"), rows)
        click.echo(f"{len(results) - len(failed):,} of {len(results):,} hold")
        if html is not None:
            click.echo(f"the results are in {html}")
    return exits.DIFFERENT if failed else exits.OK


def _line(result: dict[str, Any]) -> list[Any]:
    verdict = "holds" if result["success"] else result["severity"]
    return [verdict, when(result), result["expectation"].removeprefix("expect_"), result["message"]]


def _results(log: Log, name: str, *, since: str | None, until: str | None) -> list[dict[str, Any]]:
    bare, at, version = name.partition("@")
    topic = name if bare.endswith(SUFFIX) else f"{bare}{SUFFIX}{at}{version}"
    names = {one.full_name for one in log.topics()} | set(log.catalog.aliases)
    if topic not in names:
        there = sorted(one for one in names if one.partition("@")[0].endswith(SUFFIX))
        raise ConfigError(f"{name} has no results; there are {', '.join(there) or 'none'}")
    first = None if since is None else instant_ms(aware(since))
    stop = None if until is None else instant_ms(aware(until))
    return [
        record.value
        for record in log.read(topic)
        if (first is None or record.time >= first) and (stop is None or record.time < stop)
    ]
