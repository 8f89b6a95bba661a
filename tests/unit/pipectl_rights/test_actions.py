"""Which permissions each API call needs that the functions and `pipectl` make."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest

from pipectl.embedded.direct import DirectCalls
from pipectl.embedded.rights.actions import UnknownActionError, accesses
from pipectl.embedded.rights.policies import Access
from pipectl.embedded.rights.requests import Request
from pipectl.options import PROJECT

ENDPOINT = "http://127.0.0.1:4566"
HERE = "us-east-1:123456789012"
TABLE = f"arn:aws:dynamodb:{HERE}:table/files"
QUEUE_URL = f"{ENDPOINT}/123456789012/queue"
QUEUE = f"arn:aws:sqs:{HERE}:queue"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:pipeline"
EXECUTION = f"arn:aws:states:{HERE}:execution:pipeline:one"
MAP_RUN = f"arn:aws:states:{HERE}:mapRun:pipeline/Map:1"
OF_SPLITS = f"arn:aws:states:{HERE}:stateMachine:pipeline/Map"
TOPIC = f"arn:aws:sns:{HERE}:topic"
FUNCTION = f"arn:aws:lambda:{HERE}:function:notify"
CATALOG = f"arn:aws:glue:{HERE}:catalog"
DATABASE = f"arn:aws:glue:{HERE}:database/analytics"
ORDERS = f"arn:aws:glue:{HERE}:table/analytics/orders"
STACK = f"arn:aws:cloudformation:{HERE}:stack/data-pipeline/*"

BUCKET = {"Bucket": "files"}
OBJECT = {"Bucket": "files", "Key": "raw/ä b/x.csv"}
VERSION = {**OBJECT, "VersionId": "v1"}
PART = {**OBJECT, "UploadId": "u", "PartNumber": 1}
B, O = "arn:aws:s3:::files", "arn:aws:s3:::files/raw/ä b/x.csv"  # noqa: E741  # bucket and object
SOURCE = {"Bucket": "others", "Key": "a/b.csv"}
SOURCE_VERSION = {**SOURCE, "VersionId": "v2"}
TAGGED = {"Bucket": "others", "Key": "tagged"}
KEY = {"file_id": {"S": "f1"}}

CALLS: list[tuple[str, str, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("s3", "get_object", OBJECT, [("s3:GetObject", O)]),
    ("s3", "get_object", VERSION, [("s3:GetObjectVersion", O)]),
    ("s3", "get_object", {**VERSION, "Range": "bytes=0-1"}, [("s3:GetObjectVersion", O)]),
    ("s3", "get_object", {**OBJECT, "PartNumber": 1}, [("s3:GetObject", O)]),
    ("s3", "head_object", OBJECT, [("s3:GetObject", O)]),
    ("s3", "head_object", VERSION, [("s3:GetObjectVersion", O)]),
    ("s3", "head_bucket", BUCKET, [("s3:ListBucket", B)]),
    ("s3", "list_buckets", {}, [("s3:ListAllMyBuckets", "*")]),
    ("s3", "list_objects_v2", BUCKET, [("s3:ListBucket", B, {})]),
    ("s3", "list_objects_v2", {**BUCKET, "Prefix": "raw/", "Delimiter": "/"},
     [("s3:ListBucket", B, {"s3:prefix": ("raw/",), "s3:delimiter": ("/",)})]),
    ("s3", "list_object_versions", {**BUCKET, "Prefix": "contracts/"},
     [("s3:ListBucketVersions", B, {"s3:prefix": ("contracts/",)})]),
    ("s3", "put_object", OBJECT, [("s3:PutObject", O)]),
    ("s3", "put_object", {**OBJECT, "IfNoneMatch": "*"}, [("s3:PutObject", O)]),
    ("s3", "put_object", {**OBJECT, "IfMatch": '"e"'}, [("s3:PutObject", O), ("s3:GetObject", O)]),
    ("s3", "put_object", {**OBJECT, "Tagging": "a=b"},
     [("s3:PutObject", O), ("s3:PutObjectTagging", O)]),
    ("s3", "put_object", {**OBJECT, "ACL": "public-read"},
     [("s3:PutObject", O), ("s3:PutObjectAcl", O)]),
    ("s3", "create_multipart_upload", OBJECT, [("s3:PutObject", O)]),
    ("s3", "upload_part", PART, [("s3:PutObject", O)]),
    ("s3", "upload_part_copy", {**PART, "CopySource": TAGGED},
     [("s3:PutObject", O), ("s3:GetObject", "arn:aws:s3:::others/tagged")]),
    ("s3", "complete_multipart_upload",
     {**OBJECT, "UploadId": "u", "MultipartUpload": {"Parts": [{"ETag": "e", "PartNumber": 1}]}},
     [("s3:PutObject", O)]),
    ("s3", "complete_multipart_upload",
     {**OBJECT, "UploadId": "u", "MultipartUpload": {"Parts": []}, "IfMatch": '"e"'},
     [("s3:PutObject", O), ("s3:GetObject", O)]),
    ("s3", "abort_multipart_upload", {**OBJECT, "UploadId": "u"},
     [("s3:AbortMultipartUpload", O)]),
    ("s3", "list_parts", {**OBJECT, "UploadId": "u"}, [("s3:ListMultipartUploadParts", O)]),
    ("s3", "copy_object", {**OBJECT, "CopySource": SOURCE},
     [("s3:PutObject", O), ("s3:GetObject", "arn:aws:s3:::others/a/b.csv")]),
    ("s3", "copy_object", {**OBJECT, "CopySource": SOURCE_VERSION},
     [("s3:PutObject", O), ("s3:GetObjectVersion", "arn:aws:s3:::others/a/b.csv")]),
    ("s3", "copy_object", {**OBJECT, "CopySource": TAGGED},
     [("s3:PutObject", O), ("s3:GetObject", "arn:aws:s3:::others/tagged"),
      ("s3:GetObjectTagging", "arn:aws:s3:::others/tagged"), ("s3:PutObjectTagging", O)]),
    ("s3", "copy_object", {**OBJECT, "CopySource": {**TAGGED, "VersionId": "v3"}},
     [("s3:PutObject", O), ("s3:GetObjectVersion", "arn:aws:s3:::others/tagged"),
      ("s3:GetObjectVersionTagging", "arn:aws:s3:::others/tagged"), ("s3:PutObjectTagging", O)]),
    ("s3", "copy_object", {**OBJECT, "CopySource": TAGGED, "TaggingDirective": "REPLACE"},
     [("s3:PutObject", O), ("s3:GetObject", "arn:aws:s3:::others/tagged")]),
    ("s3", "delete_object", OBJECT, [("s3:DeleteObject", O)]),
    ("s3", "delete_object", VERSION, [("s3:DeleteObjectVersion", O)]),
    ("s3", "delete_objects",
     {**BUCKET, "Delete": {"Objects": [{"Key": "a"}, {"Key": "ä", "VersionId": "v"}]}},
     [("s3:DeleteObject", f"{B}/a"), ("s3:DeleteObjectVersion", f"{B}/ä")]),
    ("s3", "get_object_tagging", OBJECT, [("s3:GetObjectTagging", O)]),
    ("s3", "get_object_tagging", VERSION, [("s3:GetObjectVersionTagging", O)]),
    ("s3", "put_object_tagging", {**OBJECT, "Tagging": {"TagSet": []}},
     [("s3:PutObjectTagging", O)]),
    ("s3", "get_bucket_policy", BUCKET, [("s3:GetBucketPolicy", B)]),
    ("s3", "get_bucket_versioning", BUCKET, [("s3:GetBucketVersioning", B)]),
    ("s3", "get_bucket_logging", BUCKET, [("s3:GetBucketLogging", B)]),
    ("s3", "get_bucket_encryption", BUCKET, [("s3:GetEncryptionConfiguration", B)]),
    ("s3", "get_bucket_lifecycle_configuration", BUCKET, [("s3:GetLifecycleConfiguration", B)]),
    ("s3", "get_public_access_block", BUCKET, [("s3:GetBucketPublicAccessBlock", B)]),
    ("sqs", "send_message", {"QueueUrl": QUEUE_URL, "MessageBody": "a"},
     [("sqs:SendMessage", QUEUE)]),
    ("sqs", "send_message_batch", {"QueueUrl": QUEUE_URL, "Entries": []},
     [("sqs:SendMessage", QUEUE)]),
    ("sqs", "receive_message", {"QueueUrl": QUEUE_URL}, [("sqs:ReceiveMessage", QUEUE)]),
    ("sqs", "delete_message", {"QueueUrl": QUEUE_URL, "ReceiptHandle": "r"},
     [("sqs:DeleteMessage", QUEUE)]),
    ("sqs", "delete_message_batch", {"QueueUrl": QUEUE_URL, "Entries": []},
     [("sqs:DeleteMessage", QUEUE)]),
    ("sqs", "change_message_visibility",
     {"QueueUrl": QUEUE_URL, "ReceiptHandle": "r", "VisibilityTimeout": 0},
     [("sqs:ChangeMessageVisibility", QUEUE)]),
    ("sqs", "change_message_visibility_batch", {"QueueUrl": QUEUE_URL, "Entries": []},
     [("sqs:ChangeMessageVisibility", QUEUE)]),
    ("sqs", "get_queue_attributes", {"QueueUrl": QUEUE_URL}, [("sqs:GetQueueAttributes", QUEUE)]),
    ("sqs", "get_queue_url", {"QueueName": "queue"}, [("sqs:GetQueueUrl", QUEUE)]),
    ("sns", "publish", {"TopicArn": TOPIC, "Message": "a"}, [("sns:Publish", TOPIC)]),
    ("sns", "subscribe", {"TopicArn": TOPIC, "Protocol": "email"}, [("sns:Subscribe", TOPIC)]),
    ("lambda", "invoke", {"FunctionName": "notify"}, [("lambda:InvokeFunction", FUNCTION)]),
    ("lambda", "invoke", {"FunctionName": FUNCTION}, [("lambda:InvokeFunction", FUNCTION)]),
    ("lambda", "invoke", {"FunctionName": f"{FUNCTION}:$LATEST"},
     [("lambda:InvokeFunction", FUNCTION)]),
    ("lambda", "get_function_configuration", {"FunctionName": "notify"},
     [("lambda:GetFunctionConfiguration", FUNCTION)]),
    ("lambda", "update_function_configuration", {"FunctionName": "notify", "Timeout": 1},
     [("lambda:UpdateFunctionConfiguration", FUNCTION)]),
    ("lambda", "get_function", {"FunctionName": FUNCTION}, [("lambda:GetFunction", FUNCTION)]),
    ("lambda", "get_function_concurrency", {"FunctionName": "notify"},
     [("lambda:GetFunctionConcurrency", FUNCTION)]),
    ("lambda", "put_function_concurrency",
     {"FunctionName": "notify", "ReservedConcurrentExecutions": 2},
     [("lambda:PutFunctionConcurrency", FUNCTION)]),
    ("lambda", "delete_function_concurrency", {"FunctionName": "notify"},
     [("lambda:DeleteFunctionConcurrency", FUNCTION)]),
    ("dynamodb", "get_item", {"TableName": "files", "Key": KEY},
     [("dynamodb:GetItem", TABLE, {"dynamodb:leadingkeys": ("f1",)})]),
    ("dynamodb", "put_item", {"TableName": "files", "Item": KEY},
     [("dynamodb:PutItem", TABLE, {"dynamodb:leadingkeys": ("f1",)})]),
    ("dynamodb", "update_item", {"TableName": TABLE, "Key": KEY}, [("dynamodb:UpdateItem", TABLE)]),
    ("dynamodb", "delete_item", {"TableName": "files", "Key": KEY},
     [("dynamodb:DeleteItem", TABLE)]),
    ("dynamodb", "batch_get_item", {"RequestItems": {"files": {"Keys": [KEY]}}},
     [("dynamodb:BatchGetItem", TABLE)]),
    ("dynamodb", "query",
     {"TableName": "files", "IndexName": "source-index",
      "KeyConditionExpression": "#s = :s AND sequencer > :q",
      "ExpressionAttributeNames": {"#s": "source"},
      "ExpressionAttributeValues": {":s": {"S": "b/raw/a"}, ":q": {"S": "1"}}},
     [("dynamodb:Query", f"{TABLE}/index/source-index", {"dynamodb:leadingkeys": ("b/raw/a",)})]),
    ("dynamodb", "query",
     {"TableName": "files", "KeyConditionExpression": "file_id = :s",
      "ExpressionAttributeValues": {":s": {"S": "f1"}}},
     [("dynamodb:Query", TABLE, {"dynamodb:leadingkeys": ("f1",)})]),
    ("dynamodb", "scan", {"TableName": "files", "IndexName": "failures-index"},
     [("dynamodb:Scan", f"{TABLE}/index/failures-index", {})]),
    ("dynamodb", "describe_table", {"TableName": "files"}, [("dynamodb:DescribeTable", TABLE)]),
    ("stepfunctions", "start_execution", {"stateMachineArn": MACHINE},
     [("states:StartExecution", MACHINE)]),
    ("stepfunctions", "describe_state_machine", {"stateMachineArn": MACHINE},
     [("states:DescribeStateMachine", MACHINE)]),
    ("stepfunctions", "list_executions", {"stateMachineArn": MACHINE},
     [("states:ListExecutions", MACHINE)]),
    ("stepfunctions", "list_executions", {"mapRunArn": MAP_RUN},
     [("states:ListExecutions", MAP_RUN)]),
    ("stepfunctions", "list_map_runs", {"executionArn": EXECUTION},
     [("states:ListMapRuns", EXECUTION)]),
    ("stepfunctions", "describe_map_run", {"mapRunArn": MAP_RUN},
     [("states:DescribeMapRun", MAP_RUN)]),
    *(("stepfunctions", name, {"executionArn": EXECUTION}, [(f"states:{action}", EXECUTION)])
      for name, action in (
          ("describe_execution", "DescribeExecution"),
          ("describe_state_machine_for_execution", "DescribeStateMachineForExecution"),
          ("get_execution_history", "GetExecutionHistory"),
          ("redrive_execution", "RedriveExecution"),
          ("stop_execution", "StopExecution"))),
    ("events", "put_events",
     {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"},
                  {"Source": "c", "DetailType": "d", "Detail": "{}", "EventBusName": "own"}]},
     [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default",
       {"events:source": ("a",), "events:detail-type": ("b",)}),
      ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/own",
       {"events:source": ("c",), "events:detail-type": ("d",)})]),
    ("glue", "delete_table", {"DatabaseName": "analytics", "Name": "orders"},
     [("glue:DeleteTable", it) for it in (CATALOG, DATABASE, ORDERS)]),
    ("glue", "get_table", {"DatabaseName": "analytics", "Name": "orders"},
     [("glue:GetTable", CATALOG), ("glue:GetTable", DATABASE), ("glue:GetTable", ORDERS)]),
    ("glue", "create_table", {"DatabaseName": "analytics", "TableInput": {"Name": "orders"}},
     [("glue:CreateTable", CATALOG), ("glue:CreateTable", DATABASE), ("glue:CreateTable", ORDERS)]),
    ("glue", "update_table", {"DatabaseName": "analytics", "TableInput": {"Name": "orders"}},
     [("glue:UpdateTable", CATALOG), ("glue:UpdateTable", DATABASE), ("glue:UpdateTable", ORDERS)]),
    ("glue", "create_database", {"DatabaseInput": {"Name": "analytics"}},
     [("glue:CreateDatabase", CATALOG), ("glue:CreateDatabase", DATABASE)]),
    ("glue", "get_database", {"Name": "analytics"},
     [("glue:GetDatabase", CATALOG), ("glue:GetDatabase", DATABASE)]),
    ("secretsmanager", "get_secret_value", {"SecretId": "chat"},
     [("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:chat-AbCdEf")]),
    ("secretsmanager", "get_secret_value", {"SecretId": "gone"},
     [("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:gone-??????")]),
    ("kms", "decrypt", {"CiphertextBlob": b"a", "KeyId": "1"},
     [("kms:Decrypt", f"arn:aws:kms:{HERE}:key/1")]),
    ("logs", "filter_log_events", {"logGroupName": "/aws/lambda/a"},
     [("logs:FilterLogEvents", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/a:log-stream:")]),
    ("cloudformation", "describe_stacks", {"StackName": "data-pipeline"},
     [("cloudformation:DescribeStacks", STACK)]),
    ("cloudformation", "describe_stacks", {}, [("cloudformation:DescribeStacks", "*")]),
    ("sts", "get_caller_identity", {}, []),
    ("sts", "assume_role", {"RoleArn": "arn:aws:iam::1:role/a", "RoleSessionName": "me"},
     [("sts:AssumeRole", "arn:aws:iam::1:role/a")]),
]  # fmt: skip

# Words that are methods of boto3 and of something else that the code calls.
NOT_AWS = {"get_template", "list_objects"}


class Known:
    """Resources for these calls."""

    def hash_key(self, table: str) -> str | None:
        return {"files": "file_id", "files/index/source-index": "source"}.get(table)

    def secret_arn(self, name: str) -> str | None:
        return f"arn:aws:secretsmanager:{HERE}:secret:chat-AbCdEf" if name == "chat" else None

    def has_tags(self, _bucket: str, key: str, _version_id: str) -> bool:
        return key == "tagged"


class Sent(BaseException):
    """A request instead of its answer. Nothing on the way takes it for an error of the service."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


