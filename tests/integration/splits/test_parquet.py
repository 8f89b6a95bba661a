"""Parquet from splits: one object each under a manifest, with the records in the file's order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import polars

from tests.integration.splits import files as cut
from tests.integration.splits.steps import Steps, upload
from tests.integration.splits.test_generated_files import KIB, table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_the_objects_of_the_manifest_hold_the_records_of_the_whole_file(
    s3: S3Client, whole: Steps, in_splits: Callable[[int], Steps]
) -> None:
    uploaded = upload(s3, table(cut.PLAIN + cut.MULTI_LINE, 400), cut.CONTRACT)
    alone = replace(whole, output_format="parquet")
    split = replace(in_splits(KIB), output_format="parquet")
    alone_run, split_run = alone.run(uploaded), split.run(uploaded)

    outputs = split.outputs(uploaded)
    manifest = json.loads(outputs[split_run.document["output"]["processed_key"]])
    objects = [outputs[item["key"]] for item in manifest["objects"]]
    single = alone.outputs(uploaded)[alone_run.document["output"]["processed_key"]]

    assert len(objects) == split_run.splits > 4
    assert polars.concat([polars.read_parquet(io.BytesIO(one)) for one in objects]).equals(
        polars.read_parquet(io.BytesIO(single))
    )
    assert manifest["record_count"] == split_run.document["output"]["processed_count"]
