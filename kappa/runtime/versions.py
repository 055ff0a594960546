"""Versions of a pipeline's outputs: what each is bound to, and whether a run fits it.

A version is a record in the log's catalog. It binds the outputs `name@version` to the
graph, the code of the user's functions, the parameters, the range and the late mode they
were made with, so that nothing else ever writes into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from kappa.errors import ConfigError, IncompatibleState
from kappa.expressions import Expression, Selector
from kappa.log import Log, SchemaView
from kappa.operators.contract import Fields, both
from kappa.plan import Plan, SinkSpec, SourceSpec
from kappa.runtime.answers import lines_of, make_topic
from kappa.runtime.delivery import Target
from kappa.runtime.side_inputs import pinned
from kappa.time import MINUS_INFINITY, PLUS_INFINITY

LIVE = "live"
REPLAYING = "replaying"
REPLAYED = "replayed"
DRAINED = "drained"

BACKFILLS = "~backfill"
"""Behind a pipeline's name: the name under which its backfills run. No pipeline is called so."""

COLLECTED_PARTITIONS = 1
"""Of the topics of dead letters and of results."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a pipeline's outputs.

    Args:
        pipeline: its name.
        version: number from 1.
        fingerprint: of the graph.
        code: digests of the user's functions by step.
        params: values of the parameters.
        status: live, replaying, replayed or drained.
        since, until: event times that the rows are restricted to, ms.
        late: "as_live", "complete" or "mended".
        end_lsn: where a replay ends; 0 for a live version.
        closing_lsn: the append that closed all windows; 0 if there is none.
        pins: id of the topic that each source name stood for.
        schemas: version of the schema that rows of a source are seen through, where the
            topic had one; the newest when the version was made, so that a schema that is
            raised later changes nothing of what the version makes of the log.
        reads: the fields of each source that the plan reads; None for all.
        outputs: id of the topic behind each output name.
        exact: the rows are those of a full replay.
        seed: the savepoint that a live version began from, or None for the log's start.
        spans: of a backfill, the range of each table.
        made: where the log ended when the version was made; made anew, it has another.
        answers: by step that asks, whose answers from outside it takes; see `answers`.
        side_inputs: which content lookups see; see `side_inputs`.
    """

    pipeline: str
    version: int
    fingerprint: str
    code: dict[str, str]
    params: dict[str, Any]
    status: str
    since: int = MINUS_INFINITY
    until: int = PLUS_INFINITY
    late: str = "as_live"
    end_lsn: int = 0
    closing_lsn: int = 0
    pins: dict[str, int] = field(default_factory=dict)
    schemas: dict[str, int] = field(default_factory=dict)
    reads: dict[str, list[str] | None] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    exact: bool = True
    seed: str | None = None
    made: int = 0
    spans: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, list[int]] = field(default_factory=dict)
    side_inputs: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`pipeline@version`: the name of its lock, its folder and its producer."""
        return f"{self.pipeline}@{self.version}"

    @property
    def committer(self) -> str:
        """Id of its producer; topics made anew under the same name get another one."""
        return f"{self.name}.{min(self.outputs.values(), default=0)}"

    def save(self, log: Log) -> None:
        """Writes the record."""
        log.control("version", asdict(self))

    def moved(self, log: Log, **changes: Any) -> Version:
        """The record with changes, written."""
        changed = replace(self, **changes)
        changed.save(log)
        return changed


def versions_of(log: Log, pipeline: str) -> dict[int, Version]:
    """All versions of a pipeline by number."""
    known = Version.__dataclass_fields__.keys()
    return {
        number: Version(**{name: value for name, value in data.items() if name in known})
        for (owner, number), data in sorted(log.catalog.versions.items())
        if owner == pipeline
    }


def current(log: Log, plan: Plan) -> int:
    """The version that a live run writes when none is named.

    The promoted one of its first output; else the newest that runs live; else 1.
    """
    known = versions_of(log, plan.pipeline)
    for name in plan.outputs:
        promoted = log.catalog.aliases.get(name)
        if promoted in known:
            return promoted
    live = [number for number, version in known.items() if version.status == LIVE]
    return max(live, default=1)


def checked(number: int) -> int:
    """The number of a version, as a caller gave it.

    Raises:
        ConfigError: it is not a whole number from 1.
    """
    if type(number) is not int or number < 1:
        raise ConfigError(f"version is {number!r}: versions are whole numbers from 1")
    return number


def next_free(log: Log, plan: Plan) -> int:
    """The number above every version of the pipeline and of its outputs."""
    taken = set(versions_of(log, plan.pipeline))
    for name in plan.outputs:
        taken.update(log.catalog.versions_of(name))
    return max(taken, default=0) + 1


def create(
    log: Log,
    plan: Plan,
    version: Version,
    *,
    journal: str | None = None,
    refresh_side_inputs: bool = False,
    schemas: Mapping[str, int] | None = None,
) -> Version:
    """Makes the output topics, pins the sources, and writes the record.

    The first version of an output becomes what its bare name stands for.

    Args:
        log: where the version is made.
        plan: of the pipeline.
        version: what is known of it.
        journal: "repeat" or "refresh" answers from outside; None for what each step says.
        refresh_side_inputs: see the side inputs as they stand, not as the current version.
        schemas: see `Pipeline.replay`; of a version with pins, its own.
    """
    _check_owners(log, plan, version)
    end = log.end_lsn
    before = versions_of(log, plan.pipeline).get(current(log, plan))
    lines = lines_of(plan, end, before.answers if before else {}, journal=journal)
    if lines:
        make_topic(log, plan.pipeline)
    seen = pinned(log, plan, before.side_inputs if before else {}, refresh=refresh_side_inputs)
    pins, through = version.pins, version.schemas
    if not pins:
        pins = {name: log.topic(name).id for name in source_names(plan)}
        through = _schemas(log, pins, schemas or {})
    outputs = {target.topic: _make_topic(log, version, target) for target in _wanted_topics(plan)}
    bound = replace(
        version,
        pins=pins,
        schemas=through,
        reads=reads_of(plan),
        outputs=outputs,
        made=end,
        answers=lines,
        side_inputs=seen,
    )
    bound.save(log)
    first = {name: bound.version for name in outputs if name not in log.catalog.aliases}
    if first:
        log.control("alias", {"outputs": first, "pipeline": bound.pipeline})
    return bound


def source_names(plan: Plan) -> list[str]:
    """The topics that a plan reads, as they were named."""
    return [step.part.topic for step in plan.sources if isinstance(step.part, SourceSpec)]


def _schemas(log: Log, pins: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    """The version of its schema that each source is seen through, where there is one."""
    known = {name: log.topic_schemas(topic_id) for name, topic_id in pins.items()}
    found = {name: one.newest.version for name, one in known.items() if one is not None}
    for name, number in given.items():
        if name not in pins or not 0 <= number <= found.get(name, 0):
            there = f"versions 1 to {found[name]}" if name in found else "none"
            raise ConfigError(
                f"schemas says version {number} for {name!r}: there are {there}", topic=name
            )
    return {name: number for name, number in (found | dict(given)).items() if number}


def views_of(log: Log, plan: Plan, version: Version) -> list[SchemaView | None]:
    """How rows of each source are seen, in the order of the plan's sources."""
    return [
        None
        if name not in version.schemas
        else log.schema_view(version.pins[name], version.schemas[name])
        for name in source_names(plan)
    ]


