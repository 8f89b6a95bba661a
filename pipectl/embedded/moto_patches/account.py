"""What moto's backends know of the account that IAM's evaluation needs, and completions of it.

moto stores roles, users and policies. It neither attaches a template's managed policies to its
roles nor evaluates conditions. So `pipectl.embedded.rights` evaluates policies in front of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.iam.access_control import PermissionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import LogGroup
from moto.s3.models import FakeBucket, s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.sts.models import sts_backends

from pipectl.embedded.moto_patches.table import PatchSettings, replaces
from pipectl.embedded.rights.account import Entity
from pipectl.embedded.template import ACCOUNT, REGION
from pipectl.errors import PipectlError

PARTITION = "aws"


@replaces(FakeBucket, "get_permission", "3f29b3715a97")
def _bucket_policies_evaluated_elsewhere(_original: Any, _settings: PatchSettings) -> Any:
    """Let moto decide nothing by a bucket's policy, of which it reads no condition."""
    return lambda _bucket, _action, _resource: PermissionResult.NEUTRAL


@replaces(LogGroup, "get_cfn_attribute", "549a4abfe6ab")
def _arns_of_log_groups_include_their_streams(original: Any, _settings: PatchSettings) -> Any:
    """End a log group's ARN with `:*` in templates, as CloudFormation does.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
    """
    return lambda group, name: original(group, name) + (":*" if name == "Arn" else "")


class MotoAccount:
    """The account's identities and the policies of its resources, as moto has them now."""

    def role(self, name: str) -> Entity | None:
        """A role by its name."""
        role = _iam().roles.get(_role_id(name))
        if role is None:
            return None
        return Entity(
            arn=str(role.arn),
            documents=_documents(role.policies, role.managed_policies),
            boundary=_boundary(role.permissions_boundary_arn),
            trust=str(role.assume_role_policy_document),
            tags=_tags(role.tags),
        )

    def user(self, access_key: str) -> Entity | None:
        """The user who has an access key."""
        backend = _iam()
        for user in backend.users.values():
            if any(key.access_key_id == access_key for key in user.access_keys):
                documents = _documents(user.policies, user.managed_policies)
                for group in backend.get_groups_for_user(user.name):
                    documents += _documents(group.policies, group.managed_policies)
                tags = backend.tagger.get_tag_dict_for_resource(user.arn)
                return Entity(str(user.arn), documents, tags=tags)
        return None

    def session(self, access_key: str) -> tuple[str, str] | None:
        """Role and session name of temporary credentials that somebody got from STS."""
        found = sts_backends[ACCOUNT][PARTITION].get_assumed_role_from_access_key(access_key)
        return None if found is None else (found.role_arn.rpartition("/")[2], found.session_name)

    def resource_policy(self, arn: str) -> str | None:
        """The policy of a bucket (also for its objects), queue, topic, function, key or role."""
        _, _, service, region, _, resource = arn.split(":", 5)
        find = _POLICIES.get(service)
        return None if find is None else find(region, resource)

    def hash_key(self, table: str) -> str | None:
        """The name of a table's or index's hash key; `table` is `NAME` or `NAME/index/INDEX`."""
        name, _, index = table.partition("/index/")
        for backend in dynamodb_backends[ACCOUNT].values():
            found = backend.tables.get(name)
            if found is None:
                continue
            if not index:
                return str(found.hash_key_attr)
            for one in found.all_indexes():
                if one.name == index:
                    keys = [key for key in one.schema if key["KeyType"] == "HASH"]
                    return str(keys[0]["AttributeName"])
        return None

    def secret_arn(self, name: str) -> str | None:
        """The ARN of a secret, which has six random characters."""
        for backend in secretsmanager_backends[ACCOUNT].values():
            if backend.secrets.get(name) is not None:
                return str(backend.secrets[name].arn)
        return None

    def has_tags(self, bucket: str, key: str, version_id: str) -> bool:
        """Whether an object has tags."""
        backend = s3_backends[ACCOUNT][PARTITION]
        found = backend.get_object(bucket, key, version_id=version_id or None)
        return found is not None and bool(backend.tagger.get_tag_dict_for_resource(found.arn))


def attach(role_name: str, policy_arns: list[str], boundary: str | None) -> None:
    """Attach managed policies and a permissions boundary to a role, as its template says.

    A boundary that is no policy of the stack or of AWS is left out: nobody knows what it allows.
    Raises `PipectlError` if there is no such managed policy.
    """
    backend = _iam()
    role = backend.get_role(role_name)
    # As IAM's API has them: moto's CloudFormation leaves them as objects.
    for name, document in role.policies.items():
        role.policies[name] = json.dumps(document)
    for arn in policy_arns:
        if not _is_policy(arn):
            raise PipectlError(f"There is no policy {arn} for the role {role_name}.")
        backend.attach_role_policy(arn, role_name)
    role.permissions_boundary_arn = boundary if boundary and _is_policy(boundary) else None


