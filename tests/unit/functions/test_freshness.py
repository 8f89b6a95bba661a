"""Freshness: which datasets had no successful file for too long."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest

from freshness.app import handler
from freshness.limits import WatchedDataset, limit_of, stale
from pipectl.scale import idle
from shared.errors import TransientError
from tests.unit.functions.conftest import Fault, Logs, client_error
from tests.unit.functions.documents import INPUT_BUCKET, OUTPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def s3(buckets: S3Client, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    monkeypatch.setenv("INPUT_BUCKET", INPUT_BUCKET)
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT_BUCKET)
    return buckets


def put_contract(s3: S3Client, dataset: str, freshness: Any) -> None:
    body = json.dumps({"pipeline": {"freshness": freshness}}).encode()
    s3.put_object(Bucket=INPUT_BUCKET, Key=f"contracts/{dataset}.json", Body=body)


def put_history(s3: S3Client, folder: str, *hours_ago: float) -> None:
    times = [datetime.now(UTC) - timedelta(hours=hours) for hours in hours_ago]
    files = [{"file_id": str(n), "generated_at": it.isoformat()} for n, it in enumerate(times)]
    s3.put_object(
        Bucket=OUTPUT_BUCKET,
        Key=f"reports/{folder}/history.json",
        Body=json.dumps({"files": files}).encode(),
    )


def metric(capsys: pytest.CaptureFixture[str]) -> float:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (written,) = [line for line in lines if "_aws" in line]
    return float(written["StaleDatasets"][0])


def test_a_stale_dataset_is_counted_and_named(
    s3: S3Client, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    put_contract(s3, "orders", 24)
    put_history(s3, "orders", 70, 30)
    put_contract(s3, "people", 24)
    put_history(s3, "people", 70, 3)
    assert handler({}, None) == {"watched": 2, "stale": 1}
    assert metric(capsys) == 1
    (line,) = [line for line in logs if line["message"] == "stale dataset"]
    assert (line["dataset"], line["hours_since_success"]) == ("orders", 30.0)
    assert line["limit_hours"] == 24


def test_without_stale_datasets_zero_is_counted(
    s3: S3Client, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    put_contract(s3, "orders", None)
    s3.put_object(Bucket=INPUT_BUCKET, Key="contracts/broken.json", Body=b"{")
    s3.put_object(Bucket=INPUT_BUCKET, Key="contracts/list.json", Body=b"[]")
    s3.put_object(Bucket=INPUT_BUCKET, Key="contracts/deep.json", Body=b"[" * 100_000)
    assert handler({}, None) == {"watched": 0, "stale": 0}
    assert metric(capsys) == 0


def test_before_the_first_file_the_time_counts_from_the_contract(s3: S3Client, logs: Logs) -> None:
    put_contract(s3, "new", 0.5)
    assert handler({}, None) == {"watched": 1, "stale": 0}


def test_the_case_of_the_folder_does_not_matter(s3: S3Client, logs: Logs) -> None:
    put_contract(s3, "Orders", 24)
    put_history(s3, "ORDERS", 30)
    put_history(s3, "orders", 40)
    assert handler({}, None)["stale"] == 1
    put_history(s3, "orders", 1)
    assert handler({}, None)["stale"] == 0


def test_only_a_contract_of_a_dataset_is_watched(s3: S3Client, logs: Logs) -> None:
    put_contract(s3, "orders", 24)
    body = s3.get_object(Bucket=INPUT_BUCKET, Key="contracts/orders.json")["Body"].read()
    for key in ("contracts/orders.json.bak", "contracts/old/orders.json", "contracts/notes"):
        s3.put_object(Bucket=INPUT_BUCKET, Key=key, Body=body)
    assert handler({}, None)["watched"] == 1


def test_a_busy_bucket_is_transient(s3: S3Client, logs: Logs, fault: Fault) -> None:
    put_contract(s3, "orders", 24)
    fault("GetObject", client_error("SlowDown", status=503))
    with pytest.raises(TransientError):
        handler({}, None)


def test_the_estimate_knows_its_requests_and_metrics(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for dataset in ("one", "two", "three"):
        put_contract(s3, dataset, 24)
        put_history(s3, dataset, 1)
    made: Counter[str] = Counter()
    client: Any = botocore.client.BaseClient
    call = client._make_api_call

    def counted(self: Any, operation: str, arguments: Any) -> Any:
        made[operation] += 1
        return call(self, operation, arguments)

    monkeypatch.setattr(client, "_make_api_call", counted)
    handler({}, None)

    metric(capsys)
    lists = sum(count for name, count in made.items() if name.startswith("List"))
    assert idle.Check(lists, made.total() - lists, metrics=1) == idle.freshness(3)
    assert made["GetObject"] == made.total() - lists


@pytest.mark.parametrize(
    ("contract", "limit"),
    [
        ({"pipeline": {"freshness": 26}}, 26.0),
        ({"pipeline": {"freshness": 0.5}}, 0.5),
        ({"pipeline": {"freshness": 0}}, None),
        ({"pipeline": {"freshness": True}}, None),
        ({"pipeline": {"freshness": 10**400}}, None),
        ({"pipeline": {"freshness": "1"}}, None),
        ({"pipeline": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_limit_is_the_contracts(contract: Any, limit: float | None) -> None:
    assert limit_of(contract) == limit


def test_a_dataset_is_stale_once_its_limit_is_exceeded() -> None:
    exactly = WatchedDataset("a", 2, NOW - timedelta(hours=2))
    longer = WatchedDataset("b", 2, NOW - timedelta(hours=3))
    assert stale([exactly, longer], NOW) == [(longer, 3.0)]
