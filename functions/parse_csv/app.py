"""ParseCsv: determine how the file is read, and plan the splits that are transformed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from parse_csv.collect_corrections import collect
from parse_csv.contract_of_dataset import read_contract
from parse_csv.malware import check_scan
from parse_csv.names import check_dataset, check_keys
from parse_csv.origin import locate
from parse_csv.split_limits import (
    Density,
    check_assembly,
    check_splits,
    fitting_bytes,
    head_density,
    split_bytes,
    whole_density,
    why_one_split,
)
from shared import keys, publication, storage
from shared.job import DOCUMENT_VERSION, Job, Location, readable_cause
from shared.settings import from_environment
from shared.step import Task, step
from shared.versions import Rank
from tabular.errors import HeaderMismatch, TabularError
from tabular.file_names import IgnoredNames
from tabular.model import Contract
from tabular.reading.layout import Layout, read_layout
from tabular.reading.split import Split
from tabular.reading.splits import can_split, plan_splits
from tabular.writing.output_formats import FORMATS

# Enough for any header and for a sample to detect the delimiter in; one request.
HEAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    output_bucket: str
    require_contract: Literal["true", "false"]
    require_scan: Literal["true", "false"]
    max_concurrency: int
    split_size_bytes: int
    transform_timeout_seconds: int
    ignored_names: IgnoredNames
    output_format: str = field(metadata={"choices": FORMATS})


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Read the file's head and the dataset's contract; write the plan and the splits to `work/`.

    Returns the keys of both, the file's location, and what was found out about the file. The splits
    are written only if there are several. `is_new` says that no output is published in the
    dataset's format. If a later version of the file or a later attempt has published its output in
    that format, there is nothing to read: the result then has only `output_path` and
    `superseded_by`. Raises
    `InvalidDatasetName`, `KeyTooLong`, `ContractMissing`, the `Source...` errors of `shared`, and
    the errors of `tabular` if the contract is invalid or the file can't be read with it.
    """
    settings = from_environment(Settings)
    job = task.job
    check_dataset(job.source.dataset)
    check_keys(job)
    check_scan(job, required=settings.require_scan == "true")
    required = settings.require_contract == "true"
    contract = read_contract(settings.input_bucket, job.source.dataset, required=required)
    path = _output_path(job, contract.terms)
    published = _published(job, path, contract.terms, settings)
    rank = Rank.of(job.source, task.execution)
    if published and published.rank and published.rank.is_above(rank):
        found = {
            "version": DOCUMENT_VERSION,
            "output_path": path,
            "superseded_by": published.rank.to_document(),
        }
        return dict.fromkeys(RESULTS) | found
    location, head = locate(job, HEAD_BYTES)
    layout = _read_layout(head, location, contract.terms, settings, task.work)
    misaligned = task.payload["job"].get("misaligned") if task.payload.get("one_split") else None
    corrections = collect(task, layout, settings.output_bucket)
    splits = _plan(layout, location, settings, misaligned, head_density(head, layout))

    plan = {"layout": layout.to_document(), "split": asdict(splits[0])}
    storage.write_document(settings.output_bucket, task.work.plan, plan)
    if len(splits) > 1:
        storage.write_document(
            settings.output_bucket, task.work.splits, [asdict(one) for one in splits]
        )
    return {
        "version": DOCUMENT_VERSION,
        "plan_key": task.work.plan,
        "splits": len(splits),
        "splits_key": task.work.splits,
        "max_concurrency": settings.max_concurrency,
        "location": asdict(location),
        "encoding": layout.encoding,
        "compression": layout.compression,
        "delimiter": layout.dialect.delimiter,
        "columns": len(layout.header),
        "contract_key": contract.key,
        "contract_version": contract.version,
        "output_path": path,
        "is_new": published is None,
        "corrections": asdict(corrections) if corrections else None,
        "superseded_by": None,
    }


RESULTS = (
    "version",
    "plan_key",
    "splits",
    "splits_key",
    "max_concurrency",
    "location",
    "encoding",
    "compression",
    "delimiter",
    "columns",
    "contract_key",
    "contract_version",
    "output_path",
    "is_new",
    "corrections",
    "superseded_by",
)
"""The names of what the handler returns: always all of them, because the workflow selects them."""


def _output_path(job: Job, terms: Contract | None) -> str:
    suffixes = [output_format.suffix for output_format in FORMATS.values()]
    path = keys.output_path(job.source.bucket, job.source.key, suffixes)
    return keys.path_of_version(path, job.file_id) if terms and terms.versions == "all" else path


def _published(
    job: Job, path: str, terms: Contract | None, settings: Settings
) -> publication.Published | None:
    """The output that is published in the dataset's format, or None.

    This only saves work and requests: WriteOutput publishes nothing over a higher rank.
    """
    output_format = FORMATS[(terms and terms.output_format) or settings.output_format]
    key = keys.processed_key(job.source.dataset, path, output_format.suffix)
    return publication.look(settings.output_bucket, key)


def _read_layout(
    head: bytes, location: Location, terms: Contract | None, settings: Settings, work: keys.Work
) -> Layout:
    """The file's layout. If the contract doesn't allow the header, the header is saved as the plan.

    `pipectl` shows it from there. Messages never repeat column names: if a file has no header row,
    they are the data of its first record.
    """
    try:
        return read_layout(
            head,
            size=location.size,
            name=location.key,
            contract=terms,
            read=partial(storage.read_range, location),
            ignored=settings.ignored_names,
        )
    except HeaderMismatch as error:
        if error.header is not None:
            plan = {"header": list(error.header)}
            storage.write_document(settings.output_bucket, work.plan, plan)
        raise


def _plan(
    layout: Layout,
    location: Location,
    settings: Settings,
    misaligned: Mapping[str, str] | None,
    density: Density,
) -> list[Split]:
    """The splits: a single one if the file is small, can't be cut, or was cut wrong before.

    `misaligned` is the error of the wrong cut. Raises `FileTooLarge` if a split is more than one
    function can process, or if there are too many for the output's format.
    """
    read_range = partial(storage.read_range, location)
    timeout, wanted = settings.transform_timeout_seconds, settings.split_size_bytes
    if misaligned or not can_split(layout) or layout.size <= wanted:
        density = whole_density(density, layout, read_range)
    if misaligned:
        where = readable_cause(misaligned["Cause"])
        splits = [Split.whole(layout)]
        reason = f"the boundary of a split was wrong ({where}), so the file"
    else:
        wanted = split_bytes(layout, timeout, density, wanted)
        splits = plan_splits(
            layout,
            read_range,
            split_bytes=wanted,
            fitting=lambda sample: fitting_bytes(sample, layout, timeout, wanted=wanted),
        )
        reason = why_one_split(layout)
    check_splits(splits, layout, timeout, reason, density)
    output_format = FORMATS[layout.contract.output_format or settings.output_format]
    check_assembly(len(splits), layout, output_format)
    return splits
