"""What moto's CloudFormation created of a template, and the values it resolved.

A patch leaves items of lists out that are `AWS::NoValue`; moto puts a null in their place, which
IAM's validation of policies refuses.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.models import Stack, cloudformation_backends

from pipectl.embedded.moto_patches.table import PatchSettings, replaces
from pipectl.embedded.template import ACCOUNT, REGION


@replaces(Stack, "parse_template", "9e5d69f13317")
def _templates_of_json_read_as_such(original: Any, _settings: PatchSettings) -> Any:
    """Read a template as JSON, which the stack's is, before moto reads it as YAML.

    Its reader of YAML is written in Python, and would take a quarter of the stack's start.
    """

    def parse_template(template: str) -> Any:
        try:
            return json.loads(template)
        except ValueError:
            return original(template)

    return staticmethod(parse_template)


def creatable_types() -> set[str]:
    """The resource types that moto's CloudFormation can create."""
    return set(parsing.get_model_map())


class CreatedResources:
    """The resources of a stack that moto's CloudFormation has created."""

    def __init__(self, stack_name: str) -> None:
        backend: Any = cloudformation_backends[ACCOUNT][REGION]
        self._map = backend.get_stack(stack_name).resource_map

    def condition(self, name: str) -> bool:
        """The value of one of the template's conditions."""
        return bool(self._map.lazy_condition_map[name])

    def resolved(self, properties: Any) -> Any:
        """Properties with their references and intrinsic functions replaced by values."""
        return parsing.clean_json(copy.deepcopy(properties), self._map)

    def physical_id(self, logical_id: str) -> str:
        """The value of `Ref`, or the empty string for a resource that was not created."""
        resource = self._map.get(logical_id)
        return "" if resource is None else str(resource.physical_resource_id)


@replaces(parsing, "clean_json", "0bdcbc7fef6e")
def _clean_lists(clean: Callable[..., Any], _settings: PatchSettings) -> Callable[..., Any]:
    """Resolve without the items of a list that are `AWS::NoValue`."""

    def clean_json(resource_json: Any, resources_map: Any) -> Any:
        cleaned = clean(resource_json, resources_map)
        if isinstance(resource_json, list):
            return [item for item in cleaned if item is not None]
        return cleaned

    return clean_json
