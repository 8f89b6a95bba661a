"""Runs the operator's commands, as they are typed, on an embedded stack."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipectl.cli import main
from pipectl.client.dead_letter_queue import DeadLetterQueue
from pipectl.client.metadata_items import MetadataItems
from pipectl.client.stack_choice import Stack
from pipectl.client.state_file import RunningStack
from pipectl.embedded.process import StackProcess
from shared.executions import execution_arn
from shared.job import Source

WAIT_SECONDS = 60

_NAMES = itertools.count()


@dataclass(frozen=True)
class Done:
    """A command's exit status and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """What was printed with --json."""
        return json.loads(self.stdout)


Command = Callable[..., Done]


class DatasetFolder:
    """A separate dataset for a test, with a contract that can be broken and fixed."""

    def __init__(self, stack: StackProcess) -> None:
        self.stack = stack
        self.name = f"operate-{os.getpid()}-{next(_NAMES)}"
        self.glob = f"raw/{self.name}/*"
        self.machine = stack.outputs["StateMachineArn"]
        self._items = MetadataItems(Stack(stack.deployment))

    def set_contract(self, *, type_of_id: str) -> None:
        """Put a contract with one field, `id`. `integr` is no type: it makes it invalid."""
        contract = {"schema": {"fields": [{"name": "id", "type": type_of_id}]}}
        self.stack.client("s3").put_object(
            Bucket=self.stack.outputs["InputBucketName"],
            Key=f"contracts/{self.name}.json",
            Body=json.dumps(contract).encode(),
        )

    def drop(self, body: bytes = b"id\n1\n2\n", name: str = "file.csv") -> str:
        """Upload a file; returns its id."""
        key = f"raw/{self.name}/{name}"
        uploaded = self.stack.upload(body, key)
        bucket = self.stack.outputs["InputBucketName"]
        source = Source(bucket, key, uploaded.version_id, "", 0, "", "", self.name)
        return source.file_id

    def run(self, body: bytes = b"id\n1\n2\n", name: str = "file.csv") -> str:
        """Upload a file and wait for its first execution's end; returns its id."""
        file_id = self.drop(body, name)
        self.ended(file_id)
        return file_id

    def arn(self, name: str) -> str:
        """The ARN of the execution of this name."""
        return execution_arn(self.machine, name)

    def ended(self, name: str, *, redrives: int = 0) -> Mapping[str, Any]:
        """Wait until an execution has ended after this number of redrives."""
        client = self.stack.client("stepfunctions")
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                described: Mapping[str, Any] = client.describe_execution(
                    executionArn=self.arn(name)
                )
                if described["status"] != "RUNNING" and described["redriveCount"] == redrives:
                    return described
            except client.exceptions.ExecutionDoesNotExist:
                pass
            time.sleep(0.05)
        raise TimeoutError(f"The execution {name} has not ended.")

    def item(self, file_id: str) -> Mapping[str, Any]:
        """The file's metadata item."""
        return self._items.get([file_id])[file_id]

    def statuses(self, file_id: str) -> dict[str, str]:
        """The file's history: the status of each run, by the history's key."""
        history = self.item(file_id)["history"]
        return {key: run["status"] for key, run in sorted(history.items())}

    def success_notifications(self, file_id: str) -> int:
        """The number of notifications of the file's success."""
        return sum(
            note["attributes"].get("file_id") == file_id
            and note["attributes"]["status"] == "succeeded"
            for note in self.stack.notifications()
        )

    def dead_letters(self, file_id: str) -> list[Mapping[str, Any]]:
        """The file's state documents in the dead-letter queue."""
        found = DeadLetterQueue(Stack(self.stack.deployment)).peek()
        return [json.loads(one.body) for one in found if one.file_ids == (file_id,)]

    def drop_as_dead_letter(self, name: str) -> str:
        """Upload a file, and put its event into the dead-letter queue as the starter does."""
        file_id = self.drop(name=name)
        [version] = self.stack.client("s3").list_object_versions(
            Bucket=self.stack.outputs["InputBucketName"], Prefix=f"raw/{self.name}/{name}"
        )["Versions"]
        described = {
            "key": version["Key"],
            "size": version["Size"],
            "eTag": version["ETag"].strip('"'),
            "versionId": version["VersionId"],
            "sequencer": "0055AED6DCD90281E5",
        }
        bucket = {"name": self.stack.outputs["InputBucketName"]}
        record = {
            "eventName": "ObjectCreated:Put",
            "eventTime": version["LastModified"].isoformat(),
            "s3": {"bucket": bucket, "object": described},
        }
        self.stack.client("sqs").send_message(
            QueueUrl=self.stack.outputs["DeadLetterQueueUrl"],
            MessageBody=json.dumps({"Records": [record]}),
        )
        return file_id

    def wait_for_empty_queue(self) -> None:
        """Wait until all messages in the processing queue have been handled."""
        sqs, queue = self.stack.client("sqs"), self.stack.outputs["ProcessingQueueUrl"]
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            if all(counts[name] == "0" for name in names):
                return
            time.sleep(0.05)
        raise TimeoutError("The processing queue is not empty.")

    def redrive(self, name: str) -> None:
        """The console's Redrive button."""
        self.stack.client("stepfunctions").redrive_execution(executionArn=self.arn(name))

    def start_again(self, file_id: str, name: str) -> None:
        """The console's New execution, with the first attempt's input."""
        client = self.stack.client("stepfunctions")
        document = client.describe_execution(executionArn=self.arn(file_id))["input"]
        client.start_execution(stateMachineArn=self.machine, name=name, input=document)

    def move_back(self, file_id: str) -> None:
        """Move the file's message from the dead-letter queue to the processing queue."""
        sqs = self.stack.client("sqs")
        dead_letters = DeadLetterQueue(Stack(self.stack.deployment))
        with dead_letters.held() as held:
            [own, *_] = [one for one in held if one.file_ids == (file_id,)]
            sqs.send_message(
                QueueUrl=self.stack.outputs["ProcessingQueueUrl"], MessageBody=own.body
            )
            dead_letters.delete([own])


@pytest.fixture
def dataset(embedded: StackProcess) -> DatasetFolder:
    return DatasetFolder(embedded)


@pytest.fixture
def foreign_message(embedded: StackProcess) -> Iterator[str]:
    """The body of a message in the dead-letter queue that is about no file."""
    body = f"no job of ours {next(_NAMES)}"
    queue = embedded.outputs["DeadLetterQueueUrl"]
    embedded.client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    yield body
    dead_letters = DeadLetterQueue(Stack(embedded.deployment))
    with dead_letters.held() as held:
        dead_letters.delete([one for one in held if one.body == body])


@pytest.fixture
def command(
    embedded: StackProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Runs `pipectl`; the embedded stack is found by its state file."""
    deployment = embedded.deployment
    state_file = tmp_path / "embedded.json"
    RunningStack(
        os.getpid(),
        str(deployment.endpoint),
        str(deployment.session.region_name),
        deployment.stack_name,
        str(tmp_path),
    ).write(state_file)

    def run(*arguments: str) -> Done:
        line = ["pipectl", *arguments, "--state-file", str(state_file)]
        monkeypatch.setattr(sys, "argv", line)
        capsys.readouterr()
        exit_code = 0
        try:
            main()
        except SystemExit as end:
            exit_code = int(end.code or 0)
        return Done(exit_code, *capsys.readouterr())

    return run
