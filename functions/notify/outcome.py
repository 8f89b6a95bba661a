"""The outcome document: the result of a file, as every channel reports it.

It is the machine part of the SNS message, the detail of the EventBridge event and the webhook's
`notification`; the e-mail is written from it. `docs/schemas/outcome.schema.json` describes it. It
has counts, references, names from the contract and the error's message, but no cell of the file,
and its size is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from shared.executions import console_url
from shared.job import Execution, Failure, Job, readable_cause
from shared.remedies import remedy_of
from shared.text import printable, shell_word

SCHEMA_VERSION = "1.0"
"""Grows by a minor number when fields are added, and by a major one when any changes."""

Status = Literal["succeeded", "failed", "superseded"]
Document = dict[str, Any]

# In characters, as long as our own errors' messages. Messages of AWS's services can be longer; the
# metadata item has them whole. SNS and EventBridge accept at most 256 KiB.
CAUSE_LENGTH = 4000


@dataclass(frozen=True)
class StackLocation:
    """Where the pipeline runs: the stack's environment and its output bucket."""

    environment: str
    output_bucket: str


def outcome_document(
    job: Job, execution: Execution, place: StackLocation, *, status: Status, ended_at: str
) -> Document:
    """The document for one outcome of one execution.

    `ended_at` is when the outcome was recorded, ISO 8601; for a failure, when it is reported. All
    fields are always there; those that don't apply are null.
    """
    parse = job.results.get("parse", {})
    output = job.results.get("output", {})
    failure = job.failure or Failure("Unknown", "", "Unknown", execution.redrive_count)
    outputs = _outputs(job, place.output_bucket)
    counts = _counts(job)
    return {
        "schema_version": SCHEMA_VERSION,
        "notification_id": _notification_id(execution, status),
        "status": status,
        "environment": place.environment,
        "title": _title(job, status, counts, failure.error),
        "file_id": job.file_id,
        "dataset": job.source.dataset,
        "source": {
            "uri": job.source.uri,
            "bucket": job.source.bucket,
            "key": job.source.key,
            "version_id": job.source.version_id,
            "etag": job.source.etag,
            "bytes": job.source.size,
            "uploaded_at": job.source.event_time or None,
        },
        "attempt": job.attempt,
        "replay_of": job.repeated_by(execution.name),
        "execution": {
            "arn": execution.arn,
            "name": execution.name,
            "started_at": execution.start_time,
            "redrive_count": execution.redrive_count,
        },
        "duration_ms": _milliseconds(execution.start_time, ended_at),
        "contract": {"key": parse["contract_key"], "version": parse["contract_version"]}
        if parse.get("contract_key")
        else None,
        "counts": counts,
        "output_bytes": output.get("processed_bytes"),
        "outputs": outputs,
        "rejects": job.results.get("summary", {}).get("rejects"),
        "drift": job.results.get("summary", {}).get("drift"),
        "corrections": output.get("corrections"),
        "error": _error(failure) if status == "failed" else None,
        "superseded_by": job.superseded_by if status == "superseded" else None,
        "catalogue": _catalogue(job),
        "links": _links(job, execution, status, outputs),
    }


def _notification_id(execution: Execution, status: Status) -> str:
    # A repetition after a crash has the same ID. Each redrive that fails gets a new one.
    redrive = f".{execution.redrive_count}" if status == "failed" else ""
    return f"{execution.name}.{status}{redrive}"


def _title(job: Job, status: Status, counts: Mapping[str, int] | None, error: str) -> str:
    name = PurePosixPath(job.source.key).name
    if status == "failed":
        return f"Data Pipeline: {name} FAILED, {error}"
    if status == "superseded":
        return f"Data Pipeline: {name} superseded"
    rejected = (counts or {}).get("rejected")
    return f"Data Pipeline: {name} processed" + (f", {rejected} rejected" if rejected else "")


def _counts(job: Job) -> dict[str, int] | None:
    """The counts of the last step that returned them, or None."""
    counted = job.results.get("output") or job.results.get("transform") or {}
    names = {
        "records": "record_count",
        "processed": "processed_count",
        "rejected": "error_count",
    }
    if not all(isinstance(counted.get(name), int) for name in names.values()):
        return None
    return {ours: int(counted[name]) for ours, name in names.items()}


def _outputs(job: Job, bucket: str) -> dict[str, str | None]:
    output = job.results.get("output", {})
    summary = job.results.get("summary", {})
    keys = {
        "processed": output.get("processed_key"),
        "rejected": output.get("rejected_key"),
        "corrections": output.get("corrections_key"),
        "summary": summary.get("summary_key"),
        "report": summary.get("report_key"),
    }
    return {name: f"s3://{bucket}/{key}" if key else None for name, key in keys.items()}


def _error(failure: Failure) -> Document:
    return {
        "code": failure.error,
        "message": cut(printable(failure.cause), CAUSE_LENGTH),
        "state": failure.state,
        "remedy": remedy_of(failure.error),
        "details": dict(failure.details),
    }


def _catalogue(job: Job) -> Document | None:
    """What UpdateCatalogue did, or the error that became its result."""
    result = job.results.get("catalogue")
    if result is None:
        return None
    error = None
    if "Error" in result:
        cause = readable_cause(str(result.get("Cause", "")))
        error = cut(printable(f"{result['Error']}: {cause}"), CAUSE_LENGTH)
    return {
        "database": result.get("database"),
        "table": result.get("table"),
        "action": result.get("action"),
        "problems": result.get("problems", []),
        "problem_count": result.get("problem_count", 0),
        "error": error,
    }


def _links(
    job: Job, execution: Execution, status: Status, outputs: Mapping[str, str | None]
) -> Document:
    rerun = status == "failed" and remedy_of((job.failure or _UNKNOWN).error) != "upload"
    useful = ("corrections", "rejected", "processed") if status == "succeeded" else ()
    wanted = next((outputs[name] for name in useful if outputs[name]), None)
    return {
        "execution": console_url(execution.arn),
        "download": f"aws s3 cp {shell_word(wanted or job.source.uri)} .",
        "rerun": f"pipectl rerun {job.file_id}" if rerun else None,
    }


_UNKNOWN = Failure("Unknown", "", "Unknown", 0)


def _milliseconds(start: str, end: str) -> int:
    elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return max(0, int(elapsed.total_seconds() * 1000))


def cut(text: str, length: int) -> str:
    """The text; if it is longer than `length`, its beginning and end with dots between them."""
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
