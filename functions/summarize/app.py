"""Summarize: merge the statistics of all parts, and write the file's summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shared import keys, storage
from shared.errors import MixedParts
from shared.settings import from_environment
from shared.step import Task, step
from tabular.reading.layout import Layout
from tabular.statistics.accumulator import UnlikePartials, merge
from tabular.statistics.summary import summarize


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str


@step()
def handler(task: Task) -> dict[str, Any]:
    """Write the summary to `reports/`; return its key and the success rate.

    It is dated with the execution's start, so repeating the step writes the same bytes. Raises
    `MixedParts` if the statistics were made by another version of the engine.
    """
    settings = from_environment(Settings)
    job = task.job
    bucket = settings.output_bucket
    plan = storage.read_document(bucket, job.results["parse"]["plan_key"])
    parts = storage.read_documents(
        bucket,
        [
            keys.part_key(job.file_id, split, "statistics.json")
            for split in range(job.results["parse"]["splits"])
        ],
    )
    try:
        statistics = merge(parts)
    except UnlikePartials:
        # The functions were updated after the output was written. The output is still valid.
        raise MixedParts(
            "The parts were made by another version of the engine than the present one. Redrive "
            "the execution: it makes the parts again and publishes the same records."
        ) from None
    output = job.results["output"]
    layout = Layout.from_document(plan["layout"])
    summary = summarize(
        statistics,
        record_count=output["record_count"],
        processed_count=output["processed_count"],
        error_count=output["error_count"],
        generated_at=task.execution.start_time,
        file={
            "file_id": job.file_id,
            "attempt": job.attempt,
            "source": asdict(job.source),
            **layout.facts(),
        },
        show_values=layout.contract.report_examples,
    )
    key = keys.summary_key(job.source.dataset, job.file_id)
    storage.write_document(bucket, key, summary, indent=2)
    return {"summary_key": key, "success_rate": summary["success_rate"]}
