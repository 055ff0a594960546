"""Files in an object store: a real server that speaks S3, started here on loopback."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores import s3

from kappa import Log, Pipeline, Tumbling, agg
from kappa.connect import Files, load_all
from kappa.errors import SourceError

pytestmark = pytest.mark.slow


def test_files_of_a_bucket_are_loaded_once_and_followed(tmp_path: Path):
    with s3("events") as url:
        import s3fs

        fs = s3fs.S3FileSystem()
        for day in (1, 2):
            rows = [{"k": n % 2, "ts": day * 100 + n} for n in range(10)]
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part.parquet")
            fs.put(str(tmp_path / "part.parquet"), f"events/day={day}/part.parquet")
        fs.pipe("events/day=2/more.jsonl", b'{"k": 1, "ts": 250}\n')
        pipeline = Pipeline("sales")
        events = pipeline.source(Files(url, topic="events", time="ts", follow="1s"))
        events.key_by("k").window(Tumbling(100)).aggregate(n=agg.count()).to("counts")
        with Log.memory() as log:
            assert pipeline.replay(log).records_in == 21
            assert {record.value["day"] for record in log.read("events")} == {"1", "2"}
            fs.pipe("events/day=3/a.jsonl", b'{"k": 1, "ts": 350}\n')
            assert pipeline.replay(log).records_in == 22
            assert sum(result.appended for result in load_all(log, "events", url)) == 0
        with pytest.raises(SourceError, match="there is no file at s3://events/none"):
            load_all(Log.memory(), "events", f"{url}/none/*.csv")
