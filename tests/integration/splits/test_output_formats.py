"""Every format in the registry is written, checked and published in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from tabular.writing.output_format import FileFacts, OutputFormat, ProcessedRecords, Writer
from tabular.writing.output_formats import FORMATS
from tests.integration.splits import files as cut
from tests.integration.splits.steps import Steps, upload
from tests.integration.splits.test_generated_files import KIB, table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tabular.sink import Sink

CONTRACT = {"schema": cut.CONTRACT["schema"], "pipeline": {"outputFormat": "numbers"}}


def _write_numbers(batches: Iterable[ProcessedRecords], facts: FileFacts, sink: Sink) -> None:
    for batch in batches:
        sink.write("".join(f"{facts.file_id} {row}\n" for row in batch.rows).encode())


def _numbers() -> OutputFormat:
    return OutputFormat("numbers", "num", "text/x-numbers", lambda: Writer(_write_numbers))


@pytest.fixture
def concatenated() -> Iterator[None]:
    with patch.dict(FORMATS, numbers=_numbers()):
        yield


@pytest.mark.usefixtures("concatenated")
def test_the_parts_of_a_format_become_one_object(
    s3: S3Client, in_splits: Callable[[int], Steps]
) -> None:
    uploaded = upload(s3, table(cut.PLAIN, 300), CONTRACT)
    split = in_splits(KIB)
    run = split.run(uploaded)
    key = run.document["output"]["processed_key"]
    lines = split.outputs(uploaded)[key].decode().splitlines()

    file_id = uploaded.document["file_id"]
    assert run.splits > 4
    assert key == f"processed/{uploaded.dataset}/file.csv.num"
    assert lines == [f"{file_id} {row}" for row in range(1, 301)]
    assert s3.head_object(Bucket=split.bucket, Key=key)["ContentType"] == "text/x-numbers"
