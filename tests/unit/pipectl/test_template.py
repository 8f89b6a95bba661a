"""The template, translated for the embedded AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.parsing import parse_condition

from pipectl.embedded.apply import _for_cloudformation
from pipectl.embedded.template import Translation, translate
from pipectl.errors import PipectlError, UsageError
from pipectl.options import PROJECT
from tabular.file_names import IgnoredNames, InvalidPatterns

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Format: {Type: String, Default: jsonl, AllowedValues: [jsonl, parquet]}
  Percent: {Type: Number, Default: 5, MinValue: 0, MaxValue: 100}
  Place:
    {Type: String, Default: "", AllowedPattern: "^$|^https://.+$", ConstraintDescription: A URL.}
Globals:
  Function: {Runtime: python3.13, CodeUri: code/}
Resources:
  Step:
    Type: AWS::Serverless::Function
    Properties: {Handler: step.app.handler}
  Other:
    Type: AWS::Serverless::Function
    Properties: {Handler: other.handler, CodeUri: elsewhere/}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Role: arn:aws:iam::123456789012:role/x
      DefinitionUri: machine.json
      DefinitionSubstitutions: {StepArn: !GetAtt Step.Arn}
"""
DEFINITION = (
    '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${StepArn}", "End": true}}}'
)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template with its definition."""
    (tmp_path / "machine.json").write_text(DEFINITION)
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


def test_functions_keep_their_code_where_it_is(template: Path) -> None:
    folder = template.parent.resolve()
    assert translate(template).code == {"Step": folder / "code", "Other": folder / "elsewhere"}


def test_the_definition_is_in_the_template_with_unresolved_substitutions(template: Path) -> None:
    properties = translate(template).document["Resources"]["Machine"]["Properties"]
    assert properties["DefinitionString"] == DEFINITION
    assert properties["DefinitionSubstitutions"] == {"StepArn": {"Fn::GetAtt": ["Step", "Arn"]}}


def test_a_translation_in_another_process_gives_the_same(template: Path) -> None:
    assert Translation(template, {"Percent": "7"}).result() == translate(template, {"Percent": "7"})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Nothing": "1"}, "no parameter Nothing. Its parameters: Format, Percent, Place"),
        ({"Format": "xml"}, "Format can't have this value: allowed are jsonl, parquet"),
        ({"Percent": "many"}, "must be a number"),
        ({"Percent": "101"}, "must be from 0 to 100"),
        ({"Place": "http://x"}, "A URL."),
    ],
)
def test_parameters_are_checked_as_cloudformation_would(
    template: Path, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        translate(template, parameters)


def test_a_translation_in_another_process_refuses_the_same(template: Path) -> None:
    with pytest.raises(UsageError, match="no parameter Nothing"):
        Translation(template, {"Nothing": "1"}).result()


def test_a_missing_definition_is_an_error(template: Path) -> None:
    (template.parent / "machine.json").unlink()
    with pytest.raises(PipectlError, match=r"machine\.json can't be read"):
        translate(template)


def test_a_template_that_is_not_sam_is_an_error(template: Path) -> None:
    template.write_text(TEMPLATE.replace("step.app.handler}", "step.app.handler, Events: 3}"))
    with pytest.raises(PipectlError, match="can't be translated"):
        translate(template)


def test_a_template_that_is_not_yaml_is_an_error(template: Path) -> None:
    template.write_text("a: [")
    with pytest.raises(PipectlError, match="is not valid YAML"):
        translate(template)


@pytest.mark.parametrize(
    "patterns", ["", " ", "*.pdf", "*.pdf, readme*,Copy of *", "~$*", "*_$folder$", "a\\b", "é*"]
)
def test_the_template_accepts_lists_of_ignored_names(patterns: str) -> None:
    translate(PROJECT / "template.yaml", {"IgnoredNames": patterns})
    IgnoredNames.parse(patterns)


@pytest.mark.parametrize("patterns", ["*", "*.*", "a,", ",a", "a,,b", "x/y", "[a]", "a, *", "a\tb"])
def test_the_template_refuses_what_the_starter_would_refuse(patterns: str) -> None:
    with pytest.raises(UsageError, match="File names separated by commas"):
        translate(PROJECT / "template.yaml", {"IgnoredNames": patterns})
    with pytest.raises(InvalidPatterns):
        IgnoredNames.parse(patterns)


def test_secret_parameters_are_not_visible_in_process_arguments(template: Path) -> None:
    translation = Translation(template, {"Place": "https://hush"})
    try:
        assert "hush" not in json.dumps(translation._process.args)
    finally:
        translation.cancel()


@pytest.mark.parametrize(("value", "reserves"), [(0, False), ("0", False), (4, True), ("4", True)])
def test_no_function_reserves_concurrency_by_default(value: Any, reserves: bool) -> None:
    # moto compares as Python does, and makes a Number parameter that is given an int.
    document = translate(PROJECT / "template.yaml").document
    assert document["Parameters"]["ReservedConcurrency"]["Default"] == 0
    condition = document["Conditions"]["HasReservedConcurrency"]
    values: Any = {"ReservedConcurrency": value}
    assert parse_condition(condition, values, {}) is reserves


def test_what_outlives_the_projects_stack_does_so_on_the_embedded_aws() -> None:
    document = _for_cloudformation(translate(PROJECT / "template.yaml"), "data-pipeline")
    kept = {
        logical_id
        for logical_id, resource in document["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
    }
    assert {"InputBucket", "OutputBucket", "MetadataTable"} <= kept
