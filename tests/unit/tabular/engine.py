"""Runs the engine on bytes in memory, for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pipectl.local.infer.file_reading import FileSample, ReadingOptions
from pipectl.local.infer.inference import Options, infer_contract
from tabular.contract.descriptor import parse_contract
from tabular.reading.layout import read_layout
from tabular.reading.split import Split
from tabular.transform import Part, transform

if TYPE_CHECKING:
    from pipectl.local.infer.inference import Inference
    from tabular.model import Dialect
    from tabular.reading.layout import Layout


@dataclass
class TransformResult:
    layout: Layout
    part: Part
    processed: bytes
    rejected: bytes
    corrections: bytes

    @property
    def data(self) -> list[dict[str, Any]]:
        return [json.loads(line)["data"] for line in self.processed.splitlines()]

    @property
    def rows(self) -> list[int]:
        return [json.loads(line)["original_row"] for line in self.processed.splitlines()]

    @property
    def rejects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.rejected.splitlines()]

    @property
    def codes(self) -> dict[int, list[str]]:
        return {
            reject["row"]: [fault["code"] for fault in reject["errors"]] for reject in self.rejects
        }

    @property
    def outputs(self) -> tuple[bytes, bytes, bytes]:
        return self.processed, self.rejected, self.corrections


def contract_of(*fields: dict[str, Any], **descriptor: Any) -> Any:
    """A contract whose schema has these fields; other descriptor properties as keywords."""
    schema = {"fields": list(fields)}
    schema |= {
        key: descriptor.pop(key)
        for key in ("fieldsMatch", "missingValues", "primaryKey", "uniqueKeys")
        if key in descriptor
    }
    return parse_contract({"name": "test", "path": "test.csv", "schema": schema, **descriptor})


def layout_of(content: bytes, contract: Any = None, name: str = "test.csv") -> Layout:
    return read_layout(content, size=len(content), name=name, contract=contract)


def inferred(
    content: bytes,
    *,
    name: str = "test.csv",
    dialect: Dialect | None = None,
    encoding: str | None = None,
    size: int | None = None,
    **options: Any,
) -> Inference:
    """The contract that is inferred from a file that is `content`, or begins with it."""
    sample = FileSample(name, content, size or len(content))
    reading = ReadingOptions(encoding=encoding, dialect=dialect)
    return infer_contract([sample], Options(reading=reading, **options))


def run(
    content: bytes,
    contract: Any = None,
    *,
    name: str = "test.csv",
    layout: Layout | None = None,
    split: Split | None = None,
    chunk: int | None = None,
    **options: Any,
) -> TransformResult:
    """Transform a file that is `content`, or one split of it."""
    layout = layout or layout_of(content, contract, name)
    split = split or Split.whole(layout)
    rest = content[split.start :]
    size = chunk or max(1, len(rest))
    processed, rejected, corrections = BytesIO(), BytesIO(), BytesIO()
    part = transform(
        (rest[i : i + size] for i in range(0, len(rest), size)),
        layout,
        split,
        file_id="f",
        processed_at="2024-01-01T00:00:00Z",
        processed=processed,
        rejected=rejected,
        corrections=corrections,
        **options,
    )
    outputs = (sink.getvalue() for sink in (processed, rejected, corrections))
    return TransformResult(layout, part, *outputs)
