"""WriteOutput: check the whole file, then publish its output in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import keys, storage
from shared.settings import from_environment
from shared.step import Task, step
from tabular.contract import Contract
from tabular.errors import TabularError
from tabular.layout import Layout
from tabular.threshold import check_rejects
from write_output.parts import WholeFile, add_up


@dataclass(frozen=True)
class Settings:
    """The function's environment: the default reject limits hold where no contract sets any."""

    output_bucket: str
    max_reject_percent: float
    max_reject_count: int


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Publish rejected records before processed ones, and nothing unless every check passes."""
    settings = from_environment(Settings)
    job = task.job
    bucket = settings.output_bucket
    plan = storage.read_document(bucket, str(job.results["parse"]["plan_key"]))
    reports = [
        storage.read_document(bucket, keys.part_key(job.file_id, split["index"], "report.json"))
        for split in plan["splits"]
    ]
    whole = add_up(reports)
    _check_limits(whole, Layout.from_document(plan["layout"]).contract, settings)

    dataset = job.source.dataset
    rejected = {
        suffix: keys.rejected_key(dataset, job.file_id, suffix) for suffix in ("jsonl", "csv")
    }
    if whole.error_count:
        for suffix, target in rejected.items():
            part = keys.part_key(job.file_id, 0, f"rejected.{suffix}")
            storage.copy_object(bucket, part, target)
    else:
        # An earlier attempt, under another contract, may have left some.
        storage.delete_objects(bucket, list(rejected.values()))
    target = keys.processed_key(dataset, job.file_id, whole.output_format)
    part = keys.part_key(job.file_id, 0, whole.output_format)
    storage.copy_object(bucket, part, target)
    return {
        "processed_key": target,
        "rejected_key": rejected["jsonl"] if whole.error_count else None,
        "rejected_csv_key": rejected["csv"] if whole.error_count else None,
        "processed_bytes": whole.processed_bytes,
        "record_count": whole.record_count,
        "processed_count": whole.processed_count,
        "error_count": whole.error_count,
    }


def _check_limits(whole: WholeFile, contract: Contract, settings: Settings) -> None:
    percent = contract.max_reject_percent
    count = contract.max_reject_count
    default_count = settings.max_reject_count if settings.max_reject_count >= 0 else None
    check_rejects(
        whole.record_count,
        whole.error_count,
        max_percent=settings.max_reject_percent if percent is None else percent,
        max_count=default_count if count is None else count,
    )
