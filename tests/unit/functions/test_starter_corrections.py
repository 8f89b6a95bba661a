"""Starter: corrected rows of a file start its next attempt, once and never beside another one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import TransientError
from shared.job import Location, Source
from shared.metadata import Item
from shared.versions import SEQUENCER_LENGTH
from starter import launch as launching
from starter.launch import TooManyAttempts, UnknownFile, launch
from starter.messages import Correction, Ignored, Replay, UnknownMessage, entries_of
from starter.recorded_source import source_of_item
from tabular.file_names import NO_IGNORED_NAMES
from tests.unit.functions.conftest import Event
from tests.unit.functions.documents import FILE_ID, INPUT_BUCKET, MACHINE_ARN, SOURCE, job
from tests.unit.functions.fake_stepfunctions import FakeStepFunctions

KEY = f"corrections/orders/{FILE_ID}.csv"
UPLOAD = Location(INPUT_BUCKET, KEY, "v2", "e2", 40)
OTHER = Location(INPUT_BUCKET, KEY, "v3", "e3", 40)


def recorded(**changes: Any) -> Item:
    return {
        "file_id": FILE_ID,
        "status": "succeeded",
        "attempt": 1,
        "execution_name": FILE_ID,
        "dataset": "orders",
        "source_bucket": SOURCE["bucket"],
        "source_key": SOURCE["key"],
        "source_version_id": SOURCE["version_id"],
        "source_etag": SOURCE["etag"],
        "source_bytes": SOURCE["size"],
        "sequencer": SOURCE["sequencer"].ljust(SEQUENCER_LENGTH, "0"),
        "uploaded_at": SOURCE["event_time"],
        **changes,
    }


@pytest.fixture
def items() -> dict[str, Item]:
    return {FILE_ID: recorded()}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, items: dict[str, Item]) -> FakeStepFunctions:
    fake = FakeStepFunctions()
    monkeypatch.setattr(launching, "stepfunctions", lambda: fake)
    monkeypatch.setattr(launching, "read_item", lambda _table, file_id: items.get(file_id))
    fake.ended("SUCCEEDED", FILE_ID)
    return fake


def correct(upload: Location = UPLOAD, file_id: str = FILE_ID, dataset: str = "orders") -> str:
    return launch(Correction(dataset, file_id, upload), MACHINE_ARN, "items").outcome


def event_of(key: str, bucket: str = INPUT_BUCKET) -> Any:
    record = {
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-03-01T08:00:00.000Z",
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 40, "eTag": "e2", "versionId": "v2", "sequencer": "1"},
        },
    }
    (entry,) = entries_of(json.dumps({"Records": [record]}), INPUT_BUCKET, NO_IGNORED_NAMES)
    return entry.request


def test_an_upload_below_corrections_is_a_correction_of_the_file_in_its_name() -> None:
    assert event_of(KEY) == Correction("orders", FILE_ID, UPLOAD)


def test_the_event_in_the_repository_is_one(event: Event) -> None:
    body = event("starter-correction")["Records"][0]["body"]
    (entry,) = entries_of(body, INPUT_BUCKET, NO_IGNORED_NAMES)
    assert isinstance(entry.request, Correction)
    assert (entry.request.file_id, entry.request.dataset) == (FILE_ID, "orders")


@pytest.mark.parametrize(
    "key", [f"corrections/{FILE_ID}.csv", "corrections/orders/x.csv", f"{KEY}.gz", f"{KEY}\n"]
)
def test_other_keys_below_corrections_are_dead_letters_that_say_why(key: str) -> None:
    request = event_of(key)
    assert isinstance(request, UnknownMessage)
    assert "corrections/<dataset>/<file_id>.csv" in str(request)


def test_a_folder_is_ignored() -> None:
    assert isinstance(event_of("corrections/orders/"), Ignored)


def test_a_correction_of_another_bucket_is_refused() -> None:
    assert isinstance(event_of(KEY, bucket="other"), UnknownMessage)


def test_a_correction_starts_the_next_attempt_of_the_same_source(
    machine: FakeStepFunctions,
) -> None:
    assert correct() == "started"
    assert machine.document(f"{FILE_ID}-r2") == job(2) | {
        "replay_of": FILE_ID,
        "corrections": vars(UPLOAD),
    }


def test_a_duplicate_starts_nothing_whatever_the_attempts_outcome(
    machine: FakeStepFunctions,
) -> None:
    correct()
    assert correct() == "duplicate"
    for status in ("SUCCEEDED", "FAILED"):
        machine.ended(status, f"{FILE_ID}-r2")
        assert correct() == "duplicate"
    assert machine.started == [f"{FILE_ID}-r2"]


def test_a_correction_waits_while_an_attempt_runs(machine: FakeStepFunctions) -> None:
    correct()
    with pytest.raises(TransientError, match=f"until the execution {FILE_ID}-r2 has ended"):
        correct(OTHER)
    machine.ended("FAILED", f"{FILE_ID}-r2")
    assert correct(OTHER) == "started"
    assert machine.document(f"{FILE_ID}-r3")["corrections"] == vars(OTHER)


def test_a_correction_waits_while_a_redriven_attempt_runs(machine: FakeStepFunctions) -> None:
    machine.redriven(FILE_ID, 1)
    with pytest.raises(TransientError):
        correct()
    assert machine.started == []


def test_an_attempt_corrects_what_the_recorded_execution_rejected(
    machine: FakeStepFunctions, items: dict[str, Item]
) -> None:
    items[FILE_ID] = recorded(attempt=3, execution_name="by-hand", status="failed")
    machine.ended("FAILED", f"{FILE_ID}-r2")
    assert correct() == "started"
    # Attempt 3 was removed after 90 days; its name is not used again.
    assert machine.document(f"{FILE_ID}-r4")["replay_of"] == "by-hand"


@pytest.mark.parametrize(("file_id", "dataset"), [("0" * 32, "orders"), (FILE_ID, "other")])
def test_a_correction_of_an_unknown_file_says_so(
    machine: FakeStepFunctions, file_id: str, dataset: str
) -> None:
    with pytest.raises(UnknownFile, match="is recorded"):
        correct(file_id=file_id, dataset=dataset)
    assert machine.started == []


def test_a_name_that_is_taken_but_not_visible_yet_is_retried_later(
    machine: FakeStepFunctions,
) -> None:
    correct()
    machine.shows(f"{FILE_ID}-r2", None)
    with pytest.raises(TransientError, match="does not show it yet"):
        correct(OTHER)


def test_the_search_for_unrecorded_attempts_is_bounded(machine: FakeStepFunctions) -> None:
    machine.ended("FAILED", *(f"{FILE_ID}-r{attempt}" for attempt in range(2, 130)))
    with pytest.raises(TooManyAttempts):
        correct()


class TestReplay:
    """A dead letter of an attempt with corrections is moved back."""

    @staticmethod
    def replay(*, force: bool = False) -> str:
        document = job(2) | {"corrections": vars(UPLOAD), "force": force}
        (entry,) = entries_of(json.dumps(document), INPUT_BUCKET, NO_IGNORED_NAMES)
        assert isinstance(entry.request, Replay)
        return launch(entry.request, MACHINE_ARN, "items").outcome

    def test_a_file_that_has_succeeded_can_be_corrected_again(
        self, machine: FakeStepFunctions
    ) -> None:
        correct()
        machine.ended("FAILED", f"{FILE_ID}-r2")
        assert self.replay() == "started"
        assert machine.document(f"{FILE_ID}-r3")["corrections"] == vars(UPLOAD)

    @pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
    def test_a_correction_is_a_duplicate_while_and_after_it_is_applied(
        self, machine: FakeStepFunctions, status: str
    ) -> None:
        correct()
        machine.ended(status, f"{FILE_ID}-r2")
        assert self.replay() == "duplicate"

    @pytest.mark.parametrize("changes", [{"bucket": "other"}, {"key": "corrections/a/b.csv"}])
    def test_corrections_of_another_file_are_refused(self, changes: dict[str, str]) -> None:
        document = job(2) | {"corrections": {**vars(UPLOAD), **changes}}
        with pytest.raises(UnknownMessage, match="not those of its file"):
            entries_of(json.dumps(document), INPUT_BUCKET, NO_IGNORED_NAMES)


@pytest.mark.parametrize("sequencer", ["0055AED6DCD90281E5", "00550", "", "5500000"])
def test_the_source_in_an_item_is_the_one_that_was_uploaded_without_versions_too(
    sequencer: str,
) -> None:
    source = Source.from_document(SOURCE | {"version_id": None, "sequencer": sequencer})
    item = recorded(file_id=source.file_id, sequencer=sequencer.ljust(SEQUENCER_LENGTH, "0"))
    del item["source_version_id"]
    assert source_of_item(item) == source
