"""The demo: a year of New York's flights, end to end.

    make demo

Loads the year into a log, kills the live run half-way and starts it again, checks that
its output equals an undisturbed run's, mends a bug by replaying the year into version 2,
promotes it, goes on live, and writes a report. It ends in a lake: the year's hours as
Parquet, of which one month is backfilled. Everything lands in demo-output/.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from examples.flights import data, lake, report
from examples.flights.check import compare
from examples.flights.history import OUTPUTS, History
from examples.flights.pipeline import mended, wrong

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "demo-output"
DECEMBER = int(datetime(2013, 12, 1, tzinfo=data.ZONE).timestamp()) * 1000
ROWS_BEFORE_KILL = 7_000

console = Console(highlight=False)
began = time.monotonic()


def main() -> int:
    """Runs the demo; returns the exit code."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    say("[bold]kappa demo[/]: every flight out of New York in 2013")

    slots = prepare()
    year = [slot for slot in slots if slot.end <= DECEMBER]
    december = [slot for slot in slots if slot.end > DECEMBER]
    killed, quiet = History(OUTPUT / "log"), History(OUTPUT / "undisturbed")
    try:
        live_run_that_is_killed(killed, year)
        undisturbed_run(quiet, year)
        if not outputs_are_equal(killed, quiet):
            return 1
        differences = mend_by_replay(killed)
        go_on_live(killed, december)
        path = write_report(killed, differences)
        if not end_in_a_lake(killed):
            return 1
    finally:
        killed.close()
        quiet.close()
    say(f"[bold]done[/] in {time.monotonic() - began:.0f} s; the report is {path}")
    return 0


def prepare() -> list[data.Slot]:
    """Step 1: the flights in the order in which they happened."""
    with step("put the flights into the order in which they happened"):
        slots = data.slots()
    flights = sum(len(slot.departures) for slot in slots)
    landed = sum(len(slot.arrivals) for slot in slots)
    say(f"   {flights:,} departures and {landed:,} arrivals, reported in {len(slots):,} half-hours")
    return slots


def live_run_that_is_killed(history: History, slots: Sequence[data.Slot]) -> None:
    """Step 2: load until the end of November while version 1 runs; kill it half-way."""
    history.create(slots[0].end - data.SLOT_MS)
    half = len(slots) // 2
    with loading("load to 30 June while version 1 runs live", half) as seen:
        first = start_live(history)
        history.load(slots[:half], seen=seen)
        wait_for_rows(history, ROWS_BEFORE_KILL)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    say(
        f"   [red]killed[/] process {first.pid} with SIGKILL;"
        f" it had written {rows_written(history):,} rows"
    )
    with loading("start it again and load to the end of November", len(slots) - half) as seen:
        second = start_live(history)
        history.load(slots[half:], seen=seen)
        second.terminate()
        if second.wait(timeout=60):
            raise SystemExit(f"the live run failed with exit code {second.returncode}")
    with step("stop it cleanly and let a third process finish"):
        wrong.run(history.log, until_idle=True)


def start_live(history: History) -> subprocess.Popen[bytes]:
    """The live run in a process of its own."""
    command = [sys.executable, "-m", "examples.flights.live", str(history.directory)]
    return subprocess.Popen(command, cwd=ROOT)


def wait_for_rows(history: History, count: int) -> None:
    """Waits until the live run is well under way, so that the kill hits it at work."""
    limit = time.monotonic() + 60
    while rows_written(history) < count:
        if time.monotonic() > limit:
            raise SystemExit("the live run does not get under way")
        time.sleep(0.02)


def rows_written(history: History) -> int:
    """Rows in the hourly output of version 1."""
    found = history.log.catalog.find("delays_per_hour", 1)
    return 0 if found is None else history.log.end_offset(found.full_name, 0)


def undisturbed_run(history: History, slots: Sequence[data.Slot]) -> None:
    """Step 3: the same appends in another log, and one run that nobody disturbs."""
    history.create(slots[0].end - data.SLOT_MS)
    with loading("load the same into a second log", len(slots)) as seen:
        history.load(slots, seen=seen)
    with step("run version 1 over it, undisturbed"):
        result = wrong.run(history.log, until_idle=True)
    say(
        f"   {result.records_in:,} records in, {result.records_out:,} rows out,"
        f" {result.late:,} too late"
    )


