"""What moto's CloudFormation created of a template, and the values it resolved."""

from __future__ import annotations

import copy
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import clean_json, get_model_map

from pipectl.embedded.template import ACCOUNT, REGION


def creatable_types() -> set[str]:
    """The resource types that moto's CloudFormation can create."""
    return set(get_model_map())


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
        return _without_nothing(clean_json(copy.deepcopy(properties), self._map))

    def physical_id(self, logical_id: str) -> str:
        """The value of `Ref`, or the empty string for a resource that was not created."""
        resource = self._map.get(logical_id)
        return "" if resource is None else str(resource.physical_resource_id)


def _without_nothing(value: Any) -> Any:
    """A value without the items of lists that are `AWS::NoValue`, which moto replaces by null."""
    if isinstance(value, dict):
        return {name: _without_nothing(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value if item is not None]
    return value
