"""The most frequent reasons why records of a file were rejected, for notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabular.faults import RuleCount, shown
from tabular.statistics.accumulator import reject_counts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tabular.faults import RuleKey

MAX_REASONS = 20
"""Reasons that are listed. A file can have several for each of its columns."""


def main_reasons(
    statistics: Mapping[str, Any], *, contract_names: Collection[str]
) -> dict[str, Any]:
    """The broken rules in a file's merged statistics, those with the most records first.

    Returns `{"faults": n, "reasons": [{"field", "code", "rule", "faults", "records"}, ...],
    "other_faults": n}`. A rejected record can have several faults. `field` is null for faults of
    whole records, and for fields that are not among `contract_names`: without a contract a name is
    a cell of the header.
    """
    counts: dict[RuleKey, RuleCount] = {}
    for (field, code, rule), count in reject_counts(statistics).items():
        key = (field if field in contract_names else None, code, rule)
        before = counts.get(key, RuleCount(0, 0))
        counts[key] = RuleCount(before.faults + count.faults, before.records + count.records)
    # Equal counts are ordered by name, so that the result doesn't depend on the splits.
    ordered = sorted(counts, key=lambda key: (-counts[key].records, *map(str, key)))
    return {
        "faults": sum(count.faults for count in counts.values()),
        "reasons": [_reason(key, counts[key]) for key in ordered[:MAX_REASONS]],
        "other_faults": sum(counts[key].faults for key in ordered[MAX_REASONS:]),
    }


def _reason(key: RuleKey, count: RuleCount) -> dict[str, Any]:
    field, code, rule = key
    named = None if field is None else shown(field)
    return {"field": named, "code": code, "rule": rule, **count._asdict()}
