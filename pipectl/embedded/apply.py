"""Creates the template's resources: with moto's CloudFormation, then those it can't create."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.embedded.moto_patches import account, backends, stacks
from pipectl.embedded.moto_patches.created import CreatedResources, creatable_types
from pipectl.embedded.moto_patches.log_groups import MachineLogging, logging_of
from pipectl.embedded.poller import EventSource
from pipectl.embedded.rights.enforcement import Refusal, Rights
from pipectl.embedded.rights.policies import Access
from pipectl.embedded.template import ACCOUNT, KEY_PARAMETER, REGION, Template
from pipectl.embedded.workers import Function
from pipectl.errors import PipectlError

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment

# Lambda's default for a mapping that sets none.
_DEFAULT_CONCURRENCY = 5


def create_stack(deployment: Deployment, template: Template) -> CreatedStack:
    """Create the resources that moto's CloudFormation can create; `complete` creates the rest.

    Raises `PipectlError` if moto refuses the template.
    """
    try:
        deployment.client("cloudformation").create_stack(
            StackName=deployment.stack_name,
            TemplateBody=json.dumps(_for_cloudformation(template, deployment.stack_name)),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in template.parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
    except ClientError as error:
        raise PipectlError(f"The embedded AWS can't create the stack: {error}") from None
    return CreatedStack(deployment, template)


def fill_stack(deployment: Deployment, template: Template, *, adopts: bool) -> CreatedStack:
    """Create the resources of a stack that a change set has announced; see `create_stack`.

    With `adopts`, buckets and tables that exist become part of it.
    """
    document = _for_cloudformation(template, deployment.stack_name)
    stacks.fill_stack(deployment.stack_name, document, template.parameters, adopts=adopts)
    return CreatedStack(deployment, template)


class CreatedStack:
    """The stack that moto created, from which the rest of the template is resolved."""

    def __init__(self, deployment: Deployment, template: Template) -> None:
        self._created = CreatedResources(deployment.stack_name)
        self._deployment = deployment
        self._template = template

    def complete(self, rights: Rights) -> None:
        """Apply what moto's CloudFormation left out.

        Raises `PipectlError` if a service may not do what a resource asks of it.
        """
        if self._template.key_policy is not None:
            key = self._template.parameters[KEY_PARAMETER]
            account.add_key(key, self._created.resolved(self._template.key_policy))
        for resource_type, complete in _COMPLETIONS.items():
            for logical_id, properties in self.resources(resource_type):
                complete(self._deployment, self._created.physical_id(logical_id), properties)
        for logical_id, permission in self.resources("AWS::Lambda::Permission"):
            account.add_permission(logical_id, permission)
        for _, bucket in self.resources("AWS::S3::Bucket"):
            _check_notifications(rights, bucket)
        for logical_id, machine in self.resources("AWS::StepFunctions::StateMachine"):
            arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine['StateMachineName']}"
            _raise(logical_id, rights.to_assume("states.amazonaws.com", machine["RoleArn"], arn))

    def delete(self) -> None:
        """Undo `complete`, where moto's CloudFormation doesn't: executions end, alarms go."""
        for _, machine in self.resources("AWS::StepFunctions::StateMachine"):
            arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine['StateMachineName']}"
            backends.stop_executions(arn)
            self._deployment.client("stepfunctions").delete_state_machine(stateMachineArn=arn)
        names = [alarm["AlarmName"] for _, alarm in self.resources("AWS::CloudWatch::Alarm")]
        self._deployment.client("cloudwatch").delete_alarms(AlarmNames=names)

    def functions(self) -> list[Function]:
        """The template's functions."""
        return [
            _function(logical_id, properties, self._template)
            for logical_id, properties in self.resources("AWS::Lambda::Function")
        ]

    def event_sources(self) -> list[EventSource]:
        """The template's event source mappings."""
        return [
            _event_source(self._deployment, properties)
            for _, properties in self.resources("AWS::Lambda::EventSourceMapping")
        ]

    def roles(self) -> dict[str, str]:
        """The logical IDs of the template's roles, by the roles' names."""
        return {
            self._created.physical_id(logical_id): logical_id
            for logical_id, _ in self.resources("AWS::IAM::Role")
        }

    def keys(self) -> dict[str, str]:
        """The KMS keys of the template's buckets, queues and topics, by the resources' ARNs."""
        found = {}
        for _, bucket in self.resources("AWS::S3::Bucket"):
            encryption = bucket.get("BucketEncryption", {})
            for rule in encryption.get("ServerSideEncryptionConfiguration", []):
                key = rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
                found[f"arn:aws:s3:::{bucket['BucketName']}"] = key
        for service, kind in (("SQS", "Queue"), ("SNS", "Topic")):
            for _, one in self.resources(f"AWS::{service}::{kind}"):
                name = one[f"{kind}Name"]
                arn = f"arn:aws:{service.lower()}:{REGION}:{ACCOUNT}:{name}"
                found[arn] = one.get("KmsMasterKeyId")
        return {arn: key for arn, key in found.items() if key}

    def failure_destinations(self) -> list[tuple[str, str]]:
        """The functions with a failure destination: name, and URL of the queue."""
        destinations = []
        for _, properties in self.resources("AWS::Lambda::EventInvokeConfig"):
            arn = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            if arn is not None:
                queue_url = _queue_url(self._deployment, arn)
                destinations.append((str(properties["FunctionName"]), queue_url))
        return destinations

    def machine_logging(self) -> list[MachineLogging]:
        """The logging of the template's state machines that have one."""
        found = [
            logging_of(
                f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{properties['StateMachineName']}",
                properties,
            )
            for _, properties in self.resources("AWS::StepFunctions::StateMachine")
        ]
        return [logging for logging in found if logging is not None]

    def resources(self, resource_type: str) -> list[tuple[str, dict[str, Any]]]:
        """Logical ID and resolved properties of the resources whose condition is true."""
        return [
            (logical_id, self._created.resolved(resource.get("Properties", {})))
            for logical_id, resource in self._template.resources(resource_type).items()
            if "Condition" not in resource or self._created.condition(resource["Condition"])
        ]


