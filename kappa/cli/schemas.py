"""`kappa schema`: check, list, set, show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kappa.cli import exits
from kappa.cli.options import json_option, log_option, open_log
from kappa.cli.output import print_json, print_table
from kappa.cli.target import find_object, find_pipeline
from kappa.errors import ConfigError
from kappa.log import Log
from kappa.log.declared import Declared
from kappa.log.registry import SchemaVersion
from kappa.runtime.versions import reads_of
from kappa.schemas import MODES, Schema, schema_of
from kappa.schemas.jsonschema import to_json_schema
from kappa.time import format_time

mode_option = click.option(
    "--mode",
    type=click.Choice(MODES, case_sensitive=False),
    help="What it has to keep; else what the topic's newest version asks for.",
)


@click.group(short_help="Schemas of topics: check, list, set, show.")
def schema() -> None:
    """What the rows of topics look like: check, list, set, show.

    A SCHEMA is a file with an Avro or JSON Schema document, a class or Protobuf message as
    module:Class or path.py:Class, or a version of a topic's schema, as bids@1.
    """


@schema.command("list", short_help="The topics that have a schema.")
@log_option
@json_option
def list_schemas(directory: Path, as_json: bool) -> None:
    """List the topics that have a schema, with its newest version."""
    with open_log(directory) as log:
        known = [log.schemas((one.name, one.version)) for one in log.topics()]
    rows = [_facts(versions[-1]) for versions in known if versions]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("topic", "version", "mode", "fields", "since lsn", "set"),
        [
            [row["topic"], row["version"], row["mode"], row["fields"], row["since"], row["set"]]
            for row in rows
        ],
    )


def _facts(one: SchemaVersion) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "version": one.version,
        "mode": one.compatibility,
        "fields": [field.name for field in one.schema.fields],
        "since": one.since,
        "set": format_time(one.append_time),
        "fingerprint": one.fingerprint,
    }


@schema.command(short_help="The schema of a topic.")
@click.argument("topic")
@log_option
@click.option("--versions", is_flag=True, help="List the versions.")
@click.option("--avro", is_flag=True, help="Print it as an Avro schema.")
@click.option("--json-schema", "as_json_schema", is_flag=True, help="Print it as JSON Schema.")
@json_option
def show(
    topic: str, directory: Path, versions: bool, avro: bool, as_json_schema: bool, as_json: bool
) -> None:
    """Show the schema of TOPIC, as bids, or as bids@1 for its first version."""
    with open_log(directory) as log:
        found = _version(log, topic)
        known = log.schemas(_parted(log, topic)[0])
    if avro or as_json_schema:
        document = found.schema.to_dict() if avro else to_json_schema(found.schema)
        print_json(document)
    elif versions:
        rows = [_facts(one) for one in known]
        if as_json:
            print_json(rows)
            return
        names = ("version", "mode", "since lsn", "set", "fields")
        table = [
            [row["version"], row["mode"], row["since"], row["set"], ", ".join(row["fields"])]
            for row in rows
        ]
        print_table(names, table)
    elif as_json:
        print_json(_facts(found) | {"schema": found.schema.to_dict()})
    else:
        click.echo(f"{found.topic}, version {found.version}, {found.compatibility}")
        _show_fields(found.schema)


def _show_fields(schema: Schema) -> None:
    if not schema.fields:
        click.echo(f"rows: {schema.root}")
        return
    rows = []
    for field in schema.fields:
        default = repr(field.default) if field.required and field.optional else "-"
        may = "may lack" if field.absent else "-"
        rows.append([field.name, str(field.type), default, may, ", ".join(field.aliases) or "-"])
    print_table(("field", "type", "default", "rows", "before"), rows)


@schema.command(short_help="Would a schema break anything? Exit code 3 if it would.")
@click.argument("topic")
@click.argument("source", metavar="SCHEMA")
@click.argument("pipelines", nargs=-1)
@log_option
@mode_option
@json_option
def check(
    topic: str,
    source: str,
    pipelines: tuple[str, ...],
    directory: Path,
    mode: str | None,
    as_json: bool,
) -> int:
    """Say what SCHEMA would break as the next version for TOPIC, and who reads it.

    Known are the pipelines that have run on the log, by what their plans read; PIPELINES
    that have not are looked at too. The exit code is 0 if the schema may be set, else 3;
    nothing is changed.
    """
    plans = [find_pipeline(one).plan() for one in pipelines]
    with open_log(directory) as log:
        reads = {
            plan.pipeline: {name: one for name, one in reads_of(plan).items() if name == topic}
            for plan in plans
        }
        found = log.check_schema(topic, _schema(source, log), compatibility=mode, others=reads)
    if as_json:
        print_json(
            {
                "compatible": bool(found),
                "mode": found.mode,
                "breaks": list(map(asdict, found.breaks)),
                "removed": found.removed,
                "readers": found.readers,
            }
        )
    else:
        _show_check(topic, found)
    return exits.OK if found else exits.DIFFERENT


def _show_check(topic: str, found: Declared) -> None:
    verdict = "may be set" if found else "breaks it"
    click.echo(f"topic {topic}, {found.mode}: the schema {verdict}")
    for line in found.text().splitlines():
        click.echo(f"  {line}")


@schema.command("set", short_help="Make a schema the topic's next version.")
@click.argument("topic")
@click.argument("source", metavar="SCHEMA")
@log_option
@mode_option
def set_(topic: str, source: str, directory: Path, mode: str | None) -> None:
    """Make SCHEMA the next version for TOPIC: rows have to fit it from now on.

    It is refused with all that it would break; `kappa schema check` says the same beforehand.
    """
    with open_log(directory) as log:
        before = log.schemas(topic)
        made = log.set_schema(topic, _schema(source, log), compatibility=mode)
    if before and before[-1] == made:
        click.echo(f"topic {made.topic} has it already: version {made.version}")
    elif before and before[-1].version == made.version:
        click.echo(f"topic {made.topic}, version {made.version}: now {made.compatibility}")
    else:
        click.echo(
            f"topic {made.topic} has schema version {made.version}, {made.compatibility},"
            f" from LSN {made.lsn} on"
        )


def _schema(address: str, log: Log) -> Any:
    """What `log.set_schema` takes, by an address.

    Raises:
        ConfigError: there is none.
    """
    if Path(address).is_file() and not address.endswith(".py"):
        try:
            return schema_of(Path(address).read_bytes())
        except ConfigError as error:
            raise ConfigError(f"{address}: {error.message}") from None
    if ":" in address:
        return find_object(address, object, "schema")
    if address.endswith(".py"):
        raise ConfigError(f"say which class, as {address}:Class")
    if Path(address).suffix in (".json", ".avsc"):
        raise ConfigError(f"there is no file {address}")
    return _version(log, address).schema


def _parted(log: Log, address: str) -> tuple[str, int | None]:
    """Topic and version of the schema; of a topic with versions itself, as bids@2@1."""
    names: Mapping[str, Any] = {one.full_name: one for one in log.topics()}
    topic, at, number = address.rpartition("@")
    if address not in names and at and number.isdecimal():
        return topic, int(number)
    return address, None


def _version(log: Log, address: str) -> SchemaVersion:
    topic, number = _parted(log, address)
    known = log.schemas(topic)
    if not known:
        raise ConfigError(f"topic {topic} has no schema", topic=topic)
    if number is None:
        return known[-1]
    if not 0 < number <= len(known):
        raise ConfigError(f"topic {topic} has schema versions 1 to {len(known)}", topic=topic)
    return known[number - 1]
