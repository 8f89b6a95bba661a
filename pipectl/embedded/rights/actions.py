"""Which actions on which resources a request needs, by the service authorization reference.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import unquote
from xml.etree import ElementTree

from pipectl.embedded.rights.policies import Access
from pipectl.embedded.rights.requests import Request, header_values
from pipectl.embedded.template import ACCOUNT

Document = Mapping[str, Any]


class UnknownActionError(Exception):
    """The actions of an operation are not known; the text names the operation."""


class Resources(Protocol):
    """What the names of resources alone don't say."""

    def hash_key(self, table: str) -> str | None:
        """The name of a table's or index's hash key; `table` is `NAME` or `NAME/index/INDEX`."""

    def secret_arn(self, name: str) -> str | None:
        """The ARN of a secret, which has six random characters."""

    def has_tags(self, bucket: str, key: str, version_id: str) -> bool:
        """Whether an object has tags."""


def accesses(request: Request, resources: Resources) -> list[Access]:
    """What the caller of a request must be allowed to do.

    Raises `UnknownActionError` for operations that are not in this module's tables.
    """
    if request.service == "s3":
        return list(_s3(request, resources))
    if request.service == "lambda":
        return list(_lambda(request))
    known = _OPERATIONS.get((request.service, request.operation))
    if known is None:
        raise UnknownActionError(f"{request.service}:{request.operation}")
    document = request.form if request.is_form else request.document
    return list(known(document, _Arns(request.region), resources))


class _Arns:
    """Makes ARNs of a region."""

    def __init__(self, region: str) -> None:
        self.region = region

    def of(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT}:{resource}"


# S3


def _s3(request: Request, resources: Resources) -> Iterator[Access]:
    bucket, key = request.bucket_and_key
    if not bucket:
        if request.method != "GET":
            raise UnknownActionError(f"s3:{request.method} /")
        yield Access("s3:ListAllMyBuckets", "*")
    elif not key:
        yield from _s3_bucket(request, bucket)
    else:
        yield from _s3_object(request, resources, bucket, key)


# Parameters that change an answer or sign a request, but not what is asked for.
_PLAIN = re.compile(
    r"x-id|response-.*|X-Amz-.*|AWSAccessKeyId|Signature|Expires|x-amz-.*|list-type|prefix|delimiter"
    r"|marker|max-keys|continuation-token|start-after|fetch-owner|encoding-type|key-marker"
    r"|version-id-marker|upload-id-marker|max-uploads|part-number-marker|max-parts|versionId"
    r"|partNumber|uploadId",
)

# By method and by the parameter that names a part of the bucket.
_BUCKET_ACTIONS: Mapping[tuple[str, str], str] = {
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("GET", "encryption"): "GetEncryptionConfiguration",
    ("GET", "lifecycle"): "GetLifecycleConfiguration",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "logging"): "GetBucketLogging",
    ("GET", "notification"): "GetBucketNotification",
    ("GET", "policy"): "GetBucketPolicy",
    ("GET", "publicAccessBlock"): "GetBucketPublicAccessBlock",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "versions"): "ListBucketVersions",
    ("PUT", "lifecycle"): "PutLifecycleConfiguration",
    ("PUT", "notification"): "PutBucketNotification",
    ("PUT", "policy"): "PutBucketPolicy",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("DELETE", "policy"): "DeleteBucketPolicy",
}

# Those of an object; `Version` is inserted where a version is named.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_OBJECT_ACTIONS: Mapping[tuple[str, str], str] = {
    ("GET", ""): "GetObject{Version}",
    ("HEAD", ""): "GetObject{Version}",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject{Version}",
    ("GET", "acl"): "GetObject{Version}Acl",
    ("PUT", "acl"): "PutObject{Version}Acl",
    ("GET", "tagging"): "GetObject{Version}Tagging",
    ("PUT", "tagging"): "PutObject{Version}Tagging",
    ("DELETE", "tagging"): "DeleteObject{Version}Tagging",
    ("POST", "restore"): "RestoreObject",
    # Creating, filling and completing a multipart upload need the same permission.
    ("POST", "uploads"): "PutObject",
}
_UPLOAD_ACTIONS: Mapping[tuple[str, str], str] = {
    ("DELETE", ""): "AbortMultipartUpload",
    ("GET", ""): "ListMultipartUploadParts",
    ("POST", ""): "PutObject",
    ("PUT", ""): "PutObject",
}


