"""A run in which the stack does everything that it can do here, with every call recorded.

`make rights` writes the calls to a file. With these, the tests tell which statement of the template
is needed for what, without running anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipectl.embedded.process import StackProcess
from pipectl.embedded.rights.enforcement import Call, Refusal
from tests.end_to_end.people import DATASET, PEOPLE, Person
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.samples import orders
from tests.end_to_end.test_malware_scans import scan

FILE = b"name,amount\na,1\nb,x\nc,3\n"
RECORDING = Path(__file__).with_name("recorded_calls.json")

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
# With everything on that needs rights of its own.
PARAMETERS = {
    "SplitSizeBytes": "65536",
    "ArchiveSource": "true",
    "WebhookSecret": "chat",
    "GlueDatabase": "analytics",
    "KmsKeyArn": KEY_ARN,
}

# Files start when they are scanned, and not when they are uploaded.
SCANNING = {"StartOnScanResult": "true", "KmsKeyArn": KEY_ARN}


def record(folder: Path) -> tuple[set[Call], list[Refusal]]:
    """Everything that was allowed and refused in a run of both stacks."""
    with StackProcess(parameters=PARAMETERS) as stack:
        pipeline = Pipeline(stack)
        run(pipeline)
        run_as_people(pipeline, folder)
        calls, refusals = stack.calls(), stack.refusals()
    with StackProcess(parameters=SCANNING) as stack:
        run_with_scans(Pipeline(stack))
        return calls | stack.calls(), refusals + stack.refusals()


def run(pipeline: Pipeline) -> None:
    """Files of every kind: rejects, splits, failures, repeats, an abort, an alarm."""
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
    # Its uploader has tagged it, and the archive keeps the tags.
    large = pipeline.outcome(pipeline.drop(orders(5_000), Tagging="sender=shop").file_id)
    # It is in the archive now.
    pipeline.send(
        {"file_id": large.file_id, "attempt": 1, "source": large.execution.source, "force": True}
    )
    again = pipeline.outcome(large.file_id, f"{large.file_id}-r2")
    assert again.execution.status == "succeeded"
    pipeline.fail_beside_another_split(orders(5_000))
    _continue_without_objects(pipeline)
    aborted = pipeline.drop_and_stop(FILE)
    pipeline.wait_for_failure(aborted.file_id)
    # An event that EventBridge can't deliver is set aside.
    with pipeline.without_reports_of_ends():
        unreported = pipeline.drop_and_stop(FILE)
        pipeline.wait_for_dead_letter("detail-type", unreported.file_id)
    # A message that the starter can't handle is set aside, and an alarm says that it is there.
    pipeline.send({"nothing": "of ours"})
    pipeline.wait_for_dead_letter("nothing")
    # The webhook's secret doesn't exist, so its notifications end in the dead-letter queue too.
    pipeline.wait_for_dead_letter("requestPayload")
    pipeline.stack.evaluate_alarms(ahead=120)


def _continue_without_objects(pipeline: Pipeline) -> None:
    """Steps that fail, and are redriven when what they read has been deleted."""
    for step, content in (("transform", FILE), ("measure-split", orders(5_000))):
        pipeline.stack.add_fault(f"data-pipeline-{step}-dev", "InternalError")
        source = pipeline.drop(content)
        failed = pipeline.wait_for_failure(source.file_id)
        pipeline.delete(source)
        pipeline.stack.clear_faults()
        pipeline.redrive(failed)
    pipeline.stack.add_fault("data-pipeline-record-metadata-dev", "InternalError")
    unrecorded = pipeline.wait_for_failure(pipeline.drop(FILE).file_id)
    bucket, outputs = pipeline.outputs["OutputBucketName"], unrecorded.published("processed/")
    for key in outputs:
        pipeline.deployment.client("s3").delete_object(Bucket=bucket, Key=key)
    assert outputs
    pipeline.redrive(unrecorded)


def run_with_scans(pipeline: Pipeline) -> None:
    """Files that start on the results of scans, also one that is gone, and one by its tag."""
    source = pipeline.drop(FILE)
    scan(pipeline, source, "NO_THREATS_FOUND")
    assert pipeline.outcome(source.file_id).execution.status == "succeeded"
    gone = pipeline.drop(FILE)
    pipeline.delete(gone)
    scan(pipeline, gone, "NO_THREATS_FOUND")
    pipeline.wait_until_all_is_delivered()
    source = pipeline.drop(FILE)
    scan(pipeline, source, "FAILED")
    failed = pipeline.wait_for_failure(source.file_id)
    pipeline.send({"file_id": failed.file_id, "attempt": 1, "source": failed.execution.source})
    pipeline.outcome(source.file_id, f"{source.file_id}-r2")


def run_as_people(pipeline: Pipeline, folder: Path) -> None:
    """What everybody does who has one of the policies that the stack offers."""
    for policy, does in PEOPLE.items():
        does(Person(pipeline, policy, folder))


def recorded() -> list[Call]:
    """The calls of the recorded run."""
    return [
        Call(**{**entry, "context": tuple((k, tuple(v)) for k, v in entry["context"].items())})
        for entry in json.loads(RECORDING.read_text(encoding="utf-8"))
    ]


def written(calls: Iterable[Call]) -> str:
    """Calls as the file has them: one of each kind, without what differs from run to run."""
    entries = {json.dumps(_entry(call), sort_keys=True) for call in calls}
    return "[\n" + ",\n".join(sorted(entries)) + "\n]\n"


def _entry(call: Call) -> Mapping[str, Any]:
    return {
        **call._asdict(),
        "resource": plain(call.resource),
        "context": {key: [plain(one) for one in values] for key, values in call.context},
    }


def plain(text: str) -> str:
    """A resource or condition value without IDs, dates, and the names of test files."""
    for pattern, name in _VARIABLE_PARTS:
        text = pattern.sub(name, text)
    return text


# Of an object's key, the first folder says who may do what with it, and for some the dataset.
_FOLDERS = "raw|processed|rejected|corrections|reports|contracts|work|dead-letters"
_OBJECT = rf"(arn:aws:s3:::[^/]+/)?({_FOLDERS})/"
_VARIABLE_PARTS = (
    (re.compile(r"(role/data-pipeline-\w+)-[A-Z0-9]{12}"), r"\1"),
    (re.compile(r"((?:execution|mapRun):.*:)[0-9a-f-]{32,}(r\d+)?"), r"\1NAME"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])(-r\d+)?"), "FILE_ID"),
    (re.compile(r"smoke-[0-9a-f-]{8,}"), "smoke-0"),
    (re.compile(r"smoke_[0-9a-f]{8,}"), "smoke_0"),
    (re.compile(r"(:table/analytics/)(?!smoke_0).+"), r"\1TABLE"),
    (re.compile(rf"^{_OBJECT}(?!{DATASET}|smoke-0|\w+/history).+"), r"\1\2/KEY"),
    (re.compile(rf"/raw/(?!{DATASET}|smoke-0).+"), "/raw/KEY"),
)


def main() -> None:
    """Write the recording."""
    with TemporaryDirectory() as folder:
        calls, refusals = record(Path(folder))
    for refusal in refusals:
        print(refusal.message, refusal.remedy, sep="\n")  # it is a command
    RECORDING.write_text(written(calls), encoding="utf-8")


if __name__ == "__main__":
    main()
