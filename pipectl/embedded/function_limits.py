"""What Lambda refuses of a function's settings, before it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipectl.embedded import limits

if TYPE_CHECKING:
    from pipectl.embedded.workers import Function


def problems_of(function: Function) -> Iterator[str]:
    """Why Lambda would refuse a function's settings."""
    variables = json.dumps(dict(function.environment), separators=(",", ":"), ensure_ascii=False)
    if not limits.ENVIRONMENT.allows(limits.text_bytes(variables)):
        yield (
            "Lambda was unable to configure your environment variables because the environment"
            " variables you have provided exceeded the 4KB limit"
        )
    for name, limit, amount in (
        ("FunctionName", limits.FUNCTION_NAME, len(function.name)),
        ("MemorySize", limits.MEMORY, function.memory),
        ("EphemeralStorage.Size", limits.STORAGE, function.storage),
        ("Timeout", limits.TIMEOUT, function.timeout),
    ):
        what = "length" if limit is limits.FUNCTION_NAME else "value"
        if not limit.allows(amount):
            least, most = limit.least, limit.most
            bound = (
                f"greater than or equal to {least}"
                if amount < least
                else (f"less than or equal to {most}")
            )
            yield f"'{name}' value failed to satisfy constraint: Member must have {what} {bound}"
