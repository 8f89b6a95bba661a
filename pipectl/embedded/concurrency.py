"""Lambda's limit of concurrent executions, and the parts of it that functions reserve.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pipectl.errors import UsageError

# Lambda keeps this many for functions without a reservation, or all of a smaller limit. A new
# account has 10, so it can't reserve any.
LEAST_UNRESERVED = 100


class ThrottledError(Exception):
    """The limit is reached; the text is Lambda's name for the reason."""


class Concurrency:
    """Counts the running invocations. Safe to use from many threads."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit` is the account's; None means that there are only reservations."""
        self._limit = limit
        self._reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reserve(self, function: str, count: int) -> None:
        """Reserve a part of the limit for a function, which can use only that part.

        Raises `UsageError` if too little is left for the other functions, as Lambda does.
        """
        self._reserved[function] = count
        if self._limit is None:
            return
        least = min(LEAST_UNRESERVED, self._limit)
        if self._limit - sum(self._reserved.values()) < least:
            raise UsageError(
                f"Lambda can't reserve {count} concurrent executions for {function}: at least"
                f" {least} of the account's {self._limit} must stay unreserved."
            )

    def release(self, function: str) -> None:
        """End a function's reservation, if it has one."""
        self._reserved.pop(function, None)

    @contextmanager
    def slot(self, function: str) -> Iterator[None]:
        """Count as one concurrent execution inside the block.

        Raises `ThrottledError` if the function or the account has none left.
        """
        pool = function if function in self._reserved else ""
        with self._lock:
            room = self._room(pool)
            if room is not None and self._running[pool] >= room:
                raise ThrottledError(_RESERVED_REACHED if pool else _ACCOUNT_REACHED)
            self._running[pool] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[pool] -= 1

    def _room(self, pool: str) -> int | None:
        if pool in self._reserved:
            return self._reserved[pool]
        return None if self._limit is None else self._limit - sum(self._reserved.values())


# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_ACCOUNT_REACHED = "ConcurrentInvocationLimitExceeded"
_RESERVED_REACHED = "ReservedFunctionConcurrentInvocationLimitExceeded"
