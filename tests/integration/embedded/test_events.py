"""Queues, topics, rules and buckets reach functions as they do on AWS."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipectl.embedded.process import StackProcess
from tests.integration.embedded.conftest import Notes

QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:probe-queue"
DEAD_LETTERS_ARN = "arn:aws:sqs:us-east-1:123456789012:probe-dead-letters"


def dead_letters_with(probe: StackProcess, text: str, patience: float = 20) -> list[Any]:
    """The dead letters with a text in them, waited for."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = [letter for letter in probe.dead_letters() if text in json.dumps(letter)]
        if found:
            return found
        time.sleep(0.1)
    return []


def test_a_refused_message_among_good_ones_ends_alone_in_the_dead_letter_queue(
    probe: StackProcess, notes: Notes
) -> None:
    mark = str(uuid.uuid4())
    bodies = [f"accept {mark}"] * 9 + [f"refuse {mark}"]
    probe.client("sqs").send_message_batch(
        QueueUrl=probe.outputs["QueueUrl"],
        Entries=[
            {"Id": str(number), "MessageBody": json.dumps(body)}
            for number, body in enumerate(bodies)
        ],
    )
    assert dead_letters_with(probe, mark) == [f"refuse {mark}"]
    seen = [json.loads(record["body"]) for record in notes("seen", mark, count=12)]
    assert sorted(seen) == sorted([f"accept {mark}"] * 9 + [f"refuse {mark}"] * 3)
    refused = [f for f in probe.failed_deliveries() if mark in f["body"]]
    assert {failure["code"] for failure in refused} == {"MessageRefused"}


def test_an_event_that_a_function_fails_on_ends_in_its_failure_destination(
    probe: StackProcess, notes: Notes
) -> None:
    event = {"do": "raise", "mark": str(uuid.uuid4())}
    probe.client("lambda").invoke(
        FunctionName="probe-receiver", InvocationType="Event", Payload=json.dumps(event).encode()
    )
    (record,) = dead_letters_with(probe, event["mark"])
    assert record["requestPayload"] == event
    assert record["requestContext"]["functionArn"].endswith(":probe-receiver:$LATEST")
    assert record["responsePayload"]["errorType"] == "RuntimeError"
    assert len(notes("received", event["mark"], count=3)) == 3


def test_dead_letters_move_back_with_an_explicit_destination(
    probe: StackProcess, notes: Notes
) -> None:
    mark = str(uuid.uuid4())
    sqs = probe.client("sqs")
    sqs.send_message(QueueUrl=probe.outputs["DeadLetterQueueUrl"], MessageBody=json.dumps(mark))
    task = sqs.start_message_move_task(SourceArn=DEAD_LETTERS_ARN, DestinationArn=QUEUE_ARN)
    assert task["TaskHandle"]
    assert notes("seen", mark)
    listed = sqs.list_message_move_tasks(SourceArn=DEAD_LETTERS_ARN)["Results"]
    assert listed[0]["Status"] == "COMPLETED"


def test_an_s3_event_has_a_version_and_a_rising_sequencer(
    probe: StackProcess, notes: Notes
) -> None:
    mark = str(uuid.uuid4())
    key = f"in/{mark}.txt"
    versions = [probe.upload(b"one", key).version_id, probe.upload(b"two", key).version_id]
    events = [json.loads(record["body"]) for record in notes("seen", mark, count=2)]
    objects = [event["Records"][0]["s3"]["object"] for event in events]
    by_sequencer = sorted(objects, key=lambda item: item["sequencer"])
    assert [item["versionId"] for item in by_sequencer] == versions


def test_an_object_that_no_filter_matches_sends_no_event(probe: StackProcess, notes: Notes) -> None:
    mark = str(uuid.uuid4())
    probe.upload(b"", f"in/{mark}.TXT")
    probe.upload(b"", f"in/{mark}.txt")
    assert len(notes("seen", mark)) == 1
    assert len(notes("seen", mark, count=2, patience=1)) == 1


