"""The most frequent reasons why records of a file were rejected, for notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabular.faults import RuleCount
from tabular.statistics.accumulator import reject_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REASONS = 20
"""Reasons that are listed. A file can have several for each of its columns."""


def main_reasons(
    statistics: Mapping[str, Any], *, column_numbers: Mapping[str, int]
) -> dict[str, Any]:
    """The broken rules in a file's merged statistics, those with the most records first.

    `column_numbers` are by output name. Returns `{"faults": n, "reasons": [{"column", "code",
    "rule", "faults", "records"}, ...], "other_faults": n}`. A rejected record can have several
    faults. `column` is a number, because a name is a cell of the header; it is null for faults of
    whole records.
    """
    counts: dict[_Key, RuleCount] = {}
    for (field, code, rule), count in reject_counts(statistics).items():
        key = (column_numbers.get(field) if field is not None else None, code, rule)
        before = counts.get(key, RuleCount(0, 0))
        counts[key] = RuleCount(before.faults + count.faults, before.records + count.records)
    ordered = sorted(counts, key=lambda key: _order(key, counts[key]))
    return {
        "faults": sum(count.faults for count in counts.values()),
        "reasons": [_reason(key, counts[key]) for key in ordered[:MAX_REASONS]],
        "other_faults": sum(counts[key].faults for key in ordered[MAX_REASONS:]),
    }


_Key = tuple[int | None, str, str | None]


def _order(key: _Key, count: RuleCount) -> tuple[int, int, str, str]:
    # Equal counts are ordered too, so that the result doesn't depend on the splits.
    column, code, rule = key
    return -count.records, column or 0, code, rule or ""


def _reason(key: _Key, count: RuleCount) -> dict[str, Any]:
    column, code, rule = key
    return {"column": column, "code": code, "rule": rule, **count._asdict()}
