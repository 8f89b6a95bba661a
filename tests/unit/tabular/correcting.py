"""Edits the CSV of rejected rows as people and spreadsheets do, for tests."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

from tabular.reading.corrected_rows import read_corrected_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabular.reading.patches import Patch
    from tests.unit.tabular.engine import TransformResult


def table_of(content: bytes) -> list[list[str]]:
    """The cells of the CSV, its header first, as Python's own reader has them."""
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline="")))


def saved(
    table: Sequence[Sequence[str]],
    *,
    encoding: str = "utf-8-sig",
    delimiter: str = ",",
    line_end: str = "\r\n",
) -> bytes:
    """The table as a spreadsheet saves it; what the encoding lacks becomes question marks."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(table)
    return text.getvalue().encode(encoding, "replace")


def patches_of(result: TransformResult, uploaded: bytes, **options: Any) -> list[Patch]:
    """What was corrected in the CSV of a run's rejected rows; that is read in small pieces."""
    made = result.corrections
    pieces = [made[start : start + 50] for start in range(0, len(made), 50)]
    return list(read_corrected_rows(uploaded, pieces, result.layout, **options))
