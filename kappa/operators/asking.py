"""Asking outside: what a step says of its calls, and what the runtime answers.

A step holds no thread and knows no clock (R4), so it does not call: it names its requests
and gets answers, from `OperatorContext.outside`. The runtime calls, with the concurrency,
time-outs and retries of `Call`, and keeps every answer in the log (`kappa.runtime.answers`).

A request is named by (step, LSN, digest of what is asked): equal requests that one append
causes are one request. So the answer belongs to the request, not to a row's place or to a
number of workers, and a changed pipeline finds it again as long as it asks the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from kappa.batch import field_names, plain, value_of
from kappa.codec import encode, encode_key
from kappa.errors import ConfigError
from kappa.time import Duration, duration_ms

CONCURRENCY = 16
TIMEOUT = "30s"
RETRIES = 2
RETRY_DELAY = "200ms"
BACKOFF = 2.0
MAX_DELAY = "30s"
JOURNAL = ("repeat", "refresh")
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Call:
    """How a function outside is called.

    Args:
        function: gets a row; a plain function, or one that gives an awaitable.
        concurrency: calls under way at once.
        timeout: of one attempt; None waits for ever.
        retries: attempts after the first.
        retry_delay: before the first retry.
        backoff: what the delay is multiplied by at each further one.
        max_delay: no delay is longer.
        retry_on: errors that are worth another attempt; `TimeoutError` for a time-out.

    Raises:
        ConfigError: a number that makes no sense.

    >>> call = Call(len, retries=4, retry_delay="1s", max_delay="5s")
    >>> [call.delay_ms(retry) for retry in (1, 2, 3, 4)]
    [1000, 2000, 4000, 5000]
    """

    function: Callable[[Any], Any]
    concurrency: int = CONCURRENCY
    timeout: Duration | None = TIMEOUT
    retries: int = RETRIES
    retry_delay: Duration = RETRY_DELAY
    backoff: float = BACKOFF
    max_delay: Duration = MAX_DELAY
    retry_on: tuple[type[Exception], ...] = (Exception,)
    timeout_ms: int | None = field(init=False, default=None)
    _delays_ms: tuple[int, int] = field(init=False, default=(0, 0))

    def __post_init__(self) -> None:
        for name, least in (("concurrency", 1), ("retries", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ConfigError(f"map_async: {name} is {value!r}, must be an int from {least} on")
        if self.backoff < 1:
            raise ConfigError(f"map_async: backoff is {self.backoff!r}, must be at least 1")
        if not all(isinstance(kind, type) for kind in self.retry_on):
            raise ConfigError(f"map_async: retry_on is {self.retry_on!r}: give a tuple of errors")
        if self.timeout is not None:
            timeout = duration_ms(self.timeout, name="timeout", minimum=1)
            object.__setattr__(self, "timeout_ms", timeout)
        first = duration_ms(self.retry_delay, name="retry_delay", minimum=0)
        longest = duration_ms(self.max_delay, name="max_delay", minimum=0)
        object.__setattr__(self, "_delays_ms", (first, longest))

    def delay_ms(self, retry: int) -> int:
        """How long to wait before a retry, from 1."""
        first, longest = self._delays_ms
        try:
            return min(longest, round(first * self.backoff ** (retry - 1)))
        except OverflowError:
            return longest


class Request(NamedTuple):
    """What a step asks: for which LSN, the digest that names it, and the function's row."""

    lsn: int
    digest: bytes
    row: Any


class Answer(NamedTuple):
    """What a function returned; or the error that was left after all attempts.

    Attributes:
        value: what it returned.
        error: why there is no value; None if there is one.
        cause: the last error, where it is at hand.
        size: bytes that it takes in the log, about.
    """

    value: Any = None
    error: str | None = None
    cause: BaseException | None = None
    size: int = 0


class CallFailed(Exception):
    """All attempts at a call failed; raised from the last error, where it is at hand."""


Answers = Mapping[tuple[int, bytes], Answer]
"""By LSN and digest."""


class Outside(Protocol):
    """What the runtime does for steps that ask."""

    def begin(self, first: int, last: int, *, closing: bool = False) -> None:
        """Says which LSNs the requests to come answer.

        Args:
            first, last: of one unit.
            closing: it is the closing of all windows behind `last`.
        """
        ...

    def close(self) -> None:
        """Lets go of calls under way."""
        ...

    def ask(
        self, step: str, call: Call, requests: Iterable[Request], *, keep_failures: bool
    ) -> Answers:
        """The answer to every request, each of which is another (LSN, digest).

        Args:
            step: its name, the address of its answers.
            call: how to call.
            requests: in the order of LSNs; all of a unit.
            keep_failures: a call that fails for good is an answer too; else the first one
                ends the asking, and only it and answers that came before are given.

        Raises:
            Stopped: the run was asked to stop; what had been answered is kept.
        """
        ...


def digest_of(value: Any) -> bytes:
    """A digest that names what is asked; equal for rows that differ in field order only.

    Raises:
        RecordRefused: it holds what cannot be stored.

    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}), len(digest_of(5))
    (True, 16)
    """
    value = plain(value)
    if isinstance(value, Mapping):
        value = dict(sorted(value.items(), key=lambda item: encode_key(item[0])))
    return hashlib.blake2b(encode(value), digest_size=DIGEST_BYTES).digest()


class Asked:
    """What of a row its request is: the fields that the function surely reads, or all."""

    __slots__ = ("fields",)

    def __init__(self, fields: frozenset[str] | None) -> None:
        self.fields = None if fields is None else sorted(fields)

    def __call__(self, row: Any) -> Any:
        """The request in a row."""
        if self.fields is None:
            return row
        known = field_names(row)
        return {name: value_of(row, name) for name in self.fields if name in known}
