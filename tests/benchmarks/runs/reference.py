"""The plain algorithm: the whole file in memory, a dict a row, one JSON document, no contract.

It knows only how to clean names and cells and to read four columns as numbers, and a number that
it can't read becomes 0. So its counts are not those of engines that validate.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path

_NUMERIC = ("amount", "price", "quantity", "total")


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Write `records.json` and `summary.json`; the contract is not used."""
    del contract
    table = list(csv.DictReader(io.StringIO(source.read_bytes().decode("utf-8"))))
    records: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for number, row in enumerate(table, 1):
        try:
            records.append(_record(number, row))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong costs this row alone
            failures.append({"row": number, "error": str(error), "original_data": row})
    document = {
        "records": records,
        "errors": failures,
        "total_processed": len(records),
        "total_errors": len(failures),
    }
    (out / "records.json").write_text(json.dumps(document, indent=2, default=str))
    (out / "summary.json").write_text(json.dumps(_summary(table, records, failures), indent=2))
    return RunResult(len(records), len(failures))


def _record(number: int, row: dict[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {"id": str(uuid.uuid4()), "original_row": number, "data": {}}
    for label, cell in row.items():
        name = label.strip().lower().replace(" ", "_")
        value: str | float | None = cell.strip() if cell else None
        if name in _NUMERIC:
            try:
                value = float(value) if value else 0
            except ValueError:
                value = 0
        record["data"][name] = value
    record["processed_at"] = datetime.now(UTC).isoformat()
    return record


def _summary(
    table: list[dict[str, str]], records: list[dict[str, Any]], failures: list[dict[str, Any]]
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in records[0]["data"] if records else ():
        values = [record["data"].get(name) for record in records]
        numbers = [value for value in values if isinstance(value, int | float)]
        if numbers:
            fields[name] = {
                "type": "numeric",
                "count": len(numbers),
                "sum": sum(numbers),
                "avg": round(sum(numbers) / len(numbers), 2),
                "min": min(numbers),
                "max": max(numbers),
            }
        else:
            texts = [value for value in values if value]
            fields[name] = {"type": "string", "count": len(texts), "unique": len(set(texts))}
    return {
        "total_input_rows": len(table),
        "total_processed": len(records),
        "total_errors": len(failures),
        "success_rate": round(len(records) / max(len(table), 1) * 100, 2),
        "generated_at": datetime.now(UTC).isoformat(),
        "field_statistics": fields,
    }
