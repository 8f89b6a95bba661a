"""Starter: the result of a malware scan starts a file, or makes it fail; never is it dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared import storage
from shared.errors import TransientError
from shared.job import Location
from shared.metadata import Item
from shared.scans import CLEAN, INFECTED
from shared.storage import Described
from starter import launch as launching
from starter.app import Settings, _start_all
from tabular.file_names import NO_IGNORED_NAMES
from tests.unit.functions.conftest import EVENTS, Fault, Logs, client_error
from tests.unit.functions.documents import FILE_ID, INPUT_BUCKET, MACHINE_ARN, SOURCE
from tests.unit.functions.fake_stepfunctions import FakeStepFunctions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOADED = datetime(2026, 3, 1, 8, tzinfo=UTC)
SETTINGS = Settings(INPUT_BUCKET, MACHINE_ARN, "items", "https://sqs/dlq", NO_IGNORED_NAMES)


@pytest.fixture
def items() -> dict[str, Item]:
    return {}


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> dict[str, Described]:
    """What S3 says about the versions that exist, by key."""
    found = {str(SOURCE["key"]): Described(34567, UPLOADED)}

    def describe(location: Location) -> Described | None:
        assert location.version_id == SOURCE["version_id"]
        return found.get(location.key)

    monkeypatch.setattr(storage, "describe", describe)
    return found


@pytest.fixture
def machine(
    monkeypatch: pytest.MonkeyPatch, items: dict[str, Item], objects: dict[str, Described]
) -> FakeStepFunctions:
    fake = FakeStepFunctions()
    monkeypatch.setattr(launching, "stepfunctions", lambda: fake)
    monkeypatch.setattr(launching, "read_item", lambda _table, file_id: items.get(file_id))
    return fake


def result(status: str = CLEAN, **scanned: Any) -> str:
    """The event of the sample, with another result or another object."""
    sample = json.loads((EVENTS / "starter-scan-result.json").read_text(encoding="utf-8"))
    event = json.loads(sample["Records"][0]["body"])
    event["detail"]["scanResultDetails"]["scanResultStatus"] = status
    event["detail"]["s3ObjectDetails"] |= scanned
    return json.dumps(event)


def start(body: str) -> None:
    _start_all(body, SETTINGS, {})


def test_a_clean_file_starts_as_its_upload_would(machine: FakeStepFunctions) -> None:
    start(result())
    document = machine.document(FILE_ID)
    # The time of the upload is the same; only S3's event has a sequencer.
    assert document["source"] == {**SOURCE, "sequencer": ""}
    assert (document["attempt"], document["scan"]) == (1, CLEAN)


@pytest.mark.parametrize("status", [INFECTED, "UNSUPPORTED", "ACCESS_DENIED", "FAILED", "NEW_ONE"])
def test_any_other_result_starts_the_file_with_it_so_that_it_fails(
    machine: FakeStepFunctions, status: str
) -> None:
    start(result(status))
    assert machine.document(FILE_ID)["scan"] == status


@pytest.mark.parametrize("key", ["raw/orders/a+b%20c.csv", "raw/orders/Bestellungen März.csv"])
def test_the_key_is_taken_as_it_is(machine: FakeStepFunctions, key: str) -> None:
    start(result(objectKey=key))
    (name,) = machine.started
    assert machine.document(name)["source"]["key"] == key


def test_a_file_that_is_gone_starts_all_the_same(
    machine: FakeStepFunctions, objects: dict[str, Described]
) -> None:
    objects.clear()
    start(result())
    source = machine.document(FILE_ID)["source"]
    assert source["size"] > 0
    assert source["event_time"] == "2026-03-01T08:00:41.000Z"


@pytest.mark.parametrize("ended", ["FAILED", "SUCCEEDED"])
@pytest.mark.parametrize("status", [CLEAN, INFECTED])
def test_a_duplicate_of_the_event_starts_nothing(
    machine: FakeStepFunctions, status: str, ended: str
) -> None:
    start(result(status))
    machine.ended(ended, FILE_ID)
    start(result(status))
    assert machine.started == [FILE_ID]


def test_a_later_scan_that_finds_no_threats_starts_the_next_attempt(
    machine: FakeStepFunctions,
) -> None:
    start(result("FAILED"))
    machine.ended("FAILED", FILE_ID)
    start(result(CLEAN))
    assert machine.started == [FILE_ID, f"{FILE_ID}-r2"]
    assert machine.document(f"{FILE_ID}-r2")["scan"] == CLEAN


def test_a_later_scan_that_finds_threats_fails_a_file_that_has_succeeded(
    machine: FakeStepFunctions, items: dict[str, Item]
) -> None:
    start(result(CLEAN))
    machine.ended("SUCCEEDED", FILE_ID)
    items[FILE_ID] = {"status": "succeeded", "attempt": 1, "execution_name": FILE_ID}
    start(result(INFECTED))
    assert machine.document(f"{FILE_ID}-r2")["scan"] == INFECTED


@pytest.mark.parametrize("status", [CLEAN, "UNSUPPORTED"])
def test_a_later_scan_of_a_file_that_has_succeeded_without_one_starts_nothing(
    machine: FakeStepFunctions, items: dict[str, Item], status: str
) -> None:
    machine.ended("SUCCEEDED", FILE_ID)
    start(result(status))
    items[FILE_ID] = {"status": "succeeded", "attempt": 1, "execution_name": FILE_ID}
    start(result(status))
    assert machine.started == []


def test_another_result_waits_while_the_file_runs(machine: FakeStepFunctions) -> None:
    start(result(CLEAN))
    with pytest.raises(TransientError, match="The scan result waits until the execution"):
        start(result(INFECTED))


def test_an_ignored_name_starts_nothing_and_is_logged(
    machine: FakeStepFunctions, logs: Logs
) -> None:
    start(result(objectKey="raw/orders/a.csv.tmp"))
    assert machine.started == []
    assert logs[-1]["message"] == "ignored"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (result(objectKey="contracts/orders.json"), "outside raw/"),
        (result(bucketName="other"), "other than the input bucket"),
        (result(status="<b>"), "malformed: ValueError"),
        (json.dumps(json.loads(result()) | {"detail": {}}), "'s3ObjectDetails' is missing"),
    ],
)
def test_an_event_of_another_object_or_without_a_result_is_an_unknown_message(
    machine: FakeStepFunctions, body: str, reason: str
) -> None:
    with pytest.raises(Exception, match=reason):
        start(body)
    assert machine.started == []


def test_an_object_that_s3_does_not_describe_has_no_description(
    buckets: S3Client, fault: Fault
) -> None:
    put = buckets.put_object(Bucket=INPUT_BUCKET, Key="raw/a.csv", Body=b"id\n1\n")
    location = Location(INPUT_BUCKET, "raw/a.csv", put["VersionId"], "e", 1)
    described = storage.describe(location)
    assert described is not None
    assert described.size == 5
    buckets.delete_object(Bucket=INPUT_BUCKET, Key="raw/a.csv", VersionId=put["VersionId"])
    assert storage.describe(location) is None
    fault("HeadObject", client_error("400", "HeadObject"))  # SSE-C
    assert storage.describe(location) is None
