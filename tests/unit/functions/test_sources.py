"""An uploaded object is the same source in an event, a listing and a HEAD request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.executions import attempt_name, attempt_of, execution_arn
from shared.job import Source
from shared.sources import source_of_object, source_of_record


def test_an_event_and_a_listing_describe_the_same_file() -> None:
    described = {
        "key": "raw/orders/a+b%C3%A9.csv",
        "size": 10,
        "eTag": "e1",
        "versionId": "v1",
        "sequencer": "0055",
    }
    record = {
        "eventTime": "2026-03-01T08:00:00.000Z",
        "s3": {"bucket": {"name": "in"}, "object": described},
    }
    reported = source_of_record(record)
    listed = source_of_object(
        "in",
        "raw/orders/a bé.csv",
        version_id="v1",
        etag='"e1"',
        size=10,
        modified=datetime(2026, 3, 1, 8, tzinfo=UTC),
    )
    assert reported == Source(
        "in", "raw/orders/a bé.csv", "v1", "e1", 10, "0055", "2026-03-01T08:00:00.000Z", "orders"
    )
    assert listed.file_id == reported.file_id
    assert (listed.sequencer, listed.event_time) == ("", reported.event_time)


@pytest.mark.parametrize("attempt", [1, 2, 17])
def test_the_name_of_an_execution_gives_its_file_and_attempt(attempt: int) -> None:
    assert attempt_of(attempt_name("0" * 32, attempt)) == ("0" * 32, attempt)


@pytest.mark.parametrize("name", ["by-hand", "b3b1c8a0-1111-2222-3333-444455556666", "0" * 33])
def test_a_name_that_the_starter_did_not_give_has_no_attempt(name: str) -> None:
    assert attempt_of(name) is None


def test_the_arn_of_an_execution_is_made_from_its_state_machine() -> None:
    machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:data-pipeline-dev"
    expected = "arn:aws:states:eu-central-1:123456789012:execution:data-pipeline-dev:a"
    assert execution_arn(machine, "a") == expected
