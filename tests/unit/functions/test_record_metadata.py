"""RecordMetadata and RecordFailure: what an outcome makes of a file's item."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from record_metadata.app import handler
from record_metadata.item import RunOutcome, Status, next_item, outcome_of
from shared.errors import InternalError, TransientError
from shared.job import Execution, Job
from shared.metadata import Item, read_item
from shared.versions import SEQUENCER_LENGTH, Rank
from tests.effort import examples
from tests.unit.functions import documents
from tests.unit.functions.conftest import Fault, Logs, client_error
from tests.unit.functions.documents import FILE_ID, METADATA_TABLE, OUTPUT_BUCKET, SOURCE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(autouse=True)
def output_bucket(request: pytest.FixtureRequest) -> None:
    """The step looks at the published output, too."""
    if "table" in request.fixturenames:
        request.getfixturevalue("buckets")


def outcome(
    status: Status = "succeeded",
    attempt: int = 1,
    *,
    redrives: int = 0,
    document: dict[str, Any] | None = None,
    at: datetime = NOON,
) -> RunOutcome:
    """How an attempt ended: a failure in ParseCsv, or with all results."""
    if document is None and status == "failed":
        document = documents.job(
            attempt, failure=documents.failure(attempt=attempt, redrives=redrives)
        )
    return outcome_of(
        Job.from_document(document or documents.finished(attempt)),
        Execution.from_context(documents.execution(attempt, redrives=redrives)),
        status=status,
        output_bucket=OUTPUT_BUCKET,
        recorded_at=at,
    )


def after(*outcomes: RunOutcome) -> Item:
    """The item that the outcomes leave, one after the other."""
    item: Item | None = None
    for each in outcomes:
        item = next_item(item, each)
    assert item is not None
    return item


def test_a_success_is_recorded_completely() -> None:
    execution = documents.execution()
    assert after(outcome()) == {
        "file_id": FILE_ID,
        "status": "succeeded",
        "attempt": 1,
        "execution_arn": execution["Id"],
        "execution_name": FILE_ID,
        "redrive_count": 0,
        "processed_at": "2026-03-01T08:00:02.114Z",
        "processed_on": "2026-03-01",
        "recorded_at": "2026-03-01T12:00:00.250Z",
        "duration_ms": 14_398_136,
        "source": f"{SOURCE['bucket']}/{SOURCE['key']}",
        "sequencer": "0055AED6DCD90281E5".ljust(SEQUENCER_LENGTH, "0"),
        "source_bucket": SOURCE["bucket"],
        "source_key": SOURCE["key"],
        "source_version_id": SOURCE["version_id"],
        "source_etag": SOURCE["etag"],
        "source_bytes": SOURCE["size"],
        "uploaded_at": SOURCE["event_time"],
        "dataset": "orders",
        "encoding": "utf-8",
        "delimiter": ",",
        "columns": 11,
        "contract_key": "contracts/orders.json",
        "contract_version": "v7",
        "output_bucket": OUTPUT_BUCKET,
        "output_key": documents.OUTPUT["processed_key"],
        "rejected_key": documents.OUTPUT["rejected_key"],
        "corrections_key": documents.OUTPUT["corrections_key"],
        "output_bytes": 54321,
        "summary_key": documents.SUMMARY["summary_key"],
        "report_key": documents.SUMMARY["report_key"],
        "record_count": 200,
        "processed_count": 197,
        "error_count": 3,
        "history": {
            "1.0": {
                "status": "succeeded",
                "execution_arn": execution["Id"],
                "redrive_count": 0,
                "recorded_at": "2026-03-01T12:00:00.250Z",
            }
        },
        "revision": 1,
    }


def test_a_failure_is_recorded_with_its_step_and_reason() -> None:
    item = after(outcome("failed"))
    assert item["status"] == "failed"
    assert item["error"] == {
        "code": "InvalidContract",
        "message": "The contract contracts/orders.json is wrong.",
        "state": "ParseCsv",
    }
    assert item["failed_at"] == "2026-03-01T12:00:00.250Z"
    assert item["failed_on"] == "2026-03-01"
    assert item["history"]["1.0"]["error"] == "InvalidContract"
    assert item["history"]["1.0"]["state"] == "ParseCsv"


@pytest.mark.parametrize("name", ["output_key", "output_bucket", "record_count", "encoding"])
def test_attributes_that_a_failed_file_did_not_reach_are_left_out(name: str) -> None:
    assert name not in after(outcome("failed"))


def test_a_file_that_failed_late_has_the_counts_it_reached() -> None:
    document = documents.job(
        parse=documents.PARSE, transform=documents.TRANSFORM, failure=documents.failure()
    )
    item = after(outcome("failed", document=document))
    assert (item["record_count"], item["processed_count"], item["error_count"]) == (200, 197, 3)
    assert item["error"]["state"] == "WriteOutput"


def test_failed_parts_of_the_lane_are_recorded() -> None:
    undone = {"Error": "States.Timeout", "Cause": ""}
    failure = documents.failure(dead_letter=undone, notification={"message_id": "m1"})
    document = documents.job(failure=failure)
    assert after(outcome("failed", document=document))["not_done"] == ["dead_letter"]
    assert "not_done" not in after(outcome("failed"))


@pytest.mark.parametrize("name", ["failed_on", "failed_at", "error"])
def test_only_failed_items_are_in_the_index_of_failures(name: str) -> None:
    assert name in after(outcome("failed"))
    assert name not in after(outcome())
    assert name not in after(outcome("failed"), outcome(redrives=1))


def test_a_late_duplicate_never_turns_a_success_into_something_else() -> None:
    item = after(outcome(attempt=2), outcome("failed", attempt=1), outcome("failed", attempt=3))
    assert item["status"] == "succeeded"
    assert item["execution_name"] == f"{FILE_ID}-r2"
    assert "failed_on" not in item


def test_an_execution_can_turn_its_own_success_into_a_failure() -> None:
    # Notify, after RecordMetadata, failed.
    item = after(outcome(), outcome("failed"))
    assert item["status"] == "failed"
    assert item["history"].keys() == {"1.0"}
    assert item["history"]["1.0"]["status"] == "failed"


def test_a_redrive_counts_and_is_kept_in_the_history() -> None:
    item = after(outcome("failed"), outcome("failed", redrives=1), outcome(redrives=2))
    assert item["status"] == "succeeded"
    assert item["redrive_count"] == 2
    assert {run: entry["status"] for run, entry in item["history"].items()} == {
        "1.0": "failed",
        "1.1": "failed",
        "1.2": "succeeded",
    }


def test_a_late_report_about_a_run_does_not_undo_its_redrive() -> None:
    item = after(outcome(redrives=1), outcome("failed"))
    assert item["status"] == "succeeded"
    assert item["history"]["1.0"]["status"] == "failed"


def test_a_new_attempt_replaces_a_failed_one() -> None:
    item = after(outcome("failed"), outcome(attempt=2))
    assert (item["status"], item["attempt"]) == ("succeeded", 2)
    assert item["history"].keys() == {"1.0", "2.0"}


def test_of_two_failures_the_later_attempt_is_kept() -> None:
    item = after(outcome("failed", attempt=2), outcome("failed", attempt=1))
    assert item["attempt"] == 2
    assert item["history"].keys() == {"1.0", "2.0"}


def test_the_success_of_an_earlier_attempt_that_was_redriven_counts() -> None:
    item = after(outcome("failed"), outcome("failed", attempt=2), outcome(attempt=1, redrives=1))
    assert (item["status"], item["attempt"]) == ("succeeded", 1)


def test_of_two_successes_the_later_attempt_is_kept() -> None:
    assert after(outcome(), outcome(attempt=2))["attempt"] == 2
    assert after(outcome(attempt=2), outcome())["attempt"] == 2


def test_an_execution_that_reuses_an_expired_name_is_a_different_one() -> None:
    # 90 days after its end, an execution's name can be used once more.
    before = {**after(outcome("failed", redrives=3)), "processed_at": "2025-11-01T08:00:00.000Z"}
    item = next_item(before, outcome())
    assert (item["status"], item["redrive_count"]) == ("succeeded", 0)


def test_marks_of_other_steps_survive() -> None:
    marks = {"notified": {"notification_id": "n1"}, "archive": {"key": "processed/a.csv"}}
    item = next_item({**after(outcome("failed")), **marks}, outcome(attempt=2))
    assert {name: item[name] for name in marks} == marks


def test_recording_the_same_again_changes_only_the_revision() -> None:
    once, twice = after(outcome()), after(outcome(), outcome())
    assert {**once, "revision": 2} == twice


def test_a_replay_is_linked_to_the_attempt_before() -> None:
    document = documents.finished(2, replay_of=FILE_ID)
    assert after(outcome(attempt=2, document=document))["replay_of"] == FILE_ID


def test_a_file_without_a_version_has_none() -> None:
    source = {**SOURCE, "version_id": None, "sequencer": ""}
    item = after(outcome(document=documents.finished(source=source)))
    assert "source_version_id" not in item
    # The key of an index must not be blank.
    assert item["sequencer"] == "0" * SEQUENCER_LENGTH


def test_a_slow_clock_gives_no_negative_duration() -> None:
    early = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)
    assert after(outcome(at=early))["duration_ms"] == 0


def test_floats_become_decimals_of_the_same_digits() -> None:
    parse = {**documents.PARSE, "columns": 0.1}
    item = after(outcome(document=documents.finished(parse=parse)))
    assert item["columns"] == Decimal("0.1")


@pytest.mark.parametrize("each", [outcome(), outcome("failed")], ids=["success", "failure"])
def test_dynamodb_takes_every_value(each: RunOutcome) -> None:
    TypeSerializer().serialize(after(each))


sequencers = st.text("0123456789ABCDEF", min_size=1, max_size=SEQUENCER_LENGTH)


def s3_order(one: str, other: str) -> int:
    """The rule of S3's documentation: pad the shorter on the right with zeros, compare as text."""
    length = max(len(one), len(other))
    padded, padded_other = one.ljust(length, "0"), other.ljust(length, "0")
    return (padded > padded_other) - (padded < padded_other)


