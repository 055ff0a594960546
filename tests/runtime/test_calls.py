"""Calls under way: concurrency, time-outs, retries, and threads that do not come back.

Method: functions that wait for each other (barriers) or for the test (events), never for the
clock; where a time-out is what is tested it is a millisecond.
"""

from __future__ import annotations

import asyncio
import threading

import pytest

from kappa.errors import ConfigError
from kappa.operators.asking import Answer, Call
from kappa.runtime.calls import MAX_ANSWER_BYTES, MAX_ERROR_CHARS, Calls

SAFETY_SECONDS = 20
"""Breaks a deadlock that a bug would be; nothing waits this long."""


@pytest.fixture
def calls():
    made = Calls()
    yield made
    made.close()


def answers(calls: Calls, call: Call, rows: list) -> list[Answer]:
    found = dict(done for done in calls.run(call, rows) if done is not None)
    return [found[index] for index in range(len(rows))]


def test_as_many_plain_calls_at_once_as_said_and_no_more(calls):
    together = threading.Barrier(4, timeout=SAFETY_SECONDS)
    under_way, most, lock = 0, 0, threading.Lock()

    def function(row):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait()
        with lock:
            under_way -= 1
        return row * 10

    found = answers(calls, Call(function, concurrency=4, timeout=None), list(range(16)))
    assert [answer.value for answer in found] == [row * 10 for row in range(16)]
    assert most == 4


def test_as_many_coroutines_at_once_as_said_and_no_more(calls):
    waiting: list[asyncio.Future] = []
    most = 0

    async def function(row):
        nonlocal most
        future = asyncio.get_running_loop().create_future()
        waiting.append(future)
        most = max(most, len(waiting))
        if len(waiting) == 5:
            for one in waiting:
                one.set_result(None)
            waiting.clear()
        await future
        return row

    found = answers(calls, Call(function, concurrency=5), list(range(20)))
    assert [answer.value for answer in found] == list(range(20))
    assert most == 5


def test_a_plain_function_may_give_an_awaitable(calls):
    async def later(row):
        return row + 1

    assert answers(calls, Call(lambda row: later(row)), [1])[0].value == 2


class Later:
    async def __call__(self, row):
        return row + 1


def test_an_object_may_be_called(calls):
    assert answers(calls, Call(Later()), [1])[0].value == 2


def test_a_coroutine_that_takes_too_long_is_cancelled_and_tried_again(calls):
    tried, cancelled = [], []

    async def function(row):
        tried.append(row)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(row)
            raise

    call = Call(function, timeout="1ms", retries=2, retry_delay=0)
    (answer,) = answers(calls, call, [7])
    assert answer.error == "no answer after 3 attempts: TimeoutError: nothing within 1ms"
    assert tried == cancelled == [7, 7, 7]


def test_a_thread_that_takes_too_long_is_left_behind_and_taken_back(calls):
    go_on = threading.Event()
    threads = []

    def function(row):
        threads.append(threading.current_thread())
        if len(threads) == 1:
            go_on.wait(SAFETY_SECONDS)
        return row

    call = Call(function, concurrency=1, timeout="50ms", retries=1, retry_delay=0)
    (answer,) = answers(calls, call, [7])
    assert answer.value == 7
    assert threads[0] is not threads[1]
    pool = calls._pools[id(call)]
    assert pool.left == 1
    go_on.set()
    while pool.left:  # until the function has returned
        assert answers(calls, call, [8])[0].value == 8
    assert set(threads) == set(threads[:2]), "no third thread was needed"


def test_threads_are_no_more_than_twice_the_calls_whatever_hangs(calls):
    go_on = threading.Event()
    began = []

    def function(row):
        began.append(row)
        go_on.wait(SAFETY_SECONDS)

    call = Call(function, concurrency=2, timeout="5ms", retries=0)
    found = answers(calls, call, list(range(10)))
    assert all("nothing within 5ms" in answer.error for answer in found)
    assert "3 earlier ones still hold their threads" in found[-1].error
    assert len(began) == 4
    go_on.set()


def test_a_call_is_tried_again_until_it_answers(calls):
    tried = []

    def function(row):
        tried.append(row)
        if len(tried) < 3:
            raise OSError("busy")
        return row

    assert answers(calls, Call(function, retries=2, retry_delay=0), ["a"]) == [Answer("a", size=2)]
    assert tried == ["a"] * 3