def application(environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
    raise Sent(Request(environ))


@cache
def client_of(service: str) -> Any:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    DirectCalls(ENDPOINT, application).serve(session)
    return session.client(service, endpoint_url=ENDPOINT)  # type: ignore[call-overload]


def requested(service: str, name: str, parameters: dict[str, Any]) -> Request:
    """The request that boto3 sends for a call."""
    with pytest.raises(Sent) as sent:
        getattr(client_of(service), name)(**parameters)
    return sent.value.request


@pytest.mark.parametrize(("service", "name", "parameters", "needed"), CALLS)
def test_a_call_needs_these_permissions(
    service: str, name: str, parameters: dict[str, Any], needed: list[tuple[Any, ...]]
) -> None:
    found = accesses(requested(service, name, parameters), Known())
    assert [(it.action, it.resource) for it in found] == [it[:2] for it in needed]
    for access, expected in zip(found, needed, strict=True):
        if len(expected) > 2:
            assert access.context == expected[2]


def _methods() -> dict[str, set[str]]:
    """The names of boto3's methods, with the services that have them."""
    services = {service for service, *_ in CALLS}
    found: dict[str, set[str]] = {}
    for service in sorted(services):
        for name in client_of(service).meta.method_to_api_mapping:
            found.setdefault(name, set()).add(service)
    return found


def _called() -> Iterator[tuple[str, str]]:
    """Every method that the code calls or pages through, with the place."""
    for folder in ("functions", "pipectl"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if "embedded" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                place = f"{path.relative_to(PROJECT)}:{node.lineno}"
                yield node.func.attr, place
                if node.func.attr == "get_paginator" and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value), place


def test_every_call_in_the_code_has_its_permissions_here() -> None:
    tested = {name for _, name, *_ in CALLS}
    methods = _methods()
    missing = {
        f"{name} ({place})"
        for name, place in _called()
        if name in methods and name not in tested | NOT_AWS
    }
    assert missing == set()


@pytest.mark.parametrize(
    ("service", "name", "parameters", "operation"),
    [
        ("s3", "get_bucket_cors", BUCKET, "s3:GET bucket ?cors"),
        ("s3", "get_object_attributes", {**OBJECT, "ObjectAttributes": ["ETag"]},
         "s3:GET object ?attributes"),
        ("s3", "put_object_retention", OBJECT, "s3:PUT object ?retention"),
        ("lambda", "list_functions", {}, "lambda:GET /2015-03-31/functions"),
        ("dynamodb", "transact_write_items",
         {"TransactItems": [{}]}, "dynamodb:TransactWriteItems"),
        ("sqs", "purge_queue", {"QueueUrl": QUEUE_URL}, "sqs:PurgeQueue"),
        ("sns", "list_topics", {}, "sns:ListTopics"),
        ("iam", "list_roles", {}, "iam:ListRoles"),
        ("cloudwatch", "list_metrics", {}, "cloudwatch:ListMetrics"),
    ],
)  # fmt: skip
def test_an_operation_without_known_permissions_is_named(
    service: str, name: str, parameters: dict[str, Any], operation: str
) -> None:
    with pytest.raises(UnknownActionError, match=f"^{operation.replace('?', '.')}"):
        accesses(requested(service, name, parameters), Known())


def environ(url: str, **headers: str) -> dict[str, Any]:
    path, _, query = url.partition("?")
    named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    found = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "RAW_URI": url, "QUERY_STRING": query}
    return {**found, "HTTP_HOST": "127.0.0.1:4566", **named}


SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host"
PRESIGNED = "X-Amz-Credential=AKIA%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0"


@pytest.mark.parametrize(
    "request_of",
    [
        environ("/files/raw/x", authorization=SIGNED),
        environ(f"/files/raw/x?{PRESIGNED}"),
        environ("/files/raw/x", authorization="AWS AKIA:signature"),
        environ("/files/raw/x?AWSAccessKeyId=AKIA&Signature=0&Expires=1"),
        environ("/raw/x", authorization=SIGNED, host="files.localhost:4566"),
        environ("/raw/x", authorization=SIGNED, host="files.s3.eu-west-1.amazonaws.com"),
    ],
)
def test_the_caller_and_the_object_are_found_however_a_request_is_signed_and_addressed(
    request_of: dict[str, Any],
) -> None:
    request = Request(request_of)
    assert request.access_key == "AKIA"
    expected = Access("s3:GetObject", "arn:aws:s3:::files/raw/x")
    assert accesses(request, Known()) == [expected]
