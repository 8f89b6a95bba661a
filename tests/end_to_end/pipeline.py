"""The pipeline on the embedded AWS, as its users see it: upload files, look at the results."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from pipectl.client.history import Run
from pipectl.client.metadata_items import plain
from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.embedded.process import StackProcess
from pipectl.embedded.template import ACCOUNT, REGION
from shared.executions import attempt_name, execution_arn
from shared.job import Location, Source
from tests.documentation.outcome_examples import OUTCOME

# A busy machine may take long. Tests fail because of a wrong result, not because of this limit.
WAIT_SECONDS = 90

_NAMES = itertools.count()


@dataclass(frozen=True)
class FileOutcome:
    """The result of one uploaded file."""

    file_id: str
    execution: DescribedExecution
    item: Mapping[str, Any]
    objects: Mapping[str, bytes]
    executions: Executions

    @cached_property
    def run(self) -> Run:
        """The execution's history, read when a test first asks for it: look before a redrive."""
        return self.executions.run(self.execution)

    @property
    def states(self) -> list[str]:
        """The states that were visited, in order."""
        return [state["name"] for state in self.run.states()]

    def output(self, prefix: str, suffix: str) -> bytes:
        """The one output object whose key has this beginning and end."""
        keys = [k for k in self.objects if k.startswith(prefix) and k.endswith(suffix)]
        assert len(keys) == 1, keys
        return self.objects[keys[0]]

    def published(self, prefix: str) -> list[str]:
        """The keys of this file below a prefix of the output bucket."""
        return [key for key in self.objects if key.startswith(prefix)]


