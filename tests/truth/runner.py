"""Runs the scenarios on an engine, as someone who uploads files and presses "Redrive"."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from pipectl.embedded.template import ACCOUNT, REGION
from shared.job import Source
from tests.end_to_end.samples import expected as read_at_once
from tests.truth.engine import Emulator
from tests.truth.faults import GONE, StepFault
from tests.truth.scenarios import Scenario
from tests.truth.verdicts import Observation

# A busy machine may take long.
WAIT_SECONDS = 90
NOTICES = "truth-notices"
RESUMED = "data-pipeline-resumed"


class Runner:
    """Runs scenarios on a deployed stack, one after the other."""

    def __init__(self, engine: Emulator) -> None:
        self._engine = engine
        self._s3 = engine.client("s3")
        self._states = engine.client("stepfunctions")
        self._sqs = engine.client("sqs")
        self._table = engine.client("dynamodb")
        self._notices: dict[str, list[str]] = defaultdict(list)
        self._dead_letters: dict[str, int] = defaultdict(int)
        engine.client("glue").create_database(DatabaseInput={"Name": "analytics"})
        self._queue = self._subscribe()
        self._removed: Mapping[str, str] = {}

    def run(self, scenario: Scenario) -> tuple[Observation, Observation | None]:
        """Run a scenario; returns what is left after it, and after its redrive if it has one."""
        for fault in scenario.faults:
            self._inject(fault)
        try:
            source = self._drop(scenario)
            arn = f"{self._machine().replace(':stateMachine:', ':execution:')}:{source.file_id}"
            execution = self._wait(arn)
        finally:
            for fault in scenario.faults:
                self._repair(fault)
        seen = self._observe(execution, source, scenario)
        if scenario.resumed is None or execution["status"] != "FAILED":
            return seen, None
        resumption = self._resume(execution, scenario.forget)
        return seen, self._observe(resumption, source, scenario)

    def _machine(self) -> str:
        return self._engine.outputs["StateMachineArn"]

    def _subscribe(self) -> str:
        topic = self._engine.outputs["NotificationTopicArn"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NOTICES}"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        url: str = self._sqs.create_queue(QueueName=NOTICES, Attributes={"Policy": policy})[
            "QueueUrl"
        ]
        self._engine.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def _inject(self, fault: StepFault) -> None:
        if fault.error == GONE:
            self._removed = self._sqs.get_queue_attributes(
                QueueUrl=self._engine.outputs["DeadLetterQueueUrl"], AttributeNames=["Policy"]
            )["Attributes"]
            self._sqs.delete_queue(QueueUrl=self._engine.outputs["DeadLetterQueueUrl"])
        else:
            self._engine.break_function(fault)

    def _repair(self, fault: StepFault) -> None:
        if fault.error == GONE:
            name = self._engine.outputs["DeadLetterQueueUrl"].rpartition("/")[2]
            self._sqs.create_queue(QueueName=name, Attributes=self._removed)
        else:
            self._engine.repair_function(fault)

    def _drop(self, scenario: Scenario) -> Source:
        bucket, dataset = self._engine.outputs["InputBucketName"], _dataset(scenario)
        key = f"raw/{dataset}/file.csv"
        put = self._s3.put_object(Bucket=bucket, Key=key, Body=scenario.body)
        etag, version, size = put["ETag"].strip('"'), put["VersionId"], len(scenario.body)
        return Source(bucket, key, version, etag, size, "", "", dataset)

    def _wait(self, arn: str) -> Mapping[str, Any]:
        missing = self._states.exceptions.ExecutionDoesNotExist
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                found: Mapping[str, Any] = self._states.describe_execution(executionArn=arn)
            except missing:
                found = {"status": "NOT STARTED"}
            if found["status"] not in {"RUNNING", "NOT STARTED"} or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def _resume(self, execution: Mapping[str, Any], forget: Collection[str]) -> Mapping[str, Any]:
        """Continue a failed execution as a redrive does: at the gate, with the gate's input.

        The engines have no RedriveExecution. A copy of the state machine that starts at the gate,
        and whose gate sees a redrive, is what Step Functions runs then.
        """
        inputs = [
            json.loads(event["stateEnteredEventDetails"]["input"])
            for event in self._history(execution["executionArn"])
            if event.get("stateEnteredEventDetails", {}).get("name") == "FailureGate"
        ]
        document = {name: one for name, one in inputs[-1].items() if name not in forget}
        definition = self._states.describe_state_machine(stateMachineArn=self._machine())
        arn = self._states.create_state_machine(
            name=f"{RESUMED}-{execution['name'][:12]}",
            definition=json.dumps(resumed(json.loads(definition["definition"]), execution)),
            roleArn=definition["roleArn"],
        )["stateMachineArn"]
        started = self._states.start_execution(
            stateMachineArn=arn, name=execution["name"], input=json.dumps(document)
        )
        return self._wait(started["executionArn"])

    def _history(self, arn: str | None) -> list[Mapping[str, Any]]:
        if arn is None:
            return []
        pages = self._states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def _observe(
        self, execution: Mapping[str, Any], source: Source, scenario: Scenario
    ) -> Observation:
        states = [
            event["stateEnteredEventDetails"]["name"]
            for event in self._history(execution.get("executionArn"))
            if "stateEnteredEventDetails" in event
        ]
        item = self._item(source.file_id)
        self._read_queues()
        error = item.get("error", {}).get("state")
        return Observation(
            status=execution["status"],
            error=execution.get("error", ""),
            states=tuple(states),
            item=tuple(one for one in (item.get("status"), error) if one),
            dead_letters=self._dead_letters[source.file_id],
            notified=tuple(sorted(self._notices[source.file_id])),
            output=self._output(source, scenario),
            not_done=not_done(str(execution.get("cause", ""))),
        )

    def _item(self, file_id: str) -> Mapping[str, Any]:
        found = self._table.get_item(
            TableName=self._engine.outputs["MetadataTableName"], Key={"file_id": {"S": file_id}}
        )
        read = TypeDeserializer().deserialize
        return {name: read(value) for name, value in found.get("Item", {}).items()}

    def _output(self, source: Source, scenario: Scenario) -> str:
        key = f"processed/{_dataset(scenario)}/file.csv.jsonl"
        try:
            found = self._s3.get_object(Bucket=self._engine.outputs["OutputBucketName"], Key=key)
        except self._s3.exceptions.NoSuchKey:
            return "none"
        records = found["Body"].read()
        first = json.loads(records.splitlines()[0]) if records else {}
        alone = read_at_once(
            scenario.body, file_id=source.file_id, processed_at=first.get("processed_at", "")
        )
        return "complete" if records == alone.processed else "different"

    def _read_queues(self) -> None:
        self._drain(self._queue, self._notice)
        self._drain(self._engine.outputs["DeadLetterQueueUrl"], self._dead_letter)

    def _drain(self, url: str, read: Callable[[Mapping[str, Any]], None]) -> None:
        while messages := self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages"):
            for message in messages:
                read(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _notice(self, body: Mapping[str, Any]) -> None:
        attributes = body.get("MessageAttributes", {})
        file_id = attributes.get("file_id", {}).get("Value", "")
        self._notices[file_id].append(attributes.get("status", {}).get("Value", ""))

    def _dead_letter(self, body: Mapping[str, Any]) -> None:
        self._dead_letters[str(body.get("file_id"))] += 1


def not_done(cause: str) -> tuple[str, ...]:
    """The parts of the failure lane that failed, in the cause that the gate gives."""
    listed = re.search(r"Parts of the failure lane that failed: ([a-z_, ]+)\.", cause)
    return tuple(listed[1].split(", ")) if listed else ()


def resumed(definition: Mapping[str, Any], execution: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as an execution of it continues after one redrive: at the gate.

    Its states see the execution that is redriven, with a redrive count, instead of the new one.
    """
    redriven = {
        "Id": execution["executionArn"],
        "Name": execution["name"],
        "StartTime": execution["startDate"].astimezone(dt.UTC).isoformat(timespec="milliseconds"),
        "RedriveCount": 1,
    }
    redriven["StartTime"] = redriven["StartTime"].replace("+00:00", "Z")
    return {**_with_execution(definition, redriven), "StartAt": "FailureGate"}


def _with_execution(value: Any, execution: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_with_execution(one, execution) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name.removesuffix(".$") if one == "$$.Execution" else name: execution
        if one == "$$.Execution"
        else _with_execution(one, execution)
        for name, one in value.items()
    }


def _dataset(scenario: Scenario) -> str:
    return "".join(one if one.isalnum() else "-" for one in scenario.name.lower())
