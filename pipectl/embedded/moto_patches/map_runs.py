"""Distributed Maps as Step Functions runs them, where moto's engine leaves something out.

moto lets a Map succeed whose children have failed, lets the others go on where one of them ends it,
ends the execution as `States.Runtime` where S3 does not give the items or take the results, writes
a manifest without result files, reads the ResultWriter's parameters from the children's results
instead of the state's input, and goes from item to item by recursion. Methods of its classes are
replaced while the stack is up.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

_ABORTED, _FAILED, _SUCCEEDED = "ABORTED", "FAILED", "SUCCEEDED"
# Which children are told in which files; PENDING would be those that were not started.
_FILES = {_FAILED: {_FAILED, _ABORTED}, "PENDING": set[str](), _SUCCEEDED: {_SUCCEEDED}}


@contextmanager
def complete_map_runs() -> Iterator[None]:
    """Complete the Distributed Maps of moto's engine inside the block."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map import state_map
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader import (
        item_reader_decl,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (  # noqa: E501  # a module's name
        distributed_item_processor_worker,
    )

    worker = distributed_item_processor_worker.DistributedItemProcessorWorker
    with ExitStack() as stack:
        stack.enter_context(patch.object(worker, "eval", _work))
        stack.enter_context(patch.object(worker, "_eval_job", _run_child))
        original = state_map.StateMap._eval_execution  # what is completed here

        def run_map(state: Any, environment: Any) -> None:
            _run_map(state, environment, original)

        stack.enter_context(patch.object(state_map.StateMap, "_eval_execution", run_map))
        read = item_reader_decl.ItemReader._eval_body

        def read_items(reader: Any, env: Any) -> None:
            with _failing_as(env, "StatesItemReaderFailed"):
                read(reader, env)

        stack.enter_context(patch.object(item_reader_decl.ItemReader, "_eval_body", read_items))
        yield


def _run_map(state: Any, environment: Any, original: Any) -> None:
    """Run a Map state; its ResultWriter reports on the children whether they succeed or not."""
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
                with _failing_as(environment, "StatesResultWriterFailed"):
                    details = _write_results(writer, environment, newest, given)
    environment.stack.pop()
    environment.stack.append({"MapRunArn": newest.map_run_arn, "ResultWriterDetails": details})


def _write_results(writer: Any, environment: Any, run: Any, given: Any) -> dict[str, str]:
    """Write the manifest and one file a status; returns where the manifest is."""
    from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

    # Against the state's input, not against what the children have left there.
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
    """The executions of one Map Run's items. The first one that fails stops the others."""

    def __init__(self) -> None:
        self.ended: list[dict[str, Any]] = []
        self._running: list[Any] = []
        self._failed = False
        self._changed = threading.Condition()

    def begin(self, environment: Any) -> None:
        """Know of an execution that begins; it is stopped at once where the Map Run has failed."""
        with self._changed:
            self._running.append(environment)
            if self._failed:
                _stop(environment)

    def end(self, environment: Any, child: dict[str, Any]) -> None:
        """Keep what the ResultWriter tells of an execution that has ended."""
        with self._changed:
            self._running.remove(environment)
            self.ended.append(child)
            if child["Status"] == _FAILED and not self._failed:
                self._failed = True
                for other in self._running:
                    _stop(other)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until all executions have ended: a stopped one ends with its task's attempt."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)


def _stop(environment: Any) -> None:
    environment.set_stop(stop_date=datetime.now(UTC), cause="The Map Run has failed.", error=None)


def _work(worker: Any) -> None:
    """Take item after item until none is left or the Map Run has failed."""
    pool = worker._job_pool  # this stands for one of the worker's own methods
    while (job := pool.next_job()) is not None:
        child = worker._env.open_inner_frame()
        worker._eval_job(env=child, job=job)
        worker._env.delete_frame(child)
        pool.close_job(job)
        if worker.stopped():
            return


def _run_child(worker: Any, env: Any, job: Any) -> None:
    """Run one item's execution, keep what the ResultWriter tells, and fail the Map with it."""
    from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData

    run = worker._map_run_record  # this stands for one of the worker's own methods
    counters = (run.item_counter, run.execution_counter)
    for counter in counters:
        counter.total.count()
        counter.running.count()
    env.states.context_object.context_object_data["Map"] = MapData(
        Item=ItemData(Index=job.job_index, Value=job.job_input)
    )
    env.states.reset(job.job_input)
    env.stack.append(env.states.get_input())
    child = _begin(run, job)
    _children(run).begin(env)
    try:
        child |= _result(worker, env, job, child)
    except Exception as error:  # noqa: BLE001  # whatever it is, it fails this item's execution
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
    """Run an item's execution to its end; its status, and its output or error."""
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped
    from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

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
    """A child as AWS reports it: of its Map Run, neither the name nor the ARN says anything."""
    name = str(uuid.uuid4())
    machine = run.map_state_machine_arn
    return {
        "ExecutionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
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
    """What a Map Run fails with when one of its children has: no failure is tolerated."""
    cause = "The specified tolerated failure threshold was exceeded"
    return _failure(env, "StatesExceedToleratedFailureThreshold", cause)


@contextmanager
def _failing_as(env: Any, kind: str) -> Iterator[None]:
    """Let the Map fail under the error of this kind for whatever goes wrong inside the block."""
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEventException,
    )

    try:
        yield
    except FailureEventException:
        raise
    except Exception as error:  # noqa: BLE001  # S3's refusals, broken JSON: all fail the Map
        raise _failure(env, kind, str(error)) from None


def _failure(env: Any, kind: str, cause: str) -> Exception:
    """A Map Run's failure, of a kind in moto's `StatesErrorNameType`."""
    from moto.stepfunctions.parser.api import (
        HistoryEventType,
        MapRunFailedEventDetails,
    )
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
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
