"""Many small calls at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")

# Enough that latency does not count, and below what the services' smallest quotas allow a second.
AT_ONCE = 8


def side_by_side(call: Callable[[Argument], Result], arguments: Iterable[Argument]) -> list[Result]:
    """The results of a call for each argument, in the arguments' order."""
    waiting = list(arguments)
    if len(waiting) < 2:
        return [call(argument) for argument in waiting]
    with ThreadPoolExecutor(min(AT_ONCE, len(waiting))) as pool:
        return list(pool.map(call, waiting))