def with_credentials(function: Function, rights: Rights) -> Function:
    """The function with the credentials of its role, and without a log that it may not write.

    Raises `PipectlError` if Lambda may not assume the role.
    """
    _raise(function.name, rights.to_assume("lambda.amazonaws.com", function.role, function.arn))
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{function.log_group}"
    needed = [
        Access(f"logs:{action}", f"{group}:log-stream:[$LATEST]")
        for action in ("CreateLogStream", "PutLogEvents")
    ]
    refusal = rights.of_role(function.role, function.name, *needed)
    credentials = rights.sessions.begin(function.role, function.name).variables()
    return replace(function, credentials=credentials, writes_logs=refusal is None)


def _check_notifications(rights: Rights, bucket: Mapping[str, Any]) -> None:
    """Refuse a bucket's notifications to queues that don't allow them, as S3 does."""
    configuration = bucket.get("NotificationConfiguration", {})
    arn = f"arn:aws:s3:::{bucket['BucketName']}"
    for queue in configuration.get("QueueConfigurations", []):
        refusal = rights.of_service("s3.amazonaws.com", "sqs:SendMessage", queue["Queue"], arn)
        _raise(bucket["BucketName"], refusal)


def _raise(resource: str, refusal: Refusal | None) -> None:
    if refusal is not None:
        raise PipectlError(
            f"The embedded AWS can't create {resource}: {refusal.message}.", f"{refusal.remedy}"
        )


