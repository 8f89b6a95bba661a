"""Derives a file's new metadata item from the present item and an outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from shared.job import Execution, Failure, Job, iso
from shared.metadata import Item
from shared.versions import version_attributes

Status = Literal["succeeded", "failed", "superseded"]

# Attributes that other steps set: which executions have published their success, and where the
# source was archived.
MARKS = ("notified", "archive")


@dataclass(frozen=True)
class RunOutcome:
    """How one run of an execution ended for a file; times are ISO 8601 in UTC.

    `run` is the attempt's number, or the name of an execution that was started by hand. The latter
    has the same input, and so the same attempt number, but must not overwrite that attempt's
    history.
    """

    file_id: str
    status: Status
    dataset: str
    attempt: int
    run: str
    execution_arn: str
    redrive_count: int
    recorded_at: str
    duration_ms: int
    counts: Mapping[str, int]
    attributes: Item

    @property
    def history_key(self) -> str:
        """The run's key in the history; a repeated step writes the same entry again."""
        return f"{self.run}.{self.redrive_count}"


def outcome_of(
    job: Job,
    execution: Execution,
    *,
    status: Status,
    superseded_by: Mapping[str, str] | None = None,
    output_bucket: str,
    recorded_at: datetime,
) -> RunOutcome:
    """The outcome given by the job's results, or by its failure, as of `recorded_at`.

    `superseded_by` names the file and execution whose output is published in place of this one's.
    """
    started = datetime.fromisoformat(execution.start_time)
    duration_ms = max(0, int((recorded_at - started).total_seconds() * 1000))
    parse = job.results.get("parse", {})
    output = job.results.get("output", {})
    counts = _counts(job)
    failure = job.failure if status == "failed" else None
    attributes = {
        **version_attributes(job.source),
        "source_bucket": job.source.bucket,
        "source_key": job.source.key,
        "source_version_id": job.source.version_id,
        "source_etag": job.source.etag,
        "source_bytes": job.source.size,
        "dataset": job.source.dataset,
        **{name: parse.get(name) for name in ("encoding", "compression", "delimiter", "columns")},
        "contract_key": parse.get("contract_key"),
        "contract_version": parse.get("contract_version"),
        "output_bucket": output_bucket if output.get("processed_key") else None,
        "output_key": output.get("processed_key"),
        "rejected_key": output.get("rejected_key"),
        "corrections_key": output.get("corrections_key"),
        "corrected_count": (output.get("corrections") or {}).get("rows"),
        "superseded_by": dict(superseded_by) if superseded_by else None,
        "summary_key": job.results.get("summary", {}).get("summary_key"),
        "report_key": job.results.get("summary", {}).get("report_key"),
        "output_bytes": output.get("processed_bytes"),
        **counts,
        **(_failed(failure, recorded_at) if failure else {}),
    }
    return RunOutcome(
        file_id=job.file_id,
        status=status,
        dataset=job.source.dataset,
        attempt=job.attempt,
        run=str(job.attempt) if execution.name == job.execution_name else execution.name,
        execution_arn=execution.arn,
        redrive_count=execution.redrive_count,
        recorded_at=iso(recorded_at),
        duration_ms=duration_ms,
        counts=counts,
        attributes={
            "attempt": job.attempt,
            "replay_of": job.repeated_by(execution.name),
            "execution_arn": execution.arn,
            "execution_name": execution.name,
            "redrive_count": execution.redrive_count,
            # The execution's start, not the current time: a redrive must not change it.
            "processed_at": execution.start_time,
            "processed_on": execution.start_time[:10],
            "recorded_at": iso(recorded_at),
            "duration_ms": duration_ms,
            **attributes,
        },
    )


def next_item(before: Item | None, outcome: RunOutcome) -> Item:
    """The item after the outcome. If another execution's outcome is kept, only the history grows.

    The rules: an execution can always update its own outcome. A success of any attempt is never
    replaced by another execution's failure, but by the success of an execution that started later,
    or if that one found the output of a later version. A superseded file is not replaced by
    a failure either, because it needs no further action. Of two outcomes of one status, that of the
    execution that started later is kept.

    Example: attempt 1 fails and attempt 2 succeeds. If someone then redrives attempt 1 and it fails
    again, the item still says `succeeded`, and its history has a third entry.
    """
    previous = before or {}
    kept = {
        "history": {**previous.get("history", {}), outcome.history_key: _history_entry(outcome)},
        "revision": previous.get("revision", 0) + 1,
    }
    if before is not None and not _may_replace(before, outcome):
        return {**before, **kept}
    item = {
        "file_id": outcome.file_id,
        "status": outcome.status,
        **outcome.attributes,
        **kept,
        **{mark: previous.get(mark) for mark in MARKS},
    }
    return {name: _storable(value) for name, value in item.items() if value is not None}


def has_outcome(before: Item | None, outcome: RunOutcome) -> bool:
    """Whether the item's history already has this run's outcome, because the step is repeated."""
    entry = (before or {}).get("history", {}).get(outcome.history_key)
    return (
        entry is not None
        and entry["status"] == outcome.status
        and entry["execution_arn"] == outcome.execution_arn
        # An execution's name can be used again 90 days after its end.
        and entry["recorded_at"] >= outcome.attributes["processed_at"]
    )


def _may_replace(before: Item, outcome: RunOutcome) -> bool:
    # An execution's name can be used again 90 days after its end, so its identity includes its
    # start.
    identity = ("execution_arn", "processed_at")
    if all(before[name] == outcome.attributes[name] for name in identity):
        # A late report about the run before a redrive doesn't replace the redrive's outcome.
        return outcome.redrive_count >= int(before["redrive_count"])
    if outcome.status == "superseded":
        by_version = outcome.attributes["superseded_by"]["file_id"] != outcome.file_id
        if before["status"] == "failed" or not by_version:
            return bool(before["status"] == "failed")
    elif before["status"] != outcome.status:
        return outcome.status == "succeeded"
    # Compared by time, because an execution that was started by hand has no number of its own.
    return bool(outcome.attributes["processed_at"] >= before["processed_at"])


def _counts(job: Job) -> dict[str, int]:
    """The counts of the last step that returned them; none if the file failed before that."""
    counted = job.results.get("output") or job.results.get("transform") or {}
    names = ("record_count", "processed_count", "error_count")
    return {name: int(counted[name]) for name in names if counted.get(name) is not None}


def _failed(failure: Failure, recorded_at: datetime) -> Item:
    return {
        "error": {"code": failure.error, "message": failure.cause, "state": failure.state},
        # Only failed items have these, so the failures' index contains nothing else.
        "failed_at": iso(recorded_at),
        "failed_on": iso(recorded_at)[:10],
        "not_done": list(failure.not_done) or None,
    }


def _history_entry(outcome: RunOutcome) -> Item:
    entry = {
        "status": outcome.status,
        "execution_arn": outcome.execution_arn,
        "redrive_count": outcome.redrive_count,
        "recorded_at": outcome.recorded_at,
    }
    if "error" in outcome.attributes:
        entry["error"] = outcome.attributes["error"]["code"]
        entry["state"] = outcome.attributes["error"]["state"]
    return entry


def _storable(value: Any) -> Any:
    # boto3 writes Decimal to DynamoDB, but refuses float.
    return Decimal(str(value)) if isinstance(value, float) else value
