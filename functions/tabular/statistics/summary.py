"""The summary report of a file: totals, success rate, statistics of every field, and rejects."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tabular.statistics.accumulator import finish, reject_counts, reject_examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tabular.faults import RuleCount, RuleKey
    from tabular.statistics.reject_examples import Example

_COUNTS = (
    "type",
    "field_type",
    "count",
    "nulls",
    "distinct",
    "unique",
    "distinct_exact",
    "non_finite",
    "with_time_zone",
)
"""The statistics of a field that can't be a cell of the file."""


def summarize(
    statistics: Mapping[str, Any],
    *,
    record_count: int,
    processed_count: int,
    error_count: int,
    generated_at: str,
    file: Mapping[str, Any] | None = None,
    show_values: bool = True,
) -> dict[str, Any]:
    """Make the summary of a file from its merged partial statistics and its counts.

    `generated_at` is an ISO 8601 time that the caller decides; `file` are further facts about the
    file: source, size, encoding, contract. Without `show_values`, the statistics of a field that
    can be a cell of the file are null: minimum, sum and quantiles of a single value are that value.

    The summary has `total_input_rows`, `total_processed`, `total_errors`, `success_rate` (per cent,
    two decimals, 0 for no rows), `generated_at`, `field_statistics` (see `statistics.finish`),
    `rejects`, `notes` (sentences about values that are right and yet need care) and `file`.
    `rejects` counts faults, of which a rejected row may have several:
    `{"faults", "by_code": {code: n}, "by_field": {field: {code: n}}, "of_rows": {code: n},
    "by_rule": [...]}`, where `of_rows` are those that concern no single field. `by_rule` has the
    broken rules, most failed records first, each as `{"field", "code", "rule", "checked",
    "failed", "failure_rate", "faults", "first_rows"}`. All values are JSON's; integers may be of
    any size, as in the file.
    """
    fields = finish(statistics)
    notes = _notes(fields)
    if not show_values:
        fields = {name: _without_values(figures) for name, figures in fields.items()}
    rejects = _rejects(reject_counts(statistics))
    rejects["by_rule"] = _by_rule(
        reject_counts(statistics), reject_examples(statistics), record_count
    )
    return {
        "total_input_rows": record_count,
        "total_processed": processed_count,
        "total_errors": error_count,
        "success_rate": round(processed_count / max(record_count, 1) * 100, 2),
        "generated_at": generated_at,
        "field_statistics": fields,
        "rejects": rejects,
        "notes": notes,
        "file": dict(file or {}),
    }


def _notes(fields: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sentences about values that are valid but need care."""
    return [
        f"{name}: {zoned} of {figures['count']} datetimes have a time zone, the others have none. "
        "Compare them with care. Parquet output refuses one or the other: see timeZone in the "
        "documentation of contracts."
        for name, figures in fields.items()
        if 0 < (zoned := figures.get("with_time_zone", 0)) < figures["count"]
    ]


def _without_values(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if name in _COUNTS else None for name, value in figures.items()}


def _by_rule(
    counts: Mapping[RuleKey, RuleCount],
    examples: Mapping[RuleKey, list[Example]],
    record_count: int,
) -> list[dict[str, Any]]:
    """The broken rules, those that most records break first.

    Every record of the file is checked against every rule, so `checked` is their number.
    """
    ranked = sorted(counts, key=lambda key: -counts[key].records)
    return [
        {
            "field": key[0],
            "code": key[1],
            "rule": key[2],
            "checked": record_count,
            "failed": counts[key].records,
            "failure_rate": round(counts[key].records / max(record_count, 1) * 100, 2),
            "faults": counts[key].faults,
            "first_rows": [example.row for example in examples.get(key, [])],
        }
        for key in ranked
    ]


def _rejects(counts: Mapping[RuleKey, RuleCount]) -> dict[str, Any]:
    by_code: Counter[str] = Counter()
    by_field: dict[str, dict[str, int]] = {}
    of_rows: dict[str, int] = {}
    for (field, code, _), (count, _) in counts.items():
        by_code[code] += count
        named = of_rows if field is None else by_field.setdefault(field, {})
        named[code] = named.get(code, 0) + count
    return {
        "faults": by_code.total(),
        "by_code": dict(sorted(by_code.items())),
        "by_field": by_field,
        "of_rows": of_rows,
    }