def outputs_are_equal(killed: History, quiet: History) -> bool:
    """Step 4: the check."""
    with step("compare the outputs of the killed and the undisturbed run"):
        outcome = compare(killed.log, quiet.log, version=1)
    if outcome.difference is not None:
        say(f"   [bold red]different[/]: {outcome.difference}")
        return False
    say(
        f"   [bold green]equal[/]: {outcome.rows:,} rows in {outcome.appends:,} appends,"
        f" sha256 {outcome.digest[:16]}"
    )
    return True


def mend_by_replay(history: History) -> dict[str, int]:
    """Step 5: replay the year into version 2, look at the difference, promote."""
    with step("replay the year through the mended pipeline into version 2"):
        result = mended.replay(history.log, version=2)
    say(f"   {result.records_in:,} records in, {result.records_out:,} rows out")
    with step("compare version 1 and version 2"):
        differences = {
            name: len(history.log.diff(f"{name}@1", f"{name}@2").altered) for name in OUTPUTS
        }
    for name, count in differences.items():
        say(f"   {name}: {count:,} rows differ" if count else f"   {name}: no difference")
    history.log.promote("delays_per_hour@2")
    say("   promoted: the bare names now stand for version 2")
    return differences


def go_on_live(history: History, slots: Sequence[data.Slot]) -> None:
    """Step 6: December arrives, and version 2 goes on from where the replay ended."""
    with loading("December arrives; version 2 goes on", len(slots)) as seen:
        history.load(slots, seen=seen)
        result = mended.run(history.log, until_idle=True)
    say(f"   {result.records_in:,} records in, {result.records_out:,} rows out")


def write_report(history: History, differences: dict[str, int]) -> Path:
    """Step 7: the table and the report."""
    with step("write the report"):
        findings = report.findings(history.log, differences)
        path = report.write(findings, OUTPUT / "report.html")
    console.print(report.table(findings))
    return path


def end_in_a_lake(history: History) -> bool:
    """Step 8: the year's hours as Parquet by date; one month backfilled; SQL."""
    folder = OUTPUT / "lake" / "delays"
    with step("write the year's hours as Parquet by date, still with the bug"):
        files, size = lake.fill(history.log, folder)
    say(f"   {files:,} files, {size:,} bytes in {folder}")
    with step("backfill February with the mended pipeline"):
        report, kept, changed = lake.mend(history.log, folder)
    say(f"   {report.records_in:,} records in; {report.altered:,} rows altered")
    if any(lake.MONTH not in name for name in changed):
        say("   [bold red]files of other months changed[/]")
        return False
    say(
        f"   [bold green]untouched[/]: {kept:,} files have the bytes they had;"
        f" {len(changed)} of February are others"
    )
    with step("ask the lake with SQL"):
        rows = lake.ask(history.log, folder)
    for month, flights, cancelled, delay in rows:
        say(f"   LGA in {month}: {flights:,} flights, {cancelled:.1%} cancelled, {delay} min")
    return True


def say(text: str) -> None:
    """One line."""
    console.print(text)


@contextmanager
def step(title: str) -> Iterator[None]:
    """A step that is shown while it runs, with the time it took."""
    start = time.monotonic()
    with console.status(title):
        yield
    say(f"[bold]>[/] {title} [dim]{time.monotonic() - start:.1f} s[/]")


@contextmanager
def loading(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A step with a bar; yields what to call with the number of slots loaded."""
    columns = (
        TextColumn(title),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,} half-hours"),
        TimeElapsedColumn(),
    )
    start = time.monotonic()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=total)

        def seen(number: int) -> None:
            if number % 50 == 0 or number == total:
                progress.update(task, completed=number)

        yield seen
    say(f"[bold]>[/] {title} [dim]{time.monotonic() - start:.1f} s[/]")


if __name__ == "__main__":
    sys.exit(main())
