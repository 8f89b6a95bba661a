"""What `pipectl run` shows of uploads and large files, read from what has happened."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from pipectl.client.deployment import Deployment
from pipectl.client.uploads import PlannedUpload, put_file
from pipectl.local import map_progress
from pipectl.local.map_progress import MEASURE, TRANSFORM, MapProgress
from pipectl.local.sending import Sending
from shared.keys import Work
from tests.unit.mocked_stack import mocked_deployment

WORK = Work("f" * 32, "f" * 32)


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Bucket(BaseHTTPRequestHandler):
    """Answers uploads as S3 does, the first one with an error that boto3 tries again after."""

    received: ClassVar[list[bytes]] = []
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(503 if len(self.received) == 1 else 200)
        self.send_header("x-amz-version-id", "v1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""


def test_an_upload_reports_the_bytes_that_are_sent_also_on_the_second_try(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"id\n" * 100_000)
    sent: list[int] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        deployment = Deployment.embedded(f"http://127.0.0.1:{server.server_port}", "eu-west-1", "s")
        deployment.__dict__["outputs"] = {"InputBucketName": "input"}
        version = put_file(deployment, PlannedUpload(file, "raw/a.csv"), sent.append)
        server.shutdown()
    assert version == "v1"
    assert Bucket.received == [file.read_bytes()] * 2
    tries = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(sent)) if b < a), len(sent)]
    assert [sent[end - 1] for end in tries[1:]] == [300_000, 300_000]


def test_an_upload_is_shown_with_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("pipectl.local.sending.time", clock)
    sending = Sending(100_000_000)
    assert str(sending) == "uploading, 0 bytes of 100.0 MB"
    sending.sent(1_000_000)
    clock.now += 2
    sending.sent(41_000_000)
    assert str(sending) == "uploading, 41.0 MB of 100.0 MB, 20.5 MB/s"
    sending.sent(0)  # the upload is tried again
    assert str(sending) == "uploading, 0 bytes of 100.0 MB"


@pytest.mark.parametrize(
    ("state", "plan", "report"),
    [
        (TRANSFORM, WORK.numbered_splits, "report.json"),
        (MEASURE, WORK.splits, "measure.json"),
    ],
)
def test_share_and_rate_come_from_the_parts_that_are_written(
    monkeypatch: pytest.MonkeyPatch, state: str, plan: str, report: str
) -> None:
    clock = Clock()
    monkeypatch.setattr(map_progress, "time", clock)
    with mocked_deployment("output", OutputBucketName="output") as deployment:
        progress = MapProgress(deployment, WORK, state, 1000)
        splits = [{"index": n, "start": s, "end": e} for n, (s, e) in enumerate(RANGES)]

        def put(key: str, document: object) -> None:
            body = json.dumps(document).encode()
            deployment.client("s3").put_object(Bucket="output", Key=key, Body=body)

        put(plan, splits)
        put(WORK.part(0, "jsonl"), {})  # a part that is not complete
        assert str(progress.read()) == "0 of 3 splits"
        put(WORK.part(2, report), {"record_count": 3000})
        assert str(progress.read()) == "0 of 3 splits"  # looked at less than a second ago
        clock.now += 2
        assert str(progress.read()) == "1 of 3 splits, 60%, 1,500 records/s"
        clock.now += 8  # the rate does not fall while the next parts are made
        assert str(progress.read()) == "1 of 3 splits, 60%, 1,500 records/s"


RANGES: list[tuple[int, int | None]] = [(0, 100), (100, 400), (400, None)]
