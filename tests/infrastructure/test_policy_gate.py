"""The gate of checkov's rules lets through only what has a written reason."""

from __future__ import annotations

import pytest

from tests.infrastructure import effective
from tests.infrastructure.policy_gate import PROTECTED, SUPPRESSED, findings_of, unexplained

EXPECTED = [
    (rule, "StarterFunction" if name == "*" else name, "a rule")
    for rule, (names, _) in SUPPRESSED.items()
    for name in names
]


def test_suppressed_findings_are_let_through() -> None:
    assert unexplained(EXPECTED) == []


def test_a_finding_of_another_rule_or_of_another_resource_is_not() -> None:
    new = [("CKV_AWS_18", "InputBucket", "logs"), ("CKV_AWS_21", "InputBucket", "versions")]
    assert unexplained([*EXPECTED, *new]) == [
        "CKV_AWS_18 InputBucket: logs",
        "CKV_AWS_21 InputBucket: versions",
    ]


def test_a_suppression_that_finds_nothing_any_more_is_a_finding() -> None:
    rule, resource, _ = EXPECTED[0]
    assert unexplained(EXPECTED[1:]) == [f"{rule} is suppressed for {resource} and finds nothing"]


def test_a_report_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="checked nothing"):
        findings_of({"passed": 0, "failed": 0})


def test_suppressions_name_resources_that_exist() -> None:
    named = {name for names, _ in SUPPRESSED.values() for name in names if name != "*"}
    assert named <= set(effective.resources(**PROTECTED))
