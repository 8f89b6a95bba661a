"""Each function makes exactly the calls that its role allows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pipectl.embedded.calls import Call
from pipectl.embedded.process import StackProcess
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.samples import orders
from tests.infrastructure import deployed

pytestmark = pytest.mark.long  # a separate stack, without the calls of other tests

FILE = b"name,amount\na,1\nb,x\nc,3\n"
# Step -> rights without a call in these runs, and what they are for.
NOT_CALLED = {
    "Starter": {
        "sqs:ReceiveMessage": "Lambda's poller uses the role",
        "sqs:DeleteMessage": "Lambda's poller uses the role",
        "sqs:GetQueueAttributes": "Lambda's poller uses the role",
        "sqs:SendMessage": "a message that fails at its last delivery is set aside",
    },
    "ParseCsv": {
        "s3:AbortMultipartUpload": "after an error in the middle of very many corrected rows",
    },
    "MeasureSplit": {"s3:ListBucket": "S3 answers 404, not 403, for what is missing"},
    "Transform": {
        "s3:ListBucket": "S3 answers 404, not 403, for what is missing",
        "s3:AbortMultipartUpload": "after an error in the middle of a large part",
    },
    "WriteOutput": {"s3:AbortMultipartUpload": "after an error in the middle of a large output"},
    "ArchiveSource": {
        "s3:ListBucket": "S3 answers 404, not 403, for what is missing",
        "s3:GetObjectVersionTagging": "CopyObject copies tags",
        "s3:PutObjectTagging": "CopyObject copies tags",
    },
    "Summarize": {"s3:ListBucket": "S3 answers 404, not 403, for what is missing"},
    "RecordMetadata": {"s3:ListBucket": "S3 answers 404, not 403, for what is missing"},
    "Notify": {"s3:PutObject": "a failure that only one of two channels accepted"},
    "Webhook": {"sqs:SendMessage": "Lambda sends to the failure destination by the role"},
}
FOREVER = ("logs:CreateLogStream", "logs:PutLogEvents")


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    parameters = {"SplitSizeBytes": "65536", "ArchiveSource": "true", "WebhookSecret": "chat"}
    parameters["GlueDatabase"] = "analytics"
    with StackProcess(parameters=parameters) as stack:
        yield Pipeline(stack)


@pytest.fixture(scope="module")
def calls(pipeline: Pipeline) -> set[Call]:
    """Files of every kind: rejects, splits, failures, repeats, an abort."""
    pipeline.put_contract("fresh", {"pipeline": {"freshness": 24}})
    pipeline.run(FILE, dataset="fresh")
    pipeline.deployment.client("lambda").invoke(
        FunctionName="data-pipeline-freshness-dev", Payload=b"{}"
    )
    file = pipeline.run(FILE)
    corrected = pipeline.run(FILE)
    pipeline.correct(corrected, b"_row,name,amount\n2,b,4\n")
    # What is corrected in a file that failed is read from the failed execution's own objects.
    amount = {"name": "amount", "type": "number"}
    limited = {"schema": {"fields": [{"name": "name"}, amount]}, "pipeline": {"maxRejectCount": 0}}
    pipeline.put_contract("limited", limited)
    rejected = pipeline.wait_for_failure(pipeline.drop(FILE, dataset="limited").file_id)
    pipeline.correct(rejected, b"_row,name,amount\n2,b,4\n")
    # Another contract, under which nothing is rejected: the rejected records are removed, and the
    # output in another format.
    lenient: dict[str, object] = {"schema": {"fields": [{"name": "name"}, {"name": "amount"}]}}
    lenient["pipeline"] = {"outputFormat": "parquet"}
    pipeline.put_contract(file.item["dataset"], lenient)
    pipeline.send(
        {"file_id": file.file_id, "attempt": 1, "source": file.execution.source, "force": True}
    )
    pipeline.outcome(file.file_id, f"{file.file_id}-r2")
    pipeline.put_contract("small", {"schema": {"fields": [{"name": "other"}]}})
    failed = pipeline.wait_for_failure(pipeline.drop(FILE, dataset="small").file_id)
    pipeline.send({"file_id": failed.file_id, "attempt": 1, "source": failed.execution.source})
    pipeline.outcome(failed.file_id, f"{failed.file_id}-r2")
    for columns in (b"name\na\n", b"name,note\na,b\n"):
        grown = pipeline.run(columns, dataset="grows")
        assert grown.execution.status == "succeeded"
    large = pipeline.run(orders(5_000))
    # It is in the archive now.
    pipeline.send(
        {"file_id": large.file_id, "attempt": 1, "source": large.execution.source, "force": True}
    )
    again = pipeline.outcome(large.file_id, f"{large.file_id}-r2")
    assert again.execution.status == "succeeded"
    pipeline.stack.add_fault("data-pipeline-transform-dev", "InternalError", times=3)
    pipeline.wait_for_failure(pipeline.drop(orders(5_000)).file_id)
    pipeline.stack.clear_faults()
    aborted = pipeline.drop_and_stop(FILE)
    pipeline.wait_for_failure(aborted.file_id)
    return pipeline.stack.calls()


def _of(step: str, calls: set[Call]) -> set[Call]:
    kebab = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", step).lower()
    return {call for call in calls if call.caller == f"data-pipeline-{kebab}-dev"}


def _covers(grant: str, call: Call, buckets: dict[str, str]) -> bool:
    """Whether a grant of the template, `action resource`, allows a call."""
    action, _, resource = grant.partition(" ")
    if action != call.action:
        return False
    if not call.resource:
        return True
    for name, bucket in buckets.items():
        resource = resource.replace(f"${{{name}.Arn}}", bucket).replace(f"{name}.Arn", bucket)
    return call.resource == resource or (
        resource.endswith("*") and call.resource.startswith(resource[:-1])
    )


@pytest.mark.parametrize("step", sorted(deployed.functions()))
def test_a_role_allows_what_its_function_calls_and_nothing_more(
    step: str, pipeline: Pipeline, calls: set[Call]
) -> None:
    buckets = {
        "InputBucket": pipeline.outputs["InputBucketName"],
        "OutputBucket": pipeline.outputs["OutputBucketName"],
    }
    grants = deployed.grants(f"{step}Role")
    own = _of(step, calls)
    assert {call for call in own if not any(_covers(it, call, buckets) for it in grants)} == set()
    unused = {it for it in grants if not any(_covers(it, call, buckets) for call in own)}
    excused = {*NOT_CALLED.get(step, {}), *FOREVER}
    assert {it for it in unused if it.partition(" ")[0] not in excused} == set()
    # An exception that is no longer needed could hide an unused permission.
    assert excused - {it.partition(" ")[0] for it in unused} == set()
