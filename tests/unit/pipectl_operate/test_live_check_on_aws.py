"""The live checks that never run on the embedded AWS, with answers in the form of AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import DescribedExecution
from pipectl.operate.live_check import function_checks, workflow_checks
from pipectl.operate.live_check.endings import NotRunError
from pipectl.operate.live_check.model import Seen
from pipectl.operate.live_check.sample_files import EndedFile, processed_file
from pipectl.operate.live_check.workspace import SentFile, Workspace
from tests.unit.mocked_stack import mocked_deployment

ARN = "arn:aws:lambda:us-east-1:1:function:data-pipeline-"
MACHINE = "arn:aws:states:us-east-1:1:stateMachine:pipeline"
FILE = SentFile("live-check-1", "raw/live-check-1/a.csv", "v1", "0" * 32)


def called(state: str) -> list[dict[str, Any]]:
    """The events of a state that calls its function."""
    name = {"Transform": "transform", "Summarize": "summarize"}.get(state, "record-metadata")
    given = json.dumps({"FunctionName": f"{ARN}{name}-dev", "Payload": {}})
    output = json.dumps({"Payload": {}, "SdkResponseMetadata": {"RequestId": f"r-{name}"}})
    return [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}},
        {"type": "TaskScheduled", "taskScheduledEventDetails": {"parameters": given}},
        {"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": output}},
    ]


ENDED = EndedFile(
    FILE,
    time.time(),
    DescribedExecution("arn", FILE.file_id, "succeeded", datetime.now(UTC)),
    [event for state in ("Transform", "Summarize", "RecordMetadata") for event in called(state)],
    {"status": "succeeded", "redrive_count": 0},
)


class FakeLogs:
    """Answers every filter pattern with these lines."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self.patterns: list[str] = []
        self._lines = lines

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[Any]:
        self.patterns.append(request["filterPattern"])
        return [{"events": [{"message": json.dumps(line)} for line in self._lines]}]


class FakeFunctions:
    """Functions with settings and reserved concurrency, all changes of which are recorded."""

    def __init__(self, refusal: str | None = None, architecture: str = "arm64") -> None:
        self.changes: list[Any] = []
        self._refusal = refusal
        self._architecture = architecture

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        logging = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}
        kind = {"Runtime": "python3.13", "Architectures": [self._architecture]}
        return {"LoggingConfig": logging, **kind}

    def update_function_configuration(self, **request: Any) -> None:
        self.changes.append(request["LoggingConfig"]["ApplicationLogLevel"])

    def get_waiter(self, _: str) -> Any:
        return SimpleNamespace(wait=lambda **_: None)

    def get_function_concurrency(self, **_: Any) -> dict[str, Any]:
        return {}

    def put_function_concurrency(self, **request: Any) -> None:
        if self._refusal:
            raise ClientError({"Error": {"Code": self._refusal, "Message": "below 10"}}, "Put")
        self.changes.append(request["ReservedConcurrentExecutions"])

    def delete_function_concurrency(self, **_: Any) -> None:
        self.changes.append(None)


@pytest.fixture
def bench() -> Iterator[Workspace]:
    names = {"InputBucketName": "input", "OutputBucketName": "output"}
    with mocked_deployment(
        *names.values(), **names, MetadataTableName="t", StateMachineArn=MACHINE
    ) as deployment:
        deployment.__dict__["parameters"] = {"SplitSizeBytes": "1000", "LogLevel": "INFO"}
        found = Workspace(Stack(deployment), time.monotonic() + 60, lambda _: False)
        found._known[processed_file] = ENDED, None
        yield found


def use(bench: Workspace, **clients: Any) -> None:
    """Put these in place of boto3's clients; `lambda_` is that of Lambda."""
    for name, client in clients.items():
        bench.stack.deployment._clients[name.rstrip("_")] = client


