"""Patches that make moto's Distributed Maps behave as those of Step Functions.

moto's own engine differs in these points:

- A Map succeeds although children have failed, and the failure of one child doesn't stop the rest.
- The execution ends with `States.Runtime` if the items can't be read from S3 or the results can't
  be written to it.
- The manifest names no result files.
- The ResultWriter's parameters are read from the children's results, not from the state's input.
- It goes from item to item by recursion, so a long list exhausts the stack.
- All children of a Map have one history together, which would soon be full.
- It reads any number of items.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (  # noqa: E501  # a module's name
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.distributed_item_processor_worker import (  # noqa: E501  # a module's name
    DistributedItemProcessorWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from pipectl.embedded import limits
from pipectl.embedded.moto_patches.engine import STEP_FUNCTIONS_SESSION, acting_as
from pipectl.embedded.moto_patches.table import PatchSettings, replaces
from pipectl.embedded.rights.enforcement import Refusal, Rights
from pipectl.embedded.rights.policies import Access
from shared.executions import execution_arn
from shared.job import iso

_ABORTED, _FAILED, _SUCCEEDED = "ABORTED", "FAILED", "SUCCEEDED"
# The statuses of the children that each result file lists; PENDING would list those not started.
_FILES = {_FAILED: {_FAILED, _ABORTED}, "PENDING": set[str](), _SUCCEEDED: {_SUCCEEDED}}


@replaces(StateMap, "_eval_execution", "045828986a6a")
def _complete_map(original: Any, _settings: PatchSettings) -> Any:
    """Let the ResultWriter report on the children whether they succeed or not."""
    return lambda state, environment: _run_map(state, environment, original)


@replaces(ItemReader, "_eval_body", "2c0e259258c5")
def _read_items(original: Any, _settings: PatchSettings) -> Any:
    """Fail the Map with the ItemReader's own error where the items can't be read."""

    def read_items(reader: Any, env: Any) -> None:
        with _failing_as(env, "StatesItemReaderFailed"):
            original(reader, env)
        if not limits.MAP_ITEMS.allows(len(env.stack[-1])):
            env.stack[-1] = env.stack[-1][: limits.MAP_ITEMS.most]

    return read_items


@replaces(DistributedItemProcessorWorker, "eval", "fa8fa65fba0a")
def _work_in_a_loop(_original: Any, _settings: PatchSettings) -> Any:
    return _work


@replaces(DistributedItemProcessorWorker, "_eval_job", "eb9f9c455679")
def _run_one_child(_original: Any, settings: PatchSettings) -> Any:
    return lambda worker, env, job: _run_child(worker, env, job, settings.rights)


def _run_map(state: Any, environment: Any, original: Any) -> None:
    writer = state.result_writer
    if writer is None:
        original(state, environment)
        return
    given = copy.deepcopy(environment.states.get_input())
    before = len(environment.map_run_record_pool_manager.get_all())
    state.result_writer = None
    try:
        original(state, environment)
    finally:
        state.result_writer = writer
        runs = environment.map_run_record_pool_manager.get_all()
        if len(runs) > before:
            newest = max(runs, key=lambda run: run.start_date)
            _children(newest).wait()
            # Where the items could not be read there is nothing to report.
            if newest.status == _SUCCEEDED or newest.item_counter.total.get():
                role = environment.aws_execution_details.role_arn
                with _failing_as(environment, "StatesResultWriterFailed"), acting_as(role):
                    details = _write_results(writer, environment, newest, given)
    environment.stack.pop()
    environment.stack.append({"MapRunArn": newest.map_run_arn, "ResultWriterDetails": details})


def _write_results(writer: Any, environment: Any, run: Any, given: Any) -> dict[str, str]:
    """Write the manifest and one file per status; returns the manifest's bucket and key."""
    # Evaluated on the state's input, not on what the children have left on the stack.
    depth = len(environment.stack)
    environment.stack.append(given)
    writer.parargs.eval(env=environment)
    parameters = environment.stack[-1]
    del environment.stack[depth:]
    bucket, prefix = parameters["Bucket"], parameters["Prefix"].rstrip("/")
    folder = f"{prefix}/{run.map_run_arn.rpartition(':')[2]}"
    s3: Any = boto_client_for(
        service="s3",
        region=environment.aws_execution_details.region,
        state_credentials=None,
    )
    files: dict[str, list[dict[str, Any]]] = {name: [] for name in _FILES}
    for name, statuses in _FILES.items():
        children = [child for child in _children(run).ended if child["Status"] in statuses]
        if children:
            key = f"{folder}/{name}_0.json"
            body = json.dumps(children).encode()
            s3.put_object(Bucket=bucket, Key=key, Body=body)
            files[name].append({"Key": key, "Size": len(body)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": run.map_run_arn, "ResultFiles": files}
    key = f"{folder}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())
    return {"Bucket": bucket, "Key": key}


class _Children:
    """The executions of one Map Run's items. The first that fails stops the others."""

    def __init__(self) -> None:
        self.ended: list[dict[str, Any]] = []
        self._running: dict[Any, Callable[[], None]] = {}
        self._failed = False
        self._changed = threading.Condition()

    def begin(self, environment: Any, stop: Callable[[], None]) -> None:
        """Add an execution that begins; if the Map Run has failed, it is stopped at once."""
        with self._changed:
            self._running[environment] = stop
            if self._failed:
                stop()

    def end(self, environment: Any, child: dict[str, Any]) -> None:
        """Keep what the ResultWriter reports of an execution that has ended."""
        with self._changed:
            del self._running[environment]
            self.ended.append(child)
            if child["Status"] == _FAILED and not self._failed:
                self._failed = True
                for stop in self._running.values():
                    stop()
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until all executions have ended; a stopped one ends after its task's attempt."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)


class _ChildsRights:
    """What the machine's role needs for the execution of one item.

    https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    """

    def __init__(self, rights: Rights, env: Any, run: Any, child_arn: str) -> None:
        self._rights = rights
        self._env = env
        self._role = env.aws_execution_details.role_arn
        self._machine = run.map_state_machine_arn
        self._child_arn = child_arn

    def refusal(self) -> Refusal | None:
        """Why the execution can't be started and followed, or None."""
        return self._rights.to_assume(
            "states.amazonaws.com", self._role, self._machine
        ) or self._rights.of_role(
            self._role,
            STEP_FUNCTIONS_SESSION,
            Access("states:StartExecution", self._machine.rpartition("/")[0]),
            Access("states:DescribeExecution", self._child_arn),
        )

    def stop(self) -> None:
        """Stop the execution if the role allows it."""
        needed = Access("states:StopExecution", self._child_arn)
        if self._rights.of_role(self._role, STEP_FUNCTIONS_SESSION, needed) is None:
            now = datetime.now(UTC)
            self._env.set_stop(stop_date=now, cause="The Map Run has failed.", error=None)


def _work(worker: Any) -> None:
    """Process items until none is left or the Map Run has failed."""
    pool = worker._job_pool  # this replaces one of the worker's own methods
    while (job := pool.next_job()) is not None:
        child = worker._env.open_inner_frame()
        worker._eval_job(env=child, job=job)
        worker._env.delete_frame(child)
        pool.close_job(job)
        if worker.stopped():
            return


def _run_child(worker: Any, env: Any, job: Any, rights: Rights) -> None:
    """Run one item's execution and record its result; if it fails, so does the Map."""
    run = worker._map_run_record  # this replaces one of the worker's own methods
    counters = (run.item_counter, run.execution_counter)
    for counter in counters:
        counter.total.count()
        counter.running.count()
    env.states.context_object.context_object_data["Map"] = MapData(
        Item=ItemData(Index=job.job_index, Value=job.job_input)
    )
    env.event_manager = EventManager()
    env.states.reset(job.job_input)
    env.stack.append(env.states.get_input())
    child = _begin(run, job)
    own = _ChildsRights(rights, env, run, child["ExecutionArn"])
    refusal = own.refusal()
    _children(run).begin(env, own.stop)
    try:
        if refusal is None:
            child |= _result(worker, env, job, child)
        else:
            child |= {"Status": _FAILED, "Error": "States.Permissions", "Cause": refusal.message}
    except Exception as error:  # noqa: BLE001  # any error fails this item's execution
        cause = f"{type(error).__name__}: {error}"
        child |= {"Status": _FAILED, "Error": "States.Runtime", "Cause": cause}
    child |= _ended(child["Status"])
    job.job_output = env.states.get_input() if child["Status"] == _SUCCEEDED else _exceeded(env)
    for counter in counters:
        counter.running.offset(-1)
        getattr(counter, child["Status"].lower()).count()
        counter.results_written.count()
    _children(run).end(env, child)


def _result(worker: Any, env: Any, job: Any, child: dict[str, Any]) -> dict[str, Any]:
    """Run an item's execution; returns its status, and its output or error."""
    worker._eval_input(env_frame=env)
    child["Input"] = to_json_str(env.states.get_input())
    job.job_program.eval(env)
    ended = env.program_state()
    if isinstance(ended, ProgramStopped):
        return {"Status": _ABORTED}
    if isinstance(ended, ProgramError):
        error = ended.error or {}
        return {"Status": _FAILED, "Error": error.get("error"), "Cause": error.get("cause")}
    return {"Status": _SUCCEEDED, "Output": to_json_str(env.states.get_input())}


def _begin(run: Any, job: Any) -> dict[str, Any]:
    """A child as AWS reports it. Neither its name nor its ARN contains the Map Run's."""
    name = str(uuid.uuid4())
    machine = run.map_state_machine_arn
    return {
        "ExecutionArn": execution_arn(machine, name),
        "Input": json.dumps(job.job_input),
        "InputDetails": {"Included": True},
        "Name": name,
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "StartDate": _now(),
        "StateMachineArn": machine,
    }


def _ended(status: str) -> dict[str, Any]:
    ended = {"StopDate": _now(), "RedriveStatus": "REDRIVABLE_BY_MAP_RUN"}
    if status == _SUCCEEDED:
        reason = "Execution is SUCCEEDED and cannot be redriven"
        ended |= {"RedriveStatus": "NOT_REDRIVABLE", "RedriveStatusReason": reason}
    return ended


def _children(run: Any) -> _Children:
    children: _Children = run.__dict__.setdefault("children", _Children())
    return children


def _exceeded(env: Any) -> Exception:
    """The error of a Map Run of which a child has failed: no failure is tolerated."""
    cause = "The specified tolerated failure threshold was exceeded"
    return _failure(env, "StatesExceedToleratedFailureThreshold", cause)


@contextmanager
def _failing_as(env: Any, kind: str) -> Iterator[None]:
    """Fail the Map with this error for any exception inside the block."""
    try:
        yield
    except FailureEventException:
        raise
    except Exception as error:  # noqa: BLE001  # such as a refusal of S3 or invalid JSON
        raise _failure(env, kind, str(error)) from None


def _failure(env: Any, kind: str, cause: str) -> Exception:
    """A Map Run's failure, of a kind in moto's `StatesErrorNameType`."""
    name = StatesErrorName(typ=StatesErrorNameType[kind])
    failed = MapRunFailedEventDetails(error=name.error_name, cause=cause)
    details: Any = {"mapRunFailedEventDetails": failed}
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.MapRunFailed,
            event_details=details,
        )
    )


def _now() -> str:
    return iso(datetime.now(UTC))
