"""Executions on the embedded AWS: behaviour that moto's own engine lacks."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipectl.client.history import Run, read_history
from pipectl.embedded.process import StackProcess
from tests.integration.embedded.conftest import Waiting


def ended(probe: StackProcess, document: dict[str, Any], patience: float = 20) -> dict[str, Any]:
    """Start an execution and wait for its end."""
    arn = probe.client("stepfunctions").start_execution(
        stateMachineArn=probe.outputs["StateMachineArn"],
        name=str(uuid.uuid4()),
        input=json.dumps(document),
    )["executionArn"]
    return description(probe, arn, patience)


def description(probe: StackProcess, arn: str, patience: float = 20) -> dict[str, Any]:
    """Describe an execution once it has ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        described = probe.client("stepfunctions").describe_execution(executionArn=arn)
        if described["status"] != "RUNNING":
            return dict(described)
        time.sleep(0.05)
    raise TimeoutError(arn)


def history(probe: StackProcess, execution: dict[str, Any]) -> Run:
    """The history of an execution, read."""
    events = probe.client("stepfunctions").get_execution_history(
        executionArn=execution["executionArn"]
    )["events"]
    return read_history(events, execution["status"].lower())


def test_waits_between_attempts_follow_the_time_factor(probe: StackProcess) -> None:
    probe.add_fault("probe-actor", "throttle", times=2)
    start = time.monotonic()
    execution = ended(probe, {"do": "echo"})
    assert execution["status"] == "SUCCEEDED"
    # On AWS: 30 s and 60 s.
    assert time.monotonic() - start < 20
    act = next(visit for visit in history(probe, execution).visits if visit.name == "Act")
    assert (act.attempts, act.failure) == (3, None)


def test_a_runtime_error_is_not_caught_by_states_all(probe: StackProcess) -> None:
    execution = ended(probe, {"do": "pid"})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")
    assert [visit.name for visit in history(probe, execution).visits] == ["Before", "Act"]