def stored_sequencer(sequencer: str) -> str:
    document = documents.finished(source={**SOURCE, "sequencer": sequencer})
    return str(after(outcome(document=document))["sequencer"])


@given(sequencers, sequencers)
@examples(20)
def test_items_sort_by_sequencer_as_s3_says(one: str, other: str) -> None:
    stored, stored_other = stored_sequencer(one), stored_sequencer(other)
    assert (stored > stored_other) - (stored < stored_other) == s3_order(one, other)


runs = st.lists(
    st.tuples(st.sampled_from(["succeeded", "failed"]), st.integers(1, 3), st.integers(0, 2)),
    min_size=1,
    max_size=8,
)


@given(runs, st.data())
@examples(20)
def test_a_success_is_kept_in_any_order_of_arrival(
    ended: list[tuple[Status, int, int]], data: st.DataObject
) -> None:
    # Each run of each attempt ends once, and a success is an execution's last run.
    last = {(attempt, redrives): status for status, attempt, redrives in ended}
    final = {
        run: status
        for run, status in last.items()
        if not any(
            other == "succeeded" and a == run[0] and r < run[1] for (a, r), other in last.items()
        )
    }
    order = data.draw(st.permutations(sorted(final)))
    item = after(*(outcome(final[run], run[0], redrives=run[1]) for run in order))
    assert (item["status"] == "succeeded") == ("succeeded" in final.values())
    assert item["history"].keys() == {f"{attempt}.{redrives}" for attempt, redrives in final}
    assert item["revision"] == len(final)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, table: Any) -> None:
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)


