"""The template's resources as some values of its parameters make them: conditions are decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.infrastructure import deployed

_NOTHING = {"Ref": "AWS::NoValue"}


def resources(**parameters: str) -> dict[str, dict[str, Any]]:
    """Every resource that exists, with `Fn::If` and parameters replaced by what they give."""
    document = deployed.template().document
    return {
        logical_id: _decided(resource, _values(parameters))
        for logical_id, resource in document["Resources"].items()
        if "Condition" not in resource or _holds(resource["Condition"], _values(parameters))
    }


def _values(given: Mapping[str, str]) -> dict[str, str]:
    declared = deployed.template().document["Parameters"]
    assert set(given) <= set(declared)
    return {name: str(one["Default"]) for name, one in declared.items()} | dict(given)


def _holds(condition: str, values: Mapping[str, str]) -> bool:
    return _truth(deployed.template().document["Conditions"][condition], values)


def _truth(expression: Any, values: Mapping[str, str]) -> bool:
    ((name, arguments),) = expression.items()
    if name == "Fn::Not":
        return not _truth(arguments[0], values)
    assert name == "Fn::Equals", name
    one, other = (_decided(argument, values) for argument in arguments)
    return str(one) == str(other)


def _decided(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        decided = [_decided(item, values) for item in value]
        return [item for item in decided if item != _NOTHING]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        condition, then, otherwise = value["Fn::If"]
        return _decided(then if _holds(condition, values) else otherwise, values)
    if set(value) == {"Ref"} and value["Ref"] in values:
        return values[value["Ref"]]
    every = {name: _decided(item, values) for name, item in value.items()}
    return {name: item for name, item in every.items() if item != _NOTHING}
