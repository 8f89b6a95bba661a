"""Chooses the next state as a Choice state does, for the rules that the workflow uses.

https://states-language.net/spec.html#choice-state
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EQUALS: Mapping[str, type | tuple[type, ...]] = {
    "StringEquals": str,
    "NumericEquals": (int, float),
    "BooleanEquals": bool,
}
_NOT_OPERATORS = {"Variable", "Next", "Comment"}


def chosen_state(choice: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The name of the state that a Choice state leads to: the first rule that matches decides.

    For example, `{"Variable": "$.parse.splits", "NumericEquals": 1, "Next": "Transform"}` matches
    `{"parse": {"splits": 1}}`. Raises ValueError if a rule has an operator other than `Not`, `And`,
    `Or`, `IsPresent`, `IsNull` and those for equality, or compares a value that the document does
    not have: the latter fails the execution in Step Functions, too.
    """
    for rule in choice["Choices"]:
        if _matches(rule, document):
            return str(rule["Next"])
    return str(choice["Default"])


def _matches(rule: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    operators = sorted(rule.keys() - _NOT_OPERATORS)
    if len(operators) != 1:
        raise ValueError(f"A choice rule has {len(operators)} operators: {operators}.")
    (operator,) = operators
    operand = rule[operator]
    if operator == "Not":
        return not _matches(operand, document)
    if operator == "And":
        return all(_matches(one, document) for one in operand)
    if operator == "Or":
        return any(_matches(one, document) for one in operand)
    is_present, value = _value(document, rule["Variable"])
    if operator == "IsPresent":
        return is_present is operand
    if operator == "IsNull" and is_present:
        return (value is None) is operand
    if operator not in _EQUALS and operator != "IsNull":
        raise ValueError(f"The choice operator {operator} is unknown.")
    if not is_present:
        raise ValueError(f"The document has no {rule['Variable']}.")
    # In Python, True equals 1.
    same_type = isinstance(value, _EQUALS[operator]) and isinstance(value, bool) is isinstance(
        operand, bool
    )
    return same_type and bool(value == operand)


def _value(document: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Whether a reference path such as `$.parse.splits` exists in the document, and its value."""
    value: Any = document
    for name in path.removeprefix("$.").split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False, None
        value = value[name]
    return True, value
