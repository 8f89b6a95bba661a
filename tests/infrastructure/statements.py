"""The policies of the template as they are created, and what each of their statements is for.

The stack is created in this process with its roles and policies alone; nothing runs. Whether a
recorded call is still allowed without a statement is a matter of evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws

from pipectl.client.deployment import Deployment
from pipectl.embedded import apply
from pipectl.embedded.moto_patches import all_patches
from pipectl.embedded.moto_patches.account import MotoAccount
from pipectl.embedded.rights.enforcement import Call, Rights
from pipectl.embedded.rights.evaluation import Principal, decide, service
from pipectl.embedded.rights.policies import Access, Policy, Statement, parse
from pipectl.embedded.template import ACCOUNT, REGION, translate
from tests.end_to_end.people import DATASET, PEOPLE
from tests.end_to_end.recording import KEY_ARN
from tests.infrastructure import deployed


@dataclass(frozen=True)
class Policies:
    """All policies of a stack: those of each caller, and those of each resource."""

    of_callers: Mapping[str, Principal]
    of_resources: Mapping[str, Policy]

    def allow(self, call: Call, **context: str) -> bool:
        """Whether a recorded call is allowed; `context` has further condition keys."""
        keys = {"aws:securetransport": ("true",), **dict(call.context)}
        keys |= {f"aws:{name}": (value,) for name, value in context.items()}
        principal = self.of_callers.get(call.role) or service(call.role, ACCOUNT)
        access = Access(call.action, call.resource, keys)
        return decide(access, principal, self._policy_of(call)).allowed

    def _policy_of(self, call: Call) -> Policy | None:
        bucket = call.resource.partition("/")[0]
        resource = bucket if call.action.startswith("s3:") else call.resource
        return self.of_resources.get(resource)

    def statements(self) -> Iterator[Statement]:
        """Every statement once, although a managed policy belongs to several callers."""
        seen: set[int] = set()
        for policy in self._all():
            for statement in policy.statements:
                if id(statement) not in seen:
                    seen.add(id(statement))
                    yield statement

    def _all(self) -> Iterator[Policy]:
        for principal in self.of_callers.values():
            yield from principal.policies
        yield from self.of_resources.values()

    def changed(self, before: Statement, after: Statement | None) -> Policies:
        """The policies with a statement replaced, or removed."""

        def change(policy: Policy) -> Policy:
            found = (after if it is before else it for it in policy.statements)
            return Policy(tuple(it for it in found if it is not None))

        return Policies(
            {
                name: replace(one, policies=tuple(change(it) for it in one.policies))
                for name, one in self.of_callers.items()
            },
            {arn: change(policy) for arn, policy in self.of_resources.items()},
        )


@cache
def policies(**parameters: str) -> Policies:
    """The policies of the template, and of key.yaml, with these parameters."""
    template = translate(deployed.ROOT / "template.yaml", parameters)
    rights = Rights(MotoAccount())
    settings: Any = SimpleNamespace(rights=rights, serve=None, clock=None, endpoint=None)
    with mock_aws(), all_patches.applied(settings):
        session = boto3.Session("key", "secret", region_name=REGION)
        stack = apply.create_stack(Deployment(session, "data-pipeline"), template)
        rights.labels = stack.roles()
        stack.complete(rights)
        return Policies(dict(_callers(rights, stack)), dict(_resources(stack)))


def _callers(rights: Rights, stack: apply.CreatedStack) -> Iterator[tuple[str, Principal]]:
    for name, label in stack.roles().items():
        yield label, rights.caller(rights.sessions.begin(name, label).access_key)
    shared = dict(stack.resources("AWS::IAM::ManagedPolicy"))
    for person in PEOPLE:
        own = [parse(_text(shared[f"{person}Policy"]), f"{person}Policy")]
        if "KeyPolicy" in shared:
            own.append(parse(_text(shared["KeyPolicy"]), f"{person}'s KeyPolicy"))
        arn = f"arn:aws:iam::{ACCOUNT}:user/{person}"
        tags = {"data-pipeline-dataset": DATASET}
        yield person, Principal(arn, person, ACCOUNT, arn, person, policies=tuple(own), tags=tags)


def _resources(stack: apply.CreatedStack) -> Iterator[tuple[str, Policy]]:
    """The policies of resources, and those of roles, which say who may assume them."""
    account = MotoAccount()
    for logical_id, role in stack.resources("AWS::IAM::Role"):
        trust = json.dumps(role["AssumeRolePolicyDocument"])
        arn = f"arn:aws:iam::{ACCOUNT}:role/data-pipeline-{logical_id}"
        yield arn, parse(trust, f"{logical_id}'s trust policy")
    owners = {"S3::Bucket": "Bucket", "SQS::Queue": "Queues", "SNS::Topic": "Topics"}
    for kind, names in owners.items():
        for logical_id, policy in stack.resources(f"AWS::{kind}Policy"):
            for resource in deployed.as_list(policy[names]):
                yield _arn(kind, resource), parse(_text(policy), logical_id)
    for _, permission in stack.resources("AWS::Lambda::Permission"):
        arn = str(permission["FunctionName"])
        yield arn, parse(str(account.resource_policy(arn)), "a function's policy")
    key = str(account.resource_policy(KEY_ARN))
    yield KEY_ARN, parse(key, "the key's policy")


def _text(resource: Mapping[str, Any]) -> str:
    return json.dumps(resource["PolicyDocument"])


def _arn(kind: str, resource: str) -> str:
    if kind == "S3::Bucket":
        return f"arn:aws:s3:::{resource}"
    if kind == "SQS::Queue":
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{resource.rpartition('/')[2]}"
    return resource