def test_a_topic_reaches_a_function_with_attributes_and_filter(
    probe: StackProcess, notes: Notes
) -> None:
    mark = str(uuid.uuid4())
    for kind in ("unwanted", "wanted"):
        probe.client("sns").publish(
            TopicArn=probe.outputs["Topic"],
            Subject=kind,
            MessageStructure="json",
            Message=json.dumps({"default": f"for others {mark}", "lambda": f"for code {mark}"}),
            MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
        )
    (event,) = notes("received", mark)
    sns = event["Records"][0]["Sns"]
    assert (sns["Subject"], sns["Message"]) == ("wanted", f"for code {mark}")
    assert sns["TopicArn"] == probe.outputs["Topic"]
    assert sns["MessageAttributes"] == {"kind": {"Type": "String", "Value": "wanted"}}


def test_a_topic_refuses_an_attribute_with_a_control_character(probe: StackProcess) -> None:
    mark = str(uuid.uuid4())
    with pytest.raises(ClientError, match="'kind' has a character that is not allowed"):
        probe.client("sns").publish(
            TopicArn=probe.outputs["Topic"],
            Message=mark,
            MessageAttributes={"kind": {"DataType": "String", "StringValue": "a\x07b"}},
        )
    assert [one for one in probe.notifications() if one["message"] == mark] == []


def test_notifications_are_remembered_as_they_were_published(probe: StackProcess) -> None:
    mark = str(uuid.uuid4())
    probe.client("sns").publish(TopicArn=probe.outputs["Topic"], Subject="hi", Message=mark)
    (published,) = [n for n in probe.notifications() if n["message"] == mark]
    assert (published["subject"], published["attributes"]) == ("hi", {})


def test_executions_report_their_status_to_eventbridge(probe: StackProcess, notes: Notes) -> None:
    name = str(uuid.uuid4())
    probe.client("stepfunctions").start_execution(
        stateMachineArn=probe.outputs["StateMachineArn"], name=name, input='{"do": "echo"}'
    )
    events = notes("received", f'"name": "{name}"', count=2)
    details = {event["detail"]["status"]: event["detail"] for event in events}
    assert details.keys() == {"RUNNING", "SUCCEEDED"}
    assert json.loads(details["SUCCEEDED"]["input"]) == {"do": "echo"}
    assert details["SUCCEEDED"]["stopDate"] >= details["SUCCEEDED"]["startDate"]
    assert events[0]["detail-type"] == "Step Functions Execution Status Change"


def test_an_event_of_our_own_reaches_the_targets_of_the_rules_that_match_it(
    probe: StackProcess, notes: Notes
) -> None:
    mark = str(uuid.uuid4())
    events, functions = probe.client("events"), probe.client("lambda")
    receiver = functions.get_function(FunctionName="probe-receiver")["Configuration"]["FunctionArn"]
    targets = [
        {"Id": "missing", "Arn": f"{receiver}-that-is-gone"},
        {"Id": "function", "Arn": receiver},
        {"Id": "queue", "Arn": QUEUE_ARN},
    ]
    for kind in ("wanted", "unwanted"):
        pattern = {"source": ["probe"], "detail": {"kind": [kind], "mark": [mark]}}
        events.put_rule(Name=f"probe-{kind}", EventPattern=json.dumps(pattern))
        functions.add_permission(
            FunctionName=receiver,
            StatementId=f"{kind}-{mark}",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=f"arn:aws:events:us-east-1:123456789012:rule/probe-{kind}",
        )
    events.put_rule(Name="probe-schedule", ScheduleExpression="rate(1 day)")
    events.put_targets(Rule="probe-schedule", Targets=targets[1:2])
    events.put_targets(Rule="probe-wanted", Targets=targets)
    detail = json.dumps({"kind": "wanted", "mark": mark})
    answer = events.put_events(
        Entries=[{"Source": "probe", "DetailType": "A Kind", "Detail": detail}]
    )
    assert answer["FailedEntryCount"] == 0
    (received,) = notes("received", mark)
    assert (received["detail-type"], received["detail"]["kind"]) == ("A Kind", "wanted")
    assert received["id"] == answer["Entries"][0]["EventId"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", received["time"])
    (seen,) = notes("seen", mark)
    assert json.loads(seen["body"])["detail"]["mark"] == mark
