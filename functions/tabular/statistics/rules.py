"""Broken rules as people read them: those that the same records break are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Rule = Mapping[str, Any]


def joined_rules(by_rule: Sequence[Rule]) -> list[tuple[Rule, list[str | None]]]:
    """The rules of a summary's `rejects.by_rule`, each with its fields (None: the whole record).

    A short row lacks all cells after its last one: that is one problem, not one for each field.
    """
    found: dict[Any, tuple[Rule, list[str | None]]] = {}
    for number, rule in enumerate(by_rule):
        alike = (rule["code"], rule["failed"], *rule["first_rows"])
        alone = rule["code"] != "missing-cell" or rule["field"] is None
        _, names = found.setdefault(number if alone else alike, (rule, []))
        names.append(rule["field"])
    return list(found.values())
