"""Each alarm is raised by a real fault of its kind, and its message reaches the topic.

So that an execution times out during the test, the workflow's timeout of a day is a second there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from pipectl.embedded.injected_faults import TRANSITION
from pipectl.embedded.process import StackProcess
from tests.end_to_end.pipeline import Pipeline

pytestmark = pytest.mark.long  # a separate stack, on which everything fails

FILE = b"name,amount\na,1\nb,2\nc,3\n"
REJECTS = b"name,amount\na,1\nb,x\nc,3\n"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    parameters = {"WebhookSecret": "no/such", "GlueDatabase": "analytics"}
    with StackProcess(parameters=parameters, time_factor=0) as stack:
        yield Pipeline(stack)


def function(step: str) -> str:
    return f"data-pipeline-{step}-dev"


def nothing_wrong(pipeline: Pipeline) -> None:
    pipeline.run(FILE)


def five_failed_files(pipeline: Pipeline) -> None:
    for source in [pipeline.drop(b"") for _ in range(5)]:
        pipeline.wait(source.file_id)


def throttled_starter(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(function("starter"), "throttle", times=1_000_000)
    pipeline.drop(FILE)


def unreadable_messages(pipeline: Pipeline) -> None:
    for _ in range(3):
        pipeline.send({"what": "is this?"})


def busy_transform(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(function("transform"), "TransientError", times=21)
    for source in [pipeline.drop(FILE) for _ in range(3)]:
        pipeline.wait(source.file_id)


def throttled_transform(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(function("transform"), "throttle")
    pipeline.run(FILE)


def throttled_transitions(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(TRANSITION, "throttle", times=20)
    assert pipeline.run(FILE).execution.status == "succeeded"


def slow_transform(pipeline: Pipeline) -> None:
    """The execution is over the workflow's timeout while it waits for a step."""
    states, arn = pipeline.deployment.client("stepfunctions"), pipeline.outputs["StateMachineArn"]
    before = states.describe_state_machine(stateMachineArn=arn)["definition"]
    shorter = {**json.loads(before), "TimeoutSeconds": 1}
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(shorter))
    pipeline.stack.add_fault(function("transform"), "hold")
    try:
        outcome = pipeline.wait_for_failure(pipeline.drop(FILE).file_id)
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=before)
        pipeline.stack.release(function("transform"))
    assert outcome.execution.status == "timed_out"
    assert outcome.item["error"]["code"] == "States.Timeout"


def broken_uncaught(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(function("uncaught"), "InternalError")
    pipeline.wait(pipeline.drop(b"").file_id)


def broken_catalogue(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(function("update-catalogue"), "InternalError", times=3)
    for source in [pipeline.drop(FILE) for _ in range(3)]:
        pipeline.wait(source.file_id)


def rejected_records(pipeline: Pipeline) -> None:
    for _ in range(10):
        pipeline.run(REJECTS)


def stale_dataset(pipeline: Pipeline) -> None:
    settings = {"freshness": 0.000001}
    pipeline.put_contract("stale", {"pipeline": settings})
    pipeline.run(FILE, dataset="stale")
    check_freshness(pipeline)


def broken_freshness(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault(function("freshness"), "InternalError", times=2)
    check_freshness(pipeline)
    check_freshness(pipeline)


def check_freshness(pipeline: Pipeline) -> None:
    pipeline.deployment.client("lambda").invoke(FunctionName=function("freshness"), Payload=b"{}")


# In an order in which no fault raises the alarm of a later one. A notification that was not posted
# is a dead letter too, so the first two come together.
FAULTS: dict[str, Callable[[Pipeline], None]] = {
    "data-pipeline-webhook-errors-dev": nothing_wrong,
    "pipeline-dlq-alarm-dev": nothing_wrong,
    "data-pipeline-executions-throttled-dev": throttled_transitions,
    "data-pipeline-executions-timed-out-dev": slow_transform,
    "data-pipeline-step-throttles-dev": throttled_transform,
    "data-pipeline-reject-share-dev": rejected_records,
    "data-pipeline-freshness-dev": stale_dataset,
    "data-pipeline-freshness-errors-dev": broken_freshness,
    "data-pipeline-catalogue-errors-dev": broken_catalogue,
    "data-pipeline-uncaught-errors-dev": broken_uncaught,
    "data-pipeline-executions-failed-dev": five_failed_files,
    "data-pipeline-step-errors-dev": busy_transform,
    "data-pipeline-starter-errors-dev": unreadable_messages,
    "data-pipeline-oldest-message-dev": throttled_starter,
}
# As if this number of seconds had passed.
AHEAD = {"data-pipeline-oldest-message-dev": 1000.0}


def raised(pipeline: Pipeline, alarm: str, patience: float = 60) -> bool:
    """Wait until an alarm is raised."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if pipeline.stack.evaluate_alarms(ahead=AHEAD.get(alarm, 0))[alarm] == "ALARM":
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("alarm", FAULTS)
def test_a_real_fault_raises_the_alarm_and_its_message_arrives(
    pipeline: Pipeline, alarm: str
) -> None:
    if alarm != "pipeline-dlq-alarm-dev":
        assert pipeline.stack.evaluate_alarms()[alarm] == "OK"
    FAULTS[alarm](pipeline)
    assert raised(pipeline, alarm)
    messages = [json.loads(one["message"]) for one in pipeline.stack.notifications()]
    (message,) = [one for one in messages if one.get("AlarmName") == alarm]
    assert message["NewStateValue"] == "ALARM"
    assert "Runbook: docs/runbook.md#" in message["AlarmDescription"]
    described = pipeline.deployment.client("cloudwatch").describe_alarms(AlarmNames=[alarm])
    assert described["MetricAlarms"][0]["StateValue"] == "ALARM"


def test_no_alarm_is_missing(pipeline: Pipeline) -> None:
    assert pipeline.stack.evaluate_alarms().keys() == FAULTS.keys()
