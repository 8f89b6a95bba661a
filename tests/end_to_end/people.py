"""People and systems who use a stack with exactly the rights of one of its policies."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from botocore.exceptions import ClientError
from click.testing import CliRunner

from pipectl.cli import pipectl
from pipectl.client.dead_letter_queue import DeadLetterQueue
from pipectl.client.deployment import Deployment
from pipectl.client.stack_choice import Stack
from pipectl.console.commands import Commands
from pipectl.console.server import serve_console
from pipectl.console.state import Console
from pipectl.embedded.template import REGION
from tests.end_to_end.pipeline import FileOutcome, Pipeline
from tests.end_to_end.samples import orders

# The dataset of those whose policies are for one dataset.
DATASET = "shop-orders"
TAG = "data-pipeline-dataset"

FILE = b"name,amount\na,1\nb,x\nc,3\n"
CONTRACT = {"schema": {"fields": [{"name": "name"}, {"name": "amount", "type": "integer"}]}}


class Person:
    """A user of the embedded AWS with one policy of the stack, and its key's if it has one."""

    def __init__(self, pipeline: Pipeline, policy: str, folder: Path) -> None:
        """`policy` is that of the output `<policy>PolicyArn`; the user has the same name."""
        self.pipeline = pipeline
        self.folder = folder
        self.commands: set[str] = set()
        iam: Any = pipeline.stack.client("iam")
        iam.create_user(UserName=policy, Tags=[{"Key": TAG, "Value": DATASET}])
        for name in (f"{policy}PolicyArn", "KeyPolicyArn"):
            if name in pipeline.outputs:
                iam.attach_user_policy(UserName=policy, PolicyArn=pipeline.outputs[name])
        self._key = iam.create_access_key(UserName=policy)["AccessKey"]["AccessKeyId"]
        self._deployment = Deployment.embedded(
            str(pipeline.deployment.endpoint), REGION, "data-pipeline", self._key
        )
        state = json.loads(pipeline.stack.state_file.read_text(encoding="utf-8"))
        self._state_file = folder / f"{policy}.json"
        self._state_file.write_text(json.dumps({**state, "access_key": self._key}))

    @property
    def stack(self) -> Stack:
        """The stack as this person uses it."""
        return Stack(self._deployment)

    def client(self, service: Any) -> Any:
        """A client with the rights of this person."""
        return self._deployment.client(service)

    def runs(self, *arguments: object, ends_with: Sequence[int] = (0,)) -> str:
        """The output of a command of pipectl, which ends with one of these statuses."""
        line = [*map(str, arguments), "--state-file", str(self._state_file)]
        self.commands.add(line[0])
        result = CliRunner().invoke(pipectl, line)
        assert result.exit_code in ends_with, (line, result.output, result.exception)
        return result.output

    def opens(self, *pages: str) -> None:
        """Open pages of the console."""

        def failed(error: Exception) -> None:
            raise error

        def make() -> Console:
            return Console(self.stack, allow_writes=False, commands=Commands(()))

        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
        )
        self.commands.add("console")
        with serve_console(make, 0, failed=failed) as address:
            opener.open(address, timeout=60).close()
            for page in pages:
                try:
                    opener.open(address.partition("/?")[0] + page, timeout=60).close()
                except HTTPError as error:
                    raise AssertionError(page, error.read().decode()) from error


def operate(operator: Person) -> None:
    """Every command that docs/operating.md lists for operators, and the console's pages."""
    pipeline, folder = operator.pipeline, operator.folder
    pipeline.put_contract("operated", CONTRACT)
    rejected = pipeline.run(FILE, "rejected.csv", "operated")
    split = pipeline.run(orders(5_000))
    failed = pipeline.wait_for_failure(pipeline.drop(b"", "empty.csv", "operated").file_id)
    pipeline.stack.add_fault("data-pipeline-summarize-dev", "InternalError")
    stopped = pipeline.wait_for_failure(pipeline.drop(FILE, "stopped.csv", "operated").file_id)
    pipeline.send({"operated": "nothing"})
    (dead,) = pipeline.wait_for_dead_letter("operated", about="nothing")
    assert dead
    operator.runs("doctor")
    operator.runs("executions")
    operator.runs("show", split.file_id)
    operator.runs("show", failed.file_id)
    operator.runs("show", split.file_id, "--html", folder / "page.html")
    operator.runs("failures")
    operator.opens(
        f"/files/{rejected.file_id}",
        f"/files/{failed.file_id}",
        f"/files/{rejected.file_id}/rejects.csv",
        "/failures",
        "/failures/plan",
        "/datasets",
        "/datasets/operated",
    )
    operator.runs("rejects", rejected.file_id)
    rows = folder / "rows.csv"
    operator.runs("rejects", rejected.file_id, "--csv", rows)
    rows.write_text(rows.read_text().replace("x", "2"))
    operator.runs("correct", rejected.file_id, rows)
    operator.runs("rerun", stopped.file_id)
    # It fails again, because it is empty.
    operator.runs("rerun", "--new", failed.file_id, ends_with=(1,))
    operator.runs("backfill", "--prefix", "raw/operated/")
    _handle_dead_letters(operator)


def _handle_dead_letters(operator: Person) -> None:
    """Replay one of the dead letters, and discard another."""
    letters = DeadLetterQueue(Stack(operator.pipeline.deployment)).peek()
    own = [letter for letter in letters if "operated" in letter.body]
    replayed = next(letter for letter in own if letter.job is not None)
    discarded = next(letter for letter in own if letter.kind == "unknown")
    operator.runs("dead-letters", "replay", replayed.message_id)
    operator.runs("dead-letters", "discard", discarded.message_id, "--reason", "not a file")


