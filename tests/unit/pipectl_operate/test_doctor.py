"""`pipectl doctor`: what is missing, and what is a problem."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import CliRunner

from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.doctor import command
from pipectl.operate import diagnosis
from tests.unit.mocked_stack import mocked_deployment

EXTRAS = {"engine": ("polars",), "other": ("no_such_module_of_anyone",)}


def test_the_machine_is_examined_without_a_network() -> None:
    found = {one.name: one for one in diagnosis.examine_machine("csv-step-pipeline", EXTRAS)}

    assert found["Python"].state == "ok"
    assert found["stack's files"].state == "ok"
    assert found["extra engine"].state == "ok"
    assert found["extra other"].state == "missing"
    assert "pipx install 'csv-step-pipeline[other]'" in found["extra other"].text


def test_an_old_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    first = next(iter(diagnosis.examine_machine("csv-step-pipeline", {})))

    assert (first.name, first.state) == ("Python", "problem")


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack of which all parts but the queue exist."""
    with mocked_deployment("input", "output") as deployment:
        deployment.client("dynamodb").create_table(
            TableName="metadata",
            AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        url = deployment.client("sqs").create_queue(QueueName="letters")["QueueUrl"]
        deployment.client("sqs").send_message(QueueUrl=url, MessageBody="x")
        deployment.__dict__["outputs"] = {
            "InputBucketName": "input",
            "OutputBucketName": "nowhere",
            "MetadataTableName": "metadata",
            "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:none",
            "ProcessingQueueUrl": url,
            "DeadLetterQueueUrl": url,
        }
        yield Stack(deployment)


def test_each_part_of_the_stack_is_reached_or_a_problem(stack: Stack) -> None:
    found = {one.name: one for one in diagnosis.examine_stack(lambda: stack)}

    assert found["credentials"].state == "ok"
    assert "account 123456789012" in found["credentials"].text
    assert {name: one.state for name, one in found.items() if name not in ("credentials",)} == {
        "region": "ok",
        "stack": "ok",
        "input bucket": "ok",
        "output bucket": "problem",
        "metadata table": "ok",
        "state machine": "problem",
        "dead-letter queue": "ok",
    }
    assert found["dead-letter queue"].text == "about 1 messages; see `pipectl failures`"


def test_a_stack_of_another_kind_is_a_problem(stack: Stack) -> None:
    stack.deployment.__dict__["outputs"] = {"InputBucketName": "input"}
    *_, last = diagnosis.examine_stack(lambda: stack)

    assert (last.name, last.state) == ("stack", "problem")
    assert "OutputBucketName" in last.text


def test_missing_credentials_are_a_problem_and_end_with_status_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Any) -> Stack:
        raise NoCredentialsError

    monkeypatch.setattr(StackChoice, "open", refuse)
    result = CliRunner().invoke(command, ["--json"])
    offline = CliRunner().invoke(command, ["--offline"])

    assert (result.exit_code, offline.exit_code) == (1, 0)
    last = json.loads(result.output)["findings"][-1]
    assert (last["name"], last["state"]) == ("credentials", "problem")
    assert "There are no AWS credentials." in last["text"]
    assert "0 problems" in offline.output
