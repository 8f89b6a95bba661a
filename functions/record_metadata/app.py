"""RecordMetadata and RecordFailure: keep the file's outcome in the metadata table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from record_metadata.item import Item, Outcome, next_item, outcome_of
from shared.clients import table
from shared.errors import TransientError, aws_errors, error_code
from shared.observability import logger, metrics
from shared.settings import from_environment
from shared.step import Task, step

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    metadata_table: str
    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Bring the item up to this execution's outcome, unless a later attempt's stands there."""
    settings = from_environment(Settings)
    outcome = outcome_of(
        task.job,
        task.execution,
        status=task.payload["outcome"],
        output_bucket=settings.output_bucket,
        recorded_at=datetime.now(UTC),
    )
    recorded = _record(table(settings.metadata_table), outcome)
    if recorded:
        _count(outcome)
    else:
        logger().info("kept the item: another execution's success stands there")
    return {"status": outcome.status, "recorded_at": outcome.recorded_at}


def _record(metadata: Table, outcome: Outcome) -> bool:
    """Read, change and write the item; raises TransientError where another write came between."""
    with aws_errors(f"DynamoDB table {metadata.name}"):
        stored = metadata.get_item(Key={"file_id": outcome.file_id}, ConsistentRead=True)
    before = cast("Item | None", stored.get("Item"))
    after = next_item(before, outcome)
    if after is None:
        return False
    with aws_errors(f"DynamoDB table {metadata.name}"):
        try:
            metadata.put_item(
                Item=after,
                ConditionExpression="attribute_not_exists(file_id) OR revision = :read",
                ExpressionAttributeValues={":read": before["revision"] if before else 0},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise TransientError(
                    "The metadata item changed between reading and writing; it is tried again."
                ) from None
            raise
    return True


def _count(outcome: Outcome) -> None:
    """Business metrics, one set a file, by dataset."""
    meter = metrics()
    meter.add_dimension("dataset", outcome.dataset)
    meter.add_metric(f"Files{outcome.status.capitalize()}", "Count", 1)
    for name, value in outcome.counts.items():
        meter.add_metric(name, "Count", value)
    meter.add_metric("Duration", "Milliseconds", outcome.duration_ms)
    meter.flush_metrics()
