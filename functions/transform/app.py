"""Transform: one split in; typed records, rejects and mergeable statistics out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.settings import from_environment
from shared.step import Task, step
from tabular.errors import TabularError
from tabular.layout import Layout
from tabular.transform import Split, transform


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str
    output_format: str


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Transform the split, and say with a report that all of its part is there."""
    settings = from_environment(Settings)
    job = task.job
    plan = storage.read_document(settings.output_bucket, str(job.results["parse"]["plan_key"]))
    layout = Layout.from_document(plan["layout"])
    split = Split(**plan["splits"][0])
    output_format = layout.contract.output_format or settings.output_format

    def part(content: str) -> str:
        return keys.part_key(job.file_id, split.index, content)

    with ExitStack() as stack:
        processed, rejected, rejected_csv = (
            stack.enter_context(storage.ObjectWriter(settings.output_bucket, part(content)))
            for content in (output_format, "rejected.jsonl", "rejected.csv")
        )
        result = transform(
            storage.stream(job.source, split.start),
            layout,
            split,
            file_id=job.file_id,
            processed_at=task.execution.start_time,
            processed=processed,
            rejected=rejected,
            rejected_csv=rejected_csv,
            output_format=output_format,
        )
    # Written last: a part without its report is not there.
    report = {**result.to_document(), "processed_bytes": processed.size, "format": output_format}
    storage.write_document(settings.output_bucket, part("report.json"), report)
    return {
        "record_count": result.record_count,
        "processed_count": result.processed_count,
        "error_count": result.error_count,
    }
