"""`pipectl smoke`: a file through a stack, its outcome, and nothing left of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from pipectl.client.metadata_items import MetadataItems
from pipectl.client.stack_choice import Stack, StackChoice
from pipectl.commands.smoke import command
from pipectl.errors import PipectlError
from pipectl.operate import smoke_test
from tests.unit.mocked_stack import mocked_deployment

BUCKETS = ("input", "output")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    outputs = {
        "InputBucketName": "input",
        "OutputBucketName": "output",
        "MetadataTableName": "metadata",
    }
    with mocked_deployment(*BUCKETS, **outputs) as deployment:
        s3 = deployment.client("s3")
        for bucket in BUCKETS:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        deployment.client("dynamodb").create_table(
            TableName="metadata",
            AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        deployment.__dict__["parameters"] = {}
        stack = Stack(deployment)
        monkeypatch.setattr(StackChoice, "open_to_change", lambda *_: stack)
        yield stack


def processed(stack: Stack, smoke: smoke_test.SmokeTest, **changes: Any) -> Mapping[str, Any]:
    """What the pipeline makes of the file: outputs in the bucket, and the item."""
    s3 = stack.client("s3")
    folder = smoke.dataset
    outputs = {
        "output_key": (f"processed/{folder}/smoke.csv.jsonl", {"data": {"id": 1, "name": "smoke"}}),
        "rejected_key": (f"rejected/{folder}/smoke.csv.jsonl", {"row": 2}),
        "summary_key": (f"reports/{folder}/{smoke.file_id}_summary.json", {}),
    }
    for key, document in outputs.values():
        s3.put_object(Bucket="output", Key=key, Body=json.dumps(document).encode() + b"\n")
    s3.put_object(Bucket="output", Key=f"work/{smoke.file_id}/plan.json", Body=b"{}")
    counts = {"record_count": 2, "processed_count": 1, "error_count": 1}
    keys = {name: key for name, (key, _) in outputs.items()}
    return {"file_id": smoke.file_id, "status": "succeeded", **counts, **keys, **changes}


def left(stack: Stack) -> list[str]:
    pages = [stack.client("s3").list_object_versions(Bucket=bucket) for bucket in BUCKETS]
    return [
        str(one["Key"])
        for page in pages
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]


def run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], *options: str
) -> Any:
    def wait_for(stack: Stack, smoke: smoke_test.SmokeTest, _: float) -> Mapping[str, Any]:
        return processed(stack, smoke, **changes)

    monkeypatch.setattr(smoke_test, "wait_for", wait_for)
    return CliRunner().invoke(command, [*options, "--yes"])


def test_a_correct_outcome_is_a_success_and_leaves_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.client("s3").put_object(Bucket="input", Key="raw/orders/a.csv", Body=b"mine")
    result = run(stack, monkeypatch, {}, "--json")

    document = json.loads(result.output)
    assert result.exit_code == 0
    assert (document["succeeded"], document["problems"], document["removed"]) == (True, [], True)
    assert document["key"].startswith("raw/smoke-")
    assert left(stack) == ["raw/orders/a.csv"]


def test_the_table_of_its_dataset_is_removed_and_no_other(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    glue = stack.client("glue")
    glue.create_database(DatabaseInput={"Name": "analytics"})
    stack.deployment.__dict__["parameters"] = {"GlueDatabase": "analytics"}
    assert run(stack, monkeypatch, {}).exit_code == 0  # it has made no table

    smoke = smoke_test.send(stack)
    for name in ("orders", smoke.dataset.replace("-", "_")):
        glue.create_table(DatabaseName="analytics", TableInput={"Name": name})
    smoke_test.remove(stack, smoke)

    tables = glue.get_tables(DatabaseName="analytics")["TableList"]
    assert [one["Name"] for one in tables] == ["orders"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "failed", "error": {"code": "C", "message": "M"}}, "the file failed: C. M"),
        ({"error_count": 2}, "the counts are"),
        ({"output_key": None}, "does not have the one processed record"),
        ({"rejected_key": None}, "does not have the one rejected record"),
        ({"summary_key": None}, "there is no summary"),
    ],
)
def test_a_wrong_outcome_has_status_1_and_leaves_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], problem: str
) -> None:
    result = run(stack, monkeypatch, changes)

    assert result.exit_code == 1
    assert problem in result.output
    assert left(stack) == []


def test_with_keep_the_objects_stay(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(stack, monkeypatch, {}, "--keep")

    assert "was kept" in result.output
    assert len(left(stack)) == 6


def test_no_outcome_in_time_is_an_error_that_says_what_to_do(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    smoke = smoke_test.send(stack)
    found = iter([{}, {smoke.file_id: {"status": "succeeded"}}])
    monkeypatch.setattr(MetadataItems, "get", lambda *_: next(found))
    assert smoke_test.wait_for(stack, smoke, 60, lambda _: None) == {"status": "succeeded"}

    monkeypatch.setattr(MetadataItems, "get", lambda *_: {})
    with pytest.raises(PipectlError, match="no outcome after 0 seconds"):
        smoke_test.wait_for(stack, smoke, 0, lambda _: None)
