"""Files that the tests upload, and the engine's result for each as a whole."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from tabular.reading.layout import read_layout
from tabular.reading.split import Split
from tabular.statistics.accumulator import merge
from tabular.statistics.summary import summarize
from tabular.transform import transform

HEADER = b"id,amount,note\n"


def orders(rows: int) -> bytes:
    """A file with multi-line cells, quotes, and some rows that are rejected."""
    notes = ["plain", '"two\nlines, and a comma"', "bad\xff", '"with ""quotes"""']
    lines = [
        f"{row},{'x' if row % 97 == 0 else row / 4},{notes[row % len(notes)]}\n"
        for row in range(rows)
    ]
    return HEADER + "".join(lines).encode("latin-1")


@dataclass(frozen=True)
class Expected:
    """The outputs of a file, as bytes, and its summary."""

    processed: bytes
    rejected: bytes
    corrections: bytes
    summary: dict[str, Any]


def expected(body: bytes, *, file_id: str, processed_at: str) -> Expected:
    """What the engine gives for a file without a contract, all of it at once."""
    layout = read_layout(body, size=len(body), name="file.csv", contract=None)
    split = Split.whole(layout)
    sinks = io.BytesIO(), io.BytesIO(), io.BytesIO()
    part = transform(
        [body[split.start :]],
        layout,
        split,
        file_id=file_id,
        processed_at=processed_at,
        processed=sinks[0],
        rejected=sinks[1],
        corrections=sinks[2],
    )
    summary = summarize(
        merge([part.statistics]),
        record_count=part.record_count,
        processed_count=part.processed_count,
        error_count=part.error_count,
        generated_at=processed_at,
    )
    return Expected(sinks[0].getvalue(), sinks[1].getvalue(), sinks[2].getvalue(), summary)
