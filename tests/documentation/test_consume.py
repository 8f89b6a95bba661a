"""The examples of docs/consume.md work on what the pipeline publishes, word for word."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipectl.embedded.process import StackProcess
from shared.job import Source
from tabular.contract.descriptor import parse_contract
from tabular.writing.output_formats import FORMATS
from tests.infrastructure.deployed import ROOT
from tests.unit.tabular.engine import run

PAGE = (ROOT / "docs" / "consume.md").read_text(encoding="utf-8")
BUCKET = "s3://OUTPUT_BUCKET/"
PROCESSED, REJECTED = 344, 16


def examples(kind: str) -> list[str]:
    """The blocks after a marker such as `<!-- run: duckdb -->`."""
    return re.findall(rf"<!-- run: {kind} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the outputs of the sample file, laid out as the output bucket."""
    folder = tmp_path_factory.mktemp("outputs")
    document = json.loads((ROOT / "events" / "orders.contract.json").read_text(encoding="utf-8"))
    contract = parse_contract(document, output_formats=FORMATS)
    sample = (ROOT / "events" / "orders-2026-03.csv").read_bytes()
    for dataset, output_format in (("orders", "jsonl"), ("orders_parquet", "parquet")):
        result = run(sample, contract, output_format=output_format)
        _write(folder / f"processed/{dataset}/2026/march.csv.{output_format}", result.processed)
        _write(folder / f"rejected/{dataset}/2026/march.csv.jsonl", result.rejected)
    return f"{folder}/"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


@pytest.mark.parametrize("query", examples("duckdb"))
def test_a_query_of_duckdb_sees_every_record(query: str, outputs: str) -> None:
    found = duckdb.connect().execute(query.replace(BUCKET, outputs))
    columns = [column for column, *_ in found.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    if "orders" in columns:
        assert sum(row["orders"] for row in rows) == PROCESSED
    else:
        assert sum(row["records"] for row in rows) >= REJECTED


@pytest.mark.parametrize("program", examples("python"))
def test_a_program_of_polars_runs(program: str, outputs: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program.replace(BUCKET, outputs), {})  # the documentation's own code
    rows = re.search(r"shape: \(([0-9_]+), 2|shape: \(([0-9_]+), 3", printed.getvalue())
    assert rows is not None
    assert int((rows[1] or rows[2]).replace("_", "")) > 5


@pytest.fixture
def queue(embedded: StackProcess) -> Iterator[tuple[str, str]]:
    """A queue in place of the rule's target: its address and ARN."""
    sqs = embedded.client("sqs")
    url = sqs.create_queue(QueueName="orders-are-ready")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
    allowed |= {"Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    yield url, arn
    sqs.delete_queue(QueueUrl=url)


def test_the_rule_matches_the_events_of_processed_files(
    embedded: StackProcess, queue: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    url, arn = queue
    [script] = examples("rule")
    rule, targets = (_options(line) for line in re.split(r"\n(?=aws )", script))
    events = embedded.client("events")
    events.put_rule(Name=rule["name"], EventPattern=rule["event-pattern"])
    [target] = json.loads(targets["targets"])
    del target["RoleArn"]
    events.put_targets(Rule=targets["rule"], Targets=[{**target, "Arn": arn}])
    request.addfinalizer(lambda: _remove(embedded, targets["rule"], target["Id"]))

    embedded.upload(b"id,amount\n1,x\n", "raw/orders/none-processed.csv")
    uploaded = embedded.upload(b"id,amount\n1,2\n", "raw/orders/ready.csv")
    embedded.upload(b"id,amount\n1,2\n", "raw/other/ready.csv")

    [message] = _messages(embedded, url)
    bucket = embedded.outputs["OutputBucketName"]
    assert json.loads(message) == {
        "object": f"s3://{bucket}/processed/orders/ready.csv.jsonl",
        "file_id": _file_id(embedded, "raw/orders/ready.csv", str(uploaded.version_id)),
    }


def _remove(stack: StackProcess, rule: str, target: str) -> None:
    events = stack.client("events")
    events.remove_targets(Rule=rule, Ids=[target])
    events.delete_rule(Name=rule)


def _options(command: str) -> dict[str, str]:
    """The options of an AWS CLI command by name."""
    words = shlex.split(command)
    return {
        name.removeprefix("--"): value
        for name, value in itertools.pairwise(words)
        if name.startswith("--")
    }


def _messages(stack: StackProcess, url: str) -> list[str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        received: Any = stack.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        if received.get("Messages"):
            return [message["Body"] for message in received["Messages"]]
    return []


def _file_id(stack: StackProcess, key: str, version: str) -> str:
    bucket = stack.outputs["InputBucketName"]
    return Source(bucket, key, version, "", 0, "", "", "").file_id
