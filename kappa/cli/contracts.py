"""`kappa contract`: check, diff, infer, set, show, pii."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import aware, json_option, log_option, open_log
from kappa.cli.output import print_json, print_table
from kappa.cli.target import find_object, find_pipeline
from kappa.contracts.compare import compare
from kappa.contracts.contract import Contract
from kappa.contracts.files import contract_text, read_contract
from kappa.errors import ConfigError
from kappa.log import Log
from kappa.log.contracts import contract_of, contracts_of, remove_contract, set_contract
from kappa.quality.checking import Report
from kappa.quality.infer import infer as infer_contract
from kappa.quality.personal import describe, personal_flows
from kappa.quality.promises import check_contract
from kappa.quality.report import instant, page
from kappa.time import duration_ms, format_time
from kappa.windows import Tumbling


@click.group(short_help="Contracts: check, diff, infer, set, show.")
def contract() -> None:
    """What is promised of topics: check, diff, infer, set, show, pii.

    A contract is a file (.yaml, .json, or path.py:name), or a topic of the log, as
    bids or bids@2 for the second version of its contract.
    """


optional_log = click.option(
    "--log",
    "directory",
    envvar="KAPPA_LOG",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="Directory of the log.",
)


@contract.command(short_help="Hold a topic to a contract; exit code 3 if it is broken.")
@click.argument("contracts", nargs=-1, required=True)
@optional_log
@click.option("--since", help="Only records from this event time on (ISO 8601).")
@click.option("--until", help="Only records before this event time (ISO 8601).")
@click.option("--per", help="Judge the rules span by span, as 1d or 1h; else all together.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the results as a page.")
@json_option
def check(
    contracts: tuple[str, ...],
    directory: Path | None,
    html: Path | None,
    as_json: bool,
    **span: Any,
) -> int:
    """Hold what topics have to their CONTRACTS: files, or topics with a contract in force.

    Without a log only the files themselves are read and checked. The exit code is 0 if
    all promises are kept, 3 if one is broken, 2 if a contract makes no sense.
    """
    if directory is None:
        for address in contracts:
            found = read(address, None)
            click.echo(f"{address}: fine; {len(found.rules)} rules for topic {found.topic}")
        return exits.OK
    with open_log(directory) as log:
        reports = [_checked(log, address, span) for address in contracts]
    results = [row for report in reports for row in report.results]
    if html is not None:
        title = ", ".join(report.topic for report in reports)
        html.write_text(page(f"Contract of {title}", results), encoding="utf-8")
    if as_json:
        print_json(
            [
                {"topic": one.topic, "success": one.success, "results": one.results}
                for one in reports
            ]
        )
    else:
        for report in reports:
            _show(report)
        if html is not None:
            click.echo(f"the results are in {html}")
    return exits.OK if all(report.success for report in reports) else exits.DIFFERENT


def _checked(log: Log, address: str, span: dict[str, Any]) -> Report:
    found = read(address, log)
    window = None if span["per"] is None else Tumbling(duration_ms(span["per"], name="--per"))
    return check_contract(
        log,
        found,
        since=aware(span["since"]),
        until=aware(span["until"]),
        window=window,
        name=address if "@" in address else None,
    )


def _show(report: Report) -> None:
    """The rules with what became of each; windows are added up."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in report.results:
        rows.setdefault((result["expectation"], repr(result["arguments"])), []).append(result)
    table = []
    for group in rows.values():
        broken = [one for one in group if not one["success"]]
        shown = (broken or group)[0]
        when = "" if len(group) == 1 else f" ({instant(shown['window_start'])})"
        table.append(
            [
                "kept"
                if not broken
                else "broken"
                if len(group) == 1
                else f"{len(broken)}/{len(group)} broken",
                shown["expectation"].removeprefix("expect_"),
                shown["column"] or "",
                shown["message"] + (when if broken else ""),
            ]
        )
    print_table(("", "promise", "field", f"topic {report.topic}"), table)
    click.echo("all promises are kept" if report.success else f"{len(report.breaches)} broken")


@contract.command(short_help="What two contracts differ in; exit code 3 if they do.")
@click.argument("before")
@click.argument("after")
@optional_log
@json_option
def diff(before: str, after: str, directory: Path | None, as_json: bool) -> int:
    """What BEFORE and AFTER differ in: files, or topics as bids@1.

    Each change is "stricter" if records that were fine may not be any more, "looser", or
    neither. The exit code is 0 if there is no difference and 3 if there is.
    """
    if directory is None:
        one, other = read(before, None), read(after, None)
    else:
        with open_log(directory) as log:
            one, other = read(before, log), read(after, log)
    changes = compare(one, other)
    if as_json:
        print_json(
            [
                {"what": c.what, "before": c.before, "after": c.after, "effect": c.effect}
                for c in changes
            ]
        )
    else:
        click.echo("\n".join(map(str, changes)) or "no difference")
    return exits.DIFFERENT if changes else exits.OK


