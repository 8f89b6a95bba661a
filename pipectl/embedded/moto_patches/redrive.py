"""An emulation of RedriveExecution, which moto does not have.

The same execution continues, with its ARN and history, at the state in which it ended. From there
the workflow's definition is run again, with the document that the state was entered with and a
higher `RedriveCount` in the context object. AWS's preconditions are checked, except for the age of
the execution.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from pipectl.embedded import limits
from pipectl.embedded.lambda_service import Answer
from pipectl.embedded.moto_patches import events
from pipectl.embedded.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from pipectl.embedded.gateway import Gateway

_REDRIVABLE = ("FAILED", "ABORTED", "TIMED_OUT")

# A redrive checks the execution first and changes it afterwards.
_one_at_a_time = threading.Lock()


def extend(gateway: Gateway) -> None:
    """Let the gateway answer redrives, and report them in descriptions of executions."""
    gateway.operations["AWSStepFunctions.RedriveExecution"] = _redrive
    gateway.operations["AWSStepFunctions.DescribeStateMachineForExecution"] = _describe_machine
    gateway.amendments["AWSStepFunctions.DescribeExecution"] = _amend_description
    gateway.amendments["AWSStepFunctions.ListExecutions"] = _amend_list
    gateway.earlier["AWSStepFunctions.DescribeExecution"] = _earlier_description
    gateway.earlier["AWSStepFunctions.GetExecutionHistory"] = _earlier_history


def _redrive(request: dict[str, Any]) -> Answer:
    with _one_at_a_time:
        execution = _find(request["executionArn"])
        if execution is None:
            return _refusal("ExecutionDoesNotExist", "Execution Does Not Exist: '{}'", request)
        if execution.status not in _REDRIVABLE:
            text = f"Execution '{{}}' is {execution.status} and can't be redriven"
            return _refusal("ExecutionNotRedrivable", text, request)
        # `ExecutionRedriven` will be one more.
        if not limits.REDRIVEN_HISTORY.allows(_events(execution) + 1):
            text = "Execution '{}' has too many history events and can't be redriven"
            return _refusal(limits.REDRIVEN_HISTORY.refusal, text, request)
        now = datetime.now(UTC)
        _continue(execution, now)
    body = json.dumps({"redriveDate": now.timestamp()})
    return Answer(HTTPStatus.OK, body.encode())


def _events(execution: Any) -> int:
    return len(execution.exec_worker.env.event_manager.get_event_history())


def _describe_machine(request: dict[str, Any]) -> Answer:
    """The workflow that the execution was started with; moto returns the current one."""
    execution = _find(request["executionArn"])
    if execution is None:
        return _refusal("ExecutionDoesNotExist", "Execution Does Not Exist: '{}'", request)
    document = {
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.state_machine.name,
        "definition": _definition(execution),
        "roleArn": execution.role_arn,
        "updateDate": execution.start_date.timestamp(),
    }
    return Answer(HTTPStatus.OK, json.dumps(document).encode())


def _definition(execution: Any) -> str:
    """The definition that the execution was started with, which its redrives keep."""
    details = execution.exec_worker._evaluation_details  # moto has no public name for it
    return str(details.state_machine_details.definition)


def _refusal(code: str, text: str, request: dict[str, Any]) -> Answer:
    document = {"__type": code, "message": text.format(request["executionArn"])}
    return Answer(HTTPStatus.BAD_REQUEST, json.dumps(document).encode())


def _find(arn: str) -> Any:
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    for state_machine in backend.state_machines:
        for execution in state_machine.executions:
            if execution.exec_arn == arn:
                return execution
    return None


def _continue(execution: Any, now: datetime) -> None:
    before = execution.exec_worker
    definition = json.loads(_definition(execution))
    state, document = ended_in(before.env.event_manager.get_event_history(), definition)
    definition["StartAt"] = state
    execution.before_redrive = _end_of(execution)
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    execution.redrive_date = now
    execution.exec_status = ExecutionStatus.RUNNING
    execution.stop_date = execution.error = execution.cause = None
    worker: Any = _RedrivenWorker(execution, before, json.dumps(definition), document)
    execution.exec_worker = worker
    worker.start()
    events.emit_status(execution, started=True)


def ended_in(history: list[Any], definition: dict[str, Any]) -> tuple[str, Any]:
    """The workflow's state that was entered and not exited, and the document it was entered with.

    A stopped execution may have exited its last state; then that state is repeated.
    """
    entered: dict[str, Any] = {}
    started, *rest = history
    last = definition["StartAt"], json.loads(started["executionStartedEventDetails"]["input"])
    for event in rest:
        if "stateEnteredEventDetails" in event:
            details = event["stateEnteredEventDetails"]
            if details["name"] in definition["States"]:
                last = details["name"], json.loads(details["input"])
                entered[last[0]] = last[1]
        if "stateExitedEventDetails" in event:
            entered.pop(event["stateExitedEventDetails"]["name"], None)
    return next(reversed(entered.items()), last)


class _RedrivenWorker(ExecutionWorker):
    """Runs the rest of an execution."""

    env: Any

    def __init__(self, execution: Any, before: Any, definition: str, document: Any) -> None:
        super().__init__(
            evaluation_details=before._evaluation_details,  # the same execution
            exec_comm=execution._get_start_execution_worker_comm(),  # as it starts
            cloud_watch_logging_session=None,
            activity_store={},
        )
        self._redrive_count = execution.redrive_count
        self._redrive_date = execution.redrive_date
        self._definition = definition
        self._document = document
        # Keeps the history readable while this worker starts.
        self.env = before.env

    def _execution_logic(self) -> None:
        program = AmazonStateLanguageParser.parse(self._definition)[0]
        self.env = self._continued_environment(self.env)
        details: Any = {"executionRedrivenEventDetails": {"redriveCount": self._redrive_count}}
        self.env.event_manager.add_event(
            context=self.env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=details,
            update_source_event_id=False,
        )
        program.eval(self.env)
        self._execution_communication.terminated()

    def _continued_environment(self, before: Any) -> Any:
        """An environment that continues the history, with the state's document as input."""
        environment: Any = self._get_evaluation_environment()
        last = before.event_history_context.last_published_event_id
        environment.event_manager = before.event_manager
        environment.event_history_context = EventHistoryContext(previous_event_id=last)
        context = environment.states.context_object.context_object_data["Execution"]
        context["RedriveCount"] = self._redrive_count
        context["RedriveTime"] = self._redrive_date.isoformat()
        environment.states.reset(input_value=self._document)
        return environment


