"""When the contents of an embedded stack are saved, and that a save is one moment's picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipectl.embedded import saving
from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.saving import Contents, Gate, Kept, Saver
from pipectl.errors import PipectlError


class Shelf:
    """Contents that a test changes, and a count of how often they were listed."""

    def __init__(self) -> None:
        self.value: Any = 0
        self.listed = 0
        self.described = 0

    def contents(self) -> Contents:
        self.listed += 1
        value = self.value

        def describe() -> Any:
            self.described += 1
            return value

        return Contents([Kept(Name("value", ""), describe, version=value)], {})


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(saving, "_SECONDS_BETWEEN_SAVES", 0.01)
    monkeypatch.setattr(saving, "_SECONDS_FOR_LAST_CHANGES", 0.01)
    return Shelf()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


def test_the_last_changes_are_saved_at_the_end(shelf: Shelf, folder: DataFolder) -> None:
    gate = Gate()
    saver = Saver(folder, gate, shelf.contents)
    saver.start()
    with gate.request("PutItem"):
        shelf.value = 7
    saver.stop()
    assert list(folder.documents("value")) == [("", 7)]


def test_nothing_is_listed_while_nothing_changes(shelf: Shelf, folder: DataFolder) -> None:
    gate = Gate()
    saver = Saver(folder, gate, shelf.contents)
    saver.start()
    while shelf.listed < 1 or gate.dirty.is_set():
        pass
    with gate.request("GetItem"), gate.request("HEAD"), gate.request("ListExecutions"):
        threading.Event().wait(0.1)
    assert shelf.listed == 1
    saver.stop()
    # The last save found nothing new to describe.
    assert shelf.described == 1


def test_a_change_waits_while_the_contents_are_listed() -> None:
    gate = Gate()
    changed = threading.Event()

    def change() -> None:
        with gate.request("SendMessage"):
            changed.set()

    with gate.closed():
        thread = threading.Thread(target=change)
        thread.start()
        assert not changed.wait(0.05)
    assert changed.wait(5)
    thread.join()


def test_listing_waits_for_a_change_that_is_under_way() -> None:
    gate = Gate()
    listed = threading.Event()

    def look() -> None:
        with gate.closed():
            listed.set()

    # A request of the handler's own does not wait for itself.
    with gate.request("PUT"), gate.request("SendMessage"):
        thread = threading.Thread(target=look)
        thread.start()
        assert not listed.wait(0.05)
    assert listed.wait(5)
    thread.join()


def test_changes_after_the_last_save_are_refused() -> None:
    gate = Gate()
    with gate.closed(finally_shut=True):
        pass
    with gate.request("PutItem") as allowed:
        assert not allowed
    with gate.request("GetItem") as allowed:
        assert allowed


def test_a_problem_is_reported_once_and_the_next_save_tries_again(
    shelf: Shelf, folder: DataFolder, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    shelf.value = object()  # not JSON
    saver = Saver(folder, gate, shelf.contents)
    saver.start()
    while shelf.listed < 3:
        pass
    shelf.value = 8
    saver.stop()
    assert list(folder.documents("value")) == [("", 8)]
    assert [record.getMessage() for record in caplog.records] == [
        f"The data can't be saved in {folder.path}: TypeError: Object of type object is not JSON"
        " serializable"
    ]


def test_a_last_save_that_fails_is_an_error(shelf: Shelf, folder: DataFolder) -> None:
    gate = Gate()
    saver = Saver(folder, gate, shelf.contents)
    saver.start()
    shelf.value = object()
    with pytest.raises(PipectlError, match="The last changes can't be saved"):
        saver.stop()