@contract.command(short_help="A first contract, from the data that is there.")
@click.argument("topic")
@log_option
@click.option("--since", help="Only records from this event time on (ISO 8601).")
@click.option("--until", help="Only records before this event time (ISO 8601).")
@click.option("--owner", help="Who answers for it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file.")
def infer(
    topic: str,
    directory: Path,
    owner: str | None,
    output: Path | None,
    since: str | None,
    until: str | None,
) -> None:
    """Print a contract that the records of TOPIC keep, as YAML to be read and corrected."""
    with open_log(directory) as log:
        found = infer_contract(log, topic, since=aware(since), until=aware(until))
    text = contract_text(
        Contract.from_plain({**found.to_plain(), **({"owner": owner} if owner else {})})
    )
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {output}; read it before you set it")


@contract.command("set", short_help="Put a contract in force.")
@click.argument("contract_file", metavar="CONTRACT")
@log_option
@click.option("--topic", help="The topic, where it is not the contract's.")
@click.option("--remove", is_flag=True, help="Take away the contract of the topic CONTRACT.")
def set_(contract_file: str, directory: Path, topic: str | None, remove: bool) -> None:
    """Put the contract of a file in force: appends from now on are held to it.

    What is in the topic already stays; `kappa contract check` says whether it fits.
    """
    with open_log(directory) as log:
        if remove:
            remove_contract(log, contract_file)
            click.echo(f"topic {contract_file} has no contract any more")
            return
        found = read(contract_file, log)
        known = contracts_of(log, topic or found.topic)
        made = set_contract(log, found, topic=topic)
        if known and known[-1].version == made.version:
            click.echo(f"contract {made.name} is in force already")
            return
        changes = compare(known[-1].contract, found) if known and known[-1].contract else []
    click.echo(f"contract {made.name} is in force from LSN {made.lsn} on")
    for change in changes:
        click.echo(f"  {change}")


@contract.command(short_help="The contract of a topic.")
@click.argument("topic")
@log_option
@click.option("--versions", is_flag=True, help="List the versions.")
@json_option
def show(topic: str, directory: Path, versions: bool, as_json: bool) -> None:
    """Show the contract of TOPIC, as bids, or as bids@1 for its first version."""
    with open_log(directory) as log:
        if versions:
            rows = [
                [
                    one.name,
                    one.lsn,
                    format_time(one.append_time),
                    "in force" if one.contract else "removed",
                ]
                for one in contracts_of(log, topic)
            ]
            print_table(("contract", "lsn", "set", "promises"), rows)
            return
        found = read(topic, log)
    if as_json:
        print_json(found.to_plain())
    else:
        click.echo(contract_text(found), nl=False)


@contract.command(short_help="Where personal data flows.")
@click.argument("topic")
@click.argument("pipelines", nargs=-1, required=True)
@optional_log
@click.option("--contract", "address", help="The contract, where it is not that of TOPIC.")
@json_option
def pii(
    topic: str,
    pipelines: tuple[str, ...],
    directory: Path | None,
    address: str | None,
    as_json: bool,
) -> None:
    """Show where fields of TOPIC that its contract marks as personal end up.

    PIPELINES are followed through every step, one behind the other. "may" stands where a
    function of yours makes rows, and nobody can tell what it puts in.
    """
    followed = [find_pipeline(one) for one in pipelines]
    if directory is None:
        found = read(address or topic, None)
    else:
        with open_log(directory) as log:
            found = read(address or topic, log)
    flows = personal_flows(found.topic, found.personal, followed)
    if as_json:
        print_json({"marked": found.personal, "flows": list(map(asdict, flows))})
        return
    marked = ", ".join(f"{name} ({kind})" for name, kind in found.personal.items())
    click.echo(f"topic {found.topic} marks {marked or 'no field'} as personal")
    if flows:
        print_table(("topic", "field", "from", "sure", "how"), describe(flows))
    elif found.personal:
        click.echo("nothing of it reaches an output")


def read(address: str, log: Log | None) -> Contract:
    """The contract at an address: a file, `path.py:name`, or a topic of the log.

    Raises:
        ConfigError: there is none.
    """
    if ".py" in address and (address.endswith(".py") or ".py:" in address):
        return find_object(address, Contract, "contract")
    if Path(address).suffix in (".yaml", ".yml", ".json") or Path(address).is_file():
        return read_contract(address)
    if log is None:
        raise ConfigError(f"{address} is no file; for the contract of a topic say --log DIR")
    topic, at, version = address.rpartition("@")
    names = {one.full_name for one in log.topics()}
    if at and version.isdecimal() and topic in names and address not in names:
        found = contract_of(log, topic, int(version)).contract
    else:
        found = contract_of(log, address).contract
    if found is None:
        raise ConfigError(f"{address}: the contract was taken away there")
    return found
