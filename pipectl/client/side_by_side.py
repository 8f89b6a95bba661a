"""Runs many small calls in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")

# Enough to hide latency, and below the services' smallest quotas of requests per second.
AT_ONCE = 8


def side_by_side(call: Callable[[Argument], Result], arguments: Iterable[Argument]) -> list[Result]:
    """The results of the call for each argument, in the order of the arguments."""
    waiting = list(arguments)
    if len(waiting) < 2:
        return [call(argument) for argument in waiting]
    with ThreadPoolExecutor(min(AT_ONCE, len(waiting))) as pool:
        return list(pool.map(call, waiting))
