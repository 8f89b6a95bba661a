"""The next state of a Choice state."""

from __future__ import annotations

from typing import Any

import pytest

from pipectl.scale.choices import chosen_state

PATH = {"Variable": "$.a.b"}


def choose(rule: dict[str, Any], document: dict[str, Any]) -> bool:
    choice = {"Choices": [{**rule, "Next": "Matched"}], "Default": "Default"}
    return chosen_state(choice, document) == "Matched"


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        ({**PATH, "NumericEquals": 1}, 1, 2),
        ({**PATH, "NumericEquals": 1}, 1.0, True),
        ({**PATH, "NumericEquals": 1}, 1, "1"),
        ({**PATH, "StringEquals": "x"}, "x", "X"),
        ({**PATH, "BooleanEquals": True}, True, 1),
        ({**PATH, "IsNull": True}, None, 0),
        ({**PATH, "IsNull": False}, {}, None),
        ({"Not": {**PATH, "StringEquals": "x"}}, "y", "x"),
        ({"Or": [{**PATH, "NumericEquals": 1}, {**PATH, "NumericEquals": 2}]}, 2, 3),
        ({"And": [{**PATH, "IsPresent": True}, {**PATH, "NumericEquals": 2}]}, 2, 3),
    ],
)
def test_a_rule_compares_type_and_value(
    rule: dict[str, Any], matching: object, other: object
) -> None:
    assert choose(rule, {"a": {"b": matching}})
    assert not choose(rule, {"a": {"b": other}})


@pytest.mark.parametrize("document", [{}, {"a": 1}, {"a": {}}])
def test_is_present_requires_the_whole_path(document: dict[str, Any]) -> None:
    assert not choose({**PATH, "IsPresent": True}, document)
    assert choose({**PATH, "IsPresent": False}, document)
    # A value that is null is present.
    assert choose({**PATH, "IsPresent": True}, {"a": {"b": None}})


def test_the_first_rule_that_matches_decides() -> None:
    rules = [{**PATH, "IsPresent": True, "Next": name} for name in ("First", "Second")]
    assert chosen_state({"Choices": rules, "Default": "Default"}, {"a": {"b": 1}}) == "First"


@pytest.mark.parametrize(
    "rule",
    [
        {**PATH, "StringMatches": "x*"},
        {**PATH, "StringEquals": "x", "IsPresent": True},
        PATH,
        {"Variable": "$.a.missing", "StringEquals": "x"},
        {"Variable": "$.a.missing", "IsNull": True},
    ],
)
def test_a_rule_that_is_not_understood_is_an_error(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"choice|document has no"):
        choose(rule, {"a": {"b": "x"}})
