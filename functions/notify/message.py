"""The content of a notification: text for people, JSON for programs, attributes to filter by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from shared.job import Execution, Failure, Job
from shared.remedies import remedy_of
from shared.text import exact_json, printable

# SNS accepts fewer than 100 characters of printable ASCII.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT_LENGTH = 99
# A message has at most 256 KiB. It contains the cause once for each protocol, as JSON inside JSON,
# where a non-ASCII character can take 4 bytes. The metadata item has the whole cause.
CAUSE_LENGTH = 8000


@dataclass(frozen=True)
class Notification:
    """One message: `text` is for e-mail, `document` for programs."""

    notification_id: str
    subject: str
    text: str
    document: dict[str, Any]
    attributes: dict[str, str]

    def by_protocol(self) -> dict[str, str]:
        """The message for each SNS protocol (`MessageStructure=json`)."""
        machine = exact_json(self.document)
        return {"default": self.text, "lambda": machine, "sqs": machine, "https": machine}


def success_notification(
    job: Job, execution: Execution, environment: str, output_bucket: str
) -> Notification:
    """The notification that a file was processed, with its outputs and counts."""
    output = job.results["output"]
    outputs = {
        "processed": f"s3://{output_bucket}/{output['processed_key']}",
        "rejected": _uri(output_bucket, output["rejected_key"]),
        "summary": f"s3://{output_bucket}/{job.results['summary']['summary_key']}",
    }
    errors = output["error_count"]
    # Measured until the outcome was recorded, so that a repeated message gives the same duration.
    duration_ms = _milliseconds(execution.start_time, job.results["record"]["recorded_at"])
    outcome = f"processed, {errors} rejected" if errors else "processed"
    lines = [
        f"Output: {outputs['processed']}",
        f"Summary: {outputs['summary']}",
        *([f"Rejected: {outputs['rejected']}"] if errors else []),
        "",
        "Statistics:",
        f"- Records Read: {output['record_count']}",
        f"- Records Processed: {output['processed_count']}",
        f"- Errors: {errors}",
        "- Status: succeeded",
        f"- Bytes Read: {job.source.size}",
        f"- Bytes Written: {output['processed_bytes']}",
        f"- Time: {duration_ms / 1000:.1f} s",
    ]
    return _notification(
        job,
        execution,
        environment,
        status="succeeded",
        subject=f"Data Pipeline: {_name(job)} {outcome}",
        title="Data Pipeline: File Processed",
        lines=lines,
        details={
            "outputs": outputs,
            "record_count": output["record_count"],
            "processed_count": output["processed_count"],
            "error_count": errors,
            "output_bytes": output["processed_bytes"],
            "duration_ms": duration_ms,
        },
        attributes={"has_rejects": "true" if errors else "false"},
    )


def superseded_notification(job: Job, execution: Execution, environment: str) -> Notification:
    """The notification that a later version of the file, or a later attempt, is published."""
    by = dict(job.superseded_by or {})
    return _notification(
        job,
        execution,
        environment,
        status="superseded",
        subject=f"Data Pipeline: {_name(job)} superseded",
        title="Data Pipeline: File Superseded",
        lines=[
            "Status: superseded",
            f"Superseded By: {by.get('file_id')}, execution {by.get('execution')}",
            "A later version of the file, or a later attempt, is published. Nothing is to be done.",
        ],
        details={"superseded_by": by},
        attributes={},
    )


def failure_notification(job: Job, execution: Execution, environment: str) -> Notification:
    """The notification that a file failed: the error, the step, and how to rerun the file."""
    failure = job.failure or Failure("Unknown", "", "Unknown", execution.redrive_count)
    # Cut after escaping, because escapes take more characters.
    cause = _cut(printable(failure.cause), CAUSE_LENGTH)
    return _notification(
        job,
        execution,
        environment,
        status="failed",
        subject=f"Data Pipeline: {_name(job)} FAILED, {failure.error}",
        title="Data Pipeline: File Failed",
        lines=[
            "Status: failed",
            f"Error: {failure.error}",
            f"Step: {failure.state}",
            f"Cause: {cause}",
            "",
            *_what_to_do(failure.error, job.file_id),
        ],
        details={
            "error": {
                "code": failure.error,
                "message": cause,
                "state": failure.state,
                "remedy": remedy_of(failure.error),
            }
        },
        attributes={"error": failure.error},
    )


def _what_to_do(error: str, file_id: str) -> list[str]:
    """What the reader must do so that the file is processed."""
    if remedy_of(error) == "upload":
        return ["A rerun of this file can't succeed. Correct the file and upload it again."]
    return [
        "Remove the cause, then rerun the file in one of these ways:",
        f"- Run `pipectl rerun {file_id}`",
        "- Choose Redrive on the execution's page in the Step Functions console",
    ]


def _notification(
    job: Job,
    execution: Execution,
    environment: str,
    *,
    status: str,
    subject: str,
    title: str,
    lines: list[str],
    details: dict[str, Any],
    attributes: dict[str, str],
) -> Notification:
    # A repetition after a crash has the same ID. Each redrive that fails gets a new one.
    notification_id = f"{execution.name}.{status}"
    if status == "failed":
        notification_id += f".{execution.redrive_count}"
    head = [title, "=" * len(title), "", f"File ID: {job.file_id}", f"Source: {job.source.uri}"]
    contract = _contract(job)
    tail = [
        "",
        *([f"Contract: {contract['key']}, version {contract['version']}"] if contract else []),
        f"Processed At: {execution.start_time}",
        f"Attempt: {job.attempt}",
        f"Execution: {execution.arn}",
    ]
    return Notification(
        notification_id=notification_id,
        subject=_subject(subject),
        # Line breaks in names are escaped, so that a name can't forge another line of the e-mail.
        text="\n".join([*map(printable, [*head, *lines, *tail]), ""]),
        document={
            "notification_id": notification_id,
            "status": status,
            "environment": environment,
            "file_id": job.file_id,
            "dataset": job.source.dataset,
            "source": job.source.uri,
            "source_bytes": job.source.size,
            "contract": contract,
            "attempt": job.attempt,
            "replay_of": job.repeated_by(execution.name),
            "execution_arn": execution.arn,
            "processed_at": execution.start_time,
            "title": subject,
            **details,
        },
        # SNS doesn't deliver a message with a control character in an attribute.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
        attributes={
            name: printable(value)
            for name, value in {
                "status": status,
                "environment": environment,
                "dataset": job.source.dataset,
                "file_id": job.file_id,
                "notification_id": notification_id,
                **attributes,
            }.items()
        },
    )


def _contract(job: Job) -> dict[str, str] | None:
    """The contract that the file was read with; None if it has none or failed before that."""
    parse = job.results.get("parse", {})
    if not parse.get("contract_key"):
        return None
    return {"key": parse["contract_key"], "version": parse["contract_version"]}


def _milliseconds(start: str, end: str) -> int:
    elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return max(0, int(elapsed.total_seconds() * 1000))


def _name(job: Job) -> str:
    return PurePosixPath(job.source.key).name


def _uri(bucket: str, key: str | None) -> str | None:
    return f"s3://{bucket}/{key}" if key else None


def _subject(text: str) -> str:
    """The text as SNS accepts it in a subject: printable ASCII, with its middle cut if too long."""
    ascii_only = "".join(c if " " <= c <= "~" else "?" for c in printable(text))
    return _cut(ascii_only, SUBJECT_LENGTH)


def _cut(text: str, length: int) -> str:
    """The text; if it is longer than `length`, its beginning and end with dots between them."""
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
