"""The embedded AWS's S3 in this process, with the interface of the model in `fake_s3.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from pipectl.embedded.moto_patches.all_patches import applied
from tests.property.fake_s3 import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


class EmbeddedS3:
    """One bucket of moto's. `before_each` is called before every request, also before our own."""

    def __init__(self, bucket: str, before_each: Callable[[], None]) -> None:
        self._bucket = bucket
        self.client: S3Client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        # What a handler of this event returns would replace the request.
        self.client.meta.events.register("before-call.s3", lambda **_event: before_each())
        self.client.create_bucket(Bucket=bucket)

    def clear(self) -> None:
        """Delete all objects."""
        keys: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in self._keys("")]
        if keys:
            self.client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys})

    def put(self, key: str, body: bytes) -> None:
        """Write an object without a condition."""
        self.client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> StoredObject | None:
        """An object, or None if there is none."""
        return self.stored(key).get(key)

    def stored(self, prefix: str) -> dict[str, StoredObject]:
        """The objects under a prefix, by key."""
        return {key: self._read(key) for key in self._keys(prefix)}

    def _keys(self, prefix: str) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", [])]

    def _read(self, key: str) -> StoredObject:
        found = self.client.get_object(Bucket=self._bucket, Key=key)
        return StoredObject(found["Body"].read(), found["Metadata"])


@contextmanager
def embedded_s3(bucket: str, before_each: Callable[[], None]) -> Iterator[EmbeddedS3]:
    """moto with the patches of the embedded AWS, and nothing but an empty bucket in it."""
    settings: Any = SimpleNamespace(serve=lambda _: None, clock=None, endpoint=None, invoke=None)
    with mock_aws(), applied(settings):
        yield EmbeddedS3(bucket, before_each)