def smoke(tester: Person) -> None:
    """Test the deployment."""
    tester.runs("smoke")


def erase(eraser: Person) -> None:
    """Erase a file with a rejected record, which has failed once."""
    pipeline = eraser.pipeline
    file = pipeline.run(FILE, "erased.csv", "erased")
    failed = pipeline.wait_for_failure(pipeline.drop(b"", "empty.csv", "erased").file_id)
    for one in (file, failed):
        eraser.runs("erase", one.file_id)


def own(owner: Person) -> None:
    """Draft, test, push, pull and delete a contract, and look at what it does."""
    pipeline, client = owner.pipeline, owner.client
    pipeline.put_contract(DATASET, CONTRACT)
    # It stays under raw/, because it fails.
    pipeline.wait_for_failure(pipeline.drop(b"other\n1\n", "other.csv", DATASET).file_id)
    contract = owner.folder / f"{DATASET}.json"
    contract.write_text(json.dumps(CONTRACT))
    owner.runs("contract", "push", contract)
    owner.runs("contract", "pull", DATASET)
    owner.runs("contract", "test", contract)
    rejected = pipeline.run(FILE, dataset=DATASET)
    _list_and_read(owner, rejected, ("rejected", "reports", "corrections"))
    bucket, key = pipeline.outputs["InputBucketName"], f"contracts/{DATASET}.json"
    versions = pipeline.deployment.client("s3").list_object_versions(Bucket=bucket, Prefix=key)
    client("s3").get_object(Bucket=bucket, Key=key, VersionId=versions["Versions"][0]["VersionId"])
    client("s3").delete_object(Bucket=bucket, Key=key)


def consume(consumer: Person) -> None:
    """List and read the processed records of a dataset."""
    consumer.pipeline.put_contract(DATASET, CONTRACT)
    file = consumer.pipeline.run(FILE, dataset=DATASET)
    _list_and_read(consumer, file, ("processed",))


def _list_and_read(person: Person, file: FileOutcome, prefixes: Sequence[str]) -> None:
    s3, bucket = person.client("s3"), person.pipeline.outputs["OutputBucketName"]
    for prefix in prefixes:
        s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{DATASET}/")
        (key, *_) = file.published(f"{prefix}/")
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def upload(uploader: Person) -> None:
    """Upload files, also in parts, and corrected rows."""
    s3 = uploader.client("s3")
    for prefix in ("raw", "corrections"):
        place = {
            "Bucket": uploader.pipeline.outputs["InputBucketName"],
            "Key": f"{prefix}/{DATASET}/sent.csv",
        }
        s3.put_object(**place, Body=FILE)
        upload_id = s3.create_multipart_upload(**place)["UploadId"]
        s3.upload_part(**place, UploadId=upload_id, PartNumber=1, Body=FILE)
        s3.list_parts(**place, UploadId=upload_id)
        s3.abort_multipart_upload(**place, UploadId=upload_id)


def audit(auditor: Person) -> None:
    """Read everything that has no cell of a file."""
    pipeline = auditor.pipeline
    outputs, client = pipeline.outputs, auditor.client
    file = pipeline.run(orders(5_000), dataset="audited")
    pipeline.put_contract("audited", {})
    table, execution = outputs["MetadataTableName"], file.execution.arn
    auditor.runs("executions")
    cloudformation, states = client("cloudformation"), client("stepfunctions")
    cloudformation.describe_stack_resources(StackName="data-pipeline")
    cloudformation.get_template(StackName="data-pipeline")
    states.describe_state_machine(stateMachineArn=outputs["StateMachineArn"])
    states.get_execution_history(executionArn=execution)
    states.list_map_runs(executionArn=execution)
    states.describe_state_machine_for_execution(executionArn=execution)
    key = {"file_id": {"S": file.file_id}}
    dynamodb = client("dynamodb")
    dynamodb.describe_table(TableName=table)
    dynamodb.describe_continuous_backups(TableName=table)
    dynamodb.get_item(TableName=table, Key=key)
    dynamodb.scan(TableName=table)
    dynamodb.query(
        TableName=table,
        KeyConditionExpression="file_id = :file",
        ExpressionAttributeValues={":file": key["file_id"]},
    )
    s3 = client("s3")
    for bucket in (outputs["InputBucketName"], outputs["OutputBucketName"]):
        for name in (
            *("get_bucket_logging", "get_bucket_policy", "get_public_access_block"),
            *("get_bucket_versioning", "get_bucket_encryption", "list_object_versions"),
            *("get_bucket_lifecycle_configuration", "list_objects_v2"),
        ):
            with suppress(s3.exceptions.ClientError):
                getattr(s3, name)(Bucket=bucket)
    contract = {"Bucket": outputs["InputBucketName"], "Key": "contracts/audited.json"}
    version = s3.get_object(**contract)["VersionId"]
    s3.get_object(**contract, VersionId=version)
    history = {"Bucket": outputs["OutputBucketName"], "Key": "reports/audited/history.json"}
    s3.get_object(**history)
    with suppress(ClientError):  # moto has no log streams of these groups
        client("logs").filter_log_events(logGroupName="/aws/lambda/data-pipeline-starter-dev")


PEOPLE = {
    "Operator": operate,
    "SmokeTest": smoke,
    "Erase": erase,
    "ContractOwner": own,
    "ReadProcessed": consume,
    "Upload": upload,
    "Auditor": audit,
}
"""What everybody does who has a policy of the stack, by the policy's name."""