def newest_views(log: Log, plan: Plan) -> list[SchemaView | None]:
    """The same, through the newest schemas."""
    known = map(log.topic_schemas, source_names(plan))
    return [None if one is None else one.view() for one in known]


def reads_of(plan: Plan) -> dict[str, list[str] | None]:
    """The fields of each topic that a plan reads; None for all."""
    found: dict[str, Fields] = {}
    for step in plan.sources:
        assert isinstance(step.part, SourceSpec)
        found[step.part.topic] = both(found.get(step.part.topic, frozenset()), step.fields)
    return {name: None if read is None else sorted(read) for name, read in found.items()}


def _check_owners(log: Log, plan: Plan, version: Version) -> None:
    for name in plan.outputs:
        if name in source_names(plan):
            raise ConfigError(f"topic {name!r} is both read and written by {plan.pipeline!r}")
        if log.catalog.find(name, None) is not None:
            raise ConfigError(
                f"topic {name!r} exists and holds records of its own: a pipeline writes only"
                " topics that it made; name the output otherwise",
                topic=name,
            )
        for number in log.catalog.versions_of(name):
            owner = log.catalog.topic((name, number)).owner or ""
            if owner.rpartition("@")[0] != plan.pipeline:
                raise ConfigError(
                    f"topic {name!r} belongs to pipeline {owner!r}: an output has one owner;"
                    " name one of them otherwise",
                    topic=name,
                )


