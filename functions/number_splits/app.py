"""NumberSplits: add up the counts of the splits, and number the first row and line of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shared import storage
from shared.settings import from_environment
from shared.step import Task, step
from tabular.errors import MisalignedSplits, TabularError
from tabular.reading.split import Split
from tabular.reading.splits import Measure, number_splits


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Write the numbered splits to `work/`; return their key and the file's number of records.

    Raises `MisalignedSplits` if a split's boundary is wrong, and `UnreadableFile` if the file has
    fewer records than its footer has rows.
    """
    settings = from_environment(Settings)
    bucket = settings.output_bucket
    job = task.job
    planned = storage.read_document(bucket, job.results["parse"]["splits_key"])
    found = list(
        storage.read_documents(
            bucket,
            [task.work.part(split["index"], "measure.json") for split in planned],
        )
    )
    # The first in file order: later boundaries can be wrong only because of it.
    wrong = next((one["misaligned"] for one in found if "misaligned" in one), None)
    if wrong:
        raise MisalignedSplits(wrong)
    measures = [Measure(**one) for one in found]
    numbered = number_splits([Split(**split) for split in planned], measures)
    key = task.work.numbered_splits
    storage.write_document(bucket, key, [asdict(split) for split in numbered])
    return {
        "numbered_splits_key": key,
        "record_count": sum(one.record_count for one in measures)
        - sum(split.footer_rows for split in numbered),
    }
