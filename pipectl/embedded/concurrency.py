"""How many invocations Lambda runs at once: the account's limit, and what functions reserve of it.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pipectl.errors import UsageError

# Lambda leaves this many to functions without a reservation, or all of a smaller limit. A new
# account has 10 and so can't reserve any.
LEAST_UNRESERVED = 100


class ThrottledError(Exception):
    """There is no room for another invocation; the text is Lambda's name of the reason."""


class Concurrency:
    """Counts the invocations that run. Safe to use from many threads."""

    def __init__(self, limit: int | None = None) -> None:
        """`limit` is the account's; None means that only reservations limit anything."""
        self._limit = limit
        self._reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reserve(self, function: str, count: int) -> None:
        """Reserve a part of the limit for a function, which may use that part only.

        Raises `UsageError` where Lambda would refuse because too little is left for the others.
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

    @contextmanager
    def slot(self, function: str) -> Iterator[None]:
        """Take one of the concurrent executions inside the block.

        Raises `ThrottledError` where the function, or the account, has none left.
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
        if pool:
            return self._reserved[pool]
        return None if self._limit is None else self._limit - sum(self._reserved.values())


# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_ACCOUNT_REACHED = "ConcurrentInvocationLimitExceeded"
_RESERVED_REACHED = "ReservedFunctionConcurrentInvocationLimitExceeded"