def test_only_errors_that_are_worth_it_are_tried_again(calls):
    tried = []

    def function(row):
        tried.append(row)
        raise ValueError("no such user")

    call = Call(function, retries=5, retry_delay=0, retry_on=(OSError,))
    (answer,) = answers(calls, call, [1])
    assert answer.error == "no answer: ValueError: no such user"
    assert isinstance(answer.cause, ValueError)
    assert tried == [1]


def test_a_time_out_of_the_functions_own_says_what_it_said(calls):
    async def function(row):
        raise TimeoutError("the database is slow")

    (answer,) = answers(calls, Call(function, retries=0), [1])
    assert answer.error == "no answer: TimeoutError: the database is slow"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, StopIteration])
def test_an_exit_in_a_call_is_a_failure_of_that_call(calls, kind):
    def plain(row):
        raise kind("here")

    async def coroutine(row):
        raise kind("here")

    for function in (plain, coroutine):
        (answer,) = answers(calls, Call(function, retries=0), [1])
        assert kind.__name__ in answer.error
    assert answers(calls, Call(lambda row: row), [5])[0].value == 5


def test_a_coroutine_that_was_cancelled_from_within_is_a_failure_of_that_call(calls):
    async def function(row):
        raise asyncio.CancelledError

    (answer,) = answers(calls, Call(function, retries=0), [1])
    assert answer.error == "no answer: CancelledError"


def test_an_answer_that_cannot_be_kept_is_refused_at_once(calls):
    tried = []

    def function(row):
        tried.append(row)
        return row

    found = answers(calls, Call(function, retry_delay=0), [object(), b"x" * MAX_ANSWER_BYTES])
    assert "the answer cannot be kept: object cannot be stored" in found[0].error
    assert "allowed are" in found[1].error
    assert len(tried) == 2


def test_an_answer_is_what_the_log_will_give_back(calls):
    given = {"tags": ["a"]}
    (answer,) = answers(calls, Call(lambda row: given), [1])
    given["tags"].append("changed afterwards")
    assert answer.value == {"tags": ["a"]}


def test_an_error_of_any_text_is_short_and_can_be_stored(calls):
    def function(row):
        raise ValueError("\ud800" * 10_000)

    (answer,) = answers(calls, Call(function, retries=0), [1])
    assert len(answer.error) < 10 * MAX_ERROR_CHARS
    answer.error.encode()


def test_letting_go_cancels_what_is_under_way(calls):
    cancelled = threading.Event()

    async def function(row):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    running = calls.run(Call(function), [1, 2])
    assert next(running) is None
    running.close()
    assert cancelled.wait(SAFETY_SECONDS)


def test_the_loop_is_one_for_all_calls_of_a_run(calls):
    async def function(row):
        return id(asyncio.get_running_loop())

    first = answers(calls, Call(function), [1, 2])
    second = answers(calls, Call(function), [3])
    assert len({answer.value for answer in first + second}) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 1.5}, "concurrency is 1.5"),
        ({"retries": -1}, "retries is -1"),
        ({"timeout": 0}, "timeout"),
        ({"backoff": 0.5}, "backoff is 0.5"),
        ({"retry_delay": "-1s"}, "retry_delay"),
        ({"retry_on": (1,)}, "retry_on is"),
    ],
)
def test_what_makes_no_sense_is_refused(options, text):
    with pytest.raises(ConfigError, match=text):
        Call(len, **options)


def test_delays_grow_up_to_the_longest_and_never_overflow():
    call = Call(len, retry_delay="100ms", backoff=3, max_delay="1s")
    assert [call.delay_ms(retry) for retry in (1, 2, 3, 4)] == [100, 300, 900, 1000]
    assert Call(len, backoff=1e300).delay_ms(10) == 30_000


def test_once_stopped_no_call_begins():
    stop, begun = threading.Event(), []

    def last(row):
        begun.append(row)
        stop.set()
        return row

    calls = Calls()
    underway = calls.run(Call(last, concurrency=1), range(5), stop)
    assert next(one for one in underway if one is not None)[0] == 0
    assert next(underway) is None
    assert begun == [0]
    underway.close()
    calls.close()
