"""The lines that `pipectl up` prints for the AWS CLI, pasted into shells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipectl.commands.up import aws_cli_lines
from pipectl.embedded.process import StackProcess
from pipectl.options import PROJECT


@pytest.mark.parametrize("shell", [pytest.param("sh", marks=pytest.mark.slow), "bash"])
def test_every_line_works_when_pasted(
    embedded: StackProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    monkeypatch.chdir(PROJECT)
    command = tmp_path / "aws"
    shutil.copy(Path(__file__).parent / "aws", command)
    title, *lines = aws_cli_lines(embedded.deployment)
    assert title.endswith(":")
    services = [line.split()[1] for line in lines[1:]]
    assert services == ["s3", "s3", "stepfunctions", "dynamodb", "sqs"]
    process = subprocess.run(
        [shell, "-eu"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        # A machine with its own settings: another profile, another endpoint, a proxy.
        env={
            "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_SESSION_TOKEN": "of-somebody-else",
        },
    )
    assert process.returncode == 0, process.stderr
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert [answer["ResponseMetadata"]["HTTPStatusCode"] for answer in answers] == [200] * 4
    uploaded = embedded.client("s3").list_objects_v2(
        Bucket=embedded.outputs["InputBucketName"], Prefix="raw/orders/orders-2026-03.csv"
    )
    assert uploaded["KeyCount"] == 1
