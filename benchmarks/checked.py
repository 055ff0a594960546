"""What it costs to hold records to a schema or a contract: append and tumbling count together.

The other way is the same without, so a ratio of 0.77 stands for 30 % more time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from benchmarks.data import Row, chunks
from benchmarks.harness import read_rows
from benchmarks.windows import TumblingCounts
from kappa import Log
from kappa.contracts.contract import Contract
from kappa.log.contracts import set_contract
from kappa.schemas import Field, Int, Schema, String

SCHEMA = Schema.record(
    "Bid", [Field("auction", Int()), Field("price", Int()), Field("channel", String())], open=True
)
CONTRACT = Contract(
    "bids",
    fields={
        "auction": {"type": "int", "min": 0},
        "price": {"type": "int", "min": 0, "max": 10_000},
        "channel": {"type": "str", "values": [f"channel-{n}" for n in range(8)]},
    },
)


class Checked(TumblingCounts):
    """Rows into a new log, then its tumbling count; with checks and without."""

    sizes: ClassVar[Mapping[str, int]] = {"smoke": 2_000, "real": 500_000}
    needs_rows: ClassVar[bool] = True
    rows_each: ClassVar[int] = 4096
    schema: ClassVar[Schema | None] = None
    contract: ClassVar[Contract | None] = None

    def prepare(self) -> None:
        """Nothing is there yet."""
        self.made = 0

    def engine(self) -> int:
        """The number of the log that was made."""
        return self._appended_and_counted(self.schema, self.contract)

    def loop(self) -> int:  # type: ignore[override]
        """The same without any check."""
        return self._appended_and_counted(None, None)

    def others(self) -> Mapping[str, object]:  # type: ignore[override]
        """None."""
        return {}

    def engine_rows(self, result: int) -> list[Row]:
        """What that log has of the counts."""
        return read_rows(self._folder(result), "totals", 1)

    def loop_rows(self, result: int) -> list[Row]:  # type: ignore[override]
        """Likewise."""
        return self.engine_rows(result)

    def _folder(self, number: int) -> Path:
        return self.case.folder / f"log-{number}"

    def _appended_and_counted(self, schema: Schema | None, contract: Contract | None) -> int:
        self.made += 1
        with Log(self._folder(self.made), fsync="never") as log:
            log.create_topic("bids", time="ts", schema=schema)
            if contract is not None:
                set_contract(log, contract)
            for piece in chunks(self.case.rows, self.rows_each):
                log.append("bids", piece)
            self.pipeline().replay(log, checkpoint_every=None)
        return self.made


class WithSchema(Checked):
    """Three fields by their types."""

    name: ClassVar[str] = "with_schema"
    does: ClassVar[str] = (
        "append 4096 rows at a time and count per key and 10 s, with a schema of three checked"
        " fields; to the same without"
    )
    schema = SCHEMA


class WithSchemaSmall(WithSchema):
    """The same in small appends."""

    name: ClassVar[str] = "with_schema_100"
    does: ClassVar[str] = "the same, 100 rows at a time"
    sizes: ClassVar[Mapping[str, int]] = {"smoke": 1_000, "real": 200_000}
    rows_each = 100


class WithContract(Checked):
    """Three fields by their types and values."""

    name: ClassVar[str] = "with_contract"
    does: ClassVar[str] = (
        "the same as with_schema with a contract: two ranges of ints, a text of eight values"
    )
    contract = CONTRACT
