"""The result of an uploaded file: its execution, metadata, notification and outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.client.history import ExecutionFailure, Run
from pipectl.client.mirror import Mirror, fetch_outputs
from pipectl.client.step_functions import DescribedExecution
from pipectl.client.uploads import PlannedUpload

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

OUTPUTS = ("processed", "rejected", "summary", "report")


@dataclass(frozen=True)
class FileResult:
    """One file's result. `outputs` are local paths; `run` is None if nothing was started."""

    upload: PlannedUpload
    execution: DescribedExecution | None
    run: Run | None
    failure: ExecutionFailure | None
    metadata: Mapping[str, Any] | None
    notification: Mapping[str, Any] | None
    outputs: Mapping[str, Path | None]

    @property
    def succeeded(self) -> bool:
        """Whether the execution succeeded."""
        return self.execution is not None and self.execution.status == "succeeded"

    @property
    def all_rejected(self) -> bool:
        """Whether the execution succeeded although every record was rejected."""
        return (
            self.succeeded
            and bool(self.count("error_count"))
            and not (self.count("processed_count"))
        )

    def count(self, name: str) -> int | None:
        """`record_count`, `processed_count` or `error_count`, if the pipeline recorded it."""
        value = (self.metadata or {}).get(name)
        return int(value) if value is not None else None

    def duration_ms(self) -> int | None:
        """From the first state entered to the execution's end."""
        if self.run is None or not self.run.visits or self.run.ended_at is None:
            return None
        elapsed = self.run.ended_at - self.run.visits[0].entered_at
        return round(elapsed.total_seconds() * 1000)

    def document(self) -> dict[str, Any]:
        """The file's entry in `pipectl run --json`."""
        execution = self.execution
        return {
            "source": str(self.upload.path),
            "dataset": self.upload.dataset,
            "file_id": execution.document.get("file_id") if execution else None,
            "status": "succeeded" if self.succeeded else "failed",
            "record_count": self.count("record_count"),
            "processed_count": self.count("processed_count"),
            "error_count": self.count("error_count"),
            "outputs": {name: str(path) if path else None for name, path in self.outputs.items()},
            "execution": {
                "arn": execution.arn,
                "name": execution.name,
                "states": self.run.states() if self.run else [],
            }
            if execution
            else None,
            "metadata": self.metadata,
            "notification": self.notification,
            "error": asdict(self.failure) if self.failure else None,
        }


class Collector:
    """Collects the results of a deployment's files and mirrors their outputs to a folder."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self._deployment = deployment
        self._mirror = Mirror(deployment, folder)

    def finished(
        self,
        upload: PlannedUpload,
        execution: DescribedExecution,
        run: Run,
        notifications: Iterable[Mapping[str, Any]],
    ) -> FileResult:
        """The result of an execution that has ended; `run` is its history."""
        file_id = str(execution.document["file_id"])
        metadata = self.metadata(file_id)
        return FileResult(
            upload=upload,
            execution=execution,
            run=run,
            failure=run.failure,
            metadata=metadata,
            notification=_notification_of(file_id, notifications),
            outputs=fetch_outputs(self._mirror, metadata or {}),
        )

    def not_started(self, upload: PlannedUpload, failure: ExecutionFailure) -> FileResult:
        """The result of a file for which no execution was started."""
        nothing: Mapping[str, Path | None] = dict.fromkeys(OUTPUTS)
        return FileResult(upload, None, None, failure, None, None, nothing)

    def metadata(self, file_id: str) -> dict[str, Any] | None:
        """The file's metadata item in plain JSON values, or None."""
        from pipectl.client.metadata_items import plain_item

        answer = self._deployment.client("dynamodb").get_item(
            TableName=self._deployment.outputs["MetadataTableName"],
            Key={"file_id": {"S": file_id}},
            ConsistentRead=True,
        )
        return dict(plain_item(answer["Item"])) if "Item" in answer else None


def dead_letters(deployment: Deployment) -> list[Any]:
    """The bodies of all messages in the dead-letter queue; those in JSON are parsed.

    The messages stay in the queue, but are invisible to others for a few seconds.
    """
    sqs = deployment.client("sqs")
    bodies: dict[str, Any] = {}
    while True:
        answer = sqs.receive_message(
            QueueUrl=deployment.outputs["DeadLetterQueueUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=5,
        )
        messages = answer.get("Messages", [])
        new = {message["MessageId"]: parsed(message["Body"]) for message in messages}
        if not new.keys() - bodies.keys():
            return list(bodies.values())
        bodies |= new


def message_text(message: str) -> str:
    """The text of a published message. Of a document by protocol it is the text for e-mail."""
    document = parsed(message)
    if isinstance(document, dict) and isinstance(document.get("default"), str):
        return str(document.get("email", document["default"]))
    return message


def message_document(message: str) -> Any:
    """The outcome document in a published message; None if it has none."""
    by_protocol = parsed(message)
    document = parsed(str(by_protocol.get("default"))) if isinstance(by_protocol, dict) else None
    return document if isinstance(document, dict) else None


def _notification_of(
    file_id: str, notifications: Iterable[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The file's last notification."""
    own = [item for item in notifications if item["attributes"].get("file_id") == file_id]
    if not own:
        return None
    return {
        "subject": own[-1]["subject"],
        "message": message_text(own[-1]["message"]),
        "attributes": own[-1]["attributes"],
        "document": message_document(own[-1]["message"]),
    }


def parsed(text: str) -> Any:
    """The JSON value of a text, or the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
