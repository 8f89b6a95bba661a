"""The template's linter finds defects, and suppresses only findings with a reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.infrastructure import deployed, lint


def _document() -> dict[str, Any]:
    return copy.deepcopy(dict(deployed.template().document))


@pytest.mark.long  # `make lint` does it too
def test_the_translated_template_has_no_findings() -> None:
    assert lint.findings(deployed.template().document) == []


def test_the_translation_in_another_partition_names_no_partition() -> None:
    assert list(lint.fixed_arns(lint.translated("aws-cn"))) == []


@pytest.mark.long  # `make lint` does it too
@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_the_template_translates_in_the_other_partitions_without_findings(partition: str) -> None:
    assert lint.findings(lint.translated(partition), partition) == []


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_a_fixed_partition_is_found_in_template_and_workflow(partition: str) -> None:
    document = _document()
    machine = document["Resources"]["PipelineStateMachine"]["Properties"]
    machine["DefinitionString"] = machine["DefinitionString"].replace(
        "arn:${Partition}:states:::sqs:sendMessage", f"arn:{partition}:states:::sqs:sendMessage"
    )
    queue = document["Resources"]["ProcessingQueue"]["Properties"]
    queue["RedrivePolicy"]["deadLetterTargetArn"] = f"arn:{partition}:sqs:us-east-1:123456789012:q"
    assert set(lint.fixed_arns(document)) == {
        (
            "Resources/PipelineStateMachine/Properties/DefinitionString",
            f"arn:{partition}:states:::sqs:sendMessage",
        ),
        (
            "Resources/ProcessingQueue/Properties/RedrivePolicy/deadLetterTargetArn",
            f"arn:{partition}:sqs:us-east-1:123456789012:q",
        ),
    }


@pytest.mark.slow
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