def _amend_description(answer: dict[str, Any]) -> dict[str, Any]:
    execution = _find(answer["executionArn"])
    if execution is None:
        return answer
    if execution.status in _REDRIVABLE:
        redrivable = {"redriveStatus": "REDRIVABLE"}
    else:
        reason = f"Execution is {execution.status} and cannot be redriven"
        redrivable = {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}
    return {**answer, **redrivable, **_of(execution)}


def _earlier_description(answer: dict[str, Any]) -> dict[str, Any] | Answer:
    """The description from before the execution's last change: its end, redrive or start."""
    redrives = int(answer["redriveCount"])
    if answer["status"] != "RUNNING":
        later = ("stopDate", "output", "outputDetails", "error", "cause")
        kept = {name: value for name, value in answer.items() if name not in later}
        reason = "Execution is RUNNING and cannot be redriven"
        redrivable = {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}
        return {**kept, **redrivable, "status": "RUNNING"}
    if not redrives:
        return _refusal("ExecutionDoesNotExist", "Execution Does Not Exist: '{}'", answer)
    end = _find(answer["executionArn"]).before_redrive
    return {**answer, **end, "redriveCount": redrives - 1, "redriveStatus": "REDRIVABLE"}


def _earlier_history(answer: dict[str, Any]) -> dict[str, Any]:
    """The history without its newest event, which is on the last page."""
    ids = [int(event["id"]) for event in answer["events"]]
    if "nextToken" in answer and ids == sorted(ids):
        return answer
    newest = max((int(event["id"]) for event in answer["events"]), default=0)
    return {**answer, "events": [e for e in answer["events"] if int(e["id"]) != newest]}


def _end_of(execution: Any) -> dict[str, Any]:
    """The end of an execution's current run, as in its description."""
    end = {"status": str(execution.status), "stopDate": execution.stop_date.timestamp()}
    reported = {"error": execution.error, "cause": execution.cause}
    return end | {name: value for name, value in reported.items() if value is not None}


def _amend_list(answer: dict[str, Any]) -> dict[str, Any]:
    # One pass over all executions, since there may be thousands.
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    by_arn = {
        execution.exec_arn: execution
        for state_machine in list(backend.state_machines)
        for execution in list(state_machine.executions)
    }
    items = [{**item, **_of(by_arn[item["executionArn"]])} for item in answer["executions"]]
    return {**answer, "executions": items}


def _of(execution: Any) -> dict[str, Any]:
    """The properties of an execution that moto's answers leave out."""
    amended: dict[str, Any] = {"redriveCount": getattr(execution, "redrive_count", 0)}
    if amended["redriveCount"]:
        amended["redriveDate"] = execution.redrive_date.timestamp()
    if execution.stop_date is not None:
        amended["stopDate"] = execution.stop_date.timestamp()
    return amended
