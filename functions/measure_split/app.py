"""MeasureSplit: prove that a split ends at the end of a record; count its records and lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import storage
from shared.settings import from_environment
from shared.step import Task, step
from tabular.errors import MisalignedSplits, TabularError
from tabular.reading.layout import Layout
from tabular.reading.measure import measure
from tabular.reading.split import Split


@dataclass(frozen=True)
class Settings:
    """The function's environment."""

    output_bucket: str


@step(TabularError)
def handler(task: Task) -> dict[str, Any]:
    """Write the split's counts to `work/`, and return whether its boundary is right.

    A wrong boundary is a result, not a failure: all splits are measured before NumberSplits decides
    what it means for the file. Raises the errors of `tabular` if the split can't be read.
    """
    settings = from_environment(Settings)
    job = task.job
    plan = storage.read_document(settings.output_bucket, job.results["parse"]["plan_key"])
    layout = Layout.from_document(plan["layout"])
    split = Split(**task.payload["split"])
    chunks = storage.stream(job.location, split.start, split.end)
    try:
        found = measure(chunks, layout, split).to_document()
    except MisalignedSplits as error:
        found = {"misaligned": str(error)}
    measure_key = task.work.part(split.index, "measure.json")
    storage.write_document(settings.output_bucket, measure_key, found)
    return {"aligned": "misaligned" not in found}
