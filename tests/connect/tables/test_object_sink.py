"""Tables in an object store: a real server that speaks S3, started here on loopback.

Method: the same steps over the same log into a folder are the oracle: after each, every
object must be there with the bytes of the file. Processes that write are killed at one
request after another.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from stores import s3

from kappa import Log, Pipeline, Tumbling, agg, col
from kappa.connect import Files, JsonLinesSink, Lake, ParquetSink, load_all
from kappa.connect.tables.objects import ObjectStore
from kappa.connect.tables.stores import store_of
from kappa.errors import ConfigError, SinkError

pytestmark = pytest.mark.slow

HOUR = 3_600_000


def pipeline(lake: str, unit: int = 1) -> Pipeline:
    """Raw rows and hourly sums, several files a day."""
    p = Pipeline("p")
    rows = p.source("in", out_of_orderness="1h").with_columns(x=col("x") * unit)
    rows.sink(JsonLinesSink(f"{lake}/raw", by="date", rows=10))
    hours = rows.key_by("k").window(Tumbling("1h")).aggregate(s=agg.sum("x"))
    hours.sink(ParquetSink(f"{lake}/hours", by="date", rows=20))
    return p


def filled(path: Path, hours: int = 60) -> Log:
    log = Log(path)
    log.create_topic("in", time="ts")
    for hour in range(0, hours, 5):
        rows = [{"k": n % 2, "x": n, "ts": n * HOUR // 2} for n in range(hour * 2, hour * 2 + 10)]
        log.append("in", rows)
    return log


def objects(url: str) -> dict[str, bytes]:
    """All that a reader of the bucket sees of the tables."""
    store, root = store_of(f"{url}/lake")
    names = [name for name in store.names(root) if not name.startswith(".")]
    return {name: store.read(f"{root}/{name}") for name in names}


def tree(lake: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(lake)): path for path in lake.rglob("*") if path.is_file()}
    return {n: path.read_bytes() for n, path in files.items() if not n.startswith(".")}


def test_every_step_leaves_what_it_leaves_in_a_folder(tmp_path: Path):
    with s3("bucket") as url, filled(tmp_path / "log") as log:
        shutil.copytree(tmp_path / "log", tmp_path / "other")
        with Log(tmp_path / "other") as other:
            both = ((log, f"{url}/lake"), (other, str(tmp_path / "lake")))

            def agree() -> bool:
                return objects(url) == tree(tmp_path / "lake")

            for one, lake in both:
                pipeline(lake).run(one, until_idle=True)
            assert agree()
            assert len(tree(tmp_path / "lake")) > 8
            for one, lake in both:
                changes = pipeline(lake, 10).backfill(one, since=0, until=24 * HOUR).partitions
                assert [change.partition for change in changes] == ["date=1970-01-01"] * 2
            assert agree()
            for one, lake in both:
                again = pipeline(lake, 10).backfill(one, since=0, until=24 * HOUR)
                assert not any(change.altered or change.added for change in again.partitions)
                one.append("in", [{"k": 1, "x": n, "ts": n * HOUR} for n in range(60, 110)])
                pipeline(lake).run(one, until_idle=True)
            assert agree()
            for one, lake in both:
                number = next(g.number for g in Lake(f"{lake}/raw").history() if g.kind == "add")
                Lake(f"{lake}/raw").rollback(one, number)
                assert Lake(f"{lake}/hours").collect(one, keep=0) == 3
            assert agree()
            store, root = store_of(f"{url}/lake")
            kept = [name for name in store.names(root) if "/kept/" in name]
            assert kept and all(name.startswith(".raw.kappa") for name in kept)
        with (
            pytest.raises(ConfigError, match="is in an object store"),
            Lake(f"{url}/lake/raw").snapshot(),
        ):
            pass


def asked(log: Log, table: str) -> int:
    with log.sql("SELECT sum(x)::BIGINT FROM t", tables={"t": table}) as result:
        return int(result.scalar())


def test_it_is_read_back_by_its_ledger(tmp_path: Path):
    with s3("bucket") as url, filled(tmp_path / "log") as log, Log.memory() as again:
        pipeline(f"{url}/lake").run(log, until_idle=True, drain=True)
        store, root = store_of(f"{url}/lake")
        store.write(f"{root}/raw/date=1970-01-01/notes.jsonl", b'{"x": 1, "ts": 1}\n')
        again.create_topic("in", time="ts")
        load_all(again, "in", f"{url}/lake/raw")
        rows = [[str(sorted(r.value.items())) for r in one.read("in")] for one in (log, again)]
        assert sorted(rows[0]) == sorted(rows[1])
        copy = Pipeline("copy")
        copy.source(Files(f"{url}/lake/raw", topic="in", time="ts")).to("out")
        assert copy.replay(again).records_in == len(rows[0])
        with pytest.raises(SinkError, match=r"notes\.jsonl was not written by kappa"):
            pipeline(f"{url}/lake", 10).backfill(log, since=0, until=24 * HOUR)
        assert asked(log, f"{url}/lake/raw") == sum(range(120))
        store.remove(f"{root}/raw/date=1970-01-01/notes.jsonl")
        pipeline(f"{url}/lake", 10).backfill(log, since=0, until=24 * HOUR)
        assert asked(log, f"{url}/lake/raw") == sum(range(120)) + 9 * sum(range(48))
        assert asked(log, f"{url}/lake/raw/date=1970-01-02") == sum(range(48, 96))
        with pytest.raises(ConfigError, match="has no file"):
            asked(log, f"{url}/lake/nothing")
        with Log.memory() as new:
            new.create_topic("in", time="ts")
            load_all(new, "in", f"{url}/lake/raw")
            xs = Counter(record.value["x"] for record in new.read("in"))
            assert xs == Counter([n * 10 for n in range(48)] + [*range(48, 120)])


def test_before_every_request_of_a_swap_readers_of_the_ledger_see_one_generation(tmp_path: Path):
    with s3("bucket") as url, filled(tmp_path / "log", 50) as log:
        lake, looks = f"{url}/lake/raw", []

        def raw(unit: int) -> Pipeline:
            p = Pipeline("p")
            rows = p.source("in").with_columns(x=col("x") * unit)
            rows.sink(JsonLinesSink(lake, by="date"))
            return p

        def look() -> tuple[int, int]:
            with Log.memory() as new:
                new.create_topic("in", time="ts")
                load_all(new, "in", lake)
                return asked(log, lake), sum(record.value["x"] for record in new.read("in"))

        def watched(call: Any) -> Any:
            def before(*args: Any) -> Any:
                if "/.raw.kappa/staged" not in f"/{args[1]}":
                    with pytest.MonkeyPatch.context() as quiet:
                        for name, real in calls.items():
                            quiet.setattr(ObjectStore, name, real)
                        looks.append(look())
                return call(*args)

            return before

        raw(1).run(log, until_idle=True, drain=True)
        old = look()
        calls = {name: getattr(ObjectStore, name) for name in ("copy", "remove", "write")}
        with pytest.MonkeyPatch.context() as patch:
            for name, real in calls.items():
                patch.setattr(ObjectStore, name, watched(real))
            raw(10).backfill(log, since=0, until=48 * HOUR)
        new = look()
    assert old[0] == old[1] < new[0] == new[1]
    first = looks.index(new)
    assert looks == [old] * first + [new] * (len(looks) - first)
    assert first > 10


CHILD = """
import os, signal, sys
sys.path[:0] = {path!r}
import s3fs
from kappa import Log
from connect.tables.test_object_sink import HOUR, pipeline

