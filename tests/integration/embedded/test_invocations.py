"""The Lambda service: results, errors as Lambda reports them, and warm workers."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pipectl.embedded.process import StackProcess
from tests.integration.embedded.conftest import Invoke, Notes, Waiting


def test_a_result_comes_back_as_json(invoke: Invoke) -> None:
    assert invoke({"do": "echo", "text": "grün"}) == ({"do": "echo", "text": "grün"}, None)


def test_the_context_has_the_attributes_of_lambdas(probe: StackProcess) -> None:
    answer = probe.client("lambda").invoke(
        FunctionName="probe-actor", Payload=json.dumps({"do": "context"}).encode()
    )
    context = json.loads(answer["Payload"].read())
    assert 0 < context.pop("remaining") <= 60_000
    assert context == {
        "function_name": "probe-actor",
        "invoked_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:probe-actor",
        "memory_limit_in_mb": "300",
        "aws_request_id": answer["ResponseMetadata"]["RequestId"],
    }


def test_the_environment_is_the_templates_and_lambdas_own(invoke: Invoke) -> None:
    environment, _ = invoke({"do": "environment"})
    assert environment["GREETING"] == "goodbye"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "probe-actor"
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert "PYTEST_CURRENT_TEST" not in environment


def test_a_raised_error_is_reported_with_type_message_and_trace(invoke: Invoke) -> None:
    payload, error = invoke({"do": "raise", "message": "no such thing"})
    assert error == "Unhandled"
    assert payload.pop("requestId")
    assert "raise ValueError" in payload.pop("stackTrace")[-1]
    assert payload == {"errorMessage": "no such thing", "errorType": "ValueError"}


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ({"do": "exit", "status": 3}, "exit status 3"),
        ({"do": "kill"}, "signal: killed"),
    ],
)
def test_a_crash_is_a_runtime_exit_error(invoke: Invoke, event: object, how: str) -> None:
    payload, error = invoke(event)
    assert error == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith(f"Error: Runtime exited with error: {how}")


def test_a_function_is_killed_at_its_timeout_and_works_again_after_it(invoke: Invoke) -> None:
    payload, error = invoke({"do": "wait", "mark": "never released"}, "probe-hasty")
    assert error == "Unhandled"
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"].endswith("Error: Task timed out after 2.00 seconds")
    assert invoke({"do": "echo"}, "probe-hasty") == ({"do": "echo"}, None)


@pytest.mark.parametrize(
    ("function", "error_type", "message"),
    [
        (
            "probe-without-module",
            "Runtime.ImportModuleError",
            "Unable to import module 'probe.nowhere': No module named 'probe.nowhere'",
        ),
        (
            "probe-without-handler",
            "Runtime.HandlerNotFound",
            "Handler 'nothing' missing on module 'probe.app'",
        ),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_reported_like_on_lambda(
    invoke: Invoke, function: str, error_type: str, message: str
) -> None:
    payload, error = invoke({}, function)
    assert (error, payload["errorType"]) == ("Unhandled", error_type)
    assert payload["errorMessage"] == message


def logged(probe: StackProcess, function: str = "probe-actor") -> list[dict[str, Any]]:
    """The JSON lines of a function's log."""
    lines = probe.logs()[function].splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_an_unhandled_error_is_logged_as_the_runtime_logs_it(
    probe: StackProcess, invoke: Invoke
) -> None:
    payload, _ = invoke({"do": "raise", "message": "what a cell held: \ud800 grün"})
    line = logged(probe)[-1]
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("level") == "ERROR"
    assert line == payload
    assert "raise ValueError" in line["stackTrace"][-1]


def test_a_result_that_cannot_be_written_is_logged(probe: StackProcess, invoke: Invoke) -> None:
    payload, _ = invoke({"do": "set"})
    assert logged(probe)[-1]["errorType"] == "Runtime.MarshalError" == payload["errorType"]