def _for_cloudformation(template: Template, stack_name: str) -> dict[str, Any]:
    """The template without the resources that moto can't create or creates incorrectly."""
    # moto's own event source mapping supports neither partial responses nor visibility timeouts.
    left_out = {*_COMPLETIONS, "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"}
    created = creatable_types() - left_out | _CREATED_AND_COMPLETED
    document: dict[str, Any] = copy.deepcopy(dict(template.document))
    # CloudFormation's conditions compare a Number as text, moto's compare values. The values
    # themselves were checked when the template was translated.
    for parameter in document.get("Parameters", {}).values():
        if parameter["Type"] == "Number":
            parameter["Type"] = "String"
        if "Default" in parameter:
            parameter["Default"] = _as_text(parameter["Default"])
    document["Conditions"] = _as_text(document.get("Conditions", {}))
    document["Resources"] = {
        logical_id: _with_role_name(
            logical_id, _kept_if_retained(_without_code(resource)), stack_name
        )
        for logical_id, resource in document["Resources"].items()
        if resource["Type"] in created
    }
    return document


def _as_text(value: Any) -> Any:
    """A part of a template with every number in it as text."""
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _kept_if_retained(resource: dict[str, Any]) -> dict[str, Any]:
    # moto knows only Retain, and deletes what has the other policy together with the stack.
    if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
        resource["DeletionPolicy"] = "Retain"
    return resource


def _without_code(resource: dict[str, Any]) -> dict[str, Any]:
    # moto requires a package. It is never run: functions run from their directories.
    if resource["Type"] == "AWS::Lambda::Function":
        resource["Properties"]["Code"] = {"ZipFile": ""}
        resource["Properties"].pop("Layers", None)
    if resource["Type"] == "AWS::Lambda::LayerVersion":
        resource["Properties"]["Content"] = {"ZipFile": ""}
    return resource


def _with_role_name(logical_id: str, resource: dict[str, Any], stack_name: str) -> dict[str, Any]:
    """Name a role as CloudFormation does, but by the same text each time.

    Executions that are kept (`pipectl up --data`) have the name of the role that they run with.
    """
    if resource["Type"] == "AWS::IAM::Role":
        name = f"{stack_name}-{logical_id}"
        suffix = hashlib.sha256(name.encode()).hexdigest()[:12].upper()
        resource["Properties"].setdefault("RoleName", f"{name[: _ROLE_NAME - 13]}-{suffix}")
    return resource


# The longest name of a role.
_ROLE_NAME = 64


# How each type is completed, from its physical ID and its resolved properties.


def _complete_role(_deployment: Deployment, name: str, properties: Mapping[str, Any]) -> None:
    # moto gives a role its own policies only.
    account.attach(
        name, properties.get("ManagedPolicyArns", []), properties.get("PermissionsBoundary")
    )


def _complete_bucket_policy(
    _deployment: Deployment, _physical_id: str, properties: Mapping[str, Any]
) -> None:
    account.set_bucket_policy(properties["Bucket"], properties["PolicyDocument"])


def _complete_bucket(deployment: Deployment, bucket: str, properties: Mapping[str, Any]) -> None:
    s3 = deployment.client("s3")
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"]
        )
    if "NotificationConfiguration" in properties:
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration=_notifications(properties["NotificationConfiguration"]),
        )


def _notifications(configuration: Mapping[str, Any]) -> Any:
    """CloudFormation's notification configuration as the S3 API takes it."""
    queues = [
        {
            "QueueArn": queue["Queue"],
            "Events": [queue["Event"]],
            "Filter": {"Key": {"FilterRules": queue["Filter"]["S3Key"]["Rules"]}},
        }
        for queue in configuration.get("QueueConfigurations", [])
    ]
    answer: dict[str, Any] = {"QueueConfigurations": queues}
    if configuration.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled"):
        answer["EventBridgeConfiguration"] = {}
    return answer


def _complete_queue_policy(
    deployment: Deployment, _physical_id: str, properties: Mapping[str, Any]
) -> None:
    for queue_url in properties["Queues"]:
        deployment.client("sqs").set_queue_attributes(
            QueueUrl=queue_url, Attributes={"Policy": json.dumps(properties["PolicyDocument"])}
        )