def _is_policy(arn: str) -> bool:
    """Whether a policy exists. Of AWS's own, only those that are used are loaded."""
    backend = _iam()
    if arn in backend.managed_policies:
        return True
    name = arn.rpartition("/")[2]
    if not arn.startswith(f"arn:{PARTITION}:iam::aws:policy/"):
        return False
    data = json.loads(aws_managed_policies_data).get(name)
    if data is None:
        return False
    policy = AWSManagedPolicy.from_data(name, ACCOUNT, REGION, data)
    backend.managed_policies[policy.arn] = policy
    return bool(policy.arn == arn)


def set_bucket_policy(bucket: str, document: Mapping[str, Any]) -> None:
    """Set a bucket's policy."""
    s3_backends[ACCOUNT][PARTITION].put_bucket_policy(bucket, json.dumps(document).encode())


def add_permission(sid: str, properties: Mapping[str, Any]) -> None:
    """Add the statement of an `AWS::Lambda::Permission` to its function's policy."""
    name = str(properties["FunctionName"]).rpartition(":")[2]
    function = lambda_backends[ACCOUNT][REGION].get_function(name)
    principal = properties["Principal"]
    conditions: dict[str, dict[str, str]] = {}
    if "SourceArn" in properties:
        conditions["ArnLike"] = {"AWS:SourceArn": properties["SourceArn"]}
    if "SourceAccount" in properties:
        conditions["StringEquals"] = {"AWS:SourceAccount": properties["SourceAccount"]}
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service" if principal.endswith(".amazonaws.com") else "AWS": principal},
        "Action": properties["Action"],
        "Resource": function.function_arn,
        "Condition": conditions,
    }
    function.policy.statements.append(statement)


def add_key(arn: str, policy: Mapping[str, Any]) -> None:
    """Make a KMS key that has this ARN and policy."""
    backend = kms_backends[ACCOUNT][arn.split(":")[3]]
    key = backend.create_key(
        policy=json.dumps(policy),
        key_usage="ENCRYPT_DECRYPT",
        key_spec="SYMMETRIC_DEFAULT",
        description="",
        tags=None,
    )
    del backend.keys[key.id]
    key.id, key.arn = arn.rpartition("/")[2], arn
    backend.keys[key.id] = key


def _iam() -> Any:
    return iam_backends[ACCOUNT][PARTITION]


def _role_id(name: str) -> str:
    """Moto's key of a role."""
    for role_id, role in _iam().roles.items():
        if role.name == name:
            return str(role_id)
    return ""


def _documents(inline: Mapping[str, Any], managed: Mapping[str, Any]) -> tuple[str, ...]:
    return (*map(str, inline.values()), *(_default_version(it) for it in managed.values()))


def _default_version(policy: Any) -> str:
    for version in policy.versions:
        if version.version_id == policy.default_version_id:
            return str(version.document)
    return "{}"


def _boundary(arn: str | None) -> str | None:
    if not arn:
        return None
    policy = _iam().managed_policies.get(arn)
    # A boundary that no longer exists allows nothing.
    return "{}" if policy is None else _default_version(policy)


def _tags(tags: Any) -> dict[str, str]:
    if isinstance(tags, Mapping):
        tags = tags.values()
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def _bucket_policy(_region: str, resource: str) -> str | None:
    bucket = s3_backends[ACCOUNT][PARTITION].buckets.get(resource.partition("/")[0])
    return None if bucket is None or bucket.policy is None else str(bucket.policy.decode())


def _queue_policy(region: str, name: str) -> str | None:
    queue = sqs_backends[ACCOUNT][region].queues.get(name)
    return None if queue is None else queue.policy


def _topic_policy(region: str, name: str) -> str | None:
    topic = sns_backends[ACCOUNT][region].topics.get(f"arn:aws:sns:{region}:{ACCOUNT}:{name}")
    return None if topic is None else str(topic.policy)


def _function_policy(region: str, resource: str) -> str | None:
    name = resource.removeprefix("function:").partition(":")[0]
    try:
        function = lambda_backends[ACCOUNT][region].get_function(name)
    except UnknownFunctionException:
        return None
    return json.dumps({"Statement": function.policy.statements})


def _key_policy(region: str, resource: str) -> str | None:
    key = kms_backends[ACCOUNT][region].keys.get(resource.removeprefix("key/"))
    return None if key is None else str(key.policy)


def _trust_policy(_region: str, resource: str) -> str | None:
    role = _iam().roles.get(_role_id(resource.rpartition("/")[2]))
    return None if role is None else str(role.assume_role_policy_document)


_POLICIES = {
    "iam": _trust_policy,
    "kms": _key_policy,
    "lambda": _function_policy,
    "s3": _bucket_policy,
    "sns": _topic_policy,
    "sqs": _queue_policy,
}
