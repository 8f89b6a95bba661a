"""The workflow's executions: list, describe and redrive them, and read their histories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.client.history import STATUS, Run, read_history
from pipectl.errors import PipectlError
from shared.errors import error_code
from shared.executions import attempt_name, execution_arn
from shared.job import readable_cause

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from pipectl.client.targets import Target

UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class ListedExecution:
    """An execution as Step Functions lists it; `status` is `running`, `succeeded`, `failed` ..."""

    arn: str
    name: str
    status: str
    started_at: datetime
    ended_at: datetime | None = None
    redrive_count: int = 0
    redriven_at: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == "running"

    @property
    def duration_ms(self) -> int:
        """How long its last run took, or has taken so far: from its start or last redrive."""
        ended = self.ended_at or datetime.now(UTC)
        return round((ended - (self.redriven_at or self.started_at)).total_seconds() * 1000)


@dataclass(frozen=True)
class DescribedExecution(ListedExecution):
    """An execution as Step Functions describes it; `document` is the state document it began with.

    `cause` is the error's sentence. `redrive_reason` says why it is not `redrivable`.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    cause: str | None = None
    redrivable: bool = False
    redrive_reason: str | None = None

    @property
    def file_id(self) -> str | None:
        """The file that it processes; None if its input is not a state document."""
        file_id = self.document.get("file_id")
        return file_id if isinstance(file_id, str) else None

    @property
    def source(self) -> Mapping[str, Any]:
        """The object it processes: bucket, key, version_id and more; empty if unknown."""
        source = self.document.get("source")
        return source if isinstance(source, Mapping) else {}


class Executions:
    """The executions of a stack's workflow."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client("stepfunctions")
        self._machine = stack.output("StateMachineArn")
        self._present_definition: Any = None
        self._described: dict[str, DescribedExecution] = {}

    def arn(self, name: str) -> str:
        """The ARN of the execution of this name."""
        return execution_arn(self._machine, name)

    def listed(
        self,
        *,
        status: str | None = None,
        since: datetime | None = None,
        at_once: int = 100,
    ) -> Iterator[ListedExecution]:
        """The executions, newest first; `status` as AWS names it, such as `TIMED_OUT`.

        Each call to AWS reads `at_once` of them, at most 1,000.

        With `since`, only those that ran since then. Step Functions lists running executions by
        start and ended ones by end, so a page that has only older ones is the last one to read.
        """
        request: dict[str, Any] = {"stateMachineArn": self._machine}
        if status is not None:
            request["statusFilter"] = status
        for page in self._client.get_paginator("list_executions").paginate(
            **request, PaginationConfig={"PageSize": at_once}
        ):
            found = [_listed(item) for item in page["executions"]]
            recent = [one for one in found if since is None or (one.ended_at or since) >= since]
            yield from recent
            if found and not recent:
                return

    def running(self) -> list[ListedExecution]:
        """All executions that have not ended."""
        return list(self.listed(status="RUNNING"))

    def all(self) -> Iterator[DescribedExecution]:
        """All executions, newest first.

        Each is described once, and again when the list shows another status or redrive count, so
        calling this repeatedly takes few calls.
        """
        for listed in self.listed():
            known = self._described.get(listed.arn)
            if known is None or (known.status, known.redrive_count) != (
                listed.status,
                listed.redrive_count,
            ):
                known = self.describe(listed.arn)
            if known is not None:
                self._described[listed.arn] = known
                yield known

    def describe(self, name_or_arn: str) -> DescribedExecution | None:
        """The execution of this name or ARN; None if it does not exist or no longer exists."""
        arn = name_or_arn if name_or_arn.startswith("arn:") else self.arn(name_or_arn)
        try:
            answer = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return None
            raise
        return _described(answer)

    def named(self, target: Target) -> DescribedExecution:
        """The execution that a command line names; raises `PipectlError` if there is none."""
        execution = self.describe(str(target.execution))
        if execution is None:
            raise PipectlError(
                f"There is no execution {target.text}. Step Functions keeps executions for 90 days."
                " List them with: pipectl executions"
            )
        return execution

    def attempts(self, file_id: str, at_least: int) -> list[DescribedExecution]:
        """The executions of a file's attempts, in order; gaps end the search after `at_least`."""
        found: list[DescribedExecution] = []
        number = 1
        while True:
            described = self.describe(attempt_name(file_id, number))
            if described is not None:
                found.append(described)
            elif number > at_least:
                return found
            number += 1

    def history(self, arn: str) -> Iterator[Mapping[str, Any]]:
        """The events of an execution, in order."""
        pages = self._client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return (event for page in pages for event in page["events"])

    def run(self, execution: ListedExecution) -> Run:
        """An execution's history, read."""
        return read_history(self.history(execution.arn), execution.status)

    def has_present_definition(self, arn: str) -> bool:
        """Whether the execution was started with the definition that the workflow has now.

        A redrive uses the definition that the execution was started with.
        """
        if self._present_definition is None:
            machine = self._client.describe_state_machine(stateMachineArn=self._machine)
            self._present_definition = json.loads(machine["definition"])
        return bool(self.definition_of(arn) == self._present_definition)

    def definition_of(self, arn: str) -> dict[str, Any]:
        """The definition that the execution was started with."""
        answer = self._client.describe_state_machine_for_execution(executionArn=arn)
        return dict(json.loads(answer["definition"]))

    def redrive(self, arn: str) -> None:
        """Redrive an execution; raises ClientError if it can't be redriven."""
        self._client.redrive_execution(executionArn=arn)


def _listed(item: Mapping[str, Any]) -> ListedExecution:
    return ListedExecution(**_common(item))


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


def _described(answer: Mapping[str, Any]) -> DescribedExecution:
    try:
        document = json.loads(answer.get("input", "{}"))
    except (ValueError, RecursionError):
        document = {}
    return DescribedExecution(
        **_common(answer),
        document=document if isinstance(document, dict) else {},
        error=answer.get("error"),
        cause=readable_cause(answer["cause"]) if "cause" in answer else None,
        redrivable=answer.get("redriveStatus") == "REDRIVABLE",
        redrive_reason=answer.get("redriveStatusReason"),
    )
