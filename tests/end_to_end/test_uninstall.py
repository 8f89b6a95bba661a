"""The sections Uninstall and Install again of docs/production.md, followed on the embedded AWS.

`documented_shell` says how the commands are run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded.process import StackProcess
from tests.end_to_end.documented_shell import Shell
from tests.end_to_end.pipeline import Pipeline
from tests.infrastructure.deployed import ROOT

pytestmark = [
    pytest.mark.long,  # a stack of its own, which is made four times
    pytest.mark.skipif(shutil.which("aws") is None, reason="needs the AWS CLI"),
]

PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"<!-- run: ([a-z-]+) -->\n```bash\n(.*?)```", PAGE, re.DOTALL))
CONTRACT = {"schema": {"fields": [{"name": "name", "type": "string"}, {"name": "n"}]}}
EVENTS = "aws cloudformation describe-stack-events --stack-name data-pipeline --max-items 5"
FIRST, SECOND, THIRD = b"name,n\nAda,1\n", b"name,n\nGrace,2\n", b"name,n\nJoan,3\n"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with StackProcess() as stack:
        yield Pipeline(stack)


@pytest.fixture
def shell(pipeline: Pipeline, tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(pipeline.stack, tmp_path)
    yield shell
    shell.close()


def test_the_sections_can_be_followed(pipeline: Pipeline, shell: Shell) -> None:
    assert set(COMMANDS) == {
        *("policies", "delete", "empty", "anew", "beside", "adopt", "catch-up"),
    }
    outputs = dict(pipeline.outputs)
    pipeline.put_contract("people", CONTRACT)
    old = pipeline.run(FIRST, "old.csv", "people")
    everything = remaining(pipeline)

    delete_once_nobody_has_a_policy(pipeline, shell)

    # Exactly what the page says is kept.
    kept = {
        "buckets": [outputs["InputBucketName"], outputs["OutputBucketName"]],
        "bucket policies": everything["bucket policies"],
        "tables": [outputs["MetadataTableName"]],
    }
    assert remaining(pipeline) == kept
    assert everything.keys() > kept.keys()

    # Nothing starts.
    pipeline.drop(SECOND, "between.csv", "people")
    refuse_what_is_taken(shell)
    assert remaining(pipeline)["tables"] == kept["tables"]

    # With the old data.
    shell.run(COMMANDS["adopt"])
    assert without_sam(remaining(pipeline)) == everything
    assert dict(pipeline.outputs) == outputs
    caught_up = shell.run(COMMANDS["catch-up"])
    assert "raw/people/between.csv" in caught_up
    assert "old.csv" not in caught_up
    assert pipeline.run(THIRD, "new.csv", "people").execution.status == "succeeded"
    processed = "processed/people/"
    assert pipeline.stack.output(f"{processed}old.csv.jsonl") == old.output(processed, ".jsonl")
    assert pipeline.item(old.file_id) == old.item
    assert b"Grace" in pipeline.stack.output(f"{processed}between.csv.jsonl")
    assert "rejected" in shell.run(f"pipectl rejects {old.file_id}")

    # Beside it: the old stack is not needed for that.
    shell.run(COMMANDS["delete"])
    shell.run(COMMANDS["beside"])
    beside = client(pipeline, "s3")
    output_bucket = outputs["OutputBucketName"].removesuffix("dev") + "next"
    names = ("old", "between", "new")
    for name in names:
        key = f"{processed}{name}.csv.jsonl"
        beside.get_waiter("object_exists").wait(
            Bucket=output_bucket, Key=key, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    # Without the old data.
    shell.run(COMMANDS["empty"])
    left = remaining(pipeline)
    assert not any(name.endswith("dev") for names in left.values() for name in names)
    shell.run(COMMANDS["anew"])
    assert pipeline.run(FIRST, "old.csv", "people").execution.status == "succeeded"
    assert pipeline.stack.refusals() == []


def delete_once_nobody_has_a_policy(pipeline: Pipeline, shell: Shell) -> None:
    """A stack can't be deleted while somebody has one of its policies, and says so."""
    iam, arn = client(pipeline, "iam"), pipeline.outputs["OperatorPolicyArn"]
    iam.create_role(RoleName="operators", AssumeRolePolicyDocument='{"Statement": []}')
    iam.attach_role_policy(RoleName="operators", PolicyArn=arn)
    assert f"{arn} operators" in shell.run(COMMANDS["policies"])
    shell.run(COMMANDS["delete"], status=1)
    assert "Cannot delete a policy attached to entities." in shell.run(EVENTS)
    iam.detach_role_policy(RoleName="operators", PolicyArn=arn)
    iam.delete_role(RoleName="operators")
    shell.run("sam delete --stack-name data-pipeline")