def _complete_topic_policy(
    deployment: Deployment, _physical_id: str, properties: Mapping[str, Any]
) -> None:
    for topic in properties["Topics"]:
        deployment.client("sns").set_topic_attributes(
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=json.dumps(properties["PolicyDocument"]),
        )


def _complete_subscription(
    deployment: Deployment, _physical_id: str, properties: Mapping[str, Any]
) -> None:
    attributes = {
        name: json.dumps(properties[name])
        for name in ("FilterPolicy", "RedrivePolicy")
        if name in properties
    }
    attributes |= {
        name: str(properties[name]).lower()
        for name in ("FilterPolicyScope", "RawMessageDelivery")
        if name in properties
    }
    deployment.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes=attributes,
    )


def _complete_alarm(
    deployment: Deployment, _physical_id: str, properties: Mapping[str, Any]
) -> None:
    # The value of a parameter is text, and CloudFormation converts it.
    threshold = float(properties["Threshold"])
    deployment.client("cloudwatch").put_metric_alarm(**{**properties, "Threshold": threshold})


def _complete_state_machine(
    deployment: Deployment, _physical_id: str, properties: Mapping[str, Any]
) -> None:
    # CloudFormation created it in a backend that moto's engine does not use.
    definition = properties["DefinitionString"]
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        definition = definition.replace(f"${{{name}}}", str(value))
    deployment.client("stepfunctions").create_state_machine(
        name=properties["StateMachineName"],
        definition=definition,
        roleArn=properties["RoleArn"],
        type=properties.get("StateMachineType", "STANDARD"),
    )


# In this order: a service must be allowed to do what is asked of it.
_COMPLETIONS: Mapping[str, Callable[[Deployment, str, Mapping[str, Any]], None]] = {
    "AWS::IAM::Role": _complete_role,
    "AWS::S3::BucketPolicy": _complete_bucket_policy,
    "AWS::SQS::QueuePolicy": _complete_queue_policy,
    "AWS::S3::Bucket": _complete_bucket,
    "AWS::SNS::TopicPolicy": _complete_topic_policy,
    "AWS::SNS::Subscription": _complete_subscription,
    "AWS::CloudWatch::Alarm": _complete_alarm,
    "AWS::StepFunctions::StateMachine": _complete_state_machine,
}

# Other resources refer to these, so CloudFormation has to create them first.
_CREATED_AND_COMPLETED = {
    "AWS::IAM::Role",
    "AWS::S3::Bucket",
    "AWS::StepFunctions::StateMachine",
}


def _function(logical_id: str, properties: Mapping[str, Any], template: Template) -> Function:
    name = properties["FunctionName"]
    variables = properties.get("Environment", {}).get("Variables", {})
    reserved = properties.get("ReservedConcurrentExecutions")
    return Function(
        name=name,
        arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        handler=properties["Handler"],
        code=template.code[logical_id],
        timeout=float(properties.get("Timeout", 3)),
        memory=int(properties.get("MemorySize", 128)),
        storage=int(properties.get("EphemeralStorage", {}).get("Size", 512)),
        environment={variable: str(value) for variable, value in variables.items()},
        log_group=properties.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{name}"),
        reserved=None if reserved is None else int(reserved),
        role=properties["Role"],
    )


def _queue_url(deployment: Deployment, arn: str) -> str:
    return deployment.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


def _event_source(deployment: Deployment, properties: Mapping[str, Any]) -> EventSource:
    arn = properties["EventSourceArn"]
    scaling = properties.get("ScalingConfig", {})
    return EventSource(
        queue_url=_queue_url(deployment, arn),
        queue_arn=arn,
        function=properties["FunctionName"],
        batch_size=int(properties.get("BatchSize", 10)),
        reports_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        maximum_concurrency=int(scaling.get("MaximumConcurrency", _DEFAULT_CONCURRENCY)),
    )
