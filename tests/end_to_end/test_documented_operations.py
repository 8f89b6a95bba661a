"""The commands of the pages for operators run on the embedded AWS, as far as it goes.

Each block of commands is run in a folder with the files that it names, about a file that failed.
What can't be run here is listed with its reason.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import Executions
from pipectl.embedded.process import StackProcess
from tests.documentation.pages import blocks
from tests.end_to_end.documented_shell import Shell
from tests.end_to_end.pipeline import Pipeline
from tests.infrastructure.deployed import ROOT

pytestmark = [
    pytest.mark.long,  # a hundred commands
    pytest.mark.skipif(shutil.which("aws") is None, reason="needs the AWS CLI"),
]

# A file whose cause is not removed fails again, and the sample file has records to reject: both are
# status 1.
RERUN = """
eval "$(declare -f pipectl | sed 's/^pipectl/run_pipectl/')"
pipectl() { run_pipectl "$@" || { [ $? = 1 ] && [[ $1 =~ ^(rerun|check)$ ]]; }; }
"""
PAGES = ("runbook", "security", "erasure", "production")
TRUST = '{"Version": "2012-10-17", "Statement": []}'
POLICY = TRUST.replace("[]", '[{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]')
NO_UPDATES = "the embedded AWS updates no stack"
NO_SUCH_SERVICE = "moto has no such service, or not this operation"
OTHER_STACK = "another stack or region than the one that runs here"
# Commands that are left out, by their beginning.
NOT_HERE = {
    "aws cloudformation update-termination-protection": NO_SUCH_SERVICE,
    "aws guardduty": NO_SUCH_SERVICE,
    "aws kms get-key-policy": "moto wants the name of the policy, KMS does not",
    "aws transfer": NO_SUCH_SERVICE,
    "aws s3api restore-object": "no object here is in an archive",
    "git": "it is about this repository",
    "make build": "packages are not run here",
    "pipectl backfill --stack-name": OTHER_STACK,
    "pipectl failures --stack-name": OTHER_STACK,
    "pipectl smoke --stack-name": OTHER_STACK,
    "export AWS_REGION": OTHER_STACK,
    "sam": NO_UPDATES,
}


def client(pipeline: Pipeline, service: Any) -> Any:
    return pipeline.deployment.client(service)


def commands() -> Iterator[tuple[str, str]]:
    """The page and the text of each block, except for those that test_uninstall.py follows."""
    for name in PAGES:
        page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        page = re.sub(r"<!-- run: [a-z-]+ -->\n```bash\n.*?```", "", page, flags=re.DOTALL)
        for block in blocks(page, "bash"):
            yield name, block


BLOCKS = list(commands())


def runnable(block: str) -> tuple[str, set[str]]:
    """The block without the commands that are left out, and the reasons' keys."""
    kept, used = [], set()
    # A command goes on after a backslash and inside quotes.
    for command in re.findall(r"(?:[^\n\"'\\]|\\.|\\\n|\"(?:[^\"\\]|\\.)*\"|'[^']*')+", block):
        left_out = next((it for it in NOT_HERE if command.strip().startswith(it)), None)
        if left_out is None:
            kept.append(command)
        else:
            used.add(left_out)
    return "\n".join(kept), used


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with StackProcess() as stack:
        yield Pipeline(stack)


@pytest.fixture(scope="module")
def shell(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell with the variables of the pages, and the roles and buckets that they begin with."""
    folder = tmp_path_factory.mktemp("operator")
    shutil.copy(ROOT / "key.yaml", folder)
    for name, document in (("trust", TRUST), ("transfer-trust", TRUST), ("sftp-policy", POLICY)):
        (folder / f"{name}.json").write_text(document)
    prices = (ROOT / "docs" / "scale.md").read_text("utf-8").partition("<!-- example: prices -->")
    (folder / "prices.json").write_text(next(blocks(prices[2], "json")))
    iam = client(pipeline, "iam")
    iam.create_role(RoleName="pipeline-operators", AssumeRolePolicyDocument=TRUST)
    iam.create_role(RoleName="replication", AssumeRolePolicyDocument=TRUST)
    pipeline.deployment.client("s3").create_bucket(Bucket="new-input")
    variables = {
        "INPUT_BUCKET": pipeline.outputs["InputBucketName"],
        "NEW_INPUT_BUCKET": "new-input",
        "REPLICA_BUCKET": "replica-of-input",
        "REPLICATION_ROLE_ARN": "arn:aws:iam::123456789012:role/replication",
        "OPERATOR_POLICY_ARN": pipeline.outputs["OperatorPolicyArn"],
        "UPLOAD_POLICY_ARN": pipeline.outputs["UploadPolicyArn"],
    }
    shell = Shell(pipeline.stack, folder)
    shell.run(RERUN)
    shell.run("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def failed(pipeline: Pipeline) -> str:
    """The ID of a file that failed, with rejected rows."""
    fields = [{"name": "name", "type": "string"}, {"name": "n", "type": "integer"}]
    contract = {"schema": {"fields": fields}, "pipeline": {"maxRejectPercent": 0}}
    pipeline.put_contract("strict", contract)
    source = pipeline.drop(b"name,n\na,1\nb,x\n", "file.csv", "strict")
    pipeline.wait_for_failure(source.file_id)
    return source.file_id


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[b.split("\n")[0] for _, b in BLOCKS])
def test_the_commands_of_a_block_can_be_run(
    pipeline: Pipeline, shell: Shell, failed: str, page: str, block: str
) -> None:
    text, _ = runnable(block)
    version = ready(pipeline, shell.folder)
    (letter, *_) = pipeline.deployment.client("sqs").receive_message(
        QueueUrl=pipeline.outputs["DeadLetterQueueUrl"], VisibilityTimeout=0
    )["Messages"]
    text = text.replace("large.zip", "orders-2026-03.csv")
    text = text.replace("pipeline-metadata-prod", pipeline.outputs["MetadataTableName"])
    text = re.sub(r"\$?\bFILE_ID\b", failed, text).replace(
        "s3://INPUT_BUCKET", "s3://$INPUT_BUCKET"
    )
    text = re.sub(r"(discard )[0-9a-f-]{36}", rf"\g<1>{letter['MessageId']}", text)
    shell.run(f"(set -e; VERSION_ID={version}\n{text}\n)")


def ready(pipeline: Pipeline, folder: Path) -> str:
    """Put the files that commands name into the folder, and one in the bucket; its version.

    Executions that the last block has started have ended then.
    """
    shutil.copy(ROOT / "events" / "orders.contract.json", folder / "orders.json")
    shutil.copy(ROOT / "events" / "orders-2026-03.csv", folder)
    deadline = time.monotonic() + 60
    while any(one.status == "running" for one in Executions(Stack(pipeline.deployment)).all()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    put = pipeline.deployment.client("s3").put_object(
        Bucket=pipeline.outputs["InputBucketName"],
        Key="raw/orders/orders-2026-03.csv",
        Body=(folder / "orders-2026-03.csv").read_bytes(),
    )
    return str(put["VersionId"])


def test_everything_that_is_left_out_is_in_a_page() -> None:
    assert set().union(*(runnable(block)[1] for _, block in BLOCKS)) == set(NOT_HERE)
