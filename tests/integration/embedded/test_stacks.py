"""CloudFormation on the embedded AWS: a stack beside the pipeline's is installed and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess

NAME = "beside"
BUCKET = "beside-kept"
FUNCTION = "beside-notify"


def template() -> str:
    """A SAM template with a function of the pipeline, a policy, an alarm and a kept bucket."""
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ]
    }
    nothing = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}],
    }
    code = {"Handler": "notify.app.handler", "Runtime": "python3.13", "CodeUri": "s3://a/b"}
    metric = {"Namespace": "AWS/SQS", "MetricName": "x", "Statistic": "Sum", "Period": 60}
    compared = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1}
    resources = {
        "Kept": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "RetainExceptOnCreate",
            "Properties": {"BucketName": BUCKET},
        },
        "Policy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": nothing},
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": trust,
                "ManagedPolicyArns": [{"Ref": "Policy"}],
            },
        },
        "NotifyFunction": {
            "Type": "AWS::Serverless::Function",
            "Properties": {**code, "FunctionName": FUNCTION, "Role": role},
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {**metric, **compared, "AlarmName": NAME, "EvaluationPeriods": 1},
        },
    }
    return json.dumps(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": resources,
            "Outputs": {"PolicyArn": {"Description": "", "Value": {"Ref": "Policy"}}},
        }
    )


@pytest.fixture
def cloudformation(embedded: StackProcess) -> Iterator[Any]:
    client = embedded.client("cloudformation")
    yield client
    client.delete_stack(StackName=NAME)


def created(cloudformation: Any, **options: Any) -> dict[str, Any]:
    """The stack after a change set that creates it was executed."""
    names = {"StackName": NAME, "ChangeSetName": "create"}
    body = {"ChangeSetType": "CREATE", "TemplateBody": template()}
    cloudformation.create_change_set(**names, **body, **options)
    cloudformation.execute_change_set(**names)
    stack: dict[str, Any] = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]
    return stack


def reasons(cloudformation: Any) -> str:
    """What the events of the stack say."""
    events = cloudformation.describe_stack_events(StackName=NAME)["StackEvents"]
    return " ".join(event.get("ResourceStatusReason", "") for event in events)


def test_a_stack_is_created_deleted_and_created_again_with_what_was_kept(
    embedded: StackProcess, cloudformation: Any
) -> None:
    s3, iam, functions = (embedded.client(name) for name in ("s3", "iam", "lambda"))
    stack = created(cloudformation)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    answer = functions.invoke(FunctionName=FUNCTION, InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"kept")

    policy = stack["Outputs"][0]["OutputValue"]
    iam.create_user(UserName=NAME)
    iam.attach_user_policy(UserName=NAME, PolicyArn=policy)
    cloudformation.delete_stack(StackName=NAME)
    assert "Cannot delete a policy attached to entities." in reasons(cloudformation)
    left = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
    assert {resource["LogicalResourceId"] for resource in left} == {"Kept", "Policy"}

    iam.detach_user_policy(UserName=NAME, PolicyArn=policy)
    iam.delete_user(UserName=NAME)
    cloudformation.delete_stack(StackName=NAME)
    with pytest.raises(cloudformation.exceptions.ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=NAME)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName=FUNCTION)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn=policy)
    assert NAME not in embedded.evaluate_alarms()

    assert created(cloudformation)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"identifier '{BUCKET}' already exists" in reasons(cloudformation)
    cloudformation.delete_stack(StackName=NAME)

    again = created(cloudformation, ImportExistingResources=True)
    assert again["StackStatus"] == "CREATE_COMPLETE"
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"kept"


def test_a_deployed_stack_is_not_updated(embedded: StackProcess) -> None:
    cloudformation = embedded.client("cloudformation")
    with pytest.raises(cloudformation.exceptions.ClientError, match="updates no stack"):
        cloudformation.create_change_set(
            StackName="data-pipeline",
            ChangeSetName="update",
            ChangeSetType="UPDATE",
            TemplateBody=template(),
        )


def test_a_function_that_this_folder_does_not_have_is_refused(cloudformation: Any) -> None:
    names = {"StackName": NAME, "ChangeSetName": "create"}
    body = template().replace('"NotifyFunction"', '"OtherFunction"')
    cloudformation.create_change_set(**names, ChangeSetType="CREATE", TemplateBody=body)
    cloudformation.execute_change_set(**names)
    assert "OtherFunction can't run" in reasons(cloudformation)
