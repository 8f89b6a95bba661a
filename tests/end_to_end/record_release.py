"""Records what a release leaves behind: documents, messages and objects of a few small files.

Run in a checkout of the release, before the next one is developed:
`python -m tests.end_to_end.record_release FOLDER`. `test_upgrade.py` runs the present code on them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pipectl.embedded.process import StackProcess
from tests.end_to_end.pipeline import FileOutcome, Pipeline
from tests.infrastructure.deployed import ROOT

SPLIT_SIZE_BYTES = 16 * 1024
CONTRACT = {
    "schema": {
        "fields": [
            {"name": "id", "type": "integer", "constraints": {"required": True, "unique": False}},
            {"name": "day", "type": "date"},
            {"name": "amount", "type": "number", "constraints": {"minimum": 0}},
            {"name": "note"},
        ]
    }
}
SMALL = b"id,day,amount,note\n1,2026-03-01,5.5,a\n2,2026-13-01,1,b\n3,2026-03-02,-4,c\n4,,7,d\n"
# Long cells, so that a few records take two splits.
LARGE = b"id,day,amount,note\n" + b"".join(
    b"%d,2026-03-%02d,%d,%s\n" % (row, row % 28 + 1, row % 7 - 1, b"x" * 1100) for row in range(20)
)
DATASET = "upgrade"


def main() -> None:
    """Write one JSON document for each file."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    parameters = {"SplitSizeBytes": str(SPLIT_SIZE_BYTES), "ArchiveSource": "false"}
    with StackProcess(parameters=parameters) as stack:
        pipeline = Pipeline(stack)
        pipeline.put_contract(DATASET, CONTRACT)
        for name, body in (("small.csv", SMALL), ("large.csv", LARGE)):
            outcome = pipeline.run(body, name, DATASET)
            assert outcome.execution.status == "succeeded"
            _write(folder / f"{name}.json", _recorded(pipeline, outcome))
        failed = pipeline.wait_for_failure(pipeline.drop(b"", "failed.csv", DATASET).file_id)
        document = _recorded(pipeline, failed)
        document["messages"] = pipeline.dead_letters(failed.file_id)
        _write(folder / "failed.csv.json", document)


def _recorded(pipeline: Pipeline, outcome: FileOutcome) -> dict[str, Any]:
    client = pipeline.deployment.client("s3")
    bucket = pipeline.outputs["OutputBucketName"]
    keys = [
        found["Key"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for found in page.get("Contents", [])
    ]
    # Reports for people are not read again.
    mine = [
        key
        for key in keys
        if (outcome.file_id in key or key in outcome.objects) and not key.endswith(".html")
    ]
    return {
        "file_id": outcome.file_id,
        "source": dict(outcome.execution.source),
        "payloads": _payloads(pipeline, outcome.execution.arn),
        "objects": {key: _read(client, bucket, key) for key in mine},
        "item": outcome.item,
        "messages": [json.loads(json.dumps(outcome.execution.document))],
    }


def _payloads(pipeline: Pipeline, arn: str) -> list[tuple[str, dict[str, Any]]]:
    """Each invocation of a function outside of Maps: its name and its payload, in order."""
    client = pipeline.deployment.client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    found = []
    for event in (event for page in pages for event in page["events"]):
        details = event.get("taskScheduledEventDetails", {})
        if details.get("resourceType") == "lambda":
            given = json.loads(details["parameters"])
            function = str(given["FunctionName"]).rpartition(":function:")[2]
            found.append((function, given["Payload"]))
    return found


def _read(client: Any, bucket: str, key: str) -> dict[str, Any]:
    answer = client.get_object(Bucket=bucket, Key=key)
    return {"body": answer["Body"].read().decode(), "metadata": answer["Metadata"]}


def _write(path: Path, document: Any) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True, default=str)
    # Stack traces name the folder of the checkout.
    text = text.replace(f"{ROOT}/", "/var/task/")
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
