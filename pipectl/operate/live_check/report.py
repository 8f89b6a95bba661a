"""The document of a live check, to attach to a report: versions, stack, and each check's result."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from pipectl.operate.live_check.run import Checked
from shared.job import iso

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack

MASK = "ACCOUNT"
# Their values say how the stack works. The others can have addresses, names and keys.
_SHOWN_PARAMETERS = (
    "ArchiveSource",
    "LogLevel",
    "MaxConcurrency",
    "MaxRejectCount",
    "MaxRejectPercent",
    "OutputFormat",
    "RequireContract",
    "ReservedConcurrency",
    "SplitSizeBytes",
)


def report_of(stack: Stack, checked: Checked, started: datetime, version: str) -> dict[str, Any]:
    """The document; the account's number is masked wherever it occurs."""
    parameters = stack.deployment.parameters
    document = {
        "started_at": iso(started),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "embedded": stack.emulated,
        "region": stack.region,
        "versions": {
            "pipectl": version,
            "boto3": boto3.__version__,
            "python": platform.python_version(),
        },
        "parameters": {
            name: value if name in _SHOWN_PARAMETERS else "(set)" if value else ""
            for name, value in sorted(parameters.items())
        },
        "checks": [result.to_document() for result in checked.results],
        "not_removed": checked.left,
        "interrupted": checked.interrupted,
    }
    masked: dict[str, Any] = _masked(document, stack.account)
    return masked


def _masked(value: Any, account: str) -> Any:
    if isinstance(value, str):
        return value.replace(account, MASK)
    if isinstance(value, Mapping):
        return {_masked(name, account): _masked(one, account) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(one, account) for one in value]
    return value
