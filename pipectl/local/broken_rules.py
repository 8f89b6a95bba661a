"""Lists what was wrong with a file, by field and rule, from the local copies of its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tabular.statistics.rules import joined_rules

SHOWN_RULES = 10
_NAMED_FIELDS = 1
_READ_REJECTS = 50_000
"""Number of rejected records searched for examples; most rules are broken early."""


@dataclass(frozen=True)
class BrokenRule:
    """A rule that records of a file break, with one example.

    `failed` is the number of records; `row` and `value` are those of the first one, and `expected`
    the message of its fault. They are None if the example is not known.
    """

    fields: str
    rule: str
    failed: int
    row: int | None = None
    value: str | None = None
    expected: str | None = None


def broken_rules(outputs: Mapping[str, Path | None]) -> tuple[list[BrokenRule], int]:
    """The rules that most records break, and how many more there are."""
    summary, rejected = outputs.get("summary"), outputs.get("rejected")
    if summary is None or rejected is None:
        return [], 0
    document = json.loads(summary.read_text(encoding="utf-8"))
    rules = joined_rules(document["rejects"]["by_rule"])
    shown = rules[:SHOWN_RULES]
    faults = _first_faults(rejected, [rule for rule, _ in shown])
    found = [_broken(rule, names, faults.get(_key(rule))) for rule, names in shown]
    return found, len(rules) - len(shown)


def _broken(
    rule: Mapping[str, Any], names: Sequence[str | None], fault: Mapping[str, Any] | None
) -> BrokenRule:
    listed = ", ".join(name for name in names[:_NAMED_FIELDS] if name is not None)
    more = f" and {len(names) - _NAMED_FIELDS} more" if len(names) > _NAMED_FIELDS else ""
    rows = rule["first_rows"]
    return BrokenRule(
        fields=listed + more or "whole record",
        rule=rule["rule"] or rule["code"],
        failed=rule["failed"],
        row=rows[0] if rows else None,
        value=fault["value"] if fault else None,
        expected=fault["message"] if fault else None,
    )


def _key(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    return rule["code"], rule["rule"], *rule["first_rows"][:1]


def _first_faults(
    rejected: Path, rules: Sequence[Mapping[str, Any]]
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The fault of each rule's first record, by `_key`."""
    wanted: dict[int, list[Mapping[str, Any]]] = {}
    for rule in rules:
        for row in rule["first_rows"][:1]:
            wanted.setdefault(row, []).append(rule)
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    with rejected.open(encoding="utf-8") as lines:
        for line in islice(lines, _READ_REJECTS):
            reject = json.loads(line)
            for rule in wanted.pop(reject["row"], ()):
                fault = _fault(reject["errors"], rule)
                if fault:
                    found[_key(rule)] = fault
            if not wanted:
                break
    return found


def _fault(
    errors: Sequence[Mapping[str, Any]], rule: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The record's fault of this rule. The header can have another name than the output."""
    alike = [one for one in errors if (one["code"], one["rule"]) == (rule["code"], rule["rule"])]
    named = [one for one in alike if _plain(one["field"]) == _plain(rule["field"])]
    return next(iter(named or (alike if len(alike) == 1 else [])), None)


def _plain(name: str | None) -> str:
    return (name or "").strip().lower().replace(" ", "_")
