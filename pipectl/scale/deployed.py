"""The settings that determine the estimate, read from the deployed template."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipectl.embedded.template import translate

_LAMBDA_DEFAULTS = {"Timeout": 3, "MemorySize": 128}
_FREE_STORAGE_MB = 512


@dataclass(frozen=True)
class DeployedFunction:
    """A Lambda function: memory and ephemeral storage in MB, timeout in seconds.

    `reserved` is its reserved concurrency, which is also its limit; None without any.
    """

    logical_id: str
    memory_mb: int
    timeout_seconds: int
    storage_mb: int
    reserved: int | None = None

    @property
    def processors(self) -> float:
        """The share of a vCPU that comes with the memory.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        """
        return self.memory_mb / 1769

    @property
    def paid_storage_mb(self) -> int:
        """Ephemeral storage beyond the free part."""
        return max(0, self.storage_mb - _FREE_STORAGE_MB)


@dataclass(frozen=True)
class Deployed:
    """A stack: its functions by logical ID, its workflow, and its settings."""

    functions: Mapping[str, DeployedFunction]
    definition: Mapping[str, Any]
    """The state machine, in Amazon States Language."""
    function_of: Mapping[str, str]
    """The logical ID of each function, by its placeholder in the workflow."""
    split_bytes: int
    max_concurrency: int
    output_format: str
    log_level: str
    archives: bool
    emails: bool
    webhook: bool
    starter_batch: int
    starter_concurrency: int
    queue_visibility_seconds: int

    def function(self, state: Mapping[str, Any]) -> DeployedFunction | None:
        """The function that a Task invokes; None for a native integration."""
        placeholder = state["Parameters"].get("FunctionName", "")
        match = re.fullmatch(r"\$\{(\w+)\}", placeholder)
        return self.functions[self.function_of[match[1]]] if match else None


@dataclass(frozen=True)
class Resource:
    """A resource of the template: its type, and its properties with the parameters' values."""

    kind: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class DeployedResources:
    """The resources that are deployed, by logical ID, and the conditions that are true."""

    all: Mapping[str, Resource]
    conditions: frozenset[str]

    def of(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """The properties of the resources of a type, by logical ID."""
        return {name: one.properties for name, one in self.all.items() if one.kind == kind}

    def has(self, condition: str) -> bool:
        """Whether a condition of the template is true."""
        return condition in self.conditions


def read_resources(template: Path, parameters: Mapping[str, str]) -> DeployedResources:
    """Read what is deployed with these parameters; raises as `read_deployed` does."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    document = translate(template, parameters).document
    values = _ParameterValues(document, parameters)
    conditions = frozenset(
        name for name in _used(document["Resources"].values()) if values.is_true(name)
    )
    return DeployedResources(
        {
            logical_id: Resource(resource["Type"], values.read(resource.get("Properties", {})))
            for logical_id, resource in document["Resources"].items()
            if resource.get("Condition", "") in conditions | {""}
        },
        conditions,
    )


def _used(value: Any) -> set[str]:
    """The conditions that a part of a template depends on."""
    if isinstance(value, Mapping):
        own = {value["Condition"]} if isinstance(value.get("Condition"), str) else set()
        if "Fn::If" in value:
            own.add(value["Fn::If"][0])
        return own.union(*map(_used, value.values()))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return set().union(*map(_used, value))
    return set()


def read_deployed(template: Path, parameters: Mapping[str, str]) -> Deployed:
    """Read the template as it would be deployed with these parameters.

    Raises `PipectlError` if it can't be read, and `UsageError` for an invalid parameter.
    """
    # It warns that its own metrics are not collected.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    document = translate(template, parameters).document
    values = _ParameterValues(document, parameters)
    functions = {
        logical_id: _function(logical_id, values.read(resource["Properties"]))
        for logical_id, resource in _resources(document, "AWS::Lambda::Function").items()
        if values.is_true(resource.get("Condition"))
    }
    machine = _only(document, "AWS::StepFunctions::StateMachine")
    mapping = _only(document, "AWS::Lambda::EventSourceMapping")
    starter = values.read(mapping)
    queue = document["Resources"][mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
    return Deployed(
        functions=functions,
        definition=_definition(machine, values),
        function_of={
            name: value["Fn::GetAtt"][0]
            for name, value in machine["DefinitionSubstitutions"].items()
            if isinstance(value, dict) and value.get("Fn::GetAtt", ["", ""])[1] == "Arn"
        },
        split_bytes=int(values.parameter("SplitSizeBytes")),
        max_concurrency=int(values.parameter("MaxConcurrency")),
        output_format=values.parameter("OutputFormat"),
        log_level=values.parameter("LogLevel"),
        archives=values.is_true("HasArchive"),
        emails=values.is_true("HasNotificationEmail"),
        webhook=values.is_true("HasWebhook"),
        starter_batch=int(starter["BatchSize"]),
        starter_concurrency=int(starter["ScalingConfig"]["MaximumConcurrency"]),
        queue_visibility_seconds=int(queue["VisibilityTimeout"]),
    )


def _resources(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        logical_id: resource
        for logical_id, resource in document["Resources"].items()
        if resource["Type"] == kind
    }


def _only(document: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The properties of the one resource of a type."""
    (resource,) = _resources(document, kind).values()
    return cast("Mapping[str, Any]", resource["Properties"])


def _function(logical_id: str, properties: Mapping[str, Any]) -> DeployedFunction:
    settings = {**_LAMBDA_DEFAULTS, **properties}
    storage = settings.get("EphemeralStorage", {"Size": _FREE_STORAGE_MB})["Size"]
    reserved = settings.get("ReservedConcurrentExecutions")
    return DeployedFunction(
        logical_id,
        int(settings["MemorySize"]),
        int(settings["Timeout"]),
        int(storage),
        None if reserved is None else int(reserved),
    )


def _definition(machine: Mapping[str, Any], values: _ParameterValues) -> dict[str, Any]:
    """The workflow with the parameters' values; other placeholders remain."""
    text = str(machine["DefinitionString"])
    for name, value in machine["DefinitionSubstitutions"].items():
        if values.is_parameter(value):
            text = text.replace(f"${{{name}}}", values.parameter(value["Ref"]))
    return dict(json.loads(text))


class _ParameterValues:
    """Resolves a template's parameters, mappings and conditions."""

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._document = document
        self._parameters = parameters

    def parameter(self, name: str) -> str:
        """The value given, or the default."""
        declared = self._document["Parameters"][name]
        return str(self._parameters.get(name, declared.get("Default", "")))

    def is_parameter(self, value: Any) -> bool:
        return isinstance(value, dict) and value.get("Ref") in self._document["Parameters"]

    def is_true(self, condition: str | None) -> bool:
        """Whether a condition of the template is true; True for None."""
        return condition is None or bool(self.read(self._document["Conditions"][condition]))

    def read(self, value: Any) -> Any:
        """The value with all functions applied that need only the template."""
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        if self.is_parameter(value):
            return self.parameter(value["Ref"])
        name, argument = next(iter(value.items()), ("", []))
        if value == {"Ref": "AWS::NoValue"}:
            return None
        function = {
            "Fn::FindInMap": self._in_map,
            "Fn::Equals": self._equal,
            "Fn::Not": self._not,
            "Fn::If": self._if,
        }
        if name in function:
            return function[name](argument)
        return {name: self.read(item) for name, item in value.items()}

    def _in_map(self, argument: list[Any]) -> Any:
        name, *keys = argument
        found = self._document["Mappings"][name]
        for key in keys:
            found = found[self.read(key)]
        return found

    def _equal(self, argument: list[Any]) -> bool:
        # CloudFormation compares text.
        left, right = self.read(argument)
        return str(left) == str(right)

    def _not(self, argument: list[Any]) -> bool:
        return not self.read(argument[0])

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self.read(then if self.is_true(condition) else otherwise)