@pytest.mark.parametrize("function", ["probe-without-module", "probe-without-handler"])
def test_a_handler_that_cannot_be_loaded_is_logged(
    probe: StackProcess, invoke: Invoke, function: str
) -> None:
    payload, _ = invoke({}, function)
    line = logged(probe, function)[-1]
    assert (line["level"], line["errorType"]) == ("ERROR", payload["errorType"])
    assert line["errorMessage"] == payload["errorMessage"]


@pytest.mark.parametrize(
    ("event", "status"),
    [({"do": "wait", "mark": "never released"}, "timeout"), ({"do": "kill"}, "error")],
)
def test_an_environment_that_ended_is_logged_by_lambda_itself(
    probe: StackProcess, invoke: Invoke, event: object, status: str
) -> None:
    payload, _ = invoke(event, "probe-hasty")
    line = logged(probe, "probe-hasty")[-1]
    assert line["type"] == "platform.report"
    assert line["record"]["status"] == status
    assert line["record"]["requestId"] in payload["errorMessage"]


def test_a_result_that_is_not_json_is_a_marshal_error(invoke: Invoke) -> None:
    payload, _ = invoke({"do": "set"})
    assert payload["errorType"] == "Runtime.MarshalError"


def test_a_worker_is_kept_for_the_next_invocation(invoke: Invoke) -> None:
    assert invoke({"do": "pid"}) == invoke({"do": "pid"})


def test_concurrent_invocations_run_in_separate_workers(invoke: Invoke, waiting: Waiting) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(invoke, [waiting.event] * 2)
        waiting.until_inside(2)
        waiting.release()
        assert len({pid for pid, _ in results}) == 2


def test_an_unknown_function_is_refused(probe: StackProcess) -> None:
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*Function not found: nobody"):
        probe.client("lambda").invoke(FunctionName="nobody")


def test_a_function_is_found_by_its_arn(invoke: Invoke) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:probe-actor:$LATEST"
    assert invoke({"do": "echo"}, arn) == ({"do": "echo"}, None)


def test_a_dry_run_runs_nothing(probe: StackProcess) -> None:
    answer = probe.client("lambda").invoke(FunctionName="probe-actor", InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def test_a_failed_asynchronous_invocation_is_tried_three_times(
    probe: StackProcess, notes: Notes
) -> None:
    mark = str(uuid.uuid4())
    answer = probe.client("lambda").invoke(
        FunctionName="probe-receiver",
        InvocationType="Event",
        Payload=json.dumps({"do": "raise", "mark": mark}).encode(),
    )
    assert answer["StatusCode"] == 202
    assert len(notes("received", mark, count=3)) == 3


def test_a_fault_applies_to_the_given_number_of_invocations(
    probe: StackProcess, invoke: Invoke
) -> None:
    probe.add_fault("probe-actor", "SomeError", times=2)
    kinds = [invoke({"do": "echo"})[0].get("errorType") for _ in range(3)]
    assert kinds == ["SomeError", "SomeError", None]


def test_a_throttled_invocation_is_refused(probe: StackProcess) -> None:
    # boto3 retries a throttled call automatically.
    probe.add_fault("probe-actor", "throttle", times=100)
    try:
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            probe.client("lambda").invoke(FunctionName="probe-actor")
    finally:
        probe.clear_faults()


def test_a_function_runs_no_more_often_at_once_than_it_has_reserved(
    probe: StackProcess, waiting: Waiting
) -> None:
    def invoke() -> int:
        # As boto3's own retries would hide what Lambda answers.
        client = probe.deployment.session.client(
            "lambda",
            endpoint_url=probe.deployment.endpoint,
            config=Config(retries={"total_max_attempts": 1}),
        )
        try:
            return client.invoke(
                FunctionName="probe-single", Payload=json.dumps(waiting.event).encode()
            )["StatusCode"]
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoke)
        waiting.until_inside()
        assert invoke() == 429
        waiting.release()
        assert first.result() == 200
    assert invoke() == 200
