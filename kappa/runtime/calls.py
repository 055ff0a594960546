"""Calls under way: an event loop in a thread of its own, plain functions in threads.

The loop is there from the first call to the end of the run, so that what a function keeps
open in it (a session, a pool) lasts. A plain function cannot be interrupted: when its time
is up its thread is left behind, and taken back once the function returns. Threads are
daemons, so that one that hangs does not keep the process. No result depends on any of it:
answers come in whatever order and are put in their rows' places by who asked.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

from kappa.batch import describe_error
from kappa.codec import decode, encode
from kappa.errors import RecordRefused
from kappa.operators.asking import Answer, Call
from kappa.time import format_duration

POLL_SECONDS = 0.05
"""How soon a stop is seen while nothing comes."""

CLOSE_SECONDS = 1.0
"""How long the end of a run waits for a loop that a function blocks."""

THREADS_PER_CALL = 2
"""Threads for a plain function, as a multiple of `concurrency`: the rest may be left behind."""

MAX_ANSWER_BYTES = 16 << 20
"""A larger answer is refused; what goes beyond belongs into a file or a database."""

MAX_ERROR_CHARS = 2_000

Done = tuple[int, Answer]


class Calls:
    """Carries calls out. Nothing is started before the first one.

    >>> calls = Calls()
    >>> found = dict(filter(None, calls.run(Call(lambda n: n * n), [2, 3])))
    >>> found[0].value, found[1].value
    (4, 9)
    >>> calls.close()
    """

    def __init__(self, *, threads_per_call: int = THREADS_PER_CALL) -> None:
        self._threads_per_call = threads_per_call
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._pools: dict[int, Threads] = {}

    def run(
        self, call: Call, rows: Sequence[Any], stop: threading.Event | None = None
    ) -> Generator[Done | None, None, None]:
        """Answers by the row's index, as they come; None now and then while none does.

        Closing the iterator lets go of the calls that are under way.

        Args:
            call: what to do with each row.
            rows: what the function gets.
            stop: once set, no call begins; what is under way still comes.
        """
        if not rows:
            return
        done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        work = asyncio.run_coroutine_threadsafe(self._all(call, rows, done, stop), self._started())
        try:
            for _ in rows:
                while True:
                    try:
                        yield done.get(timeout=POLL_SECONDS)
                        break
                    except queue.Empty:
                        if work.done() and done.empty():
                            work.result()  # a bug of ours: say it instead of waiting for ever
                        yield None
        finally:
            work.cancel()

    def close(self) -> None:
        """Cancels what is under way and ends the loop; threads that hang are left."""
        if self._loop is None or self._thread is None or self._ended is None:
            return
        for pool in self._pools.values():
            pool.close()
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(CLOSE_SECONDS)
        self._loop = None

    # -- in the loop's thread ------------------------------------------------------------

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            ready = threading.Event()
            self._thread = threading.Thread(
                target=self._serve, args=(ready,), name="kappa calls", daemon=True
            )
            self._thread.start()
            ready.wait()
        assert self._loop is not None
        return self._loop

    def _serve(self, ready: threading.Event) -> None:
        async def until_ended() -> None:
            self._loop = asyncio.get_running_loop()
            self._ended = asyncio.Event()
            ready.set()
            await self._ended.wait()

        asyncio.run(until_ended())

    async def _all(
        self,
        call: Call,
        rows: Sequence[Any],
        done: queue.SimpleQueue[Done],
        stop: threading.Event | None,
    ) -> None:
        left = iter(enumerate(rows))

        async def work() -> None:
            for index, row in left:
                if stop is not None and stop.is_set():
                    return
                done.put((index, await self._answer(call, row)))

        await asyncio.gather(*(work() for _ in range(min(call.concurrency, len(rows)))))

    async def _answer(self, call: Call, row: Any) -> Answer:
        for attempt in range(call.retries + 1):
            if attempt:
                await asyncio.sleep(call.delay_ms(attempt) / 1000)
            try:
                value = await self._attempt(call, row)
            except BaseException as error:
                if let_go(error):
                    raise
                last = error
                if not isinstance(error, call.retry_on):
                    break
            else:
                return kept(value)
        tries = "" if attempt == 0 else f" after {attempt + 1} attempts"
        return failed(f"no answer{tries}: {describe_error(last)}", last)

    async def _attempt(self, call: Call, row: Any) -> Any:
        limit = None if call.timeout_ms is None else call.timeout_ms / 1000
        try:
            async with asyncio.timeout(limit) as timer:
                if inspect.iscoroutinefunction(call.function):
                    return await call.function(row)
                found = await self._pool(call).call(call.function, row)
                return await found if inspect.isawaitable(found) else found
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise TimeoutError(self._late(call)) from error

    def _late(self, call: Call) -> str:
        pool = self._pools.get(id(call))
        left = pool.left - 1 if pool else 0
        more = f"; {left} earlier ones still hold their threads" if left > 0 else ""
        return f"nothing within {format_duration(call.timeout_ms or 0)}{more}"

    def _pool(self, call: Call) -> Threads:
        found = self._pools.get(id(call))
        if found is None:
            most = call.concurrency * self._threads_per_call
            found = self._pools[id(call)] = Threads(most)
        return found


def kept(value: Any) -> Answer:
    """The answer as it will be read back from the log, so that a replay gets no other."""
    try:
        data = encode(value)
    except RecordRefused as error:
        return failed(f"the answer cannot be kept: {error}", error)
    if len(data) > MAX_ANSWER_BYTES:
        size = f"it has {len(data)} bytes, allowed are {MAX_ANSWER_BYTES}"
        return failed(f"the answer cannot be kept: {size}", None)
    return Answer(decode(data), size=len(data))


def failed(text: str, cause: BaseException | None) -> Answer:
    """A call that gave no answer; its text is short enough and can be stored."""
    clean = text[:MAX_ERROR_CHARS].encode("utf-8", "backslashreplace").decode()
    return Answer(error=clean, cause=cause, size=len(clean))


def let_go(error: BaseException) -> bool:
    """Whether the calls under way are being cancelled; a function's own error is not that."""
    if isinstance(error, GeneratorExit):
        return True
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