def test_a_failed_execution_can_be_redriven_from_where_it_failed(probe: StackProcess) -> None:
    probe.add_fault("probe-actor", "Broken", times=2)
    failed = ended(probe, {"do": "echo", "gate": "echo"})
    assert (failed["status"], failed["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    assert failed["error"] == "Broken"

    arn = failed["executionArn"]
    probe.client("stepfunctions").redrive_execution(executionArn=arn)
    redriven = description(probe, arn)

    assert (redriven["status"], redriven["redriveCount"]) == ("SUCCEEDED", 1)
    assert redriven["redriveStatus"] == "NOT_REDRIVABLE"
    output = json.loads(redriven["output"])
    assert output["before"] == "kept"
    assert output["gate_passed"]["Payload"]["execution"]["RedriveCount"] == 1
    names = [visit.name for visit in history(probe, redriven).visits]
    assert names == ["Before", "Act", "Gate", "Gate", "Done"]


def test_a_stale_answer_is_from_before_the_last_change(
    probe: StackProcess, waiting: Waiting
) -> None:
    sfn = probe.client("stepfunctions")
    arn = sfn.start_execution(
        stateMachineArn=probe.outputs["StateMachineArn"],
        input=json.dumps(waiting.event),
        name=str(uuid.uuid4()),
    )["executionArn"]

    def stale() -> dict[str, Any]:
        # A function may describe an earlier execution meanwhile.
        probe.add_fault("stepfunctions:DescribeExecution@others", "stale")
        return dict(sfn.describe_execution(executionArn=arn))

    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        stale()
    waiting.until_inside()
    sfn.stop_execution(executionArn=arn)
    waiting.release()
    assert description(probe, arn)["status"] == "ABORTED"
    before_end = stale()
    assert before_end["status"] == "RUNNING"
    assert "stopDate" not in before_end
    probe.add_fault("stepfunctions:GetExecutionHistory@others", "stale")
    earlier, present = [sfn.get_execution_history(executionArn=arn)["events"] for _ in range(2)]
    assert earlier == present[:-1]
    assert present[-1]["type"] == "ExecutionAborted"

    probe.add_fault("probe-actor", "hold")
    sfn.redrive_execution(executionArn=arn)
    before_redrive = stale()
    probe.release("probe-actor")
    assert (before_redrive["status"], before_redrive["redriveCount"]) == ("ABORTED", 0)
    assert description(probe, arn)["redriveCount"] == 1


def test_a_fault_of_functions_does_not_affect_other_callers(probe: StackProcess) -> None:
    execution = ended(probe, {"do": "echo"})
    fault = "stepfunctions:DescribeExecution@functions"
    probe.add_fault(fault, "error500")
    described = probe.client("stepfunctions").describe_execution(
        executionArn=execution["executionArn"]
    )
    assert described["status"] == "SUCCEEDED"
    assert probe.unused_faults(fault) == 1
    probe.clear_faults()


def test_a_succeeded_execution_cannot_be_redriven(probe: StackProcess) -> None:
    execution = ended(probe, {"do": "echo"})
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        probe.client("stepfunctions").redrive_execution(executionArn=execution["executionArn"])


def test_the_same_start_at_once_starts_one_execution(probe: StackProcess, waiting: Waiting) -> None:
    name, sfn = str(uuid.uuid4()), probe.client("stepfunctions")

    def start(_: int) -> str:
        answer = sfn.start_execution(
            stateMachineArn=probe.outputs["StateMachineArn"],
            name=name,
            input=json.dumps(waiting.event),
        )
        return str(answer["executionArn"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    executions = sfn.list_executions(stateMachineArn=probe.outputs["StateMachineArn"])
    assert [e["name"] for e in executions["executions"]].count(name) == 1


def test_an_execution_that_outlives_its_caller_can_be_stopped_and_redriven(
    probe: StackProcess, waiting: Waiting
) -> None:
    sfn = probe.client("stepfunctions")
    arn = sfn.start_execution(
        stateMachineArn=probe.outputs["StateMachineArn"],
        input=json.dumps(waiting.event),
        name=str(uuid.uuid4()),
    )["executionArn"]
    waiting.until_inside()
    sfn.stop_execution(executionArn=arn)
    waiting.release()
    stopped = description(probe, arn)
    assert (stopped["status"], stopped["redriveStatus"]) == ("ABORTED", "REDRIVABLE")
    sfn.redrive_execution(executionArn=arn)

    names = [visit.name for visit in history(probe, description(probe, arn)).visits]
    assert names[:3] == ["Before", "Act", "Act"]


def test_a_history_ends_when_the_execution_times_out(probe: StackProcess, waiting: Waiting) -> None:
    sfn = probe.client("stepfunctions")
    of_probe = sfn.describe_state_machine(stateMachineArn=probe.outputs["StateMachineArn"])
    act = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "probe-actor", "Payload.$": "$"},
        "End": True,
    }
    definition = json.dumps({"StartAt": "Act", "TimeoutSeconds": 1, "States": {"Act": act}})
    machine = sfn.create_state_machine(
        name="probe-timeout", definition=definition, roleArn=of_probe["roleArn"]
    )["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input=json.dumps(waiting.event))[
        "executionArn"
    ]

    def events() -> list[str]:
        found = sfn.get_execution_history(executionArn=arn)["events"]
        return [event["type"] for event in found]

    assert description(probe, arn)["status"] == "TIMED_OUT"
    before = events()
    assert before[-1] == "ExecutionTimedOut"
    # What the function still does is no longer in the history.
    waiting.release()
    assert events() == before


def test_an_item_that_fails_a_map_stops_the_others(probe: StackProcess, waiting: Waiting) -> None:
    sfn, bucket = probe.client("stepfunctions"), probe.outputs["OutputBucketName"]
    role = sfn.describe_state_machine(stateMachineArn=probe.outputs["StateMachineArn"])["roleArn"]
    act = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "probe-actor", "Payload.$": "$"},
        "TimeoutSeconds": 60,
        "Next": "Rest",
    }
    definition = {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Act",
                    "States": {"Act": act, "Rest": {"Type": "Succeed"}},
                },
                "ItemsPath": "$.items",
                "MaxConcurrency": 2,
                "ResultWriter": {
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": bucket, "Prefix": "map"},
                },
                "End": True,
            }
        },
    }
    machine = sfn.create_state_machine(
        name="probe-map", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    items = [waiting.event, {"do": "throw", "error": "Broken"}]
    started = sfn.start_execution(stateMachineArn=machine, input=json.dumps({"items": items}))

    until_an_item_failed(probe, started["executionArn"])
    waiting.release()
    execution = description(probe, started["executionArn"])

    assert execution["status"] == "FAILED"
    [key] = [key for key in probe.output_keys("map/") if "FAILED" in key]
    children = {json.loads(child["Input"])["do"]: child for child in json.loads(probe.output(key))}
    stopped, broken = children["wait"], children["throw"]
    assert stopped["Status"] == "ABORTED"
    assert "Error" not in stopped
    assert (broken["Status"], broken["Error"]) == ("FAILED", "Broken")
    manifest = json.loads(probe.output(f"{key.rpartition('/')[0]}/manifest.json"))
    assert [file["Key"] for file in manifest["ResultFiles"]["FAILED"]] == [key]
    _check_as_aws_reports(broken, machine, manifest["MapRunArn"], key)


def until_an_item_failed(probe: StackProcess, arn: str, patience: float = 20) -> None:
    """Wait until a child of the execution's Map has failed."""
    sfn, deadline = probe.client("stepfunctions"), time.monotonic() + patience
    while time.monotonic() < deadline:
        for run in sfn.list_map_runs(executionArn=arn)["mapRuns"]:
            if sfn.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]["failed"]:
                return
        time.sleep(0.05)
    raise TimeoutError(arn)


