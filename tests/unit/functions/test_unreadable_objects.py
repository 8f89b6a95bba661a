"""Objects that exist but can't be read, and every response by which S3 reports a missing one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from shared import storage
from shared.errors import (
    InternalError,
    PipelineError,
    SourceArchived,
    SourceEncrypted,
    SourceKeyDenied,
    SourceNotFound,
)
from shared.job import Location
from tests.unit.functions.conftest import Fault, client_error
from tests.unit.functions.documents import INPUT_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "raw/orders/a.csv"
# Every read that a step makes of an object it did not write itself.
READS: dict[str, Callable[[], Any]] = {
    "range": lambda: storage.read_range(Location(INPUT_BUCKET, KEY, "v1", "etag", 10), 0, 10),
    "document": lambda: storage.read_document(INPUT_BUCKET, KEY),
    "optional": lambda: storage.read_optional(INPUT_BUCKET, KEY),
}
# Code and status of GetObject, then of HeadObject, which has no body and so no code.
MISSING = [
    ("NoSuchKey", 404),
    ("NoSuchVersion", 404),
    ("404", 404),
    ("MethodNotAllowed", 405),
    ("405", 405),
]


@pytest.fixture(params=READS)
def read(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return READS[request.param]


def test_an_archived_object_has_to_be_restored(buckets: S3Client) -> None:
    put = buckets.put_object(Bucket=INPUT_BUCKET, Key=KEY, Body=b"a,b\n", StorageClass="GLACIER")
    location = Location(INPUT_BUCKET, KEY, put["VersionId"], put["ETag"].strip('"'), 4)
    with pytest.raises(SourceArchived, match="restore-object") as caught:
        storage.read_range(location, 0, 4)
    assert location.uri in str(caught.value)
    assert "role" not in str(caught.value)


def test_the_archive_tier_is_named(
    buckets: S3Client, fault: Fault, read: Callable[[], Any]
) -> None:
    error = client_error("InvalidObjectState", status=403)
    error.response["StorageClass"] = "DEEP_ARCHIVE"  # type: ignore[typeddict-unknown-key]
    fault("GetObject", error)
    with pytest.raises(SourceArchived, match="DEEP_ARCHIVE"):
        read()


@pytest.mark.parametrize("code", ["InvalidRequest", "InvalidArgument"])
def test_an_object_under_the_uploaders_own_key_has_to_be_uploaded_again(
    buckets: S3Client, fault: Fault, read: Callable[[], Any], code: str
) -> None:
    fault("GetObject", client_error(code))
    fault("HeadObject", client_error("400", "HeadObject"))
    with pytest.raises(SourceEncrypted, match=r"SSE-C.* Upload the file again without --sse-c"):
        read()


def test_an_object_under_a_kms_key_that_the_role_cant_use_names_the_key(
    buckets: S3Client, fault: Fault, read: Callable[[], Any]
) -> None:
    buckets.put_object(
        Bucket=INPUT_BUCKET,
        Key=KEY,
        Body=b"a,b\n",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId="arn:aws:kms:eu-central-1:123456789012:key/k1",
    )
    version = buckets.head_object(Bucket=INPUT_BUCKET, Key=KEY)["VersionId"]
    fault("GetObject", client_error("AccessDenied", status=403))
    with pytest.raises(SourceKeyDenied, match=r"key/k1.*kms:Decrypt.*rerun"):
        read() if read is not READS["range"] else storage.read_range(
            Location(INPUT_BUCKET, KEY, version, "etag", 4), 0, 4
        )


@pytest.mark.parametrize("code", ["KMS.DisabledException", "KMS.NotFoundException"])
def test_an_unusable_kms_key_is_reported_with_the_code_of_the_error(
    buckets: S3Client, fault: Fault, read: Callable[[], Any], code: str
) -> None:
    fault("GetObject", client_error(code))
    with pytest.raises(SourceKeyDenied, match=code):
        read()


@pytest.mark.parametrize("head", [None, client_error("403", "HeadObject", status=403)])
@pytest.mark.parametrize("code", ["AccessDenied", "InvalidRequest"])
def test_an_error_for_another_reason_is_not_reported_as_encryption(
    buckets: S3Client,
    fault: Fault,
    read: Callable[[], Any],
    code: str,
    head: ClientError | None,
) -> None:
    buckets.put_object(Bucket=INPUT_BUCKET, Key=KEY, Body=b"a,b\n")
    fault("GetObject", client_error(code, status=403))
    fault("HeadObject", head)
    with pytest.raises(InternalError, match=code):
        read()


@pytest.mark.parametrize(("code", "status"), MISSING)
def test_a_missing_object_is_none(buckets: S3Client, fault: Fault, code: str, status: int) -> None:
    fault("GetObject", client_error(code, status=status))
    fault("HeadObject", client_error(code, "HeadObject", status=status))
    assert storage.read_optional(INPUT_BUCKET, KEY) is None
    assert storage.find(INPUT_BUCKET, KEY) is None


@pytest.mark.parametrize(("code", "status"), MISSING)
def test_a_missing_source_is_source_not_found(
    buckets: S3Client, fault: Fault, code: str, status: int
) -> None:
    fault("GetObject", client_error(code, status=status))
    with pytest.raises(SourceNotFound):
        READS["range"]()


@pytest.mark.parametrize(
    ("code", "status"), [("NoSuchBucket", 404), ("AccessDenied", 403), ("InternalError", 500)]
)
def test_no_other_error_counts_as_missing(
    buckets: S3Client, fault: Fault, code: str, status: int
) -> None:
    denied = client_error("403", "HeadObject", status=403)
    fault("GetObject", client_error(code, status=status))
    fault("HeadObject", denied if code == "AccessDenied" else client_error(code, status=status))
    with pytest.raises(PipelineError, match=code):
        storage.read_optional(INPUT_BUCKET, KEY)


def test_a_deleted_contract_and_a_deleted_version_are_missing(buckets: S3Client) -> None:
    put = buckets.put_object(Bucket=INPUT_BUCKET, Key=KEY, Body=b"a,b\n")
    buckets.delete_object(Bucket=INPUT_BUCKET, Key=KEY)
    assert storage.read_optional(INPUT_BUCKET, KEY) is None
    assert storage.find(INPUT_BUCKET, KEY) is None
    buckets.delete_object(Bucket=INPUT_BUCKET, Key=KEY, VersionId=put["VersionId"])
    gone = Location(INPUT_BUCKET, KEY, put["VersionId"], put["ETag"].strip('"'), 4)
    with pytest.raises(SourceNotFound):
        storage.read_range(gone, 0, 4)
