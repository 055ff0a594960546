"""What a query begins with: the three streams of events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kappa import Pipeline, Stream
from kappa.errors import ConfigError
from kappa.operators import SideInput
from kappa.time import Duration

BOUND = "4s"


@dataclass
class Streams:
    """People, auctions and bids as the sources of a pipeline; one that is not asked for is
    not read.

    Args:
        pipeline: theirs.
        bound: how far an event may lie behind the newest of its kind.
        folder: where a query puts files, if it does.
    """

    pipeline: Pipeline
    bound: Duration = BOUND
    folder: Path | None = None

    @property
    def files(self) -> Path:
        """Where files go.

        Raises:
            ConfigError: there is no folder for them.
        """
        if self.folder is None:
            raise ConfigError("the query writes files: give a folder")
        return self.folder

    @cached_property
    def persons(self) -> Stream[dict[str, Any]]:
        """Who joined."""
        return self.pipeline.source("persons", out_of_orderness=self.bound)

    @cached_property
    def auctions(self) -> Stream[dict[str, Any]]:
        """What was opened."""
        return self.pipeline.source("auctions", out_of_orderness=self.bound)

    @cached_property
    def arrivals(self) -> Stream[dict[str, Any]]:
        """What was bid, by the time at which it came."""
        return self.pipeline.source("bids", time="append")

    @cached_property
    def labels(self) -> SideInput:
        """The fixed table of q13: a text for each number below 10,000."""
        return self.pipeline.side_input("labels", key="key")

    @cached_property
    def bids(self) -> Stream[dict[str, Any]]:
        """What was bid."""
        return self.pipeline.source("bids", out_of_orderness=self.bound)
