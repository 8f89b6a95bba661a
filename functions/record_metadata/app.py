"""RecordMetadata and RecordFailure: keep the file's outcome in the metadata table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from record_metadata.item import Outcome, next_item, outcome_of
from shared.metadata import read_item, write_item
from shared.observability import logger, metrics
from shared.settings import from_environment
from shared.step import Task, step


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    metadata_table: str
    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Bring the item up to this execution's outcome, unless another one's has to stand."""
    settings = from_environment(Settings)
    outcome = outcome_of(
        task.job,
        task.execution,
        status=task.payload["outcome"],
        output_bucket=settings.output_bucket,
        recorded_at=datetime.now(UTC),
    )
    before = read_item(settings.metadata_table, outcome.file_id)
    after = next_item(before, outcome)
    write_item(settings.metadata_table, after, replaces=before)
    if after["execution_arn"] != outcome.execution_arn:
        logger().info("another execution's outcome stands: only the history has grown")
    _count(outcome)
    return {"status": outcome.status, "recorded_at": outcome.recorded_at}


def _count(outcome: Outcome) -> None:
    """Business metrics, one set a file, by dataset."""
    meter = metrics()
    # CloudWatch drops metrics whose dimension's value is not ASCII.
    meter.add_dimension("dataset", outcome.dataset.encode("ascii", "backslashreplace").decode())
    meter.add_metric(f"Files{outcome.status.capitalize()}", "Count", 1)
    for name, value in outcome.counts.items():
        meter.add_metric(name, "Count", value)
    meter.add_metric("Duration", "Milliseconds", outcome.duration_ms)
    meter.flush_metrics()