@pytest.mark.parametrize(("used", "right"), [(1000, True), (1415, True), (1600, False)])
def test_memory_is_read_from_the_report_of_the_invocation(
    bench: Workspace, used: int, right: bool
) -> None:
    metrics = {"maxMemoryUsedMB": used, "memorySizeMB": 1769, "durationMs": 1.5}
    logs = FakeLogs({"type": "platform.report", "record": {"metrics": metrics}})
    use(bench, logs=logs)

    seen = function_checks.memory_used(processed_file)(bench)
    assert seen.as_expected is right
    assert seen.text == f"Transform {used} of 1769 MB, Summarize {used} of 1769 MB"
    assert ['"r-transform"' in logs.patterns[0], '"r-summarize"' in logs.patterns[1]] == [True] * 2


@pytest.mark.parametrize(("lines", "right"), [([{"_aws": {"Timestamp": 1}}], True), ([], False)])
def test_metrics_are_looked_for_at_warn_and_the_level_is_restored(
    bench: Workspace, monkeypatch: pytest.MonkeyPatch, lines: list[Any], right: bool
) -> None:
    functions = FakeFunctions()
    use(bench, lambda_=functions, logs=FakeLogs(*lines))
    monkeypatch.setattr(function_checks, "sent_and_ended", lambda *_: ENDED)
    monkeypatch.setattr(function_checks, "_METRIC_SECONDS", 0)

    assert function_checks.metrics_pass_log_level(bench).as_expected is right
    assert functions.changes == ["WARN", "INFO"]


def throttled(bench: Workspace, monkeypatch: pytest.MonkeyPatch, error: str) -> Seen:
    failed = {"type": "TaskFailed", "taskFailedEventDetails": {"error": error}}
    monkeypatch.setattr(Workspace, "send", lambda *_: FILE)
    monkeypatch.setattr(Workspace, "ended", lambda *_: ENDED.execution)
    monkeypatch.setattr(Workspace, "events", lambda *_: [failed])
    return function_checks.throttled_files_succeed(bench)


def test_reserved_concurrency_is_removed_again(
    bench: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = FakeFunctions()
    use(bench, lambda_=functions)
    seen = throttled(bench, monkeypatch, "Lambda.TooManyRequestsException")

    assert (seen.as_expected, seen.text) == (True, "12 of 12 succeeded, 12 throttled invocations")
    assert functions.changes == [2, None]


def test_without_throttling_nothing_was_seen(
    bench: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(bench, lambda_=FakeFunctions())
    with pytest.raises(NotRunError, match="no invocation was throttled"):
        throttled(bench, monkeypatch, "Sandbox.Timedout")


def test_an_account_that_can_reserve_nothing_is_no_difference(bench: Workspace) -> None:
    use(bench, lambda_=FakeFunctions(refusal="InvalidParameterValueException"))
    with pytest.raises(NotRunError, match="the account has too few executions"):
        function_checks.throttled_files_succeed(bench)


@pytest.mark.parametrize(("architecture", "right"), [("arm64", True), ("x86_64", False)])
def test_packages_are_those_of_arm64(bench: Workspace, architecture: str, right: bool) -> None:
    use(bench, lambda_=FakeFunctions(architecture=architecture))
    seen = function_checks.packages_run_on_arm64(bench)
    assert seen.as_expected is right
    assert f"3 functions: python3.13 on {architecture}" in seen.text


def test_segments_of_step_functions_are_found_in_the_trace(bench: Workspace) -> None:
    origins = ("AWS::Lambda", "AWS::StepFunctions::StateMachine")
    segments = [{"Document": json.dumps({"origin": origin})} for origin in origins]
    traces = {"Traces": [{"Segments": segments}]}
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    machine = SimpleNamespace(describe_execution=lambda **_: {"traceHeader": header})
    use(bench, xray=SimpleNamespace(batch_get_traces=lambda **_: traces), stepfunctions=machine)
    seen = workflow_checks.trace_has_the_workflow(bench)
    assert seen.text == "segments of AWS::Lambda, AWS::StepFunctions::StateMachine"

    machine.describe_execution = lambda **_: {"traceHeader": header.replace("=1", "=0")}
    with pytest.raises(NotRunError, match="did not sample"):
        workflow_checks.trace_has_the_workflow(bench)
