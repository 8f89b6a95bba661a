"""Failed files, merged from items, executions and dead letters."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipectl.client.dead_letter_queue import DeadLetter, read_dead_letter
from pipectl.client.metadata_items import MetadataItem, source_of
from pipectl.client.step_functions import DescribedExecution
from pipectl.operate.failed_files import (
    DEFINITION_CHANGED,
    FailedFile,
    FailureFilter,
    from_item,
    matches,
    merge_failures,
    with_later_version,
    with_redrivability,
)
from shared.job import Source
from shared.versions import is_later

ARN = "arn:aws:states:eu-central-1:123456789012:execution:data-pipeline-dev"
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def source(key: str = "raw/orders/a.csv", version: str | None = "v1", **more: Any) -> Source:
    fields: dict[str, Any] = {
        "bucket": "in",
        "key": key,
        "version_id": version,
        "etag": "e1",
        "size": 10,
        "sequencer": "0055AED6DCD90281E5",
        "event_time": "2026-03-01T08:00:00.000Z",
        "dataset": "orders",
    }
    return Source(**{**fields, **more})


def run(status: str, day: int, name: str, redrives: int = 0) -> dict[str, Any]:
    return {
        "status": status,
        "execution_arn": f"{ARN}:{name}",
        "redrive_count": redrives,
        "recorded_at": f"2026-03-{day:02}T08:00:05.000Z",
    }


def item(of: Source, status: str = "failed", day: int = 1, **more: Any) -> MetadataItem:
    at = f"2026-03-{day:02}T08:00:05.000Z"
    failed = {
        "error": {"code": "EmptyFile", "message": "It is empty.", "state": "ParseCsv"},
        "failed_at": at,
    }
    return {
        "file_id": of.file_id,
        "status": status,
        "attempt": 1,
        "execution_arn": f"{ARN}:{of.file_id}",
        "processed_at": f"2026-03-{day:02}T08:00:00.000Z",
        "recorded_at": at,
        "source": f"{of.bucket}/{of.key}",
        "sequencer": of.sequencer.ljust(40, "0"),
        "source_bucket": of.bucket,
        "source_key": of.key,
        "source_version_id": of.version_id,
        "source_etag": of.etag,
        "source_bytes": of.size,
        "uploaded_at": of.event_time,
        "dataset": of.dataset,
        "history": {"1.0": run(status, day, of.file_id)},
        **(failed if status == "failed" else {}),
        **more,
    }


def dead_letter(body: Any, day: int = 2) -> DeadLetter:
    sent = datetime(2026, 3, day, tzinfo=UTC).timestamp() * 1000
    return read_dead_letter(
        {
            "MessageId": "m1",
            "ReceiptHandle": "r1",
            "Attributes": {"SentTimestamp": str(round(sent))},
            "Body": body if isinstance(body, str) else json.dumps(body),
        }
    )


def state_document(of: Source) -> dict[str, Any]:
    cause = json.dumps({"errorMessage": "It is empty.", "errorType": "EmptyFile"})
    return {
        "file_id": of.file_id,
        "attempt": 1,
        "source": vars(of),
        "failure": {
            "caught": {"Error": "EmptyFile", "Cause": cause},
            "execution": {
                "Id": f"{ARN}:{of.file_id}",
                "Name": of.file_id,
                "StartTime": "2026-03-02T00:00Z",
            },
        },
    }


def s3_event(of: Source) -> dict[str, Any]:
    described = {
        "key": of.key.replace(" ", "+"),
        "size": of.size,
        "eTag": of.etag,
        "versionId": of.version_id,
        "sequencer": of.sequencer,
    }
    record = {
        "eventTime": of.event_time,
        "s3": {"bucket": {"name": of.bucket}, "object": described},
    }
    return {"Records": [record]}


def described(of: Source, status: str = "failed") -> DescribedExecution:
    started = datetime(2026, 3, 2, tzinfo=UTC)
    return DescribedExecution(
        arn=f"{ARN}:{of.file_id}",
        name=of.file_id,
        status=status,
        started_at=started,
        ended_at=started + timedelta(seconds=5),
        redrive_count=0,
        redriven_at=None,
        document={"file_id": of.file_id, "attempt": 1, "source": vars(of)},
        error="TimedOut",
        cause="too long",
    )


def checked(failures: list[FailedFile], **more: Any) -> list[FailedFile]:
    given: dict[str, Any] = {"running": {}, "now": NOW, "has_present_definition": lambda _: True}
    return with_redrivability(failures, **{**given, **more})


def test_an_item_says_since_when_the_file_has_failed_and_how_often_it_ran() -> None:
    file = source()
    history = {
        "1.0": run("failed", 1, file.file_id),
        "1.1": run("failed", 2, file.file_id, 1),
        "2.0": run("failed", 3, f"{file.file_id}-r2"),
    }
    failure = from_item(item(file, day=3, history=history))
    assert (failure.attempts, failure.redrives) == (2, 1)
    assert failure.failing_since == "2026-03-01T08:00:05.000Z"
    assert failure.failed_at == "2026-03-03T08:00:05.000Z"


def test_a_file_that_succeeded_once_has_failed_only_since_then() -> None:
    file = source()
    history = {
        "1.0": run("failed", 1, file.file_id),
        "1.1": run("succeeded", 2, file.file_id),
        "1.2": run("failed", 3, file.file_id),
    }
    assert from_item(item(file, day=3, history=history)).failing_since[:10] == "2026-03-03"


def test_each_file_is_reported_once_from_the_best_place() -> None:
    recorded, unrecorded, unstarted = (
        source("raw/a.csv"),
        source("raw/b.csv"),
        source("raw/c d.csv"),
    )
    found = merge_failures(
        [item(recorded)],
        [described(unrecorded), described(recorded)],
        [dead_letter(state_document(recorded)), dead_letter(s3_event(unstarted))],
    )
    known = {failure.source.key: failure.known_from for failure in found}
    assert known == {"raw/a.csv": "metadata", "raw/b.csv": "execution", "raw/c d.csv": "message"}
    assert {one.source.key: one.dead_letters for one in found} == {
        "raw/a.csv": 1,
        "raw/b.csv": 0,
        "raw/c d.csv": 1,
    }
    assert {failure.code for failure in found} == {"EmptyFile", "TimedOut", "NotStarted"}


def test_without_an_item_the_dead_letter_describes_the_failure() -> None:
    file = source()
    [failure] = merge_failures([], [], [dead_letter(state_document(file))])
    assert (failure.code, failure.message, failure.state) == (
        "EmptyFile",
        "It is empty.",
        "ParseCsv",
    )
    assert failure.execution_arn == f"{ARN}:{file.file_id}"


def test_a_dead_letter_of_a_file_that_has_succeeded_is_resolved_by_an_attempt() -> None:
    file = source()
    [failure] = merge_failures(
        [item(file, "succeeded", day=3)], [], [dead_letter(state_document(file))]
    )
    assert failure.resolved_by is not None
    assert failure.resolved_by.how == "attempt"
    [failure] = checked([failure])
    assert not failure.redrivable


@pytest.mark.parametrize(
    "body",
    [
        *("nonsense", "[1]", "{}", {"Records": 1}, {"file_id": "x"}, {"Records": [{"s3": {}}]}),
        json.dumps(s3_event(source(size=10))).replace('"size": 10', '"size": 1e999'),
        {**state_document(source()), "attempt": float("inf")},
        {**state_document(source()), "failure": {"caught": {}, "execution": "none"}},
        {**state_document(source()), "parse": "none"},
    ],
)
def test_a_dead_letter_that_cannot_be_read_is_about_no_file(body: Any) -> None:
    assert (dead_letter(body).kind, dead_letter(body).file_ids) == ("unknown", ())


@pytest.mark.parametrize("failure", [None, "none", [1], {}])
def test_a_document_without_a_readable_failure_was_not_started(failure: Any) -> None:
    [found] = merge_failures(
        [], [], [dead_letter({**state_document(source()), "failure": failure})]
    )
    assert (found.code, found.execution_arn, found.attempts) == ("NotStarted", None, 0)


def test_a_document_with_the_id_of_another_file_is_about_no_file() -> None:
    assert dead_letter({**state_document(source()), "file_id": "0" * 32}).kind == "unknown"


def test_the_sequencer_and_not_the_arrival_decides_which_version_is_later() -> None:
    old = source(version="v1", sequencer="0055AED6DCD9")
    new = source(version="v2", sequencer="0055AED6DCD90281E5", event_time="2026-02-01T00:00:00Z")
    failure = from_item(item(old, day=5))
    processed_first = item(new, "succeeded", day=1)
    found = with_later_version(failure, [item(old, day=5), processed_first])
    assert found.resolved_by is not None
    assert (found.resolved_by.how, found.resolved_by.file_id) == ("version", new.file_id)


def test_neither_an_earlier_version_nor_a_failed_later_one_resolves_a_failure() -> None:
    old = source(version="v1", sequencer="0055")
    new = source(version="v2", sequencer="0056")
    failed_new = from_item(item(new))
    assert with_later_version(failed_new, [item(new), item(old, "succeeded")]).resolved_by is None
    failed_old = from_item(item(old))
    assert with_later_version(failed_old, [item(old), item(new)]).resolved_by is None


def test_sequencers_of_different_length_are_padded_on_the_right() -> None:
    short, long = source(sequencer="0F"), source(sequencer="0A1", version="v2")
    assert is_later(item(short), item(long))
    assert not is_later(item(long), item(short))
    same = source(sequencer="0F00", version="v2")
    assert not is_later(item(same), item(short))


def test_without_a_sequencer_the_time_of_the_upload_decides() -> None:
    found = source(sequencer="", event_time="2026-03-02T00:00:00.000Z")
    announced = source(version="v2")
    assert is_later(item(found), item(announced))
    assert not is_later(item(announced), item(found))


@pytest.mark.parametrize("version", ["v1", None, "null"])
@pytest.mark.parametrize("sequencer", ["0055AED6DCD90281E5", "0055AED6DCD90281E0", "00", ""])
def test_a_source_is_read_back_from_its_item(version: str | None, sequencer: str) -> None:
    file = source(version=version, sequencer=sequencer)
    assert source_of(item(file)).file_id == file.file_id


def test_a_failure_can_be_redriven_for_fourteen_days() -> None:
    [recent] = checked([from_item(item(source()))])
    [old] = checked([from_item(item(source()))], now=NOW + timedelta(days=14))
    assert (recent.redrivable, recent.not_redrivable_reason) == (True, None)
    assert (old.redrivable, old.not_redrivable_reason) == (
        False,
        "it failed more than 14 days ago",
    )


def test_a_running_file_is_not_redriven() -> None:
    file = source()
    [failure] = checked([from_item(item(file))], running={file.file_id: f"{file.file_id}-r2"})
    assert (failure.redrivable, failure.running) == (False, f"{file.file_id}-r2")


def test_the_change_of_the_definition_is_found_with_few_calls() -> None:
    failures = [
        replace(
            from_item(item(source(f"raw/{number}.csv"), day=9)),
            started_at=(datetime(2026, 3, 9, tzinfo=UTC) + timedelta(minutes=number)).isoformat(),
            execution_arn=f"{ARN}:{number}",
        )
        for number in range(1000)
    ]
    asked: list[str] = []

    def has_present_definition(arn: str) -> bool:
        asked.append(arn)
        return int(arn.rpartition(":")[2]) >= 700

    found = checked(failures, has_present_definition=has_present_definition)
    assert [one.redrivable for one in found] == [False] * 700 + [True] * 300
    assert {one.not_redrivable_reason for one in found[:700]} == {DEFINITION_CHANGED}
    assert len(asked) <= 11


def test_a_filter_selects_by_error_time_and_source() -> None:
    failure = from_item(item(source()))
    assert FailureFilter().includes(failure)
    assert FailureFilter("EmptyFile", datetime(2026, 3, 1, tzinfo=UTC), "raw/orders/*").includes(
        failure
    )
    assert not FailureFilter(error="TooManyRejects").includes(failure)
    assert not FailureFilter(since=NOW).includes(failure)
    assert not FailureFilter(source="raw/returns/*").includes(failure)


@pytest.mark.parametrize(
    ("key", "pattern", "verdict"),
    [
        ("raw/orders/2026/a.csv", "raw/orders/*", True),
        ("raw/orders/a.csv", "a.csv", True),
        ("raw/orders/a.csv", "*.tsv", False),
        ("raw/orders/a.csv", "RAW/*", False),
        ("raw/orders/a.csv", None, True),
    ],
)
def test_a_glob_matches_the_key_or_its_last_part(
    key: str, pattern: str | None, verdict: bool
) -> None:
    assert matches(key, pattern) is verdict
