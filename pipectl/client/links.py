"""Links to an execution in the AWS console, and to its functions' logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shared.executions import console_host

# Log lines of an execution's last state may be written shortly after its end.
_MARGIN = timedelta(minutes=1)


def log_url(function_arn: str, text: str, *, start: datetime, end: datetime) -> str:
    """A function's log lines that contain a text between two times, in the CloudWatch console."""
    _, partition, _, region, _, _, function = function_arn.split(":")[:7]
    # The console expects a special encoding in the fragment: percent-encoding with `$` for `%`.
    group = _twice(f"/aws/lambda/{function}")
    pattern = _twice(f'"{text}"')
    first = round((start - _MARGIN).timestamp() * 1000)
    last = round((end + _MARGIN).timestamp() * 1000)
    return (
        f"https://{console_host(partition, region)}/cloudwatch/home?region={region}"
        f"#logsV2:log-groups/log-group/{group}/log-events"
        f"$3FfilterPattern$3D{pattern}$26start$3D{first}$26end$3D{last}"
    )


def functions_of(events: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The ARN of the function that each state invoked, by state, from an execution's history."""
    found: dict[str, str] = {}
    state = ""
    for event in events:
        if "stateEnteredEventDetails" in event:
            state = event["stateEnteredEventDetails"]["name"]
        if "taskScheduledEventDetails" in event:
            parameters = json.loads(event["taskScheduledEventDetails"].get("parameters", "{}"))
            if "FunctionName" in parameters:
                found[state] = parameters["FunctionName"]
    return found


def log_files(folder: Path, function_arn: str) -> str | None:
    """The folder with the log files of an embedded function; None if it has never run."""
    path = folder / function_arn.rpartition(":")[2]
    return str(path) if path.exists() else None


def _twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="").replace("%", "$")
