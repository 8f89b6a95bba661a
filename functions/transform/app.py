"""Transform: turn one split into typed records, rejected records and mergeable statistics."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from shared import keys, storage
from shared.job import Location
from shared.observability import logger
from shared.settings import from_environment
from shared.step import Task, step
from tabular.errors import TabularError, TooManyRejects
from tabular.reading.layout import Layout
from tabular.reading.patches import Patch
from tabular.reading.split import Split
from tabular.statistics.threshold import check_rejects_so_far
from tabular.transform import Progress, transform
from tabular.writing.output_format import OutputFormat
from tabular.writing.output_formats import FORMATS
from transform.stamp import engine, stamp_of

# WriteOutput reads the report, too. The statistics of most files have some 20 KB.
SMALL_REPORT_BYTES = 256 * 1024


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str
    output_format: str = field(metadata={"choices": FORMATS})


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Transform the split, unless an earlier run has already made exactly this part.

    Returns the part's counts. Raises `TooManyRejects` as soon as the contract's limit is exceeded,
    a `Source...` error of `shared` if the file can't be read, and the other errors of `tabular`.
    """
    settings = from_environment(Settings)
    job = task.job
    plan = storage.read_document(settings.output_bucket, job.results["parse"]["plan_key"])
    layout = Layout.from_document(plan["layout"])
    # A Map passes each Transform its split. The only split of a file is in the plan.
    split = Split(**task.payload.get("split", plan["split"]))
    output_format = FORMATS[layout.contract.output_format or settings.output_format]
    patches = _patches_of(task, settings)
    stamp = stamp_of(
        task, plan["layout"], split, output_format.name, patches.etag if patches else None
    )
    report = None
    if not task.is_first_run:
        report_key = task.work.part(split.index, "report.json")
        report = storage.read_optional_document(settings.output_bucket, report_key)
    if report and report["stamp"] == stamp and _is_whole(task, settings, split, report):
        logger().info("the part exists already", extra={"split": split.index})
    else:
        report = _transform(task, settings, layout, split, output_format, patches=patches)
        report["stamp"] = stamp
        _write_report(task, settings, split, report, plan["layout"])
    return {name: report[name] for name in ("record_count", "processed_count", "error_count")}


def _is_whole(task: Task, settings: Settings, split: Split, report: dict[str, Any]) -> bool:
    """Whether all objects of the split's part exist, not only its report."""
    contents = report.get("contents") or keys.part_contents(FORMATS[report["format"]].suffix)
    return all(
        storage.find(settings.output_bucket, task.work.part(split.index, content))
        for content in contents
    )


def _write_report(
    task: Task,
    settings: Settings,
    split: Split,
    report: dict[str, Any],
    layout: dict[str, Any],
) -> None:
    """Write the part's report and statistics.

    Small ones of a file's only split are one object. It has the layout, too, so that later steps
    need not read the plan.
    """

    def part(content: str) -> str:
        return task.work.part(split.index, content)

    small = {name: of for name, of in report.items() if name != "statistics"}
    if "split" not in task.payload:
        body = json.dumps({**report, "layout": layout}, ensure_ascii=False).encode()
        if len(body) <= SMALL_REPORT_BYTES:
            properties = storage.Properties(ContentType="application/json")
            storage.put(settings.output_bucket, part("report.json"), body, properties)
            return
    storage.write_document(settings.output_bucket, part("statistics.json"), report["statistics"])
    small["contents"] = [*report["contents"], "statistics.json"]
    # Written last: a part without a report is incomplete.
    storage.write_document(settings.output_bucket, part("report.json"), small)


def _patches_of(task: Task, settings: Settings) -> Location | None:
    """The corrected rows of the file, if it has any."""
    corrections = task.job.results["parse"]["corrections"]
    if corrections is None:
        return None
    return storage.locate(settings.output_bucket, corrections["key"])


def _transform(
    task: Task,
    settings: Settings,
    layout: Layout,
    split: Split,
    output_format: OutputFormat,
    *,
    patches: Location | None,
) -> dict[str, Any]:
    """Write the split's records and rejects; returns its report, with statistics.

    `contents` are the objects that it has written. The rejects of an only split are left out if
    there are none.
    """
    job = task.job

    def part(content: str) -> str:
        return task.work.part(split.index, content)

    stopped: list[TooManyRejects] = []

    def check(progress: Progress) -> bool:
        """Whether to stop because the contract's limit is exceeded; the rejects are kept."""
        try:
            check_rejects_so_far(
                layout.contract,
                most_records=progress.most_records,
                error_count=progress.error_count,
                whereabouts=(
                    f"They are under s3://{settings.output_bucket}/{task.work.parts}. "
                    f"See them with `pipectl rejects {job.file_id}`."
                ),
            )
        except TooManyRejects as error:
            stopped.append(error)
        return bool(stopped)

    with ExitStack() as stack:
        processed, rejected, corrections = (
            stack.enter_context(storage.ObjectWriter(settings.output_bucket, part(content), kind))
            for content, kind in (
                (output_format.suffix, storage.Properties(ContentType=output_format.media_type)),
                ("rejected.jsonl", None),
                ("corrections.csv", None),
            )
        )
        result = transform(
            storage.stream(job.location, split.start, split.end),
            layout,
            split,
            file_id=job.file_id,
            processed_at=task.execution.start_time,
            processed=processed,
            rejected=rejected,
            corrections=corrections,
            patches=map(Patch.from_line, storage.stream_lines(patches)) if patches else (),
            output_format=output_format.name,
            check=check,
        ).to_document()
        contents = [output_format.suffix, "rejected.jsonl", "corrections.csv"]
        # Later runs write empty objects, too: they replace what an earlier one has left.
        if not result["error_count"] and patches is None and task.is_first_run:
            rejected.discard()
            corrections.discard()
            contents = [output_format.suffix]
    if stopped:
        raise stopped[0]
    return {
        **result,
        "contents": contents,
        "processed_at": task.execution.start_time,
        "processed_bytes": processed.size,
        "format": output_format.name,
        "engine": engine(),
    }