class Pipeline:
    """A running stack, with the calls that many tests make."""

    def __init__(self, stack: StackProcess) -> None:
        self.stack = stack
        self.deployment = stack.deployment
        self.outputs = stack.deployment.outputs

    def put_contract(self, dataset: str, contract: Mapping[str, Any]) -> None:
        """Set the contract of a dataset."""
        self.deployment.client("s3").put_object(
            Bucket=self.outputs["InputBucketName"],
            Key=f"contracts/{dataset}.json",
            Body=json.dumps(contract).encode(),
        )

    def drop(
        self, body: bytes, name: str = "file.csv", dataset: str | None = None, **more: Any
    ) -> Source:
        """Upload a file under a name that no other test uses; `more` is given to S3."""
        folder = dataset or f"test-{next(_NAMES)}"
        key = f"raw/{folder}/{name}"
        bucket = self.outputs["InputBucketName"]
        put = self.deployment.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **more)
        etag = put["ETag"].strip('"')
        location = Location(bucket, key, put["VersionId"], etag, len(body))
        return Source(**vars(location), sequencer="", event_time="", dataset=folder)

    def upload_corrections(self, file: FileOutcome, body: bytes) -> None:
        """Upload corrected rows of a file, as `pipectl correct` or a person in a console does."""
        self.deployment.client("s3").put_object(
            Bucket=self.outputs["InputBucketName"],
            Key=f"corrections/{file.item['dataset']}/{file.file_id}.csv",
            Body=body,
        )

    def correct(self, file: FileOutcome, body: bytes, attempt: int = 2) -> FileOutcome:
        """Upload corrected rows, and wait for the outcome of the attempt that they start."""
        self.upload_corrections(file, body)
        return self.outcome(file.file_id, attempt_name(file.file_id, attempt))

    def run(self, body: bytes, name: str = "file.csv", dataset: str | None = None) -> FileOutcome:
        """Upload a file and wait for its outcome."""
        return self.outcome(self.drop(body, name, dataset).file_id)

    def outcome(self, file_id: str, execution_name: str | None = None) -> FileOutcome:
        """Wait for an execution's end, and read all its results."""
        execution = self.wait(execution_name or file_id)
        item = self.item(file_id)
        return FileOutcome(
            file_id,
            execution,
            item,
            self._objects(file_id, str(execution.source["dataset"]), item),
            Executions(Stack(self.deployment)),
        )

    def wait_for_failure(self, file_id: str) -> FileOutcome:
        """Wait until a failed execution's dead letter, notification and item are there."""
        self.wait(file_id)
        self._until(
            lambda: bool(
                self.notifications(file_id)
                and self.dead_letters(file_id)
                and self.item(file_id).get("status") == "failed"
            )
        )
        return self.outcome(file_id)

    def wait_until_complete(self, file_id: str) -> FileOutcome:
        """Wait until the item lists no part of the failure lane as not done."""
        self._until(lambda: "not_done" not in self.item(file_id))
        return self.outcome(file_id)

    def wait(self, name: str, patience: float = WAIT_SECONDS) -> DescribedExecution:
        """Wait until the execution of this name has ended."""
        arn = self._arn(name)
        deadline, seen = time.monotonic() + patience, 0
        while self._status(arn) in {None, "RUNNING"}:
            assert time.monotonic() < deadline, f"{name} has not ended after {patience} s"
            seen = self.stack.wait_for_change(seen, 1)
        described = Executions(Stack(self.deployment)).describe(arn)
        assert described is not None
        return described

    def fail_beside_another_split(self, body: bytes) -> None:
        """Process a file of which one split fails, and the Map has to stop another one."""
        function = "data-pipeline-transform-dev"
        self.stack.add_fault(function, "hold")
        self.stack.add_fault(function, "InternalError")
        source = self.drop(body)
        self._until(lambda: any(it.action == "states:StopExecution" for it in self.stack.calls()))
        self.stack.clear_faults()
        self.wait_for_failure(source.file_id)

    def drop_and_stop(self, body: bytes, step: str = "transform") -> Source:
        """Upload a file, and abort its execution while it waits for the result of a step."""
        function = f"data-pipeline-{step}-dev"
        self.stack.add_fault(function, "hold")
        source = self.drop(body)
        self._until(lambda: self.stack.held(function) == 1)
        self.deployment.client("stepfunctions").stop_execution(
            executionArn=self._arn(source.file_id)
        )
        self.stack.release(function)
        return source

    @contextmanager
    def without_reports_of_ends(self) -> Iterator[None]:
        """Inside the block, EventBridge may not invoke the function that reports such ends."""
        functions, name = self.deployment.client("lambda"), "data-pipeline-uncaught-dev"
        functions.remove_permission(FunctionName=name, StatementId="UncaughtPermission")
        try:
            yield
        finally:
            functions.add_permission(
                FunctionName=name,
                StatementId="UncaughtPermission",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/data-pipeline-uncaught-dev",
            )

    def names(self) -> list[str]:
        """The names of all executions so far."""
        return [execution.name for execution in Executions(Stack(self.deployment)).all()]

    def attempts(self, file_id: str) -> list[str]:
        """The names of all executions of a file."""
        return [name for name in self.names() if name.startswith(file_id)]

    def source_of(self, name: str) -> Mapping[str, Any]:
        """The source in an execution's input, as the starter wrote it."""
        # If hundreds of files are dropped at once, the starter takes a while to reach each of them.
        self._until(lambda: self._status(self._arn(name)) is not None, patience=600)
        described = self.deployment.client("stepfunctions").describe_execution(
            executionArn=self._arn(name)
        )
        source: Mapping[str, Any] = json.loads(described["input"])["source"]
        return source

    def results(self, file_id: str) -> Mapping[str, Any]:
        """The state document that a file's execution ended with."""
        described = self.deployment.client("stepfunctions").describe_execution(
            executionArn=self._arn(file_id)
        )
        document: Mapping[str, Any] = json.loads(described["output"])
        return document

    def delete(self, source: Source) -> None:
        """Delete exactly the uploaded version."""
        self.deployment.client("s3").delete_object(
            Bucket=source.bucket, Key=source.key, VersionId=str(source.version_id)
        )

    def item(self, file_id: str) -> Mapping[str, Any]:
        """The file's metadata item; empty where there is none."""
        found = self.deployment.client("dynamodb").get_item(
            TableName=self.outputs["MetadataTableName"],
            Key={"file_id": {"S": file_id}},
            ConsistentRead=True,
        )
        read = TypeDeserializer().deserialize
        return {name: plain(read(value)) for name, value in found.get("Item", {}).items()}

    def notifications(self, file_id: str) -> list[Mapping[str, Any]]:
        """The notifications about a file, in order; each has a valid outcome document."""
        found: list[Mapping[str, Any]] = [
            n for n in self.stack.notifications() if n["attributes"].get("file_id") == file_id
        ]
        for notification in found:
            OUTCOME.validate(json.loads(json.loads(notification["message"])["default"]))
        return found

    def dead_letters(self, file_id: str) -> list[Mapping[str, Any]]:
        """The state documents of a file in the dead-letter queue; they stay there."""
        return [body for body in self.stack.dead_letters() if body.get("file_id") == file_id]

    def wait_for_dead_letter(self, field: str, about: str = "") -> list[Mapping[str, Any]]:
        """Wait until the dead-letter queue has messages with this field; returns all such.

        `about` is a text that they contain, such as a key that no other test uses.
        """

        def found() -> list[Mapping[str, Any]]:
            bodies = self.stack.dead_letters()
            return [body for body in bodies if field in body and about in json.dumps(body)]

        self._until(lambda: bool(found()))
        return found()

    def cause(self, outcome: FileOutcome) -> str:
        """The cause that Step Functions gives for an execution's failure."""
        described = self.deployment.client("stepfunctions").describe_execution(
            executionArn=outcome.execution.arn
        )
        return described["cause"]

    def histories(self, name: str) -> list[Mapping[str, Any]]:
        """Everything that Step Functions keeps of an execution and of its Maps' children."""
        client = self.deployment.client("stepfunctions")
        described = client.describe_execution(executionArn=self._arn(name))
        events = client.get_paginator("get_execution_history").paginate(
            executionArn=described["executionArn"]
        )
        kept: list[Mapping[str, Any]] = [described, *(page for page in events)]
        runs = client.list_map_runs(executionArn=described["executionArn"])["mapRuns"]
        return kept + [client.describe_map_run(mapRunArn=run["mapRunArn"]) for run in runs]

    def redrive(self, outcome: FileOutcome) -> FileOutcome:
        """Redrive a failed execution, as its button in the console does, and wait for its end."""
        self.deployment.client("stepfunctions").redrive_execution(
            executionArn=outcome.execution.arn
        )
        return self.outcome(outcome.file_id, outcome.execution.name)

    def send(self, body: Mapping[str, Any]) -> None:
        """Put a message into the processing queue."""
        self.deployment.client("sqs").send_message(
            QueueUrl=self.outputs["ProcessingQueueUrl"], MessageBody=json.dumps(body)
        )

    def wait_until_all_is_delivered(self, patience: float = WAIT_SECONDS) -> None:
        """Wait until the processing queue is empty, including messages in flight."""
        names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def is_empty() -> bool:
            attributes = self.deployment.client("sqs").get_queue_attributes(
                QueueUrl=self.outputs["ProcessingQueueUrl"], AttributeNames=names
            )["Attributes"]
            return not any(int(attributes[name]) for name in names)

        self._until(is_empty, patience)

    def _objects(self, file_id: str, dataset: str, item: Mapping[str, Any]) -> dict[str, bytes]:
        """What is published of a file, by key; every such key has the dataset's folder in it."""
        s3 = self.deployment.client("s3")
        bucket = self.outputs["OutputBucketName"]
        folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/").get("CommonPrefixes", [])
        pages = [
            page
            for folder in folders
            if folder["Prefix"] != "work/"
            for page in s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{folder['Prefix']}{dataset}/"
            )
        ]
        named = {item.get("output_key"), item.get("rejected_key")}
        keys = [
            found["Key"]
            for page in pages
            for found in page.get("Contents", [])
            if file_id in found["Key"] or found["Key"] in named
        ]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def _arn(self, name: str) -> str:
        machine = self.outputs["StateMachineArn"]
        return execution_arn(machine, name)

    def _status(self, arn: str) -> str | None:
        client = self.deployment.client("stepfunctions")
        try:
            return str(client.describe_execution(executionArn=arn)["status"])
        except client.exceptions.ExecutionDoesNotExist:
            return None

    def _until(self, holds: Callable[[], bool], patience: float = WAIT_SECONDS) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < deadline, f"it did not come about in {patience} s"
            time.sleep(0.05)
