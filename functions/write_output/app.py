"""WriteOutput: check the whole file, then publish its output atomically."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import storage
from shared.settings import from_environment
from shared.step import Task, step
from shared.versions import Rank
from tabular.errors import TabularError
from tabular.model import Contract
from tabular.statistics.threshold import check_rejects, may_reject_all
from write_output.parts import WholeFile, add_up
from write_output.publish import AppliedCorrections, HigherRank, Publication, clean_up, publish


@dataclass(frozen=True)
class Settings:
    """The function's environment; the reject limits apply if the contract sets none."""

    output_bucket: str
    max_reject_percent: float
    max_reject_count: int


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Check the file's parts, and publish rejected records, then processed ones.

    Returns the keys of the outputs and the file's counts. Nothing is published unless every check
    passes, or if a later version of the file or a later attempt has published its output:
    `superseded_by` then names it, as it does if ParseCsv has found that already. Raises
    `MixedParts` if parts are missing or of different engines, `TooManyRejects` if a reject limit is
    exceeded, and `InvalidCorrections` if corrections were published that the parts lack.
    """
    settings = from_environment(Settings)
    job = task.job
    publication = _publication(task, settings.output_bucket)
    if job.superseded_by:
        clean_up(publication)
        return dict.fromkeys(RESULTS) | {"superseded_by": job.superseded_by}
    parse = job.results["parse"]
    reports = storage.read_documents(
        settings.output_bucket,
        [task.work.part(split, "report.json") for split in range(parse["splits"])],
    )
    # Other files have up to 10,000 reports, which are not all kept in memory.
    only = next(reports) if parse["splits"] == 1 else None
    whole = add_up(
        reports if only is None else [only],
        processed_at=task.execution.start_time,
        expected_records=_measured_records(job.results),
    )
    if whole.error_count:
        # It takes as long to import as all the rest, and most files need no limits.
        from tabular.reading.layout import Layout  # noqa: PLC0415

        described = only if only and "layout" in only else None
        if described is None:
            described = storage.read_document(settings.output_bucket, parse["plan_key"])
        _check_limits(whole, Layout.from_document(described["layout"]).contract, settings, task)
    published: dict[str, Any] = dict.fromkeys(RESULTS)
    try:
        published |= publish(publication, whole)
    except HigherRank as found:
        published["superseded_by"] = found.rank.to_document()
        clean_up(publication)
    return {
        **published,
        "record_count": whole.record_count,
        "processed_count": whole.processed_count,
        "error_count": whole.error_count,
    }


RESULTS = (
    "processed_key",
    "rejected_key",
    "corrections_key",
    "corrections",
    "superseded_by",
    "processed_bytes",
    "record_count",
    "processed_count",
    "error_count",
)
"""The names of what the handler returns: always all of them, because the workflow selects them."""


def _publication(task: Task, output_bucket: str) -> Publication:
    parse = task.job.results["parse"]
    return Publication(
        bucket=output_bucket,
        dataset=task.job.source.dataset,
        path=parse["output_path"],
        work=task.work,
        splits=parse["splits"] or 0,
        rank=Rank.of(task.job.source, task.execution),
        # Missing if an older version of this pipeline began the execution.
        is_new=bool(parse.get("is_new")),
        corrections=AppliedCorrections.of(parse["corrections"], output_bucket),
    )


def _measured_records(results: Mapping[str, Mapping[str, Any]]) -> int | None:
    """The number of records counted by MeasureSplits, or None for a file of one split."""
    if results["parse"]["splits"] == 1:
        return None
    return int(results["numbers"]["record_count"])


def _check_limits(whole: WholeFile, contract: Contract, settings: Settings, task: Task) -> None:
    percent = contract.max_reject_percent
    count = contract.max_reject_count
    check_rejects(
        whole.record_count,
        whole.error_count,
        max_percent=settings.max_reject_percent if percent is None else percent,
        max_count=settings.max_reject_count if count is None else count,
        may_reject_all=may_reject_all(contract),
        whereabouts=(
            f"They are under s3://{settings.output_bucket}/{task.work.parts}. "
            f"See them with `pipectl rejects {task.job.file_id}`."
        ),
    )
