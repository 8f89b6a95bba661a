"""What one step returns is what its state selects, and what the next step reads.

The steps run in the order of the workflow, in this process; what passes between them is what the
definition's own Payload, ResultSelector and ResultPath make of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import PipelineError
from shared.job import Job, new_job
from shared.keys import Work
from shared.metadata import read_item
from shared.step import Task
from shared.steps import CHAIN
from tabular.errors import HeaderMismatch, MisalignedSplits, TooManyRejects
from tabular.reading import blocks
from tests.unit.functions import documents, workflow
from tests.unit.functions.conftest import Logs, Subscriber
from tests.unit.functions.documents import INPUT_BUCKET, METADATA_TABLE, OUTPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client

ONE_SPLIT = [
    "ParseCsv",
    "Transform",
    "WriteOutput",
    "Summarize",
    "RecordMetadata",
    "Notify",
    "ArchiveSource",
]
# Steps whose function is another one's or that run inside a Map are here too.
TASKS = [*ONE_SPLIT, "NumberSplits", "PlanOneSplit", "SplitFailure", "NotifyFailure"]

REFERENCE = b"""name,email,amount,date
John Doe,john@example.com,100.50,2024-01-15
Jane Smith,jane@example.com,250.00,2024-01-16
Bob Wilson,bob@example.com,75.25,2024-01-17
Alice Brown,alice@example.com,300.00,2024-01-18
"""
WITH_A_REJECT = REFERENCE + b"Eve Black,eve@example.com,much,2024-01-19\n"
LARGE = b"id,amount\n" + b"".join(b"%d,%d.50\n" % (n, n) for n in range(400))

Document = dict[str, Any]
Chain = Callable[..., Document]


@pytest.fixture
def pipeline(
    buckets: S3Client, table: Table, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> S3Client:
    """Everything the steps use, with the template's default settings."""
    for name, value in {
        "ENVIRONMENT": "dev",
        "EVENT_BUS_NAME": "default",
        "INPUT_BUCKET": INPUT_BUCKET,
        "OUTPUT_BUCKET": OUTPUT_BUCKET,
        "MAX_CONCURRENCY": "10",
        "REQUIRE_CONTRACT": "false",
        "REQUIRE_SCAN": "false",
        "IGNORED_NAMES": "",
        "MAX_REJECT_COUNT": "-1",
        "MAX_REJECT_PERCENT": "100",
        "OUTPUT_FORMAT": "jsonl",
        "SPLIT_SIZE_BYTES": str(64 * 1024**2),
        "TRANSFORM_TIMEOUT_SECONDS": "900",
    }.items():
        monkeypatch.setenv(name, value)
    return buckets


def uploaded(s3: S3Client, body: bytes) -> Document:
    """The document that the starter starts with, for a file that is there."""
    key = "raw/people/people.csv"
    put = s3.put_object(Bucket=INPUT_BUCKET, Key=key, Body=body)
    job = new_job(
        bucket=INPUT_BUCKET,
        key=key,
        version_id=put["VersionId"],
        etag=put["ETag"].strip('"'),
        size=len(body),
        sequencer="0055AED6DCD90281E5",
        event_time="2026-03-01T08:00:00.000Z",
    )
    return dict(json.loads(job.execution_input()))


def run(state: str, document: Document, *, retry_count: int = 0) -> Document:
    """One Task, from the document before it to the document after it."""
    returned = invoke(state, document, retry_count=retry_count)
    assert returned.keys() == workflow.selected_fields(state)
    return workflow.keep(state, document, returned)


def invoke(state: str, document: Document, *, retry_count: int = 0) -> Document:
    sent = workflow.payload(state, document, documents.execution(), retry_count=retry_count)
    returned = workflow.function(workflow.STATES[state])(sent, None)
    # Lambda hands both on as JSON.
    assert json.loads(json.dumps(returned)) == returned
    return dict(returned)


def run_map(s3: S3Client, state: str, items_key: str, document: Document) -> Document:
    """The Task inside a Map for each item of the object that the Map reads."""
    items = json.loads(s3.get_object(Bucket=OUTPUT_BUCKET, Key=items_key)["Body"].read())
    handler = workflow.function(workflow.child(state))
    selected = workflow.fields(workflow.child(state)["ResultSelector"])
    for item in items:
        sent = workflow.child_payload(state, item, document, documents.execution())
        assert handler(sent, None).keys() == selected
    result = workflow.STATES[state]["ResultPath"].removeprefix("$.")
    return {**document, result: {"map_run_arn": "arn:aws:states:map-run"}}


