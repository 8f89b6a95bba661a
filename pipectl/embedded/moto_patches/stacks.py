"""CloudFormation's stacks: deleted with all that belongs to them, and created by a change set.

moto stops at the first role that has a managed policy, leaves several types behind, and creates
nothing of a SAM template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LayerVersion, lambda_backends
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, cloudformation_backends
from moto.cloudformation.parsing import OutputMap, clean_json
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.exceptions import ServiceException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.s3.models import FakeBucket, s3_backends

from pipectl.embedded.moto_patches.table import PatchSettings, replaces
from pipectl.embedded.template import ACCOUNT, REGION
from pipectl.errors import PipectlError

PARTITION = "aws"

Delete = Callable[[str, Mapping[str, Any], str, str], None]
"""Deletes a resource: its physical ID, its part of the template, account and region."""


# How resources are deleted


@replaces(Role, "delete_from_cloudformation_json", "1e1329a4d0d1")
def _delete_role(original: Delete, _settings: PatchSettings) -> Delete:
    """Detach a role's managed policies before it is deleted, as CloudFormation does."""

    def delete(name: str, template: Mapping[str, Any], account: str, region: str) -> None:
        backend = iam_backends[account][PARTITION]
        for arn in list(backend.get_role(name).managed_policies):
            backend.detach_role_policy(arn, name)
        original(name, template, account, region)

    return delete


@replaces(ManagedPolicy, "delete_from_cloudformation_json", "f8f9e94c8c7c")
def _delete_policy(_original: Delete, _settings: PatchSettings) -> Delete:
    """Delete a managed policy, unless somebody outside of the stack has it: moto keeps it."""

    def delete(arn: str, _template: Mapping[str, Any], account: str, _region: str) -> None:
        backend = iam_backends[account][PARTITION]
        if backend.get_policy(arn).attachment_count:
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        backend.delete_policy(arn)

    return delete


@replaces(CloudFormationBackend, "delete_stack", "3a665220b6ed")
def _delete_stack(original: Callable[[Any, str], None], settings: PatchSettings) -> Any:
    """Delete the parts of a stack that moto doesn't know, and keep a stack that can't be deleted.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
    """

    def delete_stack(backend: Any, name_or_id: str) -> None:
        stack = _of_name_or_id(backend, name_or_id)
        if stack is None:
            return original(backend, name_or_id)
        if stack.enable_termination_protection:
            raise ValidationError(
                message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is"
                " enabled"
            )
        settings.stacks.remove(stack.name)
        for resource in list(stack.resource_map._parsed_resources.values()):
            if isinstance(resource, LayerVersion):
                layers = lambda_backends[resource.account_id][resource.region]
                layers.delete_layer_version(resource.name, str(resource.version))
        try:
            original(backend, stack.stack_id)
        except ServiceException as error:
            _fail(backend, stack, "DELETE_FAILED", error.message)
        else:
            _forget_deleted(stack)
        return None

    return delete_stack


# How a stack is created by a change set


@replaces(CloudFormationResponse, "create_change_set", "32c60887622d")
def _note_imports(original: Callable[[Any], Any], _settings: PatchSettings) -> Any:
    """Remember whether a change set may adopt resources that exist, which moto ignores."""

    def create_change_set(response: Any) -> Any:
        if response._get_param("ChangeSetType") == "UPDATE" and _of_pipeline(response):
            raise ValidationError(
                message="The embedded AWS updates no stack. Start `pipectl up` again."
            )
        result = original(response)
        change_sets = response.cloudformation_backend.change_sets
        change_set = change_sets[next(reversed(change_sets))]
        change_set.adopts = response._get_bool_param("ImportExistingResources", False)
        return result

    return create_change_set


@replaces(CloudFormationResponse, "_get_stack_from_s3_url", "682c90e5186e")
def _template_at_the_endpoint(original: Callable[[Any, str], str], settings: PatchSettings) -> Any:
    """Find a template by the URL that it has at the endpoint, which moto takes for another one."""

    def text_of(response: Any, url: str) -> str:
        base = f"{settings.endpoint('s3')}/"
        if not url.startswith(base):
            return original(response, url)
        bucket, _, key = url.removeprefix(base).partition("?")[0].partition("/")
        found = s3_backends[ACCOUNT][PARTITION].get_object(bucket, unquote(key))
        if found is None:
            raise ValidationError(message="S3 error: The specified key does not exist.")
        return str(found.value.decode())

    return text_of


