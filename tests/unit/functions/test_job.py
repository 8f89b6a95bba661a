"""A file's identity, and the state document as values."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.job import Execution, Job, Source, iso, new_job, readable_cause
from tests.effort import examples
from tests.unit.functions import documents
from tests.unit.functions.conftest import Event
from tests.unit.functions.documents import FILE_ID, SOURCE

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
uploads = st.fixed_dictionaries(
    {
        "bucket": words,
        "key": words.map("raw/{}".format),
        "version_id": st.none() | words,
        "etag": words,
        "size": st.integers(0, 2**50),
        "sequencer": st.text("0123456789ABCDEF", max_size=20),
        "event_time": words,
    }
)


@given(uploads)
@examples(20)
def test_duplicates_of_an_event_start_with_the_same_bytes(upload: dict[str, Any]) -> None:
    assert new_job(**upload).execution_input() == new_job(**upload).execution_input()
    assert new_job(**upload).execution_name == new_job(**upload).execution_name


@given(uploads)
@examples(20)
def test_the_name_is_one_that_step_functions_takes(upload: dict[str, Any]) -> None:
    job = replace(new_job(**upload), attempt=100)
    assert job.file_id.isalnum()
    assert len(job.file_id) == 32
    assert job.execution_name == f"{job.file_id}-r100"
    assert len(job.execution_name) <= 80


@given(uploads)
@examples(20)
def test_the_state_document_reads_back_as_the_job(upload: dict[str, Any]) -> None:
    job = replace(new_job(**upload), attempt=2, replay_of="before")
    assert Job.from_document(json.loads(job.execution_input())) == job


@given(uploads, words)
@examples(20)
def test_another_version_is_another_file(upload: dict[str, Any], version: str) -> None:
    first = new_job(**{**upload, "version_id": "1" + version})
    second = new_job(**{**upload, "version_id": "2" + version})
    assert first.file_id != second.file_id


@pytest.mark.parametrize("change", ["etag", "size", "sequencer", "event_time"])
def test_with_a_version_nothing_else_is_part_of_the_identity(change: str) -> None:
    assert source(**{change: 1 if change == "size" else "other"}).file_id == FILE_ID


@pytest.mark.parametrize("version", [None, "", "null"])
@pytest.mark.parametrize("change", ["etag", "sequencer"])
def test_without_versions_content_and_sequencer_distinguish_uploads(
    version: str | None, change: str
) -> None:
    one = source(version_id=version)
    assert one.file_id == source(version_id=version).file_id
    assert one.file_id != source(version_id=version, **{change: "other"}).file_id


def test_different_identities_never_have_the_same_id() -> None:
    one = source(bucket="a", key="raw/b", version_id="c")
    other = source(bucket="a", key="raw/bc", version_id="")
    assert one.file_id != other.file_id


def test_the_identity_is_that_of_the_event(event: Event) -> None:
    assert event("parse-csv")["job"]["file_id"] == FILE_ID == "9006f0067b929cd00488fb9b82e5fd9e"


def source(**changes: Any) -> Source:
    return Source.from_document({**SOURCE, **changes})


@pytest.mark.parametrize("name", ["file_id", "attempt", "source"])
def test_a_document_without_a_base_field_is_refused(name: str) -> None:
    document = documents.job()
    del document[name]
    with pytest.raises(KeyError, match=name):
        Job.from_document(document)


def test_only_results_are_kept_by_name() -> None:
    job = Job.from_document({**documents.finished(), "resumed": {}, "force": True})
    assert job.results == documents.RESULTS


def test_the_bytes_are_where_parse_csv_found_them() -> None:
    archived = {**documents.PARSE["location"], "key": "processed/orders/a.csv"}
    parse = {**documents.PARSE, "location": archived}
    job = Job.from_document(documents.job(parse=parse))
    assert job.location.key == "processed/orders/a.csv"
    assert job.source.location.key == SOURCE["key"]
    assert job.source.uri == f"s3://{SOURCE['bucket']}/{SOURCE['key']}"


@pytest.mark.parametrize("redrives", [None, 0, 3])
def test_redrives_are_counted_from_none(redrives: int | None) -> None:
    context = documents.execution(redrives=redrives)
    assert Execution.from_context(context).redrive_count == (redrives or 0)


@pytest.mark.parametrize(
    "start",
    ["2026-03-01T08:00:02.114Z", "2026-03-01T09:00:02.114+01:00", "2026-03-01T08:00:02.114999Z"],
)
def test_a_start_is_in_utc_to_the_millisecond(start: str) -> None:
    context = {**documents.execution(), "StartTime": start}
    assert Execution.from_context(context).start_time == "2026-03-01T08:00:02.114Z"


def test_a_time_is_written_in_utc_to_the_millisecond() -> None:
    there = timezone(timedelta(hours=2))
    assert iso(datetime(2026, 3, 1, 1, 0, tzinfo=there)) == "2026-02-28T23:00:00.000Z"
    assert iso(datetime(2026, 3, 1, 1, 0, 0, 999_999, UTC)) == "2026-03-01T01:00:00.999Z"


def test_a_failure_has_error_message_state_and_run() -> None:
    failure = documents.failure("EmptyFile", "There is no header.", redrives=2)
    found = Job.from_document(documents.job(failure=failure)).failure
    assert found is not None
    assert (found.error, found.cause, found.state) == (
        "EmptyFile",
        "There is no header.",
        "ParseCsv",
    )
    assert found.redrive_count == 2
    assert found.not_done == ()


def test_a_failure_lists_the_failed_parts_of_the_lane() -> None:
    error = {"Error": "States.Timeout", "Cause": ""}
    failure = documents.failure(dead_letter=error, notification={"message_id": "m1"}, record=error)
    found = Job.from_document(documents.job(failure=failure)).failure
    assert found is not None
    assert found.not_done == ("dead_letter", "record")


def test_an_error_that_is_not_described_yet_is_not_a_failure() -> None:
    caught = {"Error": "EmptyFile", "Cause": ""}
    assert Job.from_document(documents.job(failure=caught)).failure is None


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ('{"errorMessage": "There is no header.", "stackTrace": []}', "There is no header."),
        ("The state timed out.", "The state timed out."),
        ("", ""),
        ('{"other": 1}', '{"other": 1}'),
        ("[1]", "[1]"),
        ("12", "12"),
        ('{"errorMessage": "cut of', '{"errorMessage": "cut of'),
        (
            "The cause could not be determined because Lambda did not return an error type. "
            'Returned payload: {"errorMessage":"2026-03-01T08:00:00.000Z 5b1c Task timed out after '
            '60.15 seconds"}',
            "2026-03-01T08:00:00.000Z 5b1c Task timed out after 60.15 seconds",
        ),
        ("Returned payload: null", "Returned payload: null"),
        ('{"errorMessage": "Returned payload: 7"}', "Returned payload: 7"),
    ],
)
def test_the_message_is_read_from_a_cause(cause: str, sentence: str) -> None:
    assert readable_cause(cause) == sentence
