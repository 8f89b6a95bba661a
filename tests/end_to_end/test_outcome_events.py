"""Every outcome is an event on the bus, with the same document as the topic's message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipectl.embedded.template import ACCOUNT, REGION
from tests.documentation.outcome_examples import OUTCOME
from tests.end_to_end.pipeline import Pipeline

FILE = b"name,amount\na,1\nb,x\nc,3\n"
REJECTS = b"name,amount\na,1\nb,x\nc,y\nd,3\n"

Received = Callable[..., list[Mapping[str, Any]]]


@pytest.fixture(scope="module")
def received(pipeline: Pipeline) -> Received:
    """Wait for the events of a file that a rule has sent to a queue."""
    sqs, events = pipeline.deployment.client("sqs"), pipeline.deployment.client("events")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:file-events"
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
    allowed |= {"Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    url = sqs.create_queue(QueueName="file-events", Attributes={"Policy": policy})["QueueUrl"]
    pattern = {"source": ["data-pipeline"], "detail": {"environment": ["dev"]}}
    events.put_rule(Name="file-events", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="file-events", Targets=[{"Id": "queue", "Arn": arn}])
    seen: list[Mapping[str, Any]] = []

    def wait(file_id: str, count: int = 1, patience: float = 30) -> list[Mapping[str, Any]]:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            seen.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
            found = [event for event in seen if event["detail"]["file_id"] == file_id]
            if len(found) >= count:
                return found
            time.sleep(0.1)
        return []

    return wait


def test_a_processed_file(pipeline: Pipeline, received: Received) -> None:
    outcome = pipeline.run(FILE)
    (event,) = received(outcome.file_id)
    (notification,) = pipeline.notifications(outcome.file_id)
    assert event["detail-type"] == "File Processed"
    assert event["detail"] == json.loads(json.loads(notification["message"])["default"])
    OUTCOME.validate(event["detail"])
    for uri in filter(None, event["detail"]["outputs"].values()):
        assert uri.removeprefix("s3://").partition("/")[2] in outcome.objects
    assert event["detail"]["counts"]["records"] == outcome.item["record_count"]


def test_a_failed_file(pipeline: Pipeline, received: Received) -> None:
    outcome = pipeline.wait_for_failure(pipeline.drop(b"").file_id)
    (event,) = received(outcome.file_id)
    (notification,) = pipeline.notifications(outcome.file_id)
    assert event["detail-type"] == "File Failed"
    assert event["detail"] == json.loads(json.loads(notification["message"])["default"])
    assert event["detail"]["error"]["code"] == "EmptyFile"


def test_a_file_whose_execution_was_aborted(pipeline: Pipeline, received: Received) -> None:
    """The failure lane never runs: the function `uncaught` sends the same document."""
    source = pipeline.drop_and_stop(FILE)
    pipeline.wait_for_failure(source.file_id)
    (event,) = received(source.file_id)
    OUTCOME.validate(event["detail"])
    assert (event["detail-type"], event["detail"]["error"]["code"]) == ("File Failed", "Aborted")


def test_a_superseded_file(pipeline: Pipeline, received: Received) -> None:
    first = pipeline.run(FILE, "one.csv", "superseding")
    second = pipeline.run(REJECTS, "one.csv", "superseding")
    document = {"file_id": first.file_id, "attempt": 1, "source": first.execution.source}
    pipeline.send({**document, "force": True, "superseded": True})
    again = pipeline.outcome(first.file_id, f"{first.file_id}-r2")
    (event,) = [it for it in received(first.file_id, count=2) if it["detail"]["attempt"] == 2]
    OUTCOME.validate(event["detail"])
    assert again.execution.status == "succeeded"
    assert event["detail-type"] == "File Superseded"
    assert event["detail"]["superseded_by"]["file_id"] == second.file_id