def through(states: list[str], document: Document) -> Document:
    for state in states:
        document = run(state, document)
    return document


def records(s3: S3Client, document: Document) -> list[Document]:
    key = document["output"]["processed_key"]
    body = s3.get_object(Bucket=OUTPUT_BUCKET, Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_the_references_sample_passes_through_every_step(
    pipeline: S3Client, subscriber: Subscriber, logs: Logs
) -> None:
    document = through(ONE_SPLIT, uploaded(pipeline, REFERENCE))
    assert document["output"]["record_count"] == document["output"]["processed_count"] == 4
    assert [record["data"]["amount"] for record in records(pipeline, document)] == [
        100.5,
        250.0,
        75.25,
        300.0,
    ]
    summary = pipeline.get_object(Bucket=OUTPUT_BUCKET, Key=document["summary"]["summary_key"])
    assert json.loads(summary["Body"].read())["field_statistics"]["amount"]["sum"] == 725.75
    item = read_item(METADATA_TABLE, document["file_id"])
    assert item is not None
    assert (item["status"], item["record_count"]) == ("succeeded", 4)
    assert item["archive"]["key"] == document["archive"]["archive_key"]
    assert len(subscriber.messages()) == 1


def test_every_result_of_the_chain_is_known_by_name(pipeline: S3Client, logs: Logs) -> None:
    document = through(ONE_SPLIT, uploaded(pipeline, REFERENCE))
    results = document.keys() - {"file_id", "attempt", "replay_of", "source", "corrections"}
    assert results == {step.result for step in CHAIN if step.state in ONE_SPLIT}
    assert Job.from_document(document).results.keys() == results


def test_every_later_step_reports_the_rejects(
    pipeline: S3Client, subscriber: Subscriber, logs: Logs
) -> None:
    document = through(ONE_SPLIT, uploaded(pipeline, WITH_A_REJECT))
    assert document["output"]["error_count"] == 1
    assert document["output"]["corrections_key"] is not None
    item = read_item(METADATA_TABLE, document["file_id"])
    assert item is not None
    assert item["rejected_key"] == document["output"]["rejected_key"]
    notice = json.loads(subscriber.messages()[0]["Message"])
    assert notice["outputs"]["rejected"].endswith(document["output"]["rejected_key"])


def test_a_transform_stops_once_its_limit_is_exceeded_and_keeps_the_rejects_so_far(
    pipeline: S3Client, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MOST_LINES", 100)
    fields = [{"name": "id", "type": "boolean"}, {"name": "amount", "type": "number"}]
    contract = {"schema": {"fields": fields}, "pipeline": {"maxRejectCount": 10}}
    pipeline.put_object(
        Bucket=INPUT_BUCKET, Key="contracts/people.json", Body=json.dumps(contract).encode()
    )
    document = run("ParseCsv", uploaded(pipeline, LARGE))
    with pytest.raises(TooManyRejects, match="rejected before reading stopped; the limit is 10"):
        invoke("Transform", document)
    folder = work_of(document).parts
    parts = pipeline.list_objects_v2(Bucket=OUTPUT_BUCKET, Prefix=folder)["Contents"]
    (rejected,) = [part["Key"] for part in parts if part["Key"].endswith(".rejected.jsonl")]
    lines = pipeline.get_object(Bucket=OUTPUT_BUCKET, Key=rejected)["Body"].read().splitlines()
    assert 90 <= len(lines) <= 110
    assert not [part for part in parts if part["Key"].endswith("report.json")]


def test_every_step_can_be_repeated(pipeline: S3Client, logs: Logs) -> None:
    document = uploaded(pipeline, WITH_A_REJECT)
    for state in ONE_SPLIT:
        once = run(state, document)
        again = run(state, document, retry_count=1)
        varying = {"record": once.get("record")}
        assert {**again, **varying} == {**once, **varying}
        document = once


def test_a_file_of_several_splits_gives_the_same_records(
    pipeline: S3Client, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_split = ["WriteOutput", "Summarize", "RecordMetadata", "Notify"]
    whole = through(["ParseCsv", "Transform", *after_split], uploaded(pipeline, LARGE))
    expected = [record["data"] for record in records(pipeline, whole)]
    monkeypatch.setenv("SPLIT_SIZE_BYTES", "1024")
    document = measured(pipeline, uploaded(pipeline, LARGE))
    assert document["parse"]["splits"] > 1
    document = run("NumberSplits", document)
    key = document["numbers"]["numbered_splits_key"]
    document = run_map(pipeline, "TransformSplits", key, document)
    document = through(after_split, document)
    assert document["output"]["record_count"] == document["numbers"]["record_count"] == 400
    assert [record["data"] for record in records(pipeline, document)] == expected
    assert [record["original_row"] for record in records(pipeline, document)] == [*range(1, 401)]


@pytest.mark.parametrize(
    ("header", "plan"),
    [
        (b"name,email,sum,date\n", {"header": ["name", "email", "sum", "date"]}),
        (b"Jane S3CRET,s3cret@example.com,1,2024-01-15\n", None),
    ],
)
def test_a_refused_header_is_in_the_plan_only_if_it_is_a_header(
    pipeline: S3Client, logs: Logs, header: bytes, plan: Document | None
) -> None:
    fields = [{"name": name} for name in ("name", "email", "amount", "date")]
    pipeline.put_object(
        Bucket=INPUT_BUCKET, Key="contracts/people.json", Body=json.dumps({"fields": fields})
    )
    document = uploaded(pipeline, header + REFERENCE.partition(b"\n")[2])
    with pytest.raises(HeaderMismatch) as caught:
        invoke("ParseCsv", document)
    assert not any(text in str(caught.value) for text in ("sum", "S3CRET", "s3cret"))
    assert "S3CRET" not in str(logs)
    key = work_of(document).plan
    if plan is None:
        assert pipeline.list_objects_v2(Bucket=OUTPUT_BUCKET, Prefix="work/")["KeyCount"] == 0
    else:
        body = pipeline.get_object(Bucket=OUTPUT_BUCKET, Key=key)["Body"].read()
        assert json.loads(body) == plan


@pytest.mark.parametrize(
    ("settings", "succeeds"),
    [(None, False), ({"maxRejectCount": -1}, False), ({"maxRejectPercent": 100}, True)],
)
def test_a_file_of_rejects_alone_fails_unless_its_contract_allows_it(
    pipeline: S3Client, logs: Logs, settings: Document | None, succeeds: bool
) -> None:
    if settings is not None:
        contract = {"fields": [{"name": "id"}, {"name": "amount", "type": "number"}]}
        body = json.dumps({**contract, "pipeline": settings})
        pipeline.put_object(Bucket=INPUT_BUCKET, Key="contracts/people.json", Body=body)
    document = through(
        ["ParseCsv", "Transform"], uploaded(pipeline, b"id,amount\n1,much\n2,more\n")
    )
    if succeeds:
        assert run("WriteOutput", document)["output"]["error_count"] == 2
        return
    with pytest.raises(TooManyRejects, match=r"2 of 2 records \(100%\) were rejected"):
        invoke("WriteOutput", document)
    published = pipeline.list_objects_v2(Bucket=OUTPUT_BUCKET, Prefix="rejected/")
    assert published["KeyCount"] == 0
    key = work_of(document).part(0, "rejected.jsonl")
    kept = pipeline.get_object(Bucket=OUTPUT_BUCKET, Key=key)["Body"].read().splitlines()
    assert [json.loads(line)["row"] for line in kept] == [1, 2]


def work_of(document: Document) -> Work:
    return Work(document["file_id"], documents.execution()["Name"])


def measured(s3: S3Client, document: Document) -> Document:
    document = run("ParseCsv", document)
    return run_map(s3, "MeasureSplits", document["parse"]["splits_key"], document)


def test_after_a_wrong_boundary_the_file_is_planned_as_one_split(
    pipeline: S3Client, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLIT_SIZE_BYTES", "1024")
    document = run("ParseCsv", uploaded(pipeline, LARGE))
    key = document["parse"]["splits_key"]
    shift_boundary(pipeline, key)
    document = run_map(pipeline, "MeasureSplits", key, document)
    with pytest.raises(MisalignedSplits) as wrong:
        invoke("NumberSplits", document)
    caught = {"Error": "MisalignedSplits", "Cause": json.dumps({"errorMessage": str(wrong.value)})}
    document = through(["PlanOneSplit", "Transform"], {**document, "misaligned": caught})
    assert document["parse"]["splits"] == 1
    assert document["transform"]["record_count"] == 400


def shift_boundary(s3: S3Client, splits_key: str) -> None:
    """Let the first split end a byte later, in the midst of a record."""
    splits = json.loads(s3.get_object(Bucket=OUTPUT_BUCKET, Key=splits_key)["Body"].read())
    splits[0]["end"] += 1
    splits[1]["start"] += 1
    s3.put_object(Bucket=OUTPUT_BUCKET, Key=splits_key, Body=json.dumps(splits).encode())


def described(document: Document, error: Exception) -> Document:
    """The document as Catch and DescribeFailure leave it."""
    cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
    caught = {"Error": type(error).__name__, "Cause": cause}
    return {**document, "failure": {"caught": caught, "execution": documents.execution()}}


def test_a_failed_file_passes_through_the_failure_lane(
    pipeline: S3Client, subscriber: Subscriber, logs: Logs
) -> None:
    document = uploaded(pipeline, REFERENCE)
    pipeline.delete_object(
        Bucket=INPUT_BUCKET,
        Key=document["source"]["key"],
        VersionId=document["source"]["version_id"],
    )
    with pytest.raises(PipelineError) as error:
        invoke("ParseCsv", document)
    document = described(document, error.value)
    document["failure"]["dead_letter"] = {"message_id": "m1"}
    document = through(["NotifyFailure", "RecordFailure"], document)
    notice = json.loads(subscriber.messages()[0]["Message"])
    assert notice["error"]["code"] == "SourceNotFound"
    item = read_item(METADATA_TABLE, document["file_id"])
    assert item is not None
    assert item["error"]["state"] == "ParseCsv"
    with pytest.raises(Exception, match="in ParseCsv") as raised:
        invoke("FailureGate", document)
    assert type(raised.value).__name__ == "SourceNotFound"


def test_a_redriven_file_finishes_what_it_had_begun(
    pipeline: S3Client, subscriber: Subscriber, logs: Logs
) -> None:
    document = through(["ParseCsv", "Transform"], uploaded(pipeline, REFERENCE))
    failed = described(document, RuntimeError("an outage"))
    sent = workflow.payload("FailureGate", failed, documents.execution(redrives=1))
    resumed = workflow.function(workflow.STATES["FailureGate"])(sent, None)
    state = workflow.next_task("ResumeAt", resumed)
    assert state == "WriteOutput"
    document = through(ONE_SPLIT[ONE_SPLIT.index(state) :], resumed)
    assert document["output"]["record_count"] == 4


@pytest.mark.parametrize("state", [*TASKS, "RecordFailure", "FailureGate"])
def test_every_state_sends_a_task(state: str) -> None:
    document = documents.finished(failure=documents.failure())
    sent = workflow.payload(state, document, documents.execution(redrives=1))
    task = Task.from_payload(sent)
    assert task.job == Job.from_document(document)
    assert task.execution.redrive_count == 1


@pytest.mark.parametrize("state", ["MeasureSplits", "TransformSplits"])
def test_every_map_passes_the_split_and_the_file_to_its_task(state: str) -> None:
    sent = workflow.child_payload(
        state, {"index": 7}, documents.finished(), documents.execution(redrives=1)
    )
    task = Task.from_payload(sent)
    assert task.payload["split"] == {"index": 7}
    assert task.job.file_id == documents.FILE_ID
    assert task.execution.redrive_count == 1


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("RecordMetadata", "succeeded"),
        ("Notify", "succeeded"),
        ("RecordFailure", "failed"),
        ("NotifyFailure", "failed"),
    ],
)
def test_the_steps_that_report_an_outcome_get_the_right_one(state: str, outcome: str) -> None:
    sent = workflow.payload(state, documents.finished(), documents.execution())
    assert sent["outcome"] == outcome


@pytest.mark.parametrize(
    ("state", "result"),
    [
        (step.state, step.result)
        for step in CHAIN
        if step.result in documents.RESULTS and step.child is None
    ],
)
def test_the_documents_of_these_tests_are_those_of_the_workflow(state: str, result: str) -> None:
    selected = {name.removesuffix(".$") for name in workflow.selector(state)}
    assert documents.RESULTS[result].keys() == selected
