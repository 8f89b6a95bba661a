"""The summary report of a file: totals, success rate, statistics of every field, and rejects."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tabular.statistics.accumulator import finish, reject_counts

if TYPE_CHECKING:
    from collections.abc import Mapping


def summarize(
    statistics: Mapping[str, Any],
    *,
    record_count: int,
    processed_count: int,
    error_count: int,
    generated_at: str,
    file: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the summary of a file from its merged partial statistics and its counts.

    `generated_at` is an ISO 8601 time that the caller decides; `file` are further things to say
    about the file: source, size, encoding, contract.

    The summary has `total_input_rows`, `total_processed`, `total_errors`, `success_rate` (per cent,
    two decimals, 0 for no rows), `generated_at`, `field_statistics` (see `statistics.finish`),
    `rejects`, `notes` (sentences about values that are right and yet need care) and `file`.
    `rejects` counts faults, of which a rejected row may have several:
    `{"faults", "by_code": {code: n}, "by_field": {field: {code: n}}, "of_rows": {code: n}}`, where
    `of_rows` are those that concern no single field. All values are JSON's; integers may be of any
    size, as in the file.
    """
    fields = finish(statistics)
    return {
        "total_input_rows": record_count,
        "total_processed": processed_count,
        "total_errors": error_count,
        "success_rate": round(processed_count / max(record_count, 1) * 100, 2),
        "generated_at": generated_at,
        "field_statistics": fields,
        "rejects": _rejects(reject_counts(statistics)),
        "notes": _notes(fields),
        "file": dict(file or {}),
    }


def _notes(fields: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What people should know about the values, although all of them are right."""
    return [
        f"{name}: {zoned} of {figures['count']} datetimes have a time zone, the others have none. "
        "Compare them with care: in Parquet, those with a zone are written in UTC, the others as "
        "they are."
        for name, figures in fields.items()
        if 0 < (zoned := figures.get("with_time_zone", 0)) < figures["count"]
    ]


def _rejects(counts: Mapping[tuple[str | None, str], int]) -> dict[str, Any]:
    by_code: Counter[str] = Counter()
    by_field: dict[str, dict[str, int]] = {}
    of_rows: dict[str, int] = {}
    for (field, code), count in counts.items():
        by_code[code] += count
        named = of_rows if field is None else by_field.setdefault(field, {})
        named[code] = count
    return {
        "faults": by_code.total(),
        "by_code": dict(sorted(by_code.items())),
        "by_field": by_field,
        "of_rows": of_rows,
    }
