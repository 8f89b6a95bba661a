"""Every limit of the table is enforced: what is within it passes, and what is beyond is refused."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pipectl.embedded import limits
from pipectl.embedded.concurrency import Concurrency
from pipectl.embedded.function_settings import changed
from pipectl.embedded.injected_faults import InjectedFaults
from pipectl.embedded.lambda_service import LambdaService, ServiceError
from pipectl.embedded.limits import LIMITS, Limit
from pipectl.embedded.moto_patches import map_runs
from pipectl.embedded.process import StackProcess
from pipectl.embedded.workers import Function
from pipectl.errors import UsageError

NOTHING: Any = None

ROLE = "arn:aws:iam::123456789012:role/probe"
BUCKET, TABLE = "probe-notes", "probe-limits"

Case = Callable[[StackProcess, int], str | None]
"""Requests an amount; returns the refusal, or None if it passes."""


def refusal_of(call: Callable[..., Any], **parameters: Any) -> str | None:
    try:
        call(**parameters)
    except ClientError as error:
        # SQS has a prefix in the names that it had before.
        return error.response["Error"]["Code"].rpartition(".")[2]
    return None


# Step Functions


@cache
def machine(probe: StackProcess, definition: str) -> str:
    answer = probe.client("stepfunctions").create_state_machine(
        name=f"limits-{uuid.uuid4()}", definition=definition, roleArn=ROLE
    )
    return str(answer["stateMachineArn"])


def one_state(**state: Any) -> str:
    end = {} if state["Type"] == "Fail" else {"End": True}
    return json.dumps({"StartAt": "Only", "States": {"Only": {**state, **end}}})


def start(probe: StackProcess, **parameters: Any) -> str | None:
    arn = machine(probe, one_state(Type="Pass"))
    call = probe.client("stepfunctions").start_execution
    return refusal_of(call, stateMachineArn=arn, **parameters)


def run(probe: StackProcess, definition: str, document: Any, patience: float = 60) -> Any:
    """Run an execution to its end; returns its description."""
    client = probe.client("stepfunctions")
    arn = client.start_execution(
        stateMachineArn=machine(probe, definition), input=json.dumps(document)
    )["executionArn"]
    deadline = time.monotonic() + patience
    while (described := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return described


def state_of(probe: StackProcess, size: int) -> str | None:
    definition = one_state(
        Type="Pass", Parameters={"o.$": "States.Format('{}{}{}', $.half, $.half, $.rest)"}
    )
    half, rest = divmod(size - len('{"o":""}') - len("é".encode()), 2)
    ended = run(probe, definition, {"half": "x" * half, "rest": "x" * rest + "é"})
    return None if ended["status"] == "SUCCEEDED" else str(ended["error"])


def fail_with(name: str, probe: StackProcess, size: int) -> str | None:
    texts = {"Error": "E", "Cause": "C", name: "x" * size}
    ended = run(probe, one_state(Type="Fail", **texts), {})
    return None if len(ended[name.lower()]) == size else "is cut"


# Lambda


def invoke(probe: StackProcess, payload: bytes, **parameters: Any) -> str | None:
    call = probe.client("lambda").invoke
    return refusal_of(call, FunctionName="probe-actor", Payload=payload, **parameters)


def result_of(probe: StackProcess, size: int) -> str | None:
    frame = json.dumps({"do": "echo", "text": ""})
    event = {"do": "echo", "text": "x" * (size - len(frame))}
    answer = probe.client("lambda").invoke(
        FunctionName="probe-actor", Payload=json.dumps(event, separators=(",", ":")).encode()
    )
    payload = json.loads(answer["Payload"].read())
    return payload["errorType"] if "FunctionError" in answer else None


def settings(probe: StackProcess, **document: Any) -> str | None:
    del probe  # the settings of its functions stay as they are
    function = Function("name", "arn", "app.handler", Path(), 3, 128, {}, "logs")
    try:
        changed(function, json.dumps(document).encode())
    except ServiceError as error:
        return error.code
    return None


# DynamoDB


@cache
def table(probe: StackProcess) -> None:
    keys = {"key": "HASH", "sort": "RANGE"}
    probe.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def put_item(probe: StackProcess, **texts: str) -> str | None:
    table(probe)
    item = {name: {"S": text} for name, text in ({"key": "k", "sort": "s"} | texts).items()}
    return refusal_of(probe.client("dynamodb").put_item, TableName=TABLE, Item=item)


# Others


def send(probe: StackProcess, *sizes: int) -> str | None:
    attributes = {"name": {"DataType": "String", "StringValue": "é"}}
    of_attributes = len("name") + len("String") + len("é".encode())
    entries: list[Any] = [
        {"MessageBody": "x" * (size - of_attributes), "MessageAttributes": attributes}
        for size in sizes
    ]
    client = probe.client("sqs")
    url = client.create_queue(QueueName="probe-limits")["QueueUrl"]
    if len(entries) == 1:
        return refusal_of(client.send_message, QueueUrl=url, **entries[0])
    entries = [{**entry, "Id": str(number)} for number, entry in enumerate(entries)]
    return refusal_of(client.send_message_batch, QueueUrl=url, Entries=entries)


def publish(probe: StackProcess, size: int) -> str | None:
    attributes = {"name": {"DataType": "String", "StringValue": "é"}}
    of_attributes = len("name") + len("String") + len("é".encode())
    return refusal_of(
        probe.client("sns").publish,
        TopicArn=probe.outputs["Topic"],
        Message="x" * (size - of_attributes),
        MessageAttributes=attributes,
    )


def put_events(probe: StackProcess, size: int) -> str | None:
    entry = {"Source": "limits", "DetailType": "é", "Resources": ["r"]}
    rest = len("limits") + len("é".encode()) + len("r") + len('{"x":""}')
    entry["Detail"] = json.dumps({"x": "x" * (size - rest)}, separators=(",", ":"))
    return refusal_of(probe.client("events").put_events, Entries=[entry])


CASES: dict[Limit, Case] = {
    limits.EXECUTION_INPUT: lambda probe, size: start(probe, input=f'"{"x" * (size - 2)}"'),
    limits.EXECUTION_NAME: lambda probe, size: start(probe, name=uuid.uuid4().hex.ljust(size, "x")),
    limits.STATE_DATA: state_of,
    limits.ERROR: partial(fail_with, "Error"),
    limits.CAUSE: partial(fail_with, "Cause"),
    limits.INVOCATION: lambda probe, size: invoke(probe, b'"%s"' % (b"x" * (size - 2))),
    limits.ASYNCHRONOUS_INVOCATION: lambda probe, size: invoke(
        probe, b'{"x":"%s"}' % (b"x" * (size - 8)), InvocationType="Event"
    ),
    limits.RESULT: result_of,
    limits.ENVIRONMENT: lambda probe, size: settings(
        probe, Environment={"Variables": {"A": "x" * (size - 8)}}
    ),
    limits.MEMORY: lambda probe, size: settings(probe, MemorySize=size),
    limits.STORAGE: lambda probe, size: settings(probe, EphemeralStorage={"Size": size}),
    limits.TIMEOUT: lambda probe, size: settings(probe, Timeout=size),
    limits.KEY: lambda probe, size: refusal_of(
        probe.client("s3").put_object, Bucket=BUCKET, Key="é" + "k" * (size - 2), Body=b""
    ),
    limits.METADATA: lambda probe, size: refusal_of(
        probe.client("s3").put_object,
        Bucket=BUCKET,
        Key="limits",
        Metadata={"one": "x", "two": "x" * (size - 7)},
    ),
    limits.MESSAGE: send,
    limits.MESSAGE_BATCH: lambda probe, size: send(probe, size // 2, size - size // 2),
    limits.NOTIFICATION: publish,
    limits.SUBJECT: lambda probe, size: refusal_of(
        probe.client("sns").publish,
        TopicArn=probe.outputs["Topic"],
        Message="m",
        Subject="é" * size,
    ),
    limits.ITEM: lambda probe, size: put_item(
        probe, text="é" + "x" * (size - 2 - len("keyksortstext"))
    ),
    limits.PARTITION_KEY: lambda probe, size: put_item(probe, key="é" + "x" * (size - 2)),
    limits.SORT_KEY: lambda probe, size: put_item(probe, sort="é" + "x" * (size - 2)),
    limits.EVENTS: put_events,
}

# These have tests of their own.
OTHERS = {
    # Quickly by test_engine.py, too.
    limits.HISTORY: "test_an_execution_ends_with_its_history",
    limits.HISTORY_PAGE: "test_a_history_comes_in_pages_in_either_order",
    limits.REDRIVEN_HISTORY: "test_an_execution_ends_with_its_history",
    limits.MAP_ITEMS: "test_a_map_reads_no_more_items_than_it_may",
    limits.FUNCTION_NAME: "test_a_function_that_lambda_refuses_is_refused",
}


def test_every_limit_of_the_table_is_tested() -> None:
    assert set(CASES) | set(OTHERS) == set(LIMITS)
    assert set(OTHERS.values()) <= globals().keys()


@pytest.mark.parametrize("limit", CASES, ids=lambda limit: limit.name)
def test_requests_within_a_limit_pass_and_those_beyond_are_refused(
    probe: StackProcess, limit: Limit
) -> None:
    case = CASES[limit]
    assert case(probe, limit.most) is None
    assert case(probe, limit.most + 1) == limit.refusal
    if limit.least > 1:
        assert case(probe, limit.least) is None
        assert case(probe, limit.least - 1) == limit.refusal


def test_every_limit_names_its_source() -> None:
    for limit in LIMITS:
        assert limit.source.startswith("https://docs.aws.amazon.com/")


LOOP = json.dumps({"StartAt": "Again", "States": {"Again": {"Type": "Pass", "Next": "Again"}}})


@pytest.mark.long
def test_an_execution_ends_with_its_history(probe: StackProcess) -> None:
    ended = run(probe, LOOP, {})
    assert ended["status"] == "FAILED"
    assert ended["error"] == limits.HISTORY.refusal
    assert ended["cause"] == "The execution reached the maximum number of history events (25000)."
    arn = ended["executionArn"]
    client = probe.client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    newest = [event for page in pages for event in page["events"]][-1]
    assert (newest["id"], newest["type"]) == (limits.HISTORY.most, "ExecutionFailed")
    assert refusal_of(client.redrive_execution, executionArn=arn) == limits.REDRIVEN_HISTORY.refusal


def test_a_history_comes_in_pages_in_either_order(probe: StackProcess) -> None:
    states: dict[str, Any] = {
        str(number): {"Type": "Pass", "Next": str(number + 1)} for number in range(520)
    }
    states["520"] = {"Type": "Pass", "End": True}
    ended = run(probe, json.dumps({"StartAt": "0", "States": states}), {})
    arn = ended["executionArn"]
    history = probe.client("stepfunctions").get_execution_history
    events = 2 * len(states) + 2

    def ids(**parameters: Any) -> list[list[int]]:
        """The IDs of the events on each page."""
        pages = []
        while True:
            page = history(executionArn=arn, **parameters)
            pages.append([event["id"] for event in page["events"]])
            if "nextToken" not in page:
                return pages
            parameters["nextToken"] = page["nextToken"]

    most = limits.HISTORY_PAGE.most
    forwards = list(range(1, events + 1))
    assert ids(maxResults=most) == [forwards[:most], forwards[most:]]
    assert ids(maxResults=most, reverseOrder=True) == [
        forwards[-most:][::-1],
        forwards[:-most][::-1],
    ]
    assert [len(page) for page in ids()] == [100] * 10 + [44]
    assert refusal_of(history, executionArn=arn, nextToken="x") == "InvalidToken"


def test_a_map_reads_no_more_items_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    items = limits.MAP_ITEMS
    monkeypatch.setattr(limits, "MAP_ITEMS", replace(items, most=3))
    for there, read in ((3, 3), (4, 3)):
        environment = SimpleNamespace(stack=[])
        original = partial(lambda count, _reader, env: env.stack.append([0] * count), there)
        map_runs._read_items(original, NOTHING)(None, environment)
        assert environment.stack == [[0] * read]


def test_a_function_that_lambda_refuses_is_refused() -> None:
    service = LambdaService(NOTHING, time.sleep, InjectedFaults(), Concurrency())
    fine = Function("n" * limits.FUNCTION_NAME.most, "arn", "app.handler", Path(), 3, 128, {}, "")
    service.add(fine)
    for wrong in (
        {"name": fine.name + "n"},
        {"memory": 127},
        {"storage": 511},
        {"timeout": 901},
        {"environment": {"A": "x" * limits.ENVIRONMENT.most}},
    ):
        with pytest.raises(UsageError, match="Lambda refuses the function"):
            service.add(replace(fine, **wrong))


def test_a_changed_function_runs_with_its_new_settings(probe: StackProcess) -> None:
    client = probe.deployment.session.client(
        "lambda",
        endpoint_url=probe.deployment.endpoint,
        config=Config(parameter_validation=False),
    )

    def change(**parameters: Any) -> Any:
        return client.update_function_configuration(FunctionName="probe-changing", **parameters)

    def allocate() -> Any:
        event = json.dumps({"do": "allocate", "megabytes": 200}).encode()
        answer = client.invoke(FunctionName="probe-changing", Payload=event)
        return json.loads(answer["Payload"].read())

    change(MemorySize=512)
    assert allocate() == 200 * 1024 * 1024
    assert change(MemorySize=128)["MemorySize"] == 128
    assert allocate()["errorType"] == "Runtime.ExitError"
    assert refusal_of(change, MemorySize=64) == limits.MEMORY.refusal
    assert allocate()["errorType"] == "Runtime.ExitError"
    change(MemorySize=512)
    assert allocate() == 200 * 1024 * 1024