def refuse_what_is_taken(shell: Shell) -> None:
    """The names of what is kept are taken; policies of buckets can't even be adopted."""
    shell.run(COMMANDS["anew"], status=1)
    assert "with identifier 'pipeline-metadata-dev' already exists" in shell.run(EVENTS)
    shell.run("aws cloudformation delete-stack --stack-name data-pipeline")
    shell.run(COMMANDS["adopt"].replace("aws s3api delete-bucket-policy", ": "), status=255)
    assert "The bucket policy already exists" in shell.run(EVENTS)
    shell.run("aws cloudformation delete-stack --stack-name data-pipeline")


def client(pipeline: Pipeline, service: Any) -> Any:
    return pipeline.deployment.client(service)


def remaining(pipeline: Pipeline) -> dict[str, list[str]]:
    """The names of all resources in the account, by kind, without the kinds that have none."""
    listed = {kind: names_of(pipeline, kind) for kind in _LISTS}
    listed["bucket policies"] = [
        bucket for bucket in listed["buckets"] if has_policy(pipeline, bucket)
    ]
    return {kind: names for kind, names in listed.items() if names}


def names_of(pipeline: Pipeline, kind: str) -> list[str]:
    """Sorted, and without the random ends that CloudFormation gives."""
    service, call, options, member, name = _LISTS[kind]
    answer = getattr(client(pipeline, service), call)(**options)
    names = [str(one[name] if name else one) for one in answer.get(member, [])]
    return sorted(re.sub(r"-[A-Z0-9]{12}$", "", name) for name in names)


def has_policy(pipeline: Pipeline, bucket: str) -> bool:
    s3 = client(pipeline, "s3")
    try:
        return bool(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except s3.exceptions.ClientError:
        return False


def without_sam(listed: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without the bucket for packages, and its stack, that `sam` makes in every account."""
    return {
        kind: [name for name in names if not name.startswith("aws-sam-cli-managed")]
        for kind, names in listed.items()
    }


_LOCAL = {"Scope": "Local"}
_LISTS: dict[str, tuple[str, str, dict[str, str], str, str]] = {
    "alarms": ("cloudwatch", "describe_alarms", {}, "MetricAlarms", "AlarmName"),
    "buckets": ("s3", "list_buckets", {}, "Buckets", "Name"),
    "dashboards": ("cloudwatch", "list_dashboards", {}, "DashboardEntries", "DashboardName"),
    "functions": ("lambda", "list_functions", {}, "Functions", "FunctionName"),
    "layers": ("lambda", "list_layers", {}, "Layers", "LayerName"),
    "log groups": ("logs", "describe_log_groups", {}, "logGroups", "logGroupName"),
    "machines": ("stepfunctions", "list_state_machines", {}, "stateMachines", "name"),
    "policies": ("iam", "list_policies", _LOCAL, "Policies", "PolicyName"),
    "queues": ("sqs", "list_queues", {}, "QueueUrls", ""),
    "roles": ("iam", "list_roles", {}, "Roles", "RoleName"),
    "rules": ("events", "list_rules", {}, "Rules", "Name"),
    "stacks": ("cloudformation", "describe_stacks", {}, "Stacks", "StackName"),
    "tables": ("dynamodb", "list_tables", {}, "TableNames", ""),
    "topics": ("sns", "list_topics", {}, "Topics", "TopicArn"),
}
