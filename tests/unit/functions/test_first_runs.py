"""What steps leave out for a file that is processed for the first time, and do when it isn't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import notify.app
import transform.app
from shared import contracts, keys, publication, storage
from shared.errors import MixedParts, RecordOutdated, TransientError
from shared.metadata import mark_item, read_item, write_item
from shared.versions import Rank
from tests.unit.functions import documents
from tests.unit.functions.conftest import Fault, Logs, Subscriber, client_error
from tests.unit.functions.documents import FILE_ID, INPUT_BUCKET, METADATA_TABLE, OUTPUT_BUCKET
from tests.unit.functions.test_contracts_between_steps import (
    REFERENCE,
    WITH_A_REJECT,
    Document,
    pipeline,
    run,
    through,
    uploaded,
    work_of,
)
from tests.unit.functions.test_notify import topic

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["pipeline", "topic"]

RANKS = [Rank(f"f{n}", f"{n:04}", "2026-03-01T08:00:00.000Z", f"e{n}", "start") for n in (1, 2)]
NEWLY_RECORDED = {**documents.recorded()["record"], "is_new": True}


def parts(s3: S3Client, document: Document) -> dict[str, int]:
    """The sizes of the part's objects, by content."""
    prefix = work_of(document).part(0, "")
    found = s3.list_objects_v2(Bucket=OUTPUT_BUCKET, Prefix=prefix).get("Contents", [])
    return {item["Key"].removeprefix(prefix): item["Size"] for item in found}


def test_a_part_without_rejects_has_no_empty_objects(pipeline: S3Client, logs: Logs) -> None:
    document = through(["ParseCsv", "Transform"], uploaded(pipeline, REFERENCE))
    assert parts(pipeline, document).keys() == {"jsonl", "report.json"}


def test_a_part_with_rejects_has_them_in_both_forms(pipeline: S3Client, logs: Logs) -> None:
    document = through(["ParseCsv", "Transform"], uploaded(pipeline, WITH_A_REJECT))
    found = parts(pipeline, document)
    assert found.keys() == {"jsonl", "report.json", "rejected.jsonl", "corrections.csv"}


def test_a_repeated_transform_replaces_rejects_that_an_earlier_run_has_left(
    pipeline: S3Client, logs: Logs
) -> None:
    document = run("ParseCsv", uploaded(pipeline, REFERENCE))
    key = work_of(document).part(0, "rejected.jsonl")
    pipeline.put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b"of another engine\n")
    document = run("Transform", document, retry_count=1)
    assert parts(pipeline, document)["rejected.jsonl"] == 0
    assert through(["WriteOutput"], document)["output"]["rejected_key"] is None


def test_a_repeated_transform_finds_its_part(pipeline: S3Client, logs: Logs) -> None:
    document = through(["ParseCsv", "Transform"], uploaded(pipeline, REFERENCE))
    assert run("Transform", document, retry_count=1) == document
    assert any("exists already" in line["message"] for line in logs)


def test_large_statistics_are_an_object_of_their_own(
    pipeline: S3Client, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ["ParseCsv", "Transform", "WriteOutput", "Summarize"]
    small = through(steps, uploaded(pipeline, REFERENCE))
    monkeypatch.setattr(transform.app, "SMALL_REPORT_BYTES", 10)
    large = through(steps, uploaded(pipeline, REFERENCE))
    assert parts(pipeline, large).keys() == {"jsonl", "report.json", "statistics.json"}
    summaries = [
        storage.read_document(OUTPUT_BUCKET, document["summary"]["summary_key"])
        for document in (small, large)
    ]
    assert summaries[0]["field_statistics"] == summaries[1]["field_statistics"]


@pytest.mark.parametrize("change", ["delete", "shorten"])
def test_an_only_part_that_is_not_there_is_noticed_before_publication(
    pipeline: S3Client, logs: Logs, change: str
) -> None:
    document = through(["ParseCsv", "Transform"], uploaded(pipeline, REFERENCE))
    key = work_of(document).part(0, "jsonl")
    pipeline.delete_object(Bucket=OUTPUT_BUCKET, Key=key)
    if change == "shorten":
        pipeline.put_object(Bucket=OUTPUT_BUCKET, Key=key, Body=b"{}\n")
    with pytest.raises(MixedParts, match="1 parts are missing"):
        run("WriteOutput", document)
    assert pipeline.list_objects_v2(Bucket=OUTPUT_BUCKET, Prefix="processed/")["KeyCount"] == 0


@pytest.mark.parametrize(("there", "remains"), [(0, 1), (1, 1)])
def test_an_object_that_is_there_unexpectedly_stays_if_it_ranks_higher(
    buckets: S3Client, there: int, remains: int
) -> None:
    key = keys.processed_key("orders", "a.csv", "jsonl")
    publication.replace_small(OUTPUT_BUCKET, key, RANKS[there], b"there")
    ours = RANKS[1 - there]
    higher = publication.replace_small(OUTPUT_BUCKET, key, ours, b"ours", is_new=True)
    assert higher == (RANKS[1] if there else None)
    found = publication.look(OUTPUT_BUCKET, key)
    assert found is not None
    assert found.rank == RANKS[remains]


@pytest.mark.parametrize("others", [0, 150], ids=["few contracts", "many contracts"])
def test_a_contract_is_found_among_few_and_many(buckets: S3Client, others: int) -> None:
    for number in range(others):
        key = keys.contract_key(f"a{number}")
        buckets.put_object(Bucket=INPUT_BUCKET, Key=key, Body=b"{}")
    for name in ("ORDERS", "orders", "orders2"):
        buckets.put_object(Bucket=INPUT_BUCKET, Key=keys.contract_key(name), Body=b"{}")
    found = contracts.present_contracts(INPUT_BUCKET, "Orders")
    assert found == ["contracts/ORDERS.json", "contracts/orders.json"]


def notified(retry_count: int = 0) -> dict[str, Any]:
    document = documents.recorded(record=NEWLY_RECORDED)
    payload = documents.payload(document, outcome="succeeded", retry_count=retry_count)
    return notify.app.handler(payload, None)


def marks() -> dict[str, Any]:
    found: dict[str, Any] = (read_item(METADATA_TABLE, FILE_ID) or {}).get("notified", {})
    return found


def test_a_file_that_was_just_recorded_is_notified_without_reading_its_item(
    topic: Subscriber, logs: Logs, fault: Fault
) -> None:
    fault("GetItem", client_error("ThrottlingException", "GetItem"))
    result = notified()
    assert len(topic.messages()) == 1
    with pytest.raises(TransientError):
        read_item(METADATA_TABLE, FILE_ID)
    assert marks()[FILE_ID].items() >= result.items()


def test_a_repetition_of_it_sends_nothing_again(topic: Subscriber, logs: Logs) -> None:
    first = notified()
    assert notified(retry_count=1) == first
    assert len(topic.messages()) == 1


def test_a_mark_that_came_in_the_meantime_is_kept(topic: Subscriber, logs: Logs) -> None:
    other = {"notification_id": "other"}
    mark_item(METADATA_TABLE, FILE_ID, "notified", {"other": other})
    notified()
    assert marks().keys() == {"other", FILE_ID}
    assert marks()["other"] == other


def test_a_failure_that_was_recorded_in_the_meantime_is_noticed(
    topic: Subscriber, logs: Logs
) -> None:
    before = read_item(METADATA_TABLE, FILE_ID)
    failed = {"file_id": FILE_ID, "revision": 2, "status": "failed"}
    assert write_item(METADATA_TABLE, failed, replaces=before)
    with pytest.raises(RecordOutdated):
        notified()
    assert marks() == {}
