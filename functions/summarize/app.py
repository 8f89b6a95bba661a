"""Summarize: merge the statistics of all parts, and write the file's summary and report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from data_report.page import render
from shared import keys, publication, storage
from shared.errors import MixedParts
from shared.settings import from_environment
from shared.step import Task, step
from shared.versions import Rank
from summarize import dataset_history
from tabular.reading.drift import drift_of
from tabular.reading.header import compare_columns
from tabular.reading.layout import Layout
from tabular.statistics.accumulator import UnlikePartials, merge, reject_examples
from tabular.statistics.reasons import main_reasons
from tabular.statistics.summary import summarize


@dataclass(frozen=True)
class Settings:
    """The function's environment; the reject limits apply if the contract sets none."""

    output_bucket: str
    max_reject_percent: float
    max_reject_count: int


@step()
def handler(task: Task) -> dict[str, Any]:
    """Write summary and report to `reports/`; return their keys and what notifications say.

    That is the success rate, the main reasons of rejects, and the drift of the columns.

    Both are dated with the execution's start, and what the file is compared with is kept in the
    summary, so repeating the step writes the same bytes. Raises `MixedParts` if the statistics were
    made by another version of the engine.
    """
    settings = from_environment(Settings)
    job = task.job
    bucket = settings.output_bucket
    report = storage.read_document(bucket, task.work.part(0, "report.json"))
    statistics = _merged(task, bucket, report)
    described = report
    if "layout" not in report:
        described = storage.read_document(bucket, job.results["parse"]["plan_key"])
    layout = Layout.from_document(described["layout"])
    summary = _summary(task, settings, statistics, layout, engine=report["engine"])
    key = keys.summary_key(job.source.dataset, job.file_id)
    entry = dataset_history.entry_of(summary)
    # For a file whose output is its first, an earlier run of this step alone can have written one.
    is_first = task.is_first_run and job.results["parse"].get("is_new")
    stored = None if is_first else storage.read_optional_document(bucket, key)
    summary["usual"] = _compare(bucket, job.source.dataset, entry, stored)
    report_key = keys.report_key(job.source.dataset, job.file_id)
    # A later attempt, which may have published its output since WriteOutput, keeps its reports.
    rank = Rank.of(job.source, task.execution)
    body = json.dumps(summary, indent=2, ensure_ascii=False).encode()
    is_new = stored is None
    publication.replace_small(bucket, key, rank, body, is_new=is_new)
    page = render(summary, reject_examples(statistics))
    publication.replace_small(bucket, report_key, rank, page, is_new=is_new)
    return {
        "summary_key": key,
        "report_key": report_key,
        "success_rate": summary["success_rate"],
        "rejects": main_reasons(statistics, column_numbers=layout.column_numbers),
        "drift": drift_of(layout),
    }


def _merged(task: Task, bucket: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of all parts as one. An only part's `report` has them if they are small."""
    splits = range(task.job.results["parse"]["splits"])
    parts: Iterable[Any]
    if "statistics" in report:
        parts = [report["statistics"]]
    else:
        contents = [task.work.part(split, "statistics.json") for split in splits]
        parts = storage.read_documents(bucket, contents)
    try:
        return merge(parts)
    except UnlikePartials:
        # The functions were updated after the output was written. The output is still valid.
        raise MixedParts(
            "The parts were made by another version of the engine than the present one. Redrive "
            "the execution: it makes the parts again and publishes the same records."
        ) from None


def _summary(
    task: Task,
    settings: Settings,
    statistics: Mapping[str, Any],
    layout: Layout,
    *,
    engine: Mapping[str, str],
) -> dict[str, Any]:
    """The summary, all but the comparison with earlier files."""
    job = task.job
    parse, output = job.results["parse"], job.results["output"]
    contract = layout.contract
    percent, most = contract.max_reject_percent, contract.max_reject_count
    most = settings.max_reject_count if most is None else most
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
            "contract_key": parse["contract_key"],
            "contract_version": parse["contract_version"],
            "splits": parse["splits"],
            **layout.facts(),
        },
        show_values=contract.report_examples,
    )
    return {
        **summary,
        "footer_rows": layout.dialect.footer_rows,
        "shows_values": contract.report_examples,
        "limit": {
            "max_percent": settings.max_reject_percent if percent is None else percent,
            "max_count": most if most >= 0 else None,
        },
        "columns": compare_columns(layout.labels, contract),
        "correction_key": keys.corrections_key(job.source.dataset, job.file_id),
        "execution": {"arn": task.execution.arn, "name": task.execution.name},
        "engine": engine,
    }


def _compare(
    bucket: str, dataset: str, entry: Mapping[str, Any], stored: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Compare the file with earlier ones, and add it to the dataset's history.

    The comparison stays as this execution first made it: `stored` is the file's summary, if any.
    """
    key = keys.history_key(dataset)
    history = storage.read_to_update(bucket, key)
    storage.update_document(
        bucket,
        key,
        lambda document: {"files": dataset_history.with_entry(_files(document), entry)},
        read=history,
    )
    if stored and stored["generated_at"] == entry["generated_at"] and "usual" in stored:
        found: dict[str, Any] | None = stored["usual"]
        return found
    return dataset_history.usual(_files(history.content), entry)


def _files(document: Any) -> list[dataset_history.Entry]:
    return list(document["files"]) if document else []