def record(document: dict[str, Any], status: str, *, redrives: int | None = None) -> dict[str, Any]:
    return handler(documents.payload(document, redrives=redrives, outcome=status), None)


def test_the_outcome_is_written(environment: None, logs: Logs) -> None:
    result = record(documents.finished(), "succeeded")
    item = read_item(METADATA_TABLE, FILE_ID)
    assert item is not None
    assert item["status"] == "succeeded"
    expected = {"status": "succeeded", "recorded_at": item["recorded_at"], "superseded_by": None}
    assert result == {**expected, "is_new": True}
    again = record(documents.finished(), "succeeded")
    assert again == {**expected, "recorded_at": again["recorded_at"], "is_new": False}


def test_a_failure_after_a_success_of_another_attempt_is_added_to_the_history_only(
    environment: None, logs: Logs
) -> None:
    record(documents.finished(2), "succeeded")
    failed = documents.job(failure=documents.failure())
    assert record(failed, "failed")["status"] == "failed"
    item = read_item(METADATA_TABLE, FILE_ID)
    assert item is not None
    assert item["status"] == "succeeded"
    assert item["history"].keys() == {"1.0", "2.0"}
    assert any("only the history" in line["message"] for line in logs)


def test_a_write_that_lost_a_race_is_done_again(
    environment: None, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(documents.finished(), "succeeded")
    monkeypatch.setattr("record_metadata.app.read_item", lambda *_: None)
    with pytest.raises(TransientError, match="between reading and writing"):
        record(documents.finished(2), "succeeded")


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_a_call_to_a_busy_table_is_retried(
    environment: None, logs: Logs, fault: Fault, operation: str
) -> None:
    fault(operation, client_error("ThrottlingException", operation))
    with pytest.raises(TransientError):
        record(documents.finished(2), "succeeded")
    record(documents.finished(2), "succeeded")


def test_a_state_that_does_not_say_the_outcome_is_an_error(environment: None, logs: Logs) -> None:
    with pytest.raises(InternalError, match="KeyError"):
        handler(documents.payload(documents.finished()), None)


def test_metrics_count_files_and_records_by_dataset(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    record(documents.finished(), "succeeded")
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metrics["dataset"] == "orders"
    assert metrics["FilesSucceeded"] == [1]
    assert metrics["record_count"] == [200]
    assert metrics["error_count"] == [3]


def test_metrics_of_one_file_do_not_reach_the_next(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    record(documents.finished(), "succeeded")
    record(documents.job(failure=documents.failure()), "failed")
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metrics["FilesFailed"] == [1]
    assert "FilesSucceeded" not in metrics
    assert "record_count" not in metrics


def test_the_dimension_of_a_metric_is_ascii_as_cloudwatch_requires(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = {**documents.PARSE, "contract_key": "contracts/bücher.json"}
    record(documents.finished(parse=parse), "succeeded")
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metrics["dataset"] == "b\\xfccher"


def counted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics that were written since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def test_a_repeated_step_counts_nothing_again(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = documents.job(failure=documents.failure())
    for document, status, redrives in (
        (failed, "failed", None),
        (documents.finished(), "succeeded", 1),
        (documents.finished(2), "succeeded", None),
    ):
        record(document, status, redrives=redrives)
        assert len(counted(capsys)) == 1
        record(document, status, redrives=redrives)
        assert counted(capsys) == []


def test_an_execution_that_reuses_an_expired_name_is_counted(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str], table: Any
) -> None:
    record(documents.finished(), "succeeded")
    # Names are free again 90 days after the end.
    item = read_item(METADATA_TABLE, FILE_ID) or {}
    item["history"]["1.0"]["recorded_at"] = "2025-03-01T08:00:09.614Z"
    table.put_item(Item=item)
    counted(capsys)
    record(documents.finished(), "succeeded")
    assert len(counted(capsys)) == 1


def test_datasets_without_a_contract_count_as_other(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    parse = {**documents.PARSE, "contract_key": None}
    source = {**SOURCE, "key": "raw/any folder/a.csv", "dataset": "any folder"}
    record(documents.finished(parse=parse, source=source), "succeeded")
    assert [one["dataset"] for one in counted(capsys)] == ["other"]


@pytest.mark.parametrize(
    ("contract", "dimension"),
    [("contracts/Orders.json", "Orders"), ("contracts/another.json", "other")],
)
@pytest.mark.usefixtures("environment", "logs")
def test_a_file_that_failed_early_counts_for_its_contract(
    buckets: Any,
    capsys: pytest.CaptureFixture[str],
    contract: str,
    dimension: str,
) -> None:
    buckets.put_object(Bucket=documents.INPUT_BUCKET, Key=contract, Body=b"{}")
    record(documents.job(failure=documents.failure()), "failed")
    assert [one["dataset"] for one in counted(capsys)] == [dimension]


def test_a_failure_is_recorded_even_if_the_lookup_of_its_contract_fails(
    environment: None, logs: Logs, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    fault("ListObjectsV2", client_error("AccessDenied", "ListObjectsV2", status=403))
    record(documents.job(failure=documents.failure()), "failed")
    assert [one["dataset"] for one in counted(capsys)] == ["other"]
    assert any(line["message"] == "contract lookup failed" for line in logs)


def by_hand(status: Status, *, day: int, redrives: int = 0) -> RunOutcome:
    """How an execution ended that was started in the console with the first attempt's input."""
    failure = documents.failure(redrives=redrives)
    document = documents.job(failure=failure) if status == "failed" else documents.finished()
    name = "b3b1c8a0-1111-2222-3333-444455556666"
    context = documents.execution(redrives=redrives) | {
        "Id": documents.execution()["Id"].replace(FILE_ID, name),
        "Name": name,
        "StartTime": f"2026-03-0{day}T10:00:00.000Z",
    }
    return outcome_of(
        Job.from_document(document),
        Execution.from_context(context),
        status=status,
        output_bucket=OUTPUT_BUCKET,
        recorded_at=NOON,
    )


def test_an_execution_started_by_hand_has_a_history_of_its_own() -> None:
    again = by_hand("failed", day=2)
    item = after(outcome("failed"), again, by_hand("succeeded", day=2, redrives=1))
    assert item["status"] == "succeeded"
    assert item["execution_arn"] == again.execution_arn
    assert item["replay_of"] == FILE_ID
    assert item["redrive_count"] == 1
    name = item["execution_name"]
    statuses = {key: entry["status"] for key, entry in item["history"].items()}
    assert statuses == {"1.0": "failed", f"{name}.0": "failed", f"{name}.1": "succeeded"}


def test_of_two_successes_the_execution_that_started_later_is_kept() -> None:
    first, second = by_hand("succeeded", day=1), outcome(attempt=2)
    last = by_hand("succeeded", day=3)
    assert after(first, second)["attempt"] == 2
    assert after(second, first)["attempt"] == 2
    assert after(second, last)["execution_arn"] == last.execution_arn


def test_a_success_whose_output_was_replaced_meanwhile_is_superseded(
    table: Any, buckets: S3Client, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)
    later = Rank(
        "later", "0056AED6DCD90281E5", SOURCE["event_time"], "later", "2026-03-09T08:00:00.000Z"
    )
    buckets.put_object(
        Bucket=OUTPUT_BUCKET,
        # In another format, which the dataset has had since.
        Key=f"processed/orders/{documents.PARSE['output_path']}.parquet",
        Body=b"",
        Metadata=later.to_metadata(),
    )
    payload = documents.payload(documents.finished(), outcome="succeeded")
    recorded = handler(payload, None)
    assert recorded["superseded_by"] == {"file_id": "later", "execution": "later"}
    item = read_item(METADATA_TABLE, FILE_ID)
    assert item is not None
    assert (item["status"], item["superseded_by"]) == ("superseded", recorded["superseded_by"])


def superseded(by: str, attempt: int = 1) -> RunOutcome:
    """An execution that found the output of this file and its present attempt."""
    return outcome_of(
        Job.from_document(documents.finished(attempt)),
        Execution.from_context(documents.execution(attempt)),
        status="superseded",
        superseded_by={"file_id": by, "execution": "later"},
        output_bucket=OUTPUT_BUCKET,
        recorded_at=NOON,
    )


def test_a_superseded_file_needs_nothing_more() -> None:
    item = after(outcome("failed"), superseded("later", attempt=2))
    assert item["status"] == "superseded"
    assert not item.keys() & {"error", "failed_on", "failed_at"}
    assert after(superseded("later"), outcome("failed", attempt=2))["status"] == "superseded"
    assert after(superseded("later"), outcome(attempt=2))["status"] == "succeeded"


def test_an_attempt_that_ends_after_a_later_one_does_not_replace_its_success() -> None:
    item = after(outcome(attempt=2), superseded(FILE_ID, attempt=1))
    assert (item["status"], item["attempt"]) == ("succeeded", 2)
    # Another version is current instead of both.
    assert after(outcome(), superseded("later", attempt=2))["status"] == "superseded"
