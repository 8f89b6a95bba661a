"""The workflow's executions: listed, described, redriven."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.client.aws_errors import error_code
from pipectl.client.history import STATUS
from shared.executions import attempt_name, execution_arn
from shared.job import readable_cause

if TYPE_CHECKING:
    from pipectl.client.stack import Stack

UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class Listed:
    """An execution as a list tells of it; `status` in this project's words (`succeeded` ...)."""

    arn: str
    name: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    redrive_count: int
    redriven_at: datetime | None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == "running"

    @property
    def duration_ms(self) -> int:
        """How long its last run took, or takes so far: what lay before a redrive does not count."""
        ended = self.ended_at or datetime.now(UTC)
        return round((ended - (self.redriven_at or self.started_at)).total_seconds() * 1000)


@dataclass(frozen=True)
class Described(Listed):
    """An execution as a description tells of it: with its document, its error and its output."""

    document: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    cause: str | None = None
    redrivable: bool = False
    redrive_reason: str | None = None

    @property
    def file_id(self) -> str | None:
        """The file that it runs; None for an input that is no state document."""
        file_id = self.document.get("file_id")
        return file_id if isinstance(file_id, str) else None


class Executions:
    """Asks Step Functions about the executions of a stack's workflow."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client("stepfunctions")
        self._machine = stack.output("StateMachineArn")
        self._present_definition: Any = None

    def arn(self, name: str) -> str:
        """The ARN of the execution of this name."""
        return execution_arn(self._machine, name)

    def listed(
        self, *, status: str | None = None, since: datetime | None = None
    ) -> Iterator[Listed]:
        """The executions (of one status, as AWS names it), the latest first.

        With `since`, those that have run since then. Step Functions lists running executions by
        their start and others by their end, so a page of older ones is the last.
        """
        request: dict[str, Any] = {"stateMachineArn": self._machine}
        if status is not None:
            request["statusFilter"] = status
        for page in self._client.get_paginator("list_executions").paginate(**request):
            found = [_listed(item) for item in page["executions"]]
            recent = [one for one in found if since is None or (one.ended_at or since) >= since]
            yield from recent
            if found and not recent:
                return

    def running(self) -> list[Listed]:
        """All executions that have not ended."""
        return list(self.listed(status="RUNNING"))

    def describe(self, name_or_arn: str) -> Described | None:
        """An execution by its name or ARN; None where there is none (any more)."""
        arn = name_or_arn if name_or_arn.startswith("arn:") else self.arn(name_or_arn)
        try:
            answer = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
        return _described(answer)

    def attempts(self, file_id: str, highest: int) -> list[Described]:
        """All attempts of a file by their names, of which `highest` at least was made."""
        found: list[Described] = []
        number = 1
        while True:
            described = self.describe(attempt_name(file_id, number))
            if described is not None:
                found.append(described)
            elif number > highest:
                return found
            number += 1

    def history(self, arn: str) -> Iterator[Mapping[str, Any]]:
        """The events of an execution, in order."""
        pages = self._client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return (event for page in pages for event in page["events"])

    def has_present_definition(self, arn: str) -> bool:
        """Whether the execution's workflow is still the one that new executions get.

        A redrive uses the definition that the execution was started with.
        """
        if self._present_definition is None:
            machine = self._client.describe_state_machine(stateMachineArn=self._machine)
            self._present_definition = json.loads(machine["definition"])
        own = self._client.describe_state_machine_for_execution(executionArn=arn)
        return bool(json.loads(own["definition"]) == self._present_definition)

    def redrive(self, arn: str) -> None:
        """Redrive an execution; raises ClientError where it can't be."""
        self._client.redrive_execution(executionArn=arn)


def _listed(item: Mapping[str, Any]) -> Listed:
    return Listed(**_common(item))


def _common(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "arn": item["executionArn"],
        "name": item["name"],
        "status": STATUS[item["status"]],
        "started_at": item["startDate"],
        "ended_at": None if STATUS[item["status"]] == "running" else item.get("stopDate"),
        "redrive_count": int(item.get("redriveCount", 0)),
        "redriven_at": item.get("redriveDate"),
    }


def _described(answer: Mapping[str, Any]) -> Described:
    try:
        document = json.loads(answer.get("input", "{}"))
    except ValueError:
        document = {}
    return Described(
        **_common(answer),
        document=document if isinstance(document, dict) else {},
        error=answer.get("error"),
        cause=readable_cause(answer["cause"]) if "cause" in answer else None,
        redrivable=answer.get("redriveStatus") == "REDRIVABLE",
        redrive_reason=answer.get("redriveStatusReason"),
    )
