"""A deployment on moto, without the embedded AWS, for tests of commands that call AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import boto3
from moto import mock_aws

from pipectl.client.deployment import Deployment

_CREDENTIALS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")


@contextmanager
def mocked_deployment(*buckets: str, **outputs: str) -> Iterator[Deployment]:
    """A deployment with these buckets and outputs of its stack, until the end of the block."""
    with patch.dict(os.environ, _CREDENTIALS), mock_aws():
        deployment = Deployment(boto3.Session(region_name="us-east-1"), "stack")
        deployment.__dict__["outputs"] = outputs
        for bucket in buckets:
            deployment.client("s3").create_bucket(Bucket=bucket)
        yield deployment
