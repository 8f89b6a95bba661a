"""Where a file's rejected records are found, and the message if there are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from pipectl.commands.rejects import _show
from pipectl.errors import PipectlError
from pipectl.operate import find_rejects
from tests.infrastructure import deployed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILE_ID = "5f0c2b7e9d1a4c3e8b6f7a9d0c1e2f3a"
BUCKET = "out"
NOW = datetime(2026, 3, 10, tzinfo=UTC)
RUNNING = SimpleNamespace(name=FILE_ID, running=True, status="running")
ABORTED = SimpleNamespace(name=FILE_ID, running=False, status="aborted")


def failed(days: int = 1, code: str = "TooManyRejects", state: str = "WriteOutput") -> Any:
    at = (NOW - timedelta(days=days)).isoformat()
    return {
        "status": "failed",
        "execution_name": FILE_ID,
        "failed_at": at,
        "error": {"code": code, "state": state},
    }


def succeeded(**more: Any) -> Any:
    counts = {"record_count": 4, "error_count": 2, "output_bucket": BUCKET}
    return {"status": "succeeded", "execution_name": FILE_ID, **counts, **more}


class World:
    """A stack with one bucket; `item` and `attempts` are what is known of the file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, s3: S3Client) -> None:
        self.s3 = s3
        self.item: Any = None
        self.attempts: list[Any] = []
        self.stack: Any = SimpleNamespace(client=lambda _: s3, output=lambda _: BUCKET)
        items = SimpleNamespace(get=lambda _: {FILE_ID: self.item} if self.item else {})
        executions = SimpleNamespace(attempts=lambda *_: self.attempts)
        monkeypatch.setattr(find_rejects, "MetadataItems", lambda _: items)
        monkeypatch.setattr(find_rejects, "Executions", lambda _: executions)

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def part(self, split: int, jsonl: bytes, csv: bytes) -> None:
        for kind, body in (("rejected.jsonl", jsonl), ("corrections.csv", csv)):
            self.put(f"work/{FILE_ID}/{FILE_ID}/parts/{split:05d}.{kind}", body)

    def find(self, kind: find_rejects.RejectsFormat = "jsonl") -> find_rejects.FoundRejects:
        return find_rejects.find_rejects(self.stack, FILE_ID, kind, now=NOW)

    def csv(self) -> bytes:
        return b"".join(find_rejects.read_bytes(self.stack, self.find("csv")))

    def lines(self) -> list[bytes]:
        return list(find_rejects.read_lines(self.stack, self.find()))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield World(monkeypatch, s3)


def test_published_rejects_are_those_of_the_item(world: World) -> None:
    world.item = succeeded(rejected_key="rejected/a.jsonl")
    world.put("rejected/a.jsonl", b'{"row": 1}\n{"row": 2}\n')
    world.part(0, b'{"row": 9}\n', b"id\nz\n")
    assert world.lines() == [b'{"row": 1}', b'{"row": 2}']
    assert world.find().about == "2 of 4 records were rejected: s3://out/rejected/a.jsonl"


def test_rejects_of_a_failed_file_are_its_parts_in_order(world: World) -> None:
    world.item = failed()
    world.part(1, b'{"row": 2}\n', b"y\n")
    world.part(0, b'{"row": 1}\n', b"id\nx\n")
    world.part(2, b"", b"")
    assert world.lines() == [b'{"row": 1}', b'{"row": 2}']
    assert world.csv() == b"id\nx\ny\n"
    assert "the file failed with TooManyRejects in WriteOutput" in world.find().about


def test_rows_to_correct_are_published_beside_the_rejects(world: World) -> None:
    world.item = succeeded(rejected_key="rejected/a.jsonl", corrections_key="corrections/a.csv")
    world.put("corrections/a.csv", b"_row,id\n")
    assert world.csv() == b"_row,id\n"


def test_rejects_of_an_older_version_say_how_to_get_rows_to_correct(world: World) -> None:
    world.item = succeeded(rejected_key="rejected/a.jsonl") | {"file_id": FILE_ID}
    assert f"pipectl rerun --force {FILE_ID}" in world.find("csv").about