def _wanted_topics(plan: Plan) -> list[SinkSpec]:
    sinks = [step.part for step in plan.sinks if isinstance(step.part, SinkSpec)]
    topics = plan.collected.values()
    return sinks + [SinkSpec(topic, None, COLLECTED_PARTITIONS) for topic in topics]


def _make_topic(log: Log, version: Version, sink: SinkSpec) -> int:
    found = log.catalog.find(sink.topic, version.version)
    if found is not None:
        return found.id
    topic = log.create_topic(
        sink.topic,
        version=version.version,
        partitions=sink.partitions,
        key=stored_key(sink),
        owner=version.name,
        compact=sink.upsert,
    )
    return topic.id


def stored_key(sink: SinkSpec) -> str | tuple[str, ...] | None:
    """The fields that hold an output's key; None where the key is stored beside the row."""
    if sink.key is None or not is_fields(sink.key) or not sink.key.names:
        return None
    names = sink.key.names
    return names[0] if len(names) == 1 else names


def is_fields(key: Selector) -> bool:
    """Whether a key is just fields of the row."""
    if isinstance(key.source, tuple):
        return all(map(is_fields, key.source))
    if not isinstance(key.source, Expression):
        return False
    return Selector.of(key.name) == Selector.of(key.source)


def targets(log: Log, plan: Plan, version: Version) -> dict[str, Target]:
    """The topics that a version writes, by name."""
    found = {}
    for sink in _wanted_topics(plan):
        topic = log.catalog.topics[version.outputs[sink.topic]]
        found[sink.topic] = Target(
            topic=sink.topic,
            topic_id=topic.id,
            partitions=topic.partitions,
            key=sink.key,
            stores_key=sink.upsert or (sink.key is not None and stored_key(sink) is None),
            codec=topic.codec,
            upsert=sink.upsert,
        )
    return found


def told_as_before(log: Log, plan: Plan, version: Version) -> list[str]:
    """What a person should know: steps whose function is not the one that was answered."""
    notes = []
    code = _code_by_name(plan.code())
    for other in versions_of(log, plan.pipeline).values():
        if other.code.get("python") != version.code.get("python"):
            continue
        for step in plan.asking:
            line, theirs = version.answers.get(step.name, []), other.answers.get(step.name)
            if theirs and theirs[0] in line[1:2]:
                then = _code_by_name(other.code).get(step.name)
                if then != code.get(step.name):
                    notes.append(
                        f"step {step.name!r} has another function than {other.name} had, whose"
                        ' answers it repeats; journal="refresh" calls anew'
                    )
    return notes


def _code_by_name(code: Mapping[str, str]) -> dict[str, str]:
    return {step.partition(":")[2]: digest for step, digest in code.items()}


def check_fits(plan: Plan, version: Version, params: Mapping[str, Any]) -> None:
    """Refuses a run whose graph, code or parameters are not those of the version.

    Raises:
        IncompatibleState: naming the first step that differs.
    """
    advice = "replay it into a new version: replay(version=None)"
    if version.fingerprint != plan.fingerprint:
        raise IncompatibleState(
            f"{version.name} was made by another graph than this pipeline's; {advice}"
        )
    if version.params != dict(params):
        raise IncompatibleState(
            f"{version.name} was made with params {version.params}, not {dict(params)}; {advice}"
        )
    code = plan.code()
    if version.code.get("python") != code["python"]:
        return
    for step in sorted(code.keys() | version.code.keys()):
        if code.get(step) != version.code.get(step):
            name = step.partition(":")[2]
            raise IncompatibleState(
                f"the functions of step {name!r} have changed since {version.name} was made,"
                f" so its rows would differ; {advice}",
                step=name,
            )