def _check_as_aws_reports(child: dict[str, Any], machine: str, map_run: str, key: str) -> None:
    """A child's name is a UUID, and only the folder of the result files names its Map Run."""
    run_id = map_run.rpartition(":")[2]
    of_map = child["StateMachineArn"]
    assert of_map.startswith(f"{machine}/")
    assert map_run == f"{of_map.replace(':stateMachine:', ':mapRun:')}:{run_id}"
    assert key == f"map/{run_id}/FAILED_0.json"
    assert str(uuid.UUID(child["Name"])) == child["Name"] != run_id
    execution = of_map.replace(":stateMachine:", ":execution:")
    assert child["ExecutionArn"] == f"{execution}:{child['Name']}"
    assert child["InputDetails"] == child["OutputDetails"] == {"Included": True}
    assert (child["RedriveCount"], child["RedriveStatus"]) == (0, "REDRIVABLE_BY_MAP_RUN")
    assert child["StopDate"].endswith("Z")


def test_a_function_that_names_no_error_fails_as_lambda_unknown(probe: StackProcess) -> None:
    probe.add_fault("probe-actor", "untyped-timeout")
    execution = ended(probe, {"do": "echo", "gate": "echo"})
    caught = json.loads(execution["output"])["caught"]
    assert caught["Error"] == "Lambda.Unknown"
    assert caught["Cause"].startswith("The cause could not be determined because Lambda did not")
    [act] = [visit for visit in history(probe, execution).visits if visit.name == "Act"]
    assert act.failure is not None
    assert act.failure.message.endswith("Task timed out after 3.00 seconds")
    assert "{" not in act.failure.message


MAP_ERRORS = ["States.ItemReaderFailed", "States.ResultWriterFailed"]


def a_map_that_reads_and_writes(probe: StackProcess, key: str, writes_to: str) -> str:
    """The ARN of a state machine: a Map with one retry and a Catch."""
    sfn, bucket = probe.client("stepfunctions"), probe.outputs["OutputBucketName"]
    role = sfn.describe_state_machine(stateMachineArn=probe.outputs["StateMachineArn"])["roleArn"]
    definition = {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Parameters": {"Bucket": bucket, "Key": key},
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Item",
                    "States": {"Item": {"Type": "Pass", "End": True}},
                },
                "ResultWriter": {
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": writes_to, "Prefix": "map"},
                },
                "Retry": [{"ErrorEquals": MAP_ERRORS, "IntervalSeconds": 1, "MaxAttempts": 1}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
                "End": True,
            },
            "Caught": {"Type": "Succeed"},
        },
    }
    machine: str = sfn.create_state_machine(
        name=f"probe-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    return machine


def items(probe: StackProcess, body: bytes) -> str:
    """The key of an object with a Map's items."""
    key = f"items/{uuid.uuid4()}.json"
    bucket = probe.outputs["OutputBucketName"]
    probe.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return key


def output_of(probe: StackProcess, machine: str) -> dict[str, Any]:
    """Run a state machine; returns what it ended with."""
    started = probe.client("stepfunctions").start_execution(stateMachineArn=machine, input="{}")
    execution = description(probe, started["executionArn"])
    assert execution["status"] == "SUCCEEDED"
    document: dict[str, Any] = json.loads(execution["output"])
    return document


@pytest.mark.parametrize("body", [None, b"not JSON", b"{}"])
def test_a_map_that_cannot_read_its_items_is_caught_as_such(
    probe: StackProcess, body: bytes | None
) -> None:
    key = "items/nowhere.json" if body is None else items(probe, body)
    caught = output_of(probe, a_map_that_reads_and_writes(probe, key, "nowhere"))
    assert caught["Error"] == "States.ItemReaderFailed"
    assert caught["Cause"]


def test_a_map_that_cannot_write_its_results_is_caught_as_such(probe: StackProcess) -> None:
    caught = output_of(probe, a_map_that_reads_and_writes(probe, items(probe, b"[1]"), "nowhere"))
    assert caught["Error"] == "States.ResultWriterFailed"
    assert "NoSuchBucket" in caught["Cause"]


@pytest.mark.parametrize("call", ["s3:GET", "s3:PUT"])
def test_a_map_is_retried_when_s3_fails_once(probe: StackProcess, call: str) -> None:
    machine = a_map_that_reads_and_writes(
        probe, items(probe, b"[1]"), probe.outputs["OutputBucketName"]
    )
    probe.add_fault(call, "error500")
    try:
        result = output_of(probe, machine)
    finally:
        probe.clear_faults()
    assert "MapRunArn" in result
