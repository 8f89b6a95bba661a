"""RecordMetadata and RecordFailure: record the file's outcome in the metadata table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from record_metadata.item import RunOutcome, Status, has_outcome, next_item, outcome_of
from shared import keys, publication
from shared.contracts import present_contracts
from shared.errors import PipelineError, TransientError
from shared.job import Job
from shared.metadata import Item, read_item, write_item
from shared.observability import logger, metrics
from shared.settings import from_environment
from shared.step import Task, step
from shared.versions import Rank
from tabular.writing.output_formats import FORMATS

# The dimension's value for all datasets without a contract.
OTHER_DATASETS = "other"


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    metadata_table: str
    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Update the file's item with this execution's outcome, and count it in the metrics.

    The payload's `outcome` is `succeeded` or `failed`; a success whose output is not the published
    one, because that of a later version or attempt is, is recorded as `superseded`. The item keeps
    the outcome of another execution if that one takes precedence (see `next_item`). Returns the
    status, the time of recording, whether nothing was recorded before, and what superseded the
    file. Raises `TransientError` if someone else writes the item at the same time.
    """
    settings = from_environment(Settings)
    status: Status = task.payload["outcome"]
    superseded_by = None
    if status == "succeeded":
        superseded_by = task.job.superseded_by or _published_since(task, settings.output_bucket)
    outcome = outcome_of(
        task.job,
        task.execution,
        status="superseded" if superseded_by else status,
        superseded_by=superseded_by,
        output_bucket=settings.output_bucket,
        recorded_at=datetime.now(UTC),
    )
    # Determined before the item is written: after that, only the counting itself may fail.
    dataset = _metric_dataset(task.job)
    before, after = _record(settings.metadata_table, outcome, is_first=_is_first_run(task))
    if after["execution_arn"] != outcome.execution_arn:
        logger().info("kept another execution's outcome; only the history was extended")
    if not has_outcome(before, outcome):
        _count(outcome, dataset)
    recorded = {"status": outcome.status, "recorded_at": outcome.recorded_at}
    if status == "failed":
        return recorded
    return {**recorded, "is_new": before is None, "superseded_by": superseded_by}


def _is_first_run(task: Task) -> bool:
    """Whether nothing is recorded of the file yet, as far as the task shows."""
    job, execution = task.job, task.execution
    is_own = execution.name == job.execution_name
    is_again = execution.redrive_count > 0 or "record" in job.results
    return is_own and job.attempt == 1 and not is_again


def _record(table: str, outcome: RunOutcome, *, is_first: bool) -> tuple[Item | None, Item]:
    """Write the item that follows from the present one and the outcome; returns both.

    A first outcome is written without reading: that fails if there is an item after all.
    """
    if is_first:
        item = next_item(None, outcome)
        if write_item(table, item, replaces=None):
            return None, item
    before = read_item(table, outcome.file_id)
    item = next_item(before, outcome)
    if not write_item(table, item, replaces=before):
        raise TransientError("The metadata item changed between reading and writing. Retry later.")
    return before, item


def _published_since(task: Task, output_bucket: str) -> Mapping[str, str] | None:
    """What has superseded the file since WriteOutput; None if its output is the published one.

    Above all after a redrive: it continues here days after the output was published.
    """
    dataset, parse = task.job.source.dataset, task.job.results["parse"]
    rank = Rank.of(task.job.source, task.execution)
    there = publication.look(output_bucket, task.job.results["output"]["processed_key"])
    if there and there.rank == rank:
        return None  # an output of a higher rank would have replaced or removed it
    outputs = (
        keys.processed_key(dataset, parse["output_path"], one.suffix) for one in FORMATS.values()
    )
    higher = publication.higher_rank(output_bucket, outputs, rank)
    return higher.to_document() if higher else None


def _metric_dataset(job: Job) -> str:
    """The dataset that the file is counted under: the name of its contract, or `other`.

    Not the folder's name: uploaders can choose any folder, and each name would be a metric to pay
    for.
    """
    contract = job.results["parse"].get("contract_key") if "parse" in job.results else None
    if "parse" not in job.results:
        # The file failed before ParseCsv returned its contract, perhaps because of the contract.
        try:
            contract = next(iter(present_contracts(job.source.bucket, job.source.dataset)), None)
        except PipelineError as error:
            # Recording the failure matters more than counting it under the right name.
            logger().warning("contract lookup failed", extra={"error": type(error).__name__})
    return keys.dataset_of_contract(contract) if contract else OTHER_DATASETS


def _count(outcome: RunOutcome, dataset: str) -> None:
    """Write the business metrics of a file's run, by dataset and as totals.

    Alarms need the totals, because they can't add up metrics whose dimensions they don't know.
    """
    meter = metrics()
    # CloudWatch drops metrics whose dimension value is not ASCII.
    name = dataset.encode("ascii", "backslashreplace").decode()
    meter.add_dimensions(service="record_metadata", dataset=name)
    meter.add_metric(f"Files{outcome.status.capitalize()}", "Count", 1)
    for count, value in outcome.counts.items():
        meter.add_metric(count, "Count", value)
    meter.add_metric("Duration", "Milliseconds", outcome.duration_ms)
    meter.flush_metrics()
