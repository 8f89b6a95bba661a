"""Files that start nothing are told apart by what lies in the queue."""

from __future__ import annotations

import json

import pytest

from pipectl.local.local_run import _sources


def event(*objects: dict[str, str]) -> str:
    """An S3 event as it lies in the queue."""
    return json.dumps({"Records": [{"s3": {"object": item}} for item in objects]})


def test_an_events_objects_are_told_with_decoded_keys_and_versions() -> None:
    body = event({"key": "raw/a+b%2Bc.csv", "versionId": "v1"}, {"key": "raw/d.csv"})
    assert _sources(body) == [("raw/a b+c.csv", "v1"), ("raw/d.csv", None)]


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"Records": [1]}', '{"file_id": "x"}'])
def test_a_message_that_is_no_event_tells_of_nothing(body: str) -> None:
    assert _sources(body) == []
