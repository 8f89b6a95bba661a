"""The calls to AWS, checked against the API models of the services."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from pipectl.client.dead_letter_queue import DeadLetter, DeadLetterQueue, resolved
from pipectl.client.deployment import Deployment
from pipectl.client.metadata_items import MetadataItems
from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import Executions
from shared.job import Source

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:data-pipeline-dev"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:data-pipeline-dev:by-hand"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/data-processing-dlq-dev"
EARLIER = datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def stack() -> Stack:
    session = boto3.Session("testing", "testing", region_name="eu-central-1")
    deployment = Deployment(session, "data-pipeline")
    deployment.__dict__["outputs"] = {
        "StateMachineArn": MACHINE,
        "DeadLetterQueueUrl": QUEUE,
        "MetadataTableName": "pipeline-metadata-dev",
    }
    return Stack(deployment)


@pytest.fixture
def states(stack: Stack) -> Iterator[Stubber]:
    with Stubber(stack.client("stepfunctions")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def queue(stack: Stack) -> Iterator[Stubber]:
    with Stubber(stack.client("sqs")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def table(stack: Stack) -> Iterator[Stubber]:
    with Stubber(stack.client("dynamodb")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def listed(name: str, status: str = "FAILED", stopped: datetime = LATER) -> dict[str, Any]:
    arn = ARN.replace("by-hand", name)
    return {
        "executionArn": arn,
        "stateMachineArn": MACHINE,
        "name": name,
        "status": status,
        "startDate": EARLIER,
        **({"stopDate": stopped} if status != "RUNNING" else {}),
    }


def test_an_execution_is_redriven(stack: Stack, states: Stubber) -> None:
    states.add_response("redrive_execution", {"redriveDate": LATER}, {"executionArn": ARN})
    Executions(stack).redrive(ARN)


def test_a_description_says_whether_a_redrive_is_possible(stack: Stack, states: Stubber) -> None:
    states.add_response(
        "describe_execution",
        {
            **listed("by-hand"),
            "input": '{"file_id": "f1"}',
            "error": "EmptyFile",
            "cause": '{"errorMessage": "It is empty."}',
            "redriveCount": 2,
            "redriveDate": LATER,
            "redriveStatus": "NOT_REDRIVABLE",
            "redriveStatusReason": "Execution redrivable period exceeded",
        },
        {"executionArn": ARN},
    )
    described = Executions(stack).describe("by-hand")
    assert described is not None
    assert (described.file_id, described.cause) == ("f1", "It is empty.")
    assert (described.redrivable, described.redrive_count) == (False, 2)
    assert described.redrive_reason == "Execution redrivable period exceeded"


def test_an_execution_that_does_not_exist_is_none(stack: Stack, states: Stubber) -> None:
    states.add_client_error("describe_execution", "ExecutionDoesNotExist")
    assert Executions(stack).describe(ARN) is None


def test_any_other_error_is_raised(stack: Stack, states: Stubber) -> None:
    states.add_client_error("describe_execution", "AccessDeniedException")
    with pytest.raises(ClientError):
        Executions(stack).describe(ARN)


def test_listing_ends_at_the_first_page_that_is_too_old(stack: Stack, states: Stubber) -> None:
    request = {"stateMachineArn": MACHINE, "statusFilter": "FAILED", "maxResults": 100}
    first = {"executions": [listed("a"), listed("b", stopped=EARLIER)], "nextToken": "t1"}
    second = {"executions": [listed("c", stopped=EARLIER)], "nextToken": "t2"}
    states.add_response("list_executions", first, request)
    states.add_response("list_executions", second, {**request, "nextToken": "t1"})
    found = Executions(stack).listed(status="FAILED", since=LATER)
    assert [one.name for one in found] == ["a"]


def test_a_running_execution_matches_any_since(stack: Stack, states: Stubber) -> None:
    page = {"executions": [listed("a", "RUNNING"), listed("b", stopped=EARLIER)]}
    states.add_response("list_executions", page, {"stateMachineArn": MACHINE, "maxResults": 100})
    assert [one.name for one in Executions(stack).listed(since=LATER)] == ["a"]


@pytest.mark.parametrize(("own", "same"), [('{"a": 1}', True), ('{ "a":1 }', True), ("{}", False)])
def test_definitions_are_compared_by_content(
    stack: Stack, states: Stubber, own: str, same: bool
) -> None:
    machine = {
        "stateMachineArn": MACHINE,
        "name": "m",
        "roleArn": "arn:aws:iam::123456789012:role/r",
    }
    present = {**machine, "definition": '{"a": 1}', "type": "STANDARD", "creationDate": EARLIER}
    of_execution = {**machine, "definition": own, "updateDate": EARLIER}
    states.add_response("describe_state_machine", present, {"stateMachineArn": MACHINE})
    states.add_response("describe_state_machine_for_execution", of_execution, {"executionArn": ARN})
    assert Executions(stack).has_present_definition(ARN) is same


def message(number: int, body: str = "nonsense") -> dict[str, Any]:
    attributes = {"SentTimestamp": str(round(EARLIER.timestamp() * 1000))}
    return {
        "MessageId": f"m{number}",
        "ReceiptHandle": f"r{number}",
        "Body": body,
        "Attributes": attributes,
    }


RECEIVE = {
    "QueueUrl": QUEUE,
    "MaxNumberOfMessages": 10,
    "VisibilityTimeout": 120,
    "WaitTimeSeconds": 1,
    "AttributeNames": ["SentTimestamp"],
    "MessageAttributeNames": ("TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE"),
}


def released(*receipts: str) -> dict[str, Any]:
    return {
        "QueueUrl": QUEUE,
        "Entries": [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for number, receipt in enumerate(receipts)
        ],
    }


def test_peeking_releases_every_message(stack: Stack, queue: Stubber) -> None:
    queue.add_response("receive_message", {"Messages": [message(1), message(2)]}, RECEIVE)
    # A message that is received twice has a new receipt.
    again = {"Messages": [message(3), {**message(1), "ReceiptHandle": "r1b"}]}
    queue.add_response("receive_message", again, RECEIVE)
    queue.add_response("receive_message", {}, RECEIVE)
    done: dict[str, Any] = {"Successful": [], "Failed": []}
    queue.add_response("change_message_visibility_batch", done, released("r1b", "r2", "r3"))
    assert [one.message_id for one in DeadLetterQueue(stack).peek()] == ["m1", "m2", "m3"]


def test_messages_are_released_after_an_error_and_deleted_ones_are_not(
    stack: Stack, queue: Stubber
) -> None:
    queue.add_response("receive_message", {"Messages": [message(1), message(2)]}, RECEIVE)
    queue.add_response("receive_message", {}, RECEIVE)
    done: dict[str, Any] = {"Successful": [], "Failed": []}
    queue.add_response(
        "delete_message_batch",
        done,
        {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "r1"}]},
    )
    queue.add_response("change_message_visibility_batch", done, released("r2"))
    with pytest.raises(RuntimeError):
        delete_the_first_and_fail(DeadLetterQueue(stack))


def delete_the_first_and_fail(queue: DeadLetterQueue) -> None:
    with queue.held() as held:
        queue.delete(held[:1])
        raise RuntimeError


def test_only_dead_letters_older_than_the_success_of_all_their_files_are_resolved() -> None:
    sources = [
        Source("in", f"raw/{name}.csv", "v1", "e", 1, "0", "2026-03-01T00:00:00Z", "default")
        for name in "abc"
    ]
    a, b, _ = (source.file_id for source in sources)
    items = {
        a: {"status": "succeeded", "recorded_at": "2026-03-02T00:00:00.000Z"},
        b: {"status": "failed", "recorded_at": "2026-03-02T00:00:00.000Z"},
    }

    def dead_letter(name: str, sent_at: datetime, *of: Source) -> DeadLetter:
        return DeadLetter(name, name, sent_at, "", "s3_event", of)

    dead_letters = [
        dead_letter("of a success", EARLIER, sources[0]),
        dead_letter("of a later failure", datetime(2026, 3, 3, tzinfo=UTC), sources[0]),
        dead_letter("of a failure", EARLIER, sources[1]),
        dead_letter("of both", EARLIER, sources[0], sources[1]),
        dead_letter("of no item", EARLIER, sources[2]),
        dead_letter("of no file", EARLIER),
    ]
    assert [one.message_id for one in resolved(dead_letters, items)] == ["of a success"]


def test_items_are_read_a_hundred_at_a_time_until_none_is_missing(
    stack: Stack, table: Stubber
) -> None:
    name = "pipeline-metadata-dev"
    keys = [{"file_id": {"S": f"f{number}"}} for number in range(2)]

    def request(wanted: list[Any]) -> dict[str, Any]:
        return {"RequestItems": {name: {"Keys": wanted, "ConsistentRead": True}}}

    first = {"Responses": {name: [keys[0]]}, "UnprocessedKeys": {name: {"Keys": keys[1:]}}}
    table.add_response("batch_get_item", first, request(keys))
    table.add_response("batch_get_item", {"Responses": {name: [keys[1]]}}, request(keys[1:]))
    assert MetadataItems(stack).get(["f0", "f1", "f0"]) == {
        "f0": {"file_id": "f0"},
        "f1": {"file_id": "f1"},
    }


def test_all_failures_are_one_scan_of_their_index(stack: Stack, table: Stubber) -> None:
    table.add_response(
        "scan",
        {"Items": [{"file_id": {"S": "f1"}, "failed_at": {"S": "2026-03-01"}}]},
        {"TableName": "pipeline-metadata-dev", "IndexName": "failures-index"},
    )
    assert [item["file_id"] for item in MetadataItems(stack).failed()] == ["f1"]


def test_recent_failures_are_one_query_per_day(stack: Stack, table: Stubber) -> None:
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = now.date().isoformat()
    table.add_response(
        "query",
        {"Items": []},
        {
            "TableName": "pipeline-metadata-dev",
            "IndexName": "failures-index",
            "KeyConditionExpression": "failed_on = :day AND failed_at >= :earliest",
            "ExpressionAttributeValues": {
                ":day": {"S": day},
                ":earliest": {"S": f"{day}T00:00:00.000Z"},
            },
        },
    )
    assert MetadataItems(stack).failed(now) == []
