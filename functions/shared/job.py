"""The state document that travels through the workflow, as dataclasses.

It is one JSON object that grows with each step: the workflow stores a step's result under the
step's own name. It has only references and counts, never data, so its size doesn't depend on the
file's size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from shared import keys, steps
from shared.errors import Number, split_details
from shared.executions import attempt_name

DOCUMENT_VERSION = 1
"""The version of what the steps of one execution hand to each other, in the state document and
under `work/`. ParseCsv writes it, and the later steps refuse any other one. Raise it in a change
after which a step can't read what the last release wrote; `tests/end_to_end/test_upgrade.py` fails
until then."""


@dataclass(frozen=True)
class Location:
    """The object version that has a file's bytes; `size` is in bytes."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int

    @property
    def uri(self) -> str:
        """The object's URI: `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Source:
    """One version of an uploaded object, as its S3 event described it.

    `size` is in bytes; `sequencer` orders the events of one key.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int
    sequencer: str
    event_time: str
    dataset: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the document's `source`; raises KeyError where a field is missing."""
        return cls(
            bucket=str(document["bucket"]),
            key=str(document["key"]),
            version_id=document["version_id"],
            etag=str(document["etag"]),
            size=int(document["size"]),
            sequencer=str(document["sequencer"]),
            event_time=str(document["event_time"]),
            dataset=str(document["dataset"]),
        )

    @property
    def location(self) -> Location:
        """The object version that was uploaded."""
        return Location(self.bucket, self.key, self.version_id, self.etag, self.size)

    @property
    def uri(self) -> str:
        """The uploaded object's URI: `s3://bucket/key`."""
        return self.location.uri

    @property
    def file_id(self) -> str:
        """32 hex digits that identify this version of this object, always the same ones.

        Without a version ID (an unversioned bucket gives none, or `null`) the ETag and the event's
        sequencer distinguish one upload from the next.
        """
        if self.version_id and self.version_id != "null":
            identity = [self.bucket, self.key, self.version_id]
        else:
            identity = [self.bucket, self.key, self.etag, self.sequencer]
        return hashlib.sha256("\0".join(identity).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Execution:
    """The execution that a step runs in, from the workflow's context object.

    `start_time` is ISO 8601 in UTC. All outputs of the execution carry it as their time, and a
    redrive keeps it.
    """

    arn: str
    name: str
    start_time: str
    redrive_count: int

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """Read `$$.Execution`. `RedriveCount` is absent before the first redrive."""
        return cls(
            arn=str(context["Id"]),
            name=str(context["Name"]),
            start_time=iso(datetime.fromisoformat(str(context["StartTime"]))),
            redrive_count=int(context.get("RedriveCount") or 0),
        )


@dataclass(frozen=True)
class Failure:
    """Why an execution failed: the error, the step, and the execution's redrive count at the time.

    `not_done` names the parts of the failure lane itself that failed: `dead_letter`,
    `notification` or `record`. `details` are the error's numbers, such as a limit.
    """

    error: str
    cause: str
    state: str
    redrive_count: int
    not_done: tuple[str, ...] = ()
    details: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One file in the workflow: its identity and the results of the steps so far, by name.

    `corrections` is the uploaded file of corrected rows that this attempt applies, or None. `scan`
    is the result of the malware scan that started the attempt; None if no scan did.
    """

    file_id: str
    attempt: int
    source: Source
    replay_of: str | None = None
    corrections: Location | None = None
    scan: str | None = None
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failure: Failure | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the state document; raises KeyError where a base field is missing."""
        results = {name: document[name] for name in steps.RESULTS if name in document}
        return cls(
            file_id=str(document["file_id"]),
            attempt=int(document["attempt"]),
            source=Source.from_document(document["source"]),
            replay_of=document.get("replay_of"),
            corrections=_read_location(document.get("corrections")),
            scan=document.get("scan"),
            results=results,
            failure=_read_failure(document),
        )

    @property
    def location(self) -> Location:
        """The object version that has the file's bytes.

        ParseCsv determines it, because an archived file is no longer in `raw/`.
        """
        return Location(**self.results["parse"]["location"])

    @property
    def is_readable(self) -> bool:
        """Whether this release can read the results of the steps so far."""
        parse = self.results.get("parse")
        return parse is None or parse.get("version") == DOCUMENT_VERSION

    @property
    def superseded_by(self) -> Mapping[str, str] | None:
        """The file ID and execution whose output superseded this file's; None if none did."""
        names = ("parse", "output", "record")
        found = (self.results.get(name, {}).get("superseded_by") for name in names)
        return next(filter(None, found), None)

    @property
    def execution_name(self) -> str:
        """The name of this attempt's execution: the same for every duplicate of its event."""
        return attempt_name(self.file_id, self.attempt)

    def repeated_by(self, execution_name: str) -> str | None:
        """The name of the execution that the named one repeats, or None if it repeats none.

        The starter writes it into the document. An execution with any other name was started by
        hand, such as with the console's "New execution", from this attempt's input.
        """
        own = execution_name == self.execution_name
        return self.replay_of if own else self.execution_name

    def execution_input(self) -> str:
        """The JSON input of the execution, byte-identical for duplicates of the event."""
        document = {
            "file_id": self.file_id,
            "attempt": self.attempt,
            "replay_of": self.replay_of,
            "source": asdict(self.source),
            "corrections": asdict(self.corrections) if self.corrections else None,
        }
        if self.scan is not None:
            document["scan"] = self.scan
        return json.dumps(document, sort_keys=True, ensure_ascii=False)


def iso(moment: datetime) -> str:
    """The time as the workflow writes it: ISO 8601 in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_job(
    *,
    bucket: str,
    key: str,
    version_id: str | None,
    etag: str,
    size: int,
    sequencer: str,
    event_time: str,
) -> Job:
    """The first attempt for an uploaded object; `key` is already URL-decoded."""
    source = Source(
        bucket=bucket,
        key=key,
        version_id=version_id,
        etag=etag,
        size=size,
        sequencer=sequencer,
        event_time=event_time,
        dataset=keys.dataset_of(key),
    )
    return Job(file_id=source.file_id, attempt=1, source=source)


def _read_location(document: Mapping[str, Any] | None) -> Location | None:
    if document is None:
        return None
    return Location(
        bucket=str(document["bucket"]),
        key=str(document["key"]),
        version_id=document["version_id"],
        etag=str(document["etag"]),
        size=int(document["size"]),
    )


def _read_failure(document: Mapping[str, Any]) -> Failure | None:
    failure = document.get("failure")
    if failure is None or "caught" not in failure:
        # Just caught: DescribeFailure has not added the execution yet.
        return None
    caught = failure["caught"]
    cause, details = cause_and_details(str(caught.get("Cause", "")))
    return Failure(
        error=str(caught.get("Error", "Unknown")),
        cause=cause,
        state=steps.failed_state(document),
        redrive_count=Execution.from_context(failure["execution"]).redrive_count,
        not_done=tuple(name for name in steps.LANE_RESULTS if "Error" in failure.get(name, {})),
        details=details,
    )


# Step Functions writes this before the payload of a function that returned no error type, such as
# one that timed out.
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_BEFORE_PAYLOAD = "Returned payload: "


def readable_cause(cause: str) -> str:
    """The message in a cause. Lambda wraps it in JSON, with `errorMessage` and a stack trace.

    Step Functions can put a sentence before that JSON, which is dropped.

    Example: `{"errorMessage": "The file is empty.", "errorType": "EmptyFile"}` gives
    `The file is empty.`; a cause without `errorMessage` is returned unchanged.
    """
    return cause_and_details(cause)[0]


def cause_and_details(cause: str) -> tuple[str, dict[str, Number]]:
    """The message in a cause, as `readable_cause` gives it, and the error's numbers."""
    return split_details(_message(cause))


def _message(cause: str) -> str:
    before, marker, payload = cause.partition(_BEFORE_PAYLOAD)
    try:
        document = json.loads(payload if marker and not before.startswith("{") else cause)
    except ValueError:
        return cause
    if isinstance(document, dict) and "errorMessage" in document:
        return str(document["errorMessage"])
    return cause
