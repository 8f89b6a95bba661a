"""moto's S3 in this process, for the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from moto import mock_aws

import transform.app
from shared import clients, observability
from tabular.transform import transform as engine_transform
from tests.integration.splits.steps import (
    INPUT_BUCKET,
    METADATA_TABLE,
    SPLIT_BUCKET,
    WHOLE_BUCKET,
    WHOLE_SIZE,
    Steps,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "splits",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Client]:
    """The buckets and the table, for all tests of a module: making them takes longer than a test.

    What else moto holds in this process stays.
    """
    aws = mock_aws()
    # Made again for these tests, and for those after them.
    made = (clients.s3, clients.table, observability.logger)
    with patch.dict("os.environ", _ENVIRONMENT):
        aws.start(reset=False)
        for one in made:
            one.cache_clear()
        s3 = clients.s3()
        for name in (INPUT_BUCKET, WHOLE_BUCKET, SPLIT_BUCKET):
            s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=INPUT_BUCKET, VersioningConfiguration={"Status": "Enabled"})
        table = clients.table(METADATA_TABLE)
        if METADATA_TABLE not in table.meta.client.list_tables()["TableNames"]:
            table.meta.client.create_table(
                TableName=METADATA_TABLE,
                AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        yield s3
        aws.stop()
        for one in made:
            one.cache_clear()


@pytest.fixture(scope="module")
def whole(s3: S3Client) -> Steps:
    """The steps with a split size that no file of the tests reaches."""
    return Steps(s3, WHOLE_BUCKET, WHOLE_SIZE)


@pytest.fixture(scope="module")
def in_splits(s3: S3Client) -> Callable[[int], Steps]:
    """The steps with a split size in bytes."""
    return lambda size: Steps(s3, SPLIT_BUCKET, size)


@pytest.fixture
def transformed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The splits that the engine transforms, in the order in which it does."""
    return noted(monkeypatch)


def noted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which each split is added that the engine transforms from now on."""
    seen: list[int] = []

    def note(chunks: Any, layout: Any, split: Any, **options: Any) -> Any:
        seen.append(split.index)
        return engine_transform(chunks, layout, split, **options)

    monkeypatch.setattr(transform.app, "transform", note)
    return seen
