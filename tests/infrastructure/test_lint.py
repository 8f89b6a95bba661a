"""The template's linter finds what it should, and forgives only what has a reason."""

from __future__ import annotations

import copy
from typing import Any

from tests.infrastructure import deployed, lint


def _document() -> dict[str, Any]:
    return copy.deepcopy(dict(deployed.template().document))


def test_the_translated_template_has_no_findings() -> None:
    assert lint.findings(deployed.template().document) == []


def test_a_definition_that_is_wrong_is_found_in_the_translated_template() -> None:
    document = _document()
    machine = document["Resources"]["PipelineStateMachine"]["Properties"]
    machine["DefinitionString"] = machine["DefinitionString"].replace(
        '"Type": "Task"', '"Type": "Tsk"'
    )
    assert any("'Tsk'" in finding for finding in lint.findings(document))


def test_a_suppression_that_finds_nothing_any_more_is_a_finding() -> None:
    document = _document()
    document["Resources"] = {"Topic": {"Type": "AWS::SNS::Topic"}}
    document["Outputs"] = {}
    assert "I3011 is suppressed and finds nothing" in lint.findings(document)