def _part_named(request: Request) -> str:
    """The parameter that names a part of a bucket or object; an empty text if none does."""
    named = [name for name in request.query if not _PLAIN.fullmatch(name)]
    if len(named) > 1:
        raise UnknownActionError(f"s3:{request.method} ?{'&'.join(sorted(named))}")
    return named[0] if named else ""


def _s3_bucket(request: Request, bucket: str) -> Iterator[Access]:
    arn, part = f"arn:aws:s3:::{bucket}", _part_named(request)
    if (request.method, part) == ("POST", "delete"):
        for key, version_id in _to_delete(request):
            version = "Version" if version_id else ""
            yield Access(f"s3:DeleteObject{version}", f"{arn}/{key}")
        return
    action = _BUCKET_ACTIONS.get((request.method, part))
    if action is None:
        raise UnknownActionError(f"s3:{request.method} bucket ?{part}")
    keys = {
        f"s3:{name}": (request.query[name],)
        for name in ("prefix", "delimiter")
        if name in request.query
    }
    yield Access(f"s3:{action}", arn, keys)


def _to_delete(request: Request) -> Iterator[tuple[str, str]]:
    """Keys and version IDs of a request to delete several objects."""
    try:
        root = ElementTree.fromstring(request.body)  # noqa: S314  # a client of this machine
    except ElementTree.ParseError:
        raise UnknownActionError("s3:DeleteObjects without a list") from None
    for entry in root.iterfind("{*}Object"):
        yield entry.findtext("{*}Key", ""), entry.findtext("{*}VersionId", "")


def _s3_object(request: Request, resources: Resources, bucket: str, key: str) -> Iterator[Access]:
    arn, part = f"arn:aws:s3:::{bucket}/{key}", _part_named(request)
    method = request.method
    version = "Version" if request.query.get("versionId") else ""
    uploading = "uploadId" in request.query and not part
    actions = _UPLOAD_ACTIONS if uploading else _OBJECT_ACTIONS
    action = actions.get((method, part))
    if action is None:
        raise UnknownActionError(f"s3:{method} object ?{part}")
    yield Access(f"s3:{action.format(Version=version)}", arn)
    if action != "PutObject":
        return
    # The condition of a write compares the object, so it needs the permission to read it.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    if request.header("if-match"):
        yield Access("s3:GetObject", arn)
    if header_values(request.header("x-amz-tagging")):
        yield Access("s3:PutObjectTagging", arn)
    if any(name.startswith(("HTTP_X_AMZ_ACL", "HTTP_X_AMZ_GRANT_")) for name in request.environ):
        yield Access("s3:PutObjectAcl", arn)
    source = unquote(request.header("x-amz-copy-source")).lstrip("/")
    if source:
        yield from _copied(request, resources, source, arn)