left, call = {left}, s3fs.S3FileSystem._call_s3

async def counted(self, *args, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return await call(self, *args, **options)

s3fs.S3FileSystem._call_s3 = counted
with Log({log!r}) as log:
    {what}
"""
RUN = 'pipeline({lake!r}).run(log, until_idle=True, checkpoint_every="1ms", read_records=15)'
MEND = "pipeline({lake!r}, 10).backfill(log, since=0, until=48 * HOUR)"


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_request_it_ends_as_if_it_had_not_been(tmp_path: Path, seed: int):
    print("seed", seed)
    draw = random.Random(seed)
    filled(tmp_path / "log").close()
    shutil.copytree(tmp_path / "log", tmp_path / "other")
    with Log(tmp_path / "other") as other:
        lake = str(tmp_path / "lake")
        pipeline(lake).run(other, until_idle=True, checkpoint_every="1ms", read_records=15)
        old = tree(tmp_path / "lake")
        pipeline(lake, 10).backfill(other, since=0, until=48 * HOUR)
        new = tree(tmp_path / "lake")
    assert old != new
    with s3("bucket") as url:
        for what, want in ((RUN, old), (MEND, new)):
            kills = 0
            while _child(
                tmp_path / "log", what, f"{url}/lake", draw.randrange(1, 40 * (kills + 1))
            ):
                kills += 1
                if kills == 4:  # often enough; the last one ends
                    assert not _child(tmp_path / "log", what, f"{url}/lake", 0)
                    break
            assert kills > 0
            assert objects(url) == want


def _child(log: Path, what: str, lake: str, left: int) -> bool:
    """Runs a child that is killed at some request; whether it was."""
    tests = Path(__file__).parents[2]
    text = CHILD.format(
        path=[str(tests.parent), str(tests)], left=left, log=str(log), what=what.format(lake=lake)
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, timeout=60)
    assert done.returncode in (0, -9), done.stderr.decode()
    return done.returncode == -9
