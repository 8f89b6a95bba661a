"""Step Functions' executions as documents for the folder of `pipectl up --data`, and back.

A document has what DescribeExecution, GetExecutionHistory and DescribeMapRun return, and the digest
of the workflow that the execution was started with, which has a document of its own.

An execution that was running when the stack ended can't continue where it was: its step may have
been done in part. It is ABORTED when the stack is up again, and can be redriven like any other.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType, StateMachineType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (  # noqa: E501  # a module's name
    ExecutionCounter,
    ItemCounter,
    MapRunRecord,
)
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.moto_patches import events
from pipectl.embedded.saving import Kept
from pipectl.embedded.template import ACCOUNT, REGION

KIND, WORKFLOW = "execution", "workflow"

_STOPPED_ERROR = "Stack.Stopped"
_STOPPED_CAUSE = (
    "The embedded stack was stopped while this execution was running. Redrive it to continue at the"
    " step that it was in."
)


def listed() -> list[Kept]:
    """All executions, and the workflows that they were started with."""
    kept = []
    workflows: dict[str, str] = {}
    for machine in _machines():
        for number, execution in enumerate(list(machine.executions)):
            if execution.exec_status is None:
                continue
            text = _workflow(execution)
            workflow = _digest(text)
            workflows[workflow] = text
            history = _history(execution)
            version = (
                str(execution.status),
                getattr(execution, "redrive_count", 0),
                len(history),
                execution.stop_date,
            )
            name = Name(KIND, execution.exec_arn)
            describe = partial(_described, execution, number, workflow, history)
            if execution.stop_date is None:
                # As it is now: later, it may be ahead of the objects that it makes.
                kept.append(Kept.of(name, describe(), version))
            else:
                kept.append(Kept(name, describe, version))
    for digest, text in workflows.items():
        kept.append(Kept.of(Name(WORKFLOW, digest), text, version=digest))
    return kept


def restore(folder: DataFolder) -> list[Any]:
    """Add the executions to their state machines; returns those that were running.

    These are ABORTED now. `report` sends their status change to EventBridge.

    Raises `PipectlError` if the stack has no such state machine.
    """
    workflows = dict(folder.documents(WORKFLOW))
    machines = {machine.arn: machine for machine in _machines()}
    found = [document for _, document in folder.documents(KIND)]
    interrupted = []
    for document in sorted(found, key=lambda one: one["number"]):
        arn = document["machine"]
        if arn not in machines:
            raise folder.of_another_stack(f"the state machine {arn}")
        execution = _made(machines[arn], document, workflows[document["workflow"]])
        if execution.exec_status == ExecutionStatus.RUNNING:
            _abort(execution)
            interrupted.append(execution)
        machines[arn].executions.append(execution)
    return interrupted


def report(execution: Any) -> None:
    """Report the status of an execution to EventBridge."""
    events.emit_status(execution)


def _machines() -> list[Any]:
    backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
    return list(backend.state_machines)


def _workflow(execution: Any) -> str:
    details = execution.exec_worker._evaluation_details  # moto has no public name for it
    return str(details.state_machine_details.definition)


def _history(execution: Any) -> list[Any]:
    environment = execution.exec_worker.env
    if environment is None:
        return []
    history: list[Any] = environment.event_manager.get_event_history()
    return history


def _described(execution: Any, number: int, workflow: str, history: list[Any]) -> dict[str, Any]:
    environment = execution.exec_worker.env
    runs = environment.map_run_record_pool_manager.get_all() if environment else []
    redrives = getattr(execution, "redrive_count", 0)
    return {
        "number": number,
        "machine": execution.state_machine.arn,
        "name": execution.name,
        "type": execution.sm_type,
        "role": execution.role_arn,
        "status": str(execution.status),
        "started": execution.start_date.isoformat(),
        "stopped": execution.stop_date.isoformat() if execution.stop_date else None,
        "input": execution.execution_input,
        "trace_header": execution.trace_header,
        "output": execution.output,
        "error": execution.error,
        "cause": execution.cause,
        "redrive_count": redrives,
        "redriven": execution.redrive_date.isoformat() if redrives else None,
        "before_redrive": getattr(execution, "before_redrive", None),
        "workflow": workflow,
        "history": history,
        "map_runs": [_map_run(run) for run in runs],
    }


def _map_run(run: Any) -> dict[str, Any]:
    return {
        "arn": run.map_run_arn,
        "machine": run.map_state_machine_arn,
        "max_concurrency": run.max_concurrency,
        "tolerated_failure_count": run.tolerated_failure_count,
        "tolerated_failure_percentage": run.tolerated_failure_percentage,
        "status": str(getattr(run.status, "value", run.status)),
        "started": run.start_date.isoformat(),
        "stopped": run.stop_date.isoformat() if run.stop_date else None,
        "items": _counts(run.item_counter),
        "executions": _counts(run.execution_counter),
    }


def _counts(counter: Any) -> dict[str, int]:
    return {name: one.get() for name, one in vars(counter).items()}


def _made(machine: Any, document: Mapping[str, Any], workflow: str) -> Any:
    # As when it was started: a copy of the machine, with the workflow of that time.
    started_with = copy.copy(machine)
    started_with.executions = []
    started_with.definition = workflow
    execution: Any = Execution(
        name=document["name"],
        sm_type=StateMachineType(document["type"]),
        role_arn=document["role"],
        exec_arn=f"{machine.arn.replace(':stateMachine:', ':execution:')}:{document['name']}",
        account_id=ACCOUNT,
        region_name=REGION,
        state_machine=started_with,
        start_date=datetime.fromisoformat(document["started"]),
        cloud_watch_logging_session=None,
        activity_store={},
        input_data=document["input"],
        trace_header=document["trace_header"],
    )
    execution.exec_status = ExecutionStatus(document["status"])
    execution.stop_date = _time(document["stopped"])
    execution.output = document["output"]
    execution.error, execution.cause = document["error"], document["cause"]
    if document["redrive_count"]:
        execution.redrive_count = document["redrive_count"]
        execution.redrive_date = _time(document["redriven"])
        execution.before_redrive = document["before_redrive"]
    execution.exec_worker = _ended_worker(execution, document)
    return execution


def _ended_worker(execution: Any, document: Mapping[str, Any]) -> Any:
    """What moto has of an execution that has run: its history and its Map Runs."""
    worker = execution._get_start_execution_worker()
    environment = worker.env = worker._get_evaluation_environment()
    history = document["history"]
    last = max((int(event["id"]) for event in history), default=0)
    manager = environment.event_manager
    manager._history_event_list.extend(history)
    manager._event_id_gen._next_id = last + 1
    context = environment.event_history_context
    context.source_event_id = context.last_published_event_id = last
    entered = [event for event in history if "stateEnteredEventDetails" in event]
    if entered:
        environment.states.context_object.context_object_data["State"] = {
            "EnteredTime": entered[-1]["timestamp"],
            "Name": entered[-1]["stateEnteredEventDetails"]["name"],
            "RetryCount": 0,
        }
    for run in document["map_runs"]:
        record = _made_map_run(execution.exec_arn, run)
        environment.map_run_record_pool_manager.add(record)
    return worker


def _made_map_run(execution_arn: str, document: Mapping[str, Any]) -> Any:
    run: Any = MapRunRecord(
        state_machine_arn=document["machine"],
        execution_arn=execution_arn,
        max_concurrency=document["max_concurrency"],
        tolerated_failure_count=document["tolerated_failure_count"],
        tolerated_failure_percentage=document["tolerated_failure_percentage"],
        label=None,
    )
    run.map_run_arn, run.map_state_machine_arn = document["arn"], document["machine"]
    run.status = document["status"]
    run.start_date, run.stop_date = _time(document["started"]), _time(document["stopped"])
    run.item_counter = _counter(_new(ItemCounter), document["items"])
    run.execution_counter = _counter(_new(ExecutionCounter), document["executions"])
    return run


def _new(untyped: Any) -> Any:
    return untyped()


def _counter(counter: Any, counts: Mapping[str, int]) -> Any:
    for name, count in counts.items():
        getattr(counter, name).count(count)
    return counter


def _abort(execution: Any) -> None:
    """End an execution that was running when the stack ended, with all that it has running."""
    now = datetime.now(UTC)
    execution.exec_status = ExecutionStatus.ABORTED
    execution.stop_date = now
    execution.error, execution.cause = _STOPPED_ERROR, _STOPPED_CAUSE
    environment = execution.exec_worker.env
    details: Any = {
        "executionAbortedEventDetails": {"error": _STOPPED_ERROR, "cause": _STOPPED_CAUSE}
    }
    environment.event_manager.add_event(
        context=environment.event_history_context,
        event_type=HistoryEventType.ExecutionAborted,
        event_details=details,
    )
    for run in environment.map_run_record_pool_manager.get_all():
        if run.stop_date is None:
            run.status, run.stop_date = "ABORTED", now
            for counter in (run.item_counter, run.execution_counter):
                for open_count in (counter.running, counter.pending):
                    counter.aborted.count(open_count.get())
                    open_count.offset(-open_count.get())


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