def test_rows_to_correct_have_the_header_though_the_first_split_failed(world: World) -> None:
    world.item = failed()
    world.part(1, b'{"row": 2}\n', b"2,e,y,\r\n")
    plan = {"layout": {"labels": ["id"]}}
    world.put(f"work/{FILE_ID}/{FILE_ID}/plan.json", json.dumps(plan).encode())
    assert world.csv() == "\ufeff_row,_errors,id,_raw\r\n2,e,y,\r\n".encode()


def test_after_corrections_that_failed_the_rows_are_those_that_they_should_correct(
    world: World,
) -> None:
    world.item = failed(code="InvalidCorrections", state="ParseCsv") | {
        "execution_name": f"{FILE_ID}-r2"
    }
    world.part(0, b'{"row": 1}\n', b"_row,id\n1,x\n")
    first = f"work/{FILE_ID}/{FILE_ID}/parts/00000.corrections.csv"
    document = {"generated": [first], "applied": None, "upload": None}
    world.put(f"work/{FILE_ID}/{FILE_ID}-r2/corrections.json", json.dumps(document).encode())
    assert world.csv() == b"_row,id\n1,x\n"
    assert world.find("csv").about.startswith(f"From the last run, s3://out/work/{FILE_ID}/")


def test_a_line_that_is_cut_between_two_pieces_is_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_rejects, "_PIECE_BYTES", 3)
    world.item = failed()
    world.part(0, b'{"row": 1}\n{"row": 2}\n', b"id\nx\ny\n")
    assert world.lines() == [b'{"row": 1}', b'{"row": 2}']


def test_a_file_without_rejects_says_how_many_records_it_had(world: World) -> None:
    world.item = succeeded() | {"error_count": 0}
    assert world.find().keys == ()
    assert world.find().about == "No records of the file were rejected: 0 of 4 records."


def test_a_file_that_failed_before_its_records_were_read_has_none(world: World) -> None:
    world.item = failed(code="EmptyFile", state="ParseCsv")
    world.part(0, b"", b"id\n")
    for kind in ("jsonl", "csv"):
        assert world.find(kind).keys == ()
    assert "the file failed with EmptyFile in ParseCsv" in world.find().about


def test_expired_rejects_are_an_error_that_says_how_to_create_them_again(world: World) -> None:
    world.item = failed(days=20)
    with pytest.raises(PipectlError, match=rf"20 days ago.*15 days.*pipectl rerun {FILE_ID}"):
        world.find()


def test_the_days_are_those_of_the_buckets_lifecycle_rule() -> None:
    rules = deployed.properties("OutputBucket")["LifecycleConfiguration"]["Rules"]
    (days,) = {rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == "work/"}
    assert timedelta(days=days) == find_rejects.WORK_EXPIRES_AFTER


def test_an_unknown_file_is_an_error(world: World) -> None:
    with pytest.raises(PipectlError, match="Nothing is known of the file"):
        world.find()


def test_a_file_that_was_not_recorded_yet(world: World) -> None:
    world.attempts = [RUNNING]
    assert "is still running" in world.find().about
    world.attempts = [ABORTED]
    assert world.find().about.endswith(f"its execution {FILE_ID} aborted.")
    world.part(0, b'{"row": 1}\n', b"id\nx\n")
    assert world.lines() == [b'{"row": 1}']


def test_published_rejects_that_were_deleted_are_an_error(world: World) -> None:
    world.item = succeeded(rejected_key="rejected/a.jsonl")
    with pytest.raises(PipectlError, match=r"rejected/a\.jsonl no longer exists"):
        world.lines()


def test_text_from_senders_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"field": "a\x1b[2J", "code": "type-error", "message": "m", "value": "v\r\u202e"}
    record = {"row": 3, "line": 4, "errors": [fault], "raw": "x\ny\x07" + "z" * 1000}
    _show(json.dumps(record).encode())
    printed = capsys.readouterr().out
    assert printed.splitlines()[:2] == ["Row 3, line 4", r"  a\x1b[2J: m (type-error): v\r\u202e"]
    assert printed.splitlines()[2].startswith(r"  > x\ny\x07zzz")
    assert len(printed) < 300
    assert all(line.isprintable() for line in printed.splitlines())
