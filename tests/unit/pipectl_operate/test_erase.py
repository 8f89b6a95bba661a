"""`pipectl erase`: nothing of a file's rows is left, and nothing of others is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.erase import command
from pipectl.operate import erase_file
from pipectl.operate.backfill_objects import sources_of
from shared.executions import attempt_name
from shared.job import Source
from tests.unit.mocked_stack import mocked_deployment

BUCKETS = ("input", "output")
KEY = "raw/people/march.csv"
NEIGHBOURS = [
    ("input", "raw/people/march.csv.part2.csv"),
    ("input", "raw/people/april.csv"),
    ("output", "processed/people/april.csv.jsonl"),
    ("output", "processed/people/march.csv.part2.csv.jsonl"),
    ("output", "reports/people/history.json"),
    ("output", "work/0/0/plan.json"),
]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with mocked_deployment(*BUCKETS) as deployment:
        queue = deployment.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
        machine = deployment.client("stepfunctions").create_state_machine(
            name="pipeline",
            definition='{"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}',
            roleArn="arn:aws:iam::123456789012:role/a",
        )
        deployment.__dict__["outputs"] = {
            "InputBucketName": "input",
            "OutputBucketName": "output",
            "MetadataTableName": "metadata",
            "DeadLetterQueueUrl": queue,
            "StateMachineArn": machine["stateMachineArn"],
        }
        s3 = deployment.client("s3")
        s3.put_bucket_versioning(Bucket="input", VersioningConfiguration={"Status": "Enabled"})
        deployment.client("dynamodb").create_table(
            TableName="metadata",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in ("file_id", "source", "sequencer")
            ],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "source-index",
                    "KeySchema": [
                        {"AttributeName": "source", "KeyType": "HASH"},
                        {"AttributeName": "sequencer", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        stack = Stack(deployment)
        for bucket, key in NEIGHBOURS:
            s3.put_object(Bucket=bucket, Key=key, Body=b"others")
        # Its empty queue is not polled for a second each time.
        monkeypatch.setattr(Stack, "emulated", True)
        monkeypatch.setattr(StackChoice, "open", lambda *_: stack)
        monkeypatch.setattr(StackChoice, "open_to_change", lambda *_: stack)
        yield stack


def uploaded(stack: Stack, key: str = KEY) -> Source:
    """A new version of a key, with an item and everything that the pipeline makes of it."""
    s3 = stack.client("s3")
    s3.put_object(Bucket="input", Key=key, Body=b"name\nAda\n")
    versions = s3.list_object_versions(Bucket="input", Prefix=key)["Versions"]
    newest = [one for one in versions if one["Key"] == key and one["IsLatest"]]
    (source,) = sources_of("input", newest, since=None, all_versions=True)
    file_id = source.file_id
    made = [
        ("input", f"corrections/people/{file_id}.csv"),
        ("input", f"processed/people/{file_id}/march.csv"),
        ("output", "processed/people/march.csv.jsonl"),
        ("output", f"processed/people/march.csv.{file_id}.parquet"),
        ("output", "rejected/people/march.csv.jsonl"),
        ("output", f"corrections/people/{file_id}.csv"),
        ("output", f"corrections/people/{file_id}.applied.jsonl"),
        ("output", f"reports/people/{file_id}_summary.json"),
        ("output", f"reports/people/{file_id}.html"),
        ("output", f"work/{file_id}/{attempt_name(file_id, 1)}/parts/00000.jsonl"),
        # As an earlier release named it: only the item has it.
        ("output", f"processed/people/{file_id}-old.jsonl"),
    ]
    for bucket, name in made:
        s3.put_object(Bucket=bucket, Key=name, Body=b"Ada")
    item = {
        "file_id": file_id,
        "status": "succeeded",
        "source": f"input/{key}",
        "sequencer": "0",
        "source_bucket": "input",
        "source_key": key,
        "dataset": "people",
        "output_bucket": "output",
        "output_key": f"processed/people/{file_id}-old.jsonl",
        "failed_on": "2026-03-01",
    }
    stack.client("dynamodb").put_item(
        TableName="metadata", Item={name: {"S": value} for name, value in item.items()}
    )
    return source


def letter(stack: Stack, *sources: Source) -> None:
    """A dead letter about these files: a state document of one, or an S3 event of several."""
    if len(sources) == 1:
        body: dict[str, Any] = {
            "file_id": sources[0].file_id,
            "attempt": 1,
            "source": asdict(sources[0]),
        }
    else:
        body = {
            "Records": [
                {
                    "eventTime": one.event_time,
                    "s3": {
                        "bucket": {"name": one.bucket},
                        "object": {
                            "key": one.key,
                            "versionId": one.version_id,
                            "eTag": one.etag,
                            "size": one.size,
                            "sequencer": "0A",
                        },
                    },
                }
                for one in sources
            ]
        }
    queue = stack.output("DeadLetterQueueUrl")
    stack.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body))


def left(stack: Stack) -> list[tuple[str, str]]:
    pages = [(it, stack.client("s3").list_object_versions(Bucket=it)) for it in BUCKETS]
    return sorted(
        (bucket, str(one["Key"]))
        for bucket, page in pages
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    )


def messages(stack: Stack) -> int:
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.output("DeadLetterQueueUrl"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def item_of(stack: Stack, file_id: str) -> dict[str, Any]:
    answer = stack.client("dynamodb").get_item(
        TableName="metadata", Key={"file_id": {"S": file_id}}
    )
    return {name: next(iter(value.values())) for name, value in answer["Item"].items()}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--json"])


def test_everything_of_all_versions_is_erased_and_nothing_of_other_files(stack: Stack) -> None:
    first, second = uploaded(stack), uploaded(stack)
    stack.client("s3").delete_object(Bucket="input", Key=KEY)
    letter(stack, first)
    result = run(second.file_id, "--yes")

    document = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert left(stack) == sorted(NEIGHBOURS)
    assert messages(stack) == 0
    assert sorted(document["file_ids"]) == sorted([first.file_id, second.file_id])
    assert document["dead_letters"] == 1


def test_the_items_stay_as_a_record_of_who_erased_when(stack: Stack) -> None:
    source = uploaded(stack)
    run(source.file_id, "--yes")

    item = item_of(stack, source.file_id)
    assert item["erased_by"].startswith("arn:aws:")
    assert item["erased_at"].endswith("Z")
    assert (item["status"], item["source_key"]) == ("succeeded", KEY)
    assert set(item) & set(erase_file.POINTERS) == set()


def test_a_dry_run_lists_the_same_and_erases_nothing(stack: Stack) -> None:
    source = uploaded(stack)
    letter(stack, source)
    before = left(stack)
    listed = json.loads(run(source.file_id, "--dry-run").stdout)

    assert (left(stack), messages(stack)) == (before, 1)
    assert "erased_at" not in item_of(stack, source.file_id)
    erased = json.loads(run(source.file_id, "--yes").stdout)
    assert listed == erased | {"dry_run": True}


def test_it_can_be_repeated(stack: Stack) -> None:
    source = uploaded(stack)
    run(source.file_id, "--yes")
    again = run(source.file_id, "--yes")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["objects"] == []


def test_a_message_about_other_files_as_well_stays(stack: Stack) -> None:
    source, other = uploaded(stack), uploaded(stack, "raw/people/may.csv")
    letter(stack, source, other)
    document = json.loads(run(source.file_id, "--yes").stdout)
    assert (document["dead_letters"], document["shared_dead_letters"]) == (0, 1)
    assert messages(stack) == 1


def test_a_file_that_is_running_is_not_erased(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = uploaded(stack)
    before = left(stack)
    monkeypatch.setattr(erase_file, "running_files", lambda _: {source.file_id: "attempt"})
    result = run(source.file_id, "--yes")
    assert "The execution attempt is processing a version of" in result.output
    assert left(stack) == before


def test_a_file_without_an_item_is_found_by_its_execution(stack: Stack) -> None:
    source = uploaded(stack)
    stack.client("dynamodb").delete_item(
        TableName="metadata", Key={"file_id": {"S": source.file_id}}
    )
    stack.client("stepfunctions").start_execution(
        stateMachineArn=stack.output("StateMachineArn"),
        name=source.file_id,
        input=json.dumps({"file_id": source.file_id, "source": asdict(source)}),
    )
    stack.client("stepfunctions").stop_execution(
        executionArn=stack.output("StateMachineArn").replace(":stateMachine:", ":execution:")
        + f":{source.file_id}"
    )
    document = json.loads(run(source.file_id, "--yes").stdout)
    assert document["source"] == f"s3://input/{KEY}"
    assert ("input", KEY) not in left(stack)


@pytest.mark.parametrize(
    ("file_id", "problem"),
    [("0" * 32, "The stack knows no file"), ("orders.csv", "is not a file id")],
)
def test_a_file_that_is_not_known_is_an_error(stack: Stack, file_id: str, problem: str) -> None:
    before = left(stack)
    result = run(file_id, "--yes")
    assert problem in result.output
    assert left(stack) == before