class Threads:
    """Threads for functions that block; used from one event loop alone.

    Args:
        most: how many there may be, those included that were left behind.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.left = 0
        self._count = 0
        self._free: asyncio.LifoQueue[queue.SimpleQueue[Any]] = asyncio.LifoQueue()
        self._inboxes: list[queue.SimpleQueue[Any]] = []

    async def call(self, function: Callable[[Any], Any], row: Any) -> Any:
        """What the function gives; cancelled, its thread is left behind until it returns."""
        if self._free.empty() and self._count < self.most:
            self._start()
        inbox = await self._free.get()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def returned(value: Any, error: Exception | None) -> None:
            self._free.put_nowait(inbox)
            if future.cancelled():
                self.left -= 1
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

        inbox.put((function, row, loop, returned))
        try:
            return await future
        except asyncio.CancelledError:
            self.left += 1
            raise

    def close(self) -> None:
        """Ends the threads, each once its function has returned."""
        for inbox in self._inboxes:
            inbox.put(None)

    def _start(self) -> None:
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._count += 1
        self._inboxes.append(inbox)
        self._free.put_nowait(inbox)
        threading.Thread(target=_work, args=(inbox,), name="kappa call", daemon=True).start()


def _work(inbox: queue.SimpleQueue[Any]) -> None:
    while (job := inbox.get()) is not None:
        function, row, loop, returned = job
        value: Any = None
        error: Exception | None = None
        try:
            value = function(row)
        except BaseException as caught:  # in a thread of ours there is nobody to exit for
            plain = isinstance(caught, Exception) and not isinstance(caught, StopIteration)
            error = caught if plain else RuntimeError(f"it raised {describe_error(caught)}")  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(returned, value, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return
