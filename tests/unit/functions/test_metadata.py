"""The metadata table: reading, replacing and marking a file's item."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import InternalError, RecordOutdated, TransientError
from shared.metadata import (
    mark_item,
    read_item,
    read_success,
    write_item,
)
from tests.unit.functions.conftest import Fault, client_error
from tests.unit.functions.documents import METADATA_TABLE

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
def test_a_write_that_lost_a_race_changes_nothing(table: Any, read: dict[str, Any] | None) -> None:
    assert write_item(METADATA_TABLE, SECOND, replaces=None)
    assert not write_item(METADATA_TABLE, {**FIRST, "revision": 2}, replaces=read)
    assert read_item(METADATA_TABLE, "f1") == SECOND


def test_a_mark_changes_one_attribute_and_the_revision(table: Any) -> None:
    write_item(METADATA_TABLE, SECOND, replaces=None)
    mark_item(METADATA_TABLE, "f1", "notified", {"notification_id": "n1"})
    assert read_item(METADATA_TABLE, "f1") == {
        **SECOND,
        "revision": 3,
        "notified": {"notification_id": "n1"},
    }


def test_a_mark_set_between_reading_and_writing_is_not_lost(table: Any) -> None:
    write_item(METADATA_TABLE, SECOND, replaces=None)
    read = read_item(METADATA_TABLE, "f1")
    mark_item(METADATA_TABLE, "f1", "notified", {"notification_id": "n1"})
    assert not write_item(METADATA_TABLE, {**SECOND, "revision": 3}, replaces=read)


def test_a_new_mark_replaces_none(table: Any) -> None:
    write_item(METADATA_TABLE, SECOND, replaces=None)
    mark_item(METADATA_TABLE, "f1", "notified", {"one": "n1"}, is_new=True)
    with pytest.raises(RecordOutdated):
        mark_item(METADATA_TABLE, "f1", "notified", {"other": "n2"}, is_new=True)
    assert (read_item(METADATA_TABLE, "f1") or {})["notified"] == {"one": "n1"}


def test_a_mark_creates_no_item(table: Any) -> None:
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


def test_missing_access_to_the_table_is_a_different_error(table: Any, fault: Fault) -> None:
    fault("PutItem", client_error("AccessDeniedException", "PutItem"))
    with pytest.raises(InternalError, match="AccessDeniedException"):
        write_item(METADATA_TABLE, FIRST, replaces=None)
