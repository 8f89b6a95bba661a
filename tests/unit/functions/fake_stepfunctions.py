"""Step Functions as far as the starter sees it, answering as the API reference says."""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

from tests.unit.functions.conftest import client_error

STARTED = datetime(2026, 3, 1, 8, tzinfo=UTC)


class FakeStepFunctions:
    """Executions by name. The name stays taken; the same input while running is no error.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """

    def __init__(self) -> None:
        self.started: list[str] = []
        self.inputs: dict[str, str] = {}
        self.statuses: dict[str, str] = {}
        self.described: list[str] = []
        self.redrives: dict[str, int] = {}
        self._stale: dict[str, str | None] = {}
        self._errors: deque[Exception | None] = deque()

    def answer(self, *errors: Exception | None) -> None:
        """Raise these from the next calls of StartExecution; None lets that call work."""
        self._errors.extend(errors)

    def ended(self, status: str, *names: str) -> None:
        """Executions of these names exist and have this status."""
        for name in names:
            self.statuses[name] = status
            self.inputs.setdefault(name, "{}")

    def redriven(self, name: str, times: int) -> None:
        """Let the execution have this number of redrives, and run with its original input."""
        self.statuses[name] = "RUNNING"
        self.redrives[name] = times

    def shows(self, name: str, status: str | None) -> None:
        """DescribeExecution still shows this status, or no such execution."""
        self._stale[name] = status

    def document(self, name: str) -> dict[str, Any]:
        """The input that an execution was started with."""
        return dict(json.loads(self.inputs[name]))

    # The API's own parameter names.
    def start_execution(self, stateMachineArn: str, name: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        error = self._errors.popleft() if self._errors else None
        if error:
            raise error
        if name in self.statuses:
            if self.statuses[name] == "RUNNING" and self.inputs[name] == input:
                return {"executionArn": name}
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.started.append(name)
        self.inputs[name] = input
        self.statuses[name] = "RUNNING"
        return {"executionArn": f"{stateMachineArn}:{name}"}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        prefix, _, name = executionArn.rpartition(":")
        assert ":execution:" in prefix
        self.described.append(name)
        status = self._stale.get(name, self.statuses.get(name))
        if status is None:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        return {
            "executionArn": executionArn,
            "status": status,
            "startDate": STARTED,
            "input": self.inputs[name],
            "redriveCount": self.redrives.get(name, 0),
        }
