"""Files as the source of a pipeline: they pass through a topic, which every replay reads.

A run loads what is new before it starts, and a live run looks again every so often. What
has been loaded is in the log, so results rest on the log alone: on files that are moved,
changed or gone later, nothing depends.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from kappa.connect.listing import Listed, check_loaded, listed
from kappa.connect.load import load_listed
from kappa.connect.places import NothingThere, Stamp, stamp_of
from kappa.connect.sources import Reading
from kappa.connect.times import TimeField
from kappa.errors import ConfigError, SourceError
from kappa.log import Log
from kappa.time import Duration, duration_ms

logger = logging.getLogger("kappa.connect")


@dataclass(frozen=True)
class Files:
    """Files that a pipeline reads: `pipeline.source(Files("events/*.parquet", topic="events"))`.

    Args:
        place: a file, a folder with all below it, or a pattern; a path or a URL.
        topic: through which they pass; made if it is missing.
        time: the field with the event time, or a `TimeField`.
        key: the field that picks the partition.
        partitions: of the topic, where it is made.
        follow: how often a live run looks for new files and records; None reads what is
            there when a run starts.
        reading: formats, columns, ranges.

    Raises:
        ConfigError: `follow` is no positive duration, or the topic has a version.

    >>> Files("events", topic="events", time="ts", follow="10s").every_ms
    10000
    """

    place: str | Path
    topic: str
    time: str | TimeField | None = None
    key: str | None = None
    partitions: int = 1
    follow: Duration | None = None
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        _ = self.every_ms
        if "@" in self.topic:
            raise ConfigError(f"topic {self.topic!r} of files: give a name without a version")

    @property
    def every_ms(self) -> int | None:
        """Time between two looks, in ms."""
        return None if self.follow is None else duration_ms(self.follow, name="follow", minimum=1)

    @property
    def time_field(self) -> TimeField | None:
        """How the event time is read."""
        return TimeField(self.time) if isinstance(self.time, str) else self.time

    def open(self, log: Log) -> FileFeed:
        """What loads the files into a log; makes the topic, if it is missing."""
        known = {topic.full_name for topic in log.topics()}
        if self.topic not in known:
            log.create_topic(self.topic, partitions=self.partitions, key=self.key, if_exists="ok")
        return FileFeed(self, log)

    def describe(self) -> str:
        """One line for `explain`."""
        if self.follow is None:
            return f"files of {self.place}, loaded when a run starts"
        return f"files of {self.place}, looked at every {self.follow}"


class FileFeed:
    """The files of one run, and what it has seen of them.

    Args:
        files: the description.
        log: where to.
    """

    def __init__(self, files: Files, log: Log) -> None:
        self._files = files
        self._log = log
        self._followed = files.follow is not None
        self._reading = replace(files.reading, growing=self._followed)
        self._seen: dict[str, Stamp] = {}
        self._key = None if log.topic(files.topic).key is not None else files.key

    def pull(self, stop: threading.Event) -> int:
        """Loads what is new; the number of records.

        Where files are followed, none may be there yet, and one that is not whole is left
        for the next time.

        Raises:
            SourceError: a file cannot be read.
        """
        place = self._files.place
        try:
            found = listed(place, self._reading)
        except NothingThere:
            if self._followed:
                return 0
            raise
        check_loaded(self._log, self._files.topic, found)
        return sum(self._load(file) for file in found if not stop.is_set())

    def _load(self, file: Listed) -> int:
        stamp = stamp_of(file.name)
        if stamp is not None and self._seen.get(file.name) == stamp:
            return 0
        try:
            done = load_listed(
                self._log,
                self._files.topic,
                file,
                reading=self._reading,
                time=self._files.time_field,
                key=self._key,
            )
        except SourceError as error:
            if self._followed and error.retryable:
                logger.info("left for later: %s", error.message)
                return 0
            raise
        if stamp is not None:
            self._seen[file.name] = stamp
        return done.appended