@replaces(CloudFormationBackend, "execute_change_set", "946e75f4130c")
def _execute_change_set(original: Callable[..., None], settings: PatchSettings) -> Any:
    """Create a stack with its outputs, and install that of a SAM template.

    moto creates nothing of a SAM template, and forgets the outputs of other stacks.
    """

    def execute(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = _change_set(backend, change_set_name, stack_name)
        if change_set is None or change_set.change_set_type != "CREATE":
            return original(backend, change_set_name, stack_name)
        change_set.execution_status = "EXECUTE_COMPLETE"
        stack, parameters = backend.stacks[change_set.stack_id], change_set.parameters
        stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
        try:
            if _has_functions(change_set.template_dict):
                settings.stacks.install(
                    stack.name, change_set.template, parameters, change_set.adopts
                )
            else:
                _fill(stack, change_set.template, parameters, adopts=change_set.adopts)
        except PipectlError as error:
            # What is kept when the stack is deleted is kept here as well.
            with suppress(ServiceException):
                stack.resource_map.delete()
            _fail(backend, stack, "ROLLBACK_COMPLETE", error.message)
        return None

    return execute


@replaces(FakeBucket, "create_from_cloudformation_json", "c9833d691975")
def _adopt_bucket(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Adopt a bucket that exists. `fill_stack` has made sure that it may be adopted."""

    def create(name: str, template: Any, account: str, region: str, **more: Any) -> Any:
        return _bucket(name) or original(name, template, account, region, **more)

    return create


@replaces(Table, "create_from_cloudformation_json", "08e87a6ba77d")
def _adopt_table(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Adopt a table that exists. `fill_stack` has made sure that it may be adopted."""

    def create(name: str, template: Any, account: str, region: str, **more: Any) -> Any:
        return _table(name) or original(name, template, account, region, **more)

    return create


def fill_stack(
    name: str, document: Mapping[str, Any], parameters: Mapping[str, str], *, adopts: bool
) -> None:
    """Create the resources of a stack that has none yet.

    With `adopts`, buckets and tables that exist become part of it. Raises `PipectlError` if
    something exists that may not be adopted, and if moto refuses a resource.
    """
    _fill(_backend().get_stack(name), json.dumps(document), parameters, adopts=adopts)


def _fill(stack: Any, template: str, parameters: Mapping[str, str], *, adopts: bool) -> None:
    stack.template, stack.parameters = template, dict(parameters)
    stack._parse_template()
    stack.resource_map = stack._create_resource_map()
    stack.output_map = stack._create_output_map()
    taken = _taken(stack, adopts=adopts)
    if taken:
        raise PipectlError("; ".join(taken))
    try:
        stack.create_resources()
    except ServiceException as error:
        raise PipectlError(str(error.message)) from None


def _taken(stack: Any, *, adopts: bool) -> list[str]:
    """What keeps the resources of a stack from being created, in CloudFormation's words."""
    problems = []
    for resource in stack.template_dict["Resources"].values():
        find, property_name = _NAMED.get(resource["Type"], (None, ""))
        if find is None:
            continue
        given = resource.get("Properties", {}).get(property_name)
        name = str(clean_json(given, stack.resource_map))
        found = None if given is None else find(name)
        if found is None:
            continue
        if not adopts:
            kind = resource["Type"]
            problems.append(f"Resource of type '{kind}' with identifier '{name}' already exists.")
        elif getattr(found, "policy", None):
            # CloudFormation can't adopt a bucket's policy.
            problems.append(f"The bucket policy already exists on bucket {name}.")
    return problems


def _table(name: str) -> Any:
    return dynamodb_backends[ACCOUNT][REGION].tables.get(name)


def _bucket(name: str) -> Any:
    return s3_backends[ACCOUNT][PARTITION].buckets.get(name)


# What finds a resource that a template names, and the property with the name.
_NAMED: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "AWS::DynamoDB::Table": (_table, "TableName"),
    "AWS::S3::Bucket": (_bucket, "BucketName"),
}


def _backend() -> Any:
    return cloudformation_backends[ACCOUNT][REGION]


def _of_name_or_id(backend: Any, name_or_id: str) -> Any:
    for stack in backend.stacks.values():
        if name_or_id in (stack.name, stack.stack_id):
            return stack
    return None


def _change_set(backend: Any, name_or_id: str, stack: str | None) -> Any:
    """The newest change set of a name, or that of an ID."""
    for change_set in reversed(backend.change_sets.values()):
        if change_set.change_set_id == name_or_id:
            return change_set
        if change_set.change_set_name == name_or_id and stack in (
            change_set.stack_name,
            change_set.stack_id,
        ):
            return change_set
    return None


def _has_functions(document: Mapping[str, Any]) -> bool:
    """Whether a template has resources of SAM's types, which moto doesn't know."""
    kinds = [str(one.get("Type")) for one in document.get("Resources", {}).values()]
    return any(kind.startswith("AWS::Serverless::") for kind in kinds)


def _of_pipeline(response: Any) -> bool:
    """Whether a change set is one of a stack that this process has installed."""
    stack = _of_name_or_id(response.cloudformation_backend, response._get_param("StackName"))
    return stack is not None and "DefinitionString" in str(stack.template)


def _fail(backend: Any, stack: Any, status: str, reason: str) -> None:
    """Let a stack have failed, for a reason that its events show."""
    backend.stacks[stack.stack_id] = stack
    _forget_deleted(stack)
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=reason)


def _forget_deleted(stack: Any) -> None:
    """Let a stack have only the resources that still exist, and no outputs.

    moto creates a resource of the template, also one that was deleted, when somebody asks for it.
    """
    resources = stack.resource_map
    resources._resource_json_map = {
        logical_id: template
        for logical_id, template in resources._resource_json_map.items()
        if logical_id in resources._parsed_resources
    }
    stack.output_map = OutputMap(resources, {}, stack.stack_id)