def _copied(request: Request, resources: Resources, source: str, arn: str) -> Iterator[Access]:
    """What a copy needs at its source, and for the tags that it copies.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    place, _, version_id = source.partition("?versionId=")
    version = "Version" if version_id else ""
    yield Access(f"s3:GetObject{version}", f"arn:aws:s3:::{place}")
    bucket, _, key = place.partition("/")
    replaced = request.header("x-amz-tagging-directive") == "REPLACE"
    is_part = "uploadId" in request.query
    if not replaced and not is_part and resources.has_tags(bucket, key, version_id):
        yield Access(f"s3:GetObject{version}Tagging", f"arn:aws:s3:::{place}")
        yield Access("s3:PutObjectTagging", arn)


# Lambda

# The operations by method and path, whose middle is the function's name or ARN.
# https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
_FUNCTION = re.compile(r"(/[\d-]+/functions/)([^/]+)(|/[a-z]+)")
_LAMBDA_ACTIONS = {
    "POST /2015-03-31/functions/*/invocations": "InvokeFunction",
    "GET /2015-03-31/functions/*": "GetFunction",
    "GET /2015-03-31/functions/*/configuration": "GetFunctionConfiguration",
    "PUT /2015-03-31/functions/*/configuration": "UpdateFunctionConfiguration",
    "GET /2019-09-30/functions/*/concurrency": "GetFunctionConcurrency",
    "PUT /2017-10-31/functions/*/concurrency": "PutFunctionConcurrency",
    "DELETE /2017-10-31/functions/*/concurrency": "DeleteFunctionConcurrency",
}


def _lambda(request: Request) -> Iterator[Access]:
    found = _FUNCTION.fullmatch(request.raw_path)
    action = found and _LAMBDA_ACTIONS.get(f"{request.method} {found[1]}*{found[3]}")
    if not found or not action:
        raise UnknownActionError(f"lambda:{request.method} {request.path}")
    name = unquote(found[2])
    parts = name.split(":")
    name = parts[6] if parts[0] == "arn" and len(parts) > 6 else parts[0]
    yield Access(f"lambda:{action}", _Arns(request.region).of("lambda", f"function:{name}"))


# The services with a name for each operation. Each gives the accesses of a request's parameters.

Needs = Callable[[Document, _Arns, Resources], Iterator[Access]]


def _arn_in(member: str, action: str, *others: str) -> Needs:
    """An action on the resource whose ARN is a parameter, or one of the other parameters."""

    def needs(document: Document, _arns: _Arns, _resources: Resources) -> Iterator[Access]:
        for name in (member, *others):
            if document.get(name):
                yield Access(action, str(document[name]))
                return
        yield Access(action, "*")

    return needs


def _queue(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
        name = str(document.get("QueueUrl", "")).rpartition("/")[2] or document.get("QueueName", "")
        yield Access(f"sqs:{action}", arns.of("sqs", str(name)))

    return needs


def _table(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, resources: Resources) -> Iterator[Access]:
        table = _table_name(document.get("TableName"))
        if document.get("IndexName"):
            table += f"/index/{document['IndexName']}"
        keys = _leading_keys(document, resources.hash_key(table))
        context = {"dynamodb:leadingkeys": keys} if keys else {}
        yield Access(f"dynamodb:{action}", arns.of("dynamodb", f"table/{table}"), context)

    return needs


def _tables(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
        for table in document.get("RequestItems", {}):
            resource = arns.of("dynamodb", f"table/{_table_name(table)}")
            yield Access(f"dynamodb:{action}", resource)

    return needs


def _table_name(name_or_arn: Any) -> str:
    return str(name_or_arn).rpartition("table/")[2]


_EQUAL = re.compile(r"([#\w]+)\s*=\s*(:\w+)")


def _leading_keys(document: Document, hash_key: str | None) -> tuple[str, ...]:
    """The values of the hash key that a request names."""
    given = document.get("Key") or document.get("Item") or {}
    if hash_key in given:
        return tuple(map(str, given[hash_key].values()))
    names = document.get("ExpressionAttributeNames") or {}
    values = document.get("ExpressionAttributeValues") or {}
    for name, value in _EQUAL.findall(document.get("KeyConditionExpression") or ""):
        if names.get(name, name) == hash_key and value in values:
            return tuple(map(str, values[value].values()))
    return ()


def _glue(action: str, *levels: str) -> Needs:
    """Glue checks the catalog, and the database and the table of each call."""

    def needs(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
        database = document.get("DatabaseName") or document.get("DatabaseInput", {}).get("Name")
        table = document.get("TableInput", {}).get("Name") or document.get("Name")
        if levels == ("database",):
            database = database or document.get("Name")
        resources = {"database": f"database/{database}", "table": f"table/{database}/{table}"}
        yield Access(f"glue:{action}", arns.of("glue", "catalog"))
        for level in levels:
            yield Access(f"glue:{action}", arns.of("glue", resources[level]))

    return needs


def _put_events(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
    for entry in document.get("Entries", []):
        bus = str(entry.get("EventBusName") or "default")
        arn = bus if bus.startswith("arn:") else arns.of("events", f"event-bus/{bus}")
        keys = {
            "events:source": (str(entry.get("Source", "")),),
            "events:detail-type": (str(entry.get("DetailType", "")),),
        }
        yield Access("events:PutEvents", arn, keys)


def _secret(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, resources: Resources) -> Iterator[Access]:
        name = str(document.get("SecretId", ""))
        if not name.startswith("arn:"):
            # A secret that does not exist has no ARN. It is found by the patterns of its name.
            name = resources.secret_arn(name) or arns.of("secretsmanager", f"secret:{name}-??????")
        yield Access(f"secretsmanager:{action}", name)

    return needs


def _logs(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
        group = document.get("logGroupName") or document.get("logGroupIdentifier", "")
        name = str(group).rpartition("log-group:")[2].removesuffix(":*")
        yield Access(f"logs:{action}", arns.of("logs", f"log-group:{name}:log-stream:"))

    return needs


def _stack(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
        name = str(document.get("StackName", ""))
        if not name:
            yield Access(f"cloudformation:{action}", "*")
        elif name.startswith("arn:"):
            yield Access(f"cloudformation:{action}", name)
        else:
            yield Access(f"cloudformation:{action}", arns.of("cloudformation", f"stack/{name}/*"))

    return needs


def _key(action: str) -> Needs:
    def needs(document: Document, arns: _Arns, _resources: Resources) -> Iterator[Access]:
        key = str(document.get("KeyId", ""))
        yield Access(
            f"kms:{action}", key if key.startswith("arn:") else arns.of("kms", f"key/{key}")
        )

    return needs


def _nothing(_document: Document, _arns: _Arns, _resources: Resources) -> Iterator[Access]:
    """Everybody may ask who they are."""
    return iter(())


_OPERATIONS: Mapping[tuple[str, str], Needs] = {
    **{
        ("cloudformation", action): _stack(action)
        for action in ("DescribeStackResources", "DescribeStacks", "GetTemplate")
    },
    **{
        ("dynamodb", action): _table(action)
        for action in (
            *("DeleteItem", "DescribeContinuousBackups", "DescribeTable", "GetItem", "PutItem"),
            *("Query", "Scan", "UpdateItem"),
        )
    },
    ("dynamodb", "BatchGetItem"): _tables("BatchGetItem"),
    ("dynamodb", "BatchWriteItem"): _tables("BatchWriteItem"),
    ("events", "PutEvents"): _put_events,
    ("glue", "CreateDatabase"): _glue("CreateDatabase", "database"),
    ("glue", "GetDatabase"): _glue("GetDatabase", "database"),
    ("glue", "CreateTable"): _glue("CreateTable", "database", "table"),
    ("glue", "DeleteTable"): _glue("DeleteTable", "database", "table"),
    ("glue", "GetTable"): _glue("GetTable", "database", "table"),
    ("glue", "UpdateTable"): _glue("UpdateTable", "database", "table"),
    **{("kms", action): _key(action) for action in ("Decrypt", "DescribeKey", "GenerateDataKey")},
    ("logs", "FilterLogEvents"): _logs("FilterLogEvents"),
    ("secretsmanager", "GetSecretValue"): _secret("GetSecretValue"),
    ("sns", "Publish"): _arn_in("TopicArn", "sns:Publish"),
    ("sns", "PublishBatch"): _arn_in("TopicArn", "sns:Publish"),
    ("sns", "Subscribe"): _arn_in("TopicArn", "sns:Subscribe"),
    **{
        ("sqs", action): _queue(action.removesuffix("Batch"))
        for action in (
            *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "DeleteMessage"),
            *("DeleteMessageBatch", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"),
            *("SendMessage", "SendMessageBatch"),
        )
    },
    **{
        ("stepfunctions", action): _arn_in("executionArn", f"states:{action}")
        for action in (
            *("DescribeExecution", "DescribeStateMachineForExecution", "GetExecutionHistory"),
            *("ListMapRuns", "RedriveExecution", "StopExecution"),
        )
    },
    **{
        ("stepfunctions", action): _arn_in("stateMachineArn", f"states:{action}", "mapRunArn")
        for action in (
            *("DescribeMapRun", "DescribeStateMachine", "ListExecutions", "StartExecution"),
        )
    },
    ("sts", "AssumeRole"): _arn_in("RoleArn", "sts:AssumeRole"),
    ("sts", "GetCallerIdentity"): _nothing,
}


def known_operations() -> set[tuple[str, str]]:
    """The operations, besides those of S3 and Lambda, whose actions are known."""
    return set(_OPERATIONS)
