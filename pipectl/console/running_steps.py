"""The steps that running executions are in."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pipectl.client.side_by_side import side_by_side
from pipectl.operate.list_executions import ExecutionRow

# Reading the step of a running execution takes a call or two.
_MOST_STEPS = 16
_STEP_SECONDS = 1.5


class RunningSteps:
    """The steps that running executions are in. Safe to use from many threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, str | None]] = {}

    def read(self, rows: Sequence[ExecutionRow]) -> Mapping[str, str | None]:
        """The step of each running execution among the rows, by ARN."""
        running = [row.execution.arn for row in rows if row.execution.running][:_MOST_STEPS]
        now = time.monotonic()
        with self._lock:
            known = {arn: self._known[arn] for arn in running if arn in self._known}
        old = [arn for arn in running if arn not in known or now - known[arn][0] > _STEP_SECONDS]
        found = dict(zip(old, side_by_side(self._step, old), strict=True))
        with self._lock:
            self._known = {
                arn: (now, found[arn]) if arn in found else known[arn] for arn in running
            }
            return {arn: step for arn, (_, step) in self._known.items()}

    def _step(self, arn: str) -> str | None:
        try:
            answer = self._client.get_execution_history(
                executionArn=arn, reverseOrder=True, maxResults=50
            )
        except ClientError:
            return None
        run = None
        for event in answer["events"]:
            if "mapRunStartedEventDetails" in event:
                run = event["mapRunStartedEventDetails"]["mapRunArn"]
            if "stateEnteredEventDetails" in event:
                name = str(event["stateEnteredEventDetails"]["name"])
                return name + (self._progress(run) if run else "")
        return None

    def _progress(self, arn: str) -> str:
        try:
            counts = self._client.describe_map_run(mapRunArn=arn)["itemCounts"]
        except ClientError:
            return ""
        return f", {counts['succeeded']:,} of {counts['total']:,} splits"
