"""UpdateCatalogue: keep the Glue tables of the dataset and of rejected records up to date."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared import storage
from shared.observability import logger
from shared.settings import from_environment
from shared.step import Task, step
from tabular.reading.layout import Layout
from tabular.writing.output_formats import FORMATS
from update_catalogue.catalogue import update_table
from update_catalogue.wanted_table import records_table, rejects_table

# The result is part of the state document, whose size must not depend on the number of columns.
MAX_PROBLEMS = 10


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str
    output_format: str = field(metadata={"choices": FORMATS})
    glue_database: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Make the tables that are missing, and add the columns that they lack.

    Returns the database, the table, the change that was made, and the differences from the
    contract. Raises `TransientError` or `InternalError` if Glue doesn't answer as expected; the
    workflow then records the error as the step's result, and the file succeeds.
    """
    settings = from_environment(Settings)
    job = task.job
    plan = storage.read_document(settings.output_bucket, job.results["parse"]["plan_key"])
    layout = Layout.from_document(plan["layout"])
    table, problems = records_table(
        layout,
        dataset=job.source.dataset,
        output_bucket=settings.output_bucket,
        output_format=layout.contract.output_format or settings.output_format,
    )
    action = "unchanged"
    if table is not None:
        updated = update_table(settings.glue_database, table)
        action = updated.action
        problems += updated.problems
    if job.results["output"]["error_count"]:
        problems += update_table(
            settings.glue_database, rejects_table(settings.output_bucket)
        ).problems
    for problem in problems:
        logger().warning("the table differs from the contract", extra={"reason": problem})
    return {
        "database": settings.glue_database,
        "table": table.name if table else None,
        "action": action,
        "problems": problems[:MAX_PROBLEMS],
        "problem_count": len(problems),
    }
