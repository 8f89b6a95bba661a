"""The translated template, as the tests and the linter of this folder read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipectl.embedded.template import Template, translate

ROOT = Path(__file__).parents[2]
STATE_MACHINE = "PipelineStateMachine"

_STATES_ARN = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:"


@cache
def template() -> Template:
    """The template with its defaults, translated once."""
    return translate(ROOT / "template.yaml")


def resource(logical_id: str) -> Mapping[str, Any]:
    """A resource of the translated template, whole."""
    found: Mapping[str, Any] = template().document["Resources"][logical_id]
    return found


def properties(logical_id: str) -> Mapping[str, Any]:
    """A resource's properties."""
    found: Mapping[str, Any] = resource(logical_id)["Properties"]
    return found


def functions() -> dict[str, Mapping[str, Any]]:
    """Every function's properties by its step's name, `ParseCsv` for `ParseCsvFunction`."""
    return {
        logical_id.removesuffix("Function"): function["Properties"]
        for logical_id, function in template().resources("AWS::Lambda::Function").items()
    }


def definition() -> dict[str, Any]:
    """The state machine's definition as it is written, its substitutions still open."""
    document: dict[str, Any] = json.loads(properties(STATE_MACHINE)["DefinitionString"])
    return document


def text_of(value: Any) -> str:
    """A property's value as short text: `Topic` for a Ref, `Table.Arn` for a GetAtt, Sub as is."""
    if not isinstance(value, Mapping):
        return str(value)
    ((intrinsic, argument),) = value.items()
    if intrinsic == "Fn::GetAtt":
        return ".".join(argument)
    if intrinsic in {"Ref", "Fn::Sub"}:
        return str(argument)
    return json.dumps(value, sort_keys=True)


def as_list(value: Any) -> list[Any]:
    """IAM and S3 write a list of one without the list."""
    return value if isinstance(value, list) else [value]


def statements(role: str) -> list[Mapping[str, Any]]:
    """The policy statements written for a role, the conditional ones as if their condition held."""
    policies = properties(role)["Policies"]
    written = [
        statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]
    ]
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in written]


def grants(role: str) -> set[str]:
    """What a role may do, each as `action resource`; ARNs without partition, region and account."""
    return {
        f"{action} {text_of(target).replace(_STATES_ARN, 'states:')}"
        for statement in statements(role)
        for action in as_list(statement["Action"])
        for target in as_list(statement["Resource"])
    }
