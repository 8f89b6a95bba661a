"""ParseCsv: settle how the file is read, and plan the splits that are transformed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from parse_csv.contracts import read_contract
from parse_csv.origin import locate, mended_file, output_name
from shared import keys, storage
from shared.settings import from_environment
from shared.step import Task, step
from tabular.errors import TabularError
from tabular.layout import read_layout
from tabular.transform import Split

# Enough for any header and a sample to tell the delimiter by; one request.
HEAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    input_bucket: str
    output_bucket: str
    metadata_table: str
    max_concurrency: int


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Read the file's head and its dataset's contract; write the plan, return what it says."""
    settings = from_environment(Settings)
    job = task.job
    contract = read_contract(settings.input_bucket, job.source.dataset)
    location, head = locate(job, HEAD_BYTES)
    layout = read_layout(head, size=location.size, name=location.key, contract=contract.terms)
    splits = [Split.whole(layout)]
    mended = mended_file(settings.metadata_table, job.source)

    plan_key = keys.plan_key(job.file_id)
    plan = {"layout": layout.to_document(), "split": asdict(splits[0])}
    storage.write_document(settings.output_bucket, plan_key, plan)
    return {
        "plan_key": plan_key,
        "splits": len(splits),
        "splits_key": None,
        "max_concurrency": settings.max_concurrency,
        "location": asdict(location),
        "encoding": layout.encoding,
        "compression": layout.compression,
        "delimiter": layout.dialect.delimiter,
        "columns": len(layout.header),
        "contract_key": contract.key,
        "contract_version": contract.version,
        "mend_of": mended["file_id"] if mended else None,
        "output_name": output_name(job.file_id, mended),
    }
