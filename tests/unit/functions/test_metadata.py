"""The metadata table: reading, replacing and marking a file's item."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import InternalError, RecordOutdated, TransientError
from shared.job import Source
from shared.metadata import (
    Item,
    later_success,
    mark_item,
    read_item,
    read_success,
    version_attributes,
    write_item,
)
from tests.unit.functions.conftest import Fault, client_error
from tests.unit.functions.documents import METADATA_TABLE, SOURCE

FIRST = {"file_id": "f1", "revision": 1, "status": "failed"}
SECOND = {"file_id": "f1", "revision": 2, "status": "succeeded"}


def test_there_is_no_item_before_one_is_written(table: Any) -> None:
    assert read_item(METADATA_TABLE, "f1") is None
    write_item(METADATA_TABLE, FIRST, replaces=None)
    assert read_item(METADATA_TABLE, "f1") == FIRST


def test_an_item_replaces_the_one_that_was_read(table: Any) -> None:
    write_item(METADATA_TABLE, FIRST, replaces=None)
    write_item(METADATA_TABLE, SECOND, replaces=read_item(METADATA_TABLE, "f1"))
    assert read_item(METADATA_TABLE, "f1") == SECOND


@pytest.mark.parametrize("read", [None, FIRST])
def test_a_write_in_between_is_tried_again(table: Any, read: dict[str, Any] | None) -> None:
    write_item(METADATA_TABLE, SECOND, replaces=None)
    with pytest.raises(TransientError, match="between reading and writing"):
        write_item(METADATA_TABLE, {**FIRST, "revision": 2}, replaces=read)
    assert read_item(METADATA_TABLE, "f1") == SECOND


def test_a_mark_changes_one_attribute_and_the_revision(table: Any) -> None:
    write_item(METADATA_TABLE, SECOND, replaces=None)
    mark_item(METADATA_TABLE, "f1", "notified", {"notification_id": "n1"})
    assert read_item(METADATA_TABLE, "f1") == {
        **SECOND,
        "revision": 3,
        "notified": {"notification_id": "n1"},
    }


def test_a_mark_between_reading_and_writing_is_not_lost(table: Any) -> None:
    write_item(METADATA_TABLE, SECOND, replaces=None)
    read = read_item(METADATA_TABLE, "f1")
    mark_item(METADATA_TABLE, "f1", "notified", {"notification_id": "n1"})
    with pytest.raises(TransientError):
        write_item(METADATA_TABLE, {**SECOND, "revision": 3}, replaces=read)


def test_a_mark_makes_no_item(table: Any) -> None:
    with pytest.raises(RecordOutdated):
        mark_item(METADATA_TABLE, "f1", "notified", {"notification_id": "n1"})
    assert read_item(METADATA_TABLE, "f1") is None


def test_the_item_of_a_file_that_failed_since_is_outdated(table: Any) -> None:
    write_item(METADATA_TABLE, FIRST, replaces=None)
    with pytest.raises(RecordOutdated):
        mark_item(METADATA_TABLE, "f1", "notified", {"notification_id": "n1"})
    with pytest.raises(RecordOutdated):
        read_success(METADATA_TABLE, "f1")
    assert read_item(METADATA_TABLE, "f1") == FIRST


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
def test_a_busy_table_is_transient(table: Any, fault: Fault, code: str) -> None:
    for operation in ("GetItem", "PutItem", "UpdateItem"):
        fault(operation, client_error(code, operation))
    with pytest.raises(TransientError):
        read_item(METADATA_TABLE, "f1")
    with pytest.raises(TransientError):
        write_item(METADATA_TABLE, FIRST, replaces=None)
    with pytest.raises(TransientError):
        mark_item(METADATA_TABLE, "f1", "notified", {})


def test_a_table_that_may_not_be_used_is_an_error_of_its_own(table: Any, fault: Fault) -> None:
    fault("PutItem", client_error("AccessDeniedException", "PutItem"))
    with pytest.raises(InternalError, match="AccessDeniedException"):
        write_item(METADATA_TABLE, FIRST, replaces=None)


def version(sequencer: str, *, day: int = 1, **changes: str) -> Source:
    """A version of one key, uploaded on a day of March."""
    uploaded = {"sequencer": sequencer, "event_time": f"2026-03-{day:02}T08:00:00.000Z"}
    return Source.from_document({**SOURCE, **uploaded, **changes})


OWN = version("0055AED6DCD90281E5", day=10)


def record(source: Source, *, status: str = "succeeded", file_id: str = "other") -> None:
    item: Item = {"file_id": file_id, "revision": 1, "status": status}
    write_item(METADATA_TABLE, item | version_attributes(source), replaces=None)


@pytest.mark.parametrize(
    ("other", "is_later"),
    [
        # Compared as text, the shorter one padded with zeros: neither its number nor its length.
        (version("0055AED6DCD90281E6"), True),
        (version("0055AED6DCD90281E4", day=20), False),
        (version("0055AED6DCD90281E5", day=20), False),
        (version("0056"), True),
        (version("0055AED6DCD90281E50"), False),
        (version("0055AED6DCD90281E51"), True),
        # Found in the bucket, without an event: the time of the upload decides.
        (version("", day=11), True),
        (version("", day=9), False),
        (version("0055AED6DCD90281E6", key="raw/orders/another.csv"), False),
        (version("0055AED6DCD90281E6", bucket="another-bucket"), False),
    ],
)
def test_a_later_version_of_the_key_that_succeeded_is_found(
    table: Any, other: Source, is_later: bool
) -> None:
    record(other)
    found = later_success(METADATA_TABLE, OWN)
    assert (found is not None) == is_later
    if found is not None:
        assert found["file_id"] == "other"


def test_a_later_version_that_failed_does_not_count(table: Any) -> None:
    record(version("0056"), status="failed")
    assert later_success(METADATA_TABLE, OWN) is None


@pytest.mark.parametrize(("day", "is_later"), [(11, True), (9, False)])
def test_the_time_of_the_upload_orders_versions_without_a_sequencer(
    table: Any, day: int, is_later: bool
) -> None:
    record(version("0055AED6DCD90281E5", day=day))
    found = later_success(METADATA_TABLE, version("", day=10))
    assert (found is not None) == is_later


def test_later_versions_are_looked_for_on_every_page(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page may hold nothing but items that the filter leaves out.
    pages = [{"Items": [], "LastEvaluatedKey": {"file_id": "f1"}}, {"Items": [later_item()]}]
    asked = []

    def query(**request: Any) -> Any:
        asked.append(request.get("ExclusiveStartKey"))
        return pages.pop(0)

    monkeypatch.setattr(table, "query", query)
    assert later_success(METADATA_TABLE, OWN) == later_item()
    assert asked == [None, {"file_id": "f1"}]


def later_item() -> Item:
    return {"file_id": "other", "status": "succeeded", **version_attributes(version("0056"))}
