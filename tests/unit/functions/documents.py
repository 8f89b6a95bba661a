"""State documents and payloads as the workflow makes them, for tests to start from."""

from __future__ import annotations

import json
from typing import Any

from shared.job import DOCUMENT_VERSION, Source

REGION = "eu-central-1"
INPUT_BUCKET = "data-pipeline-input-123456789012-eu-central-1-dev"
OUTPUT_BUCKET = "data-pipeline-output-123456789012-eu-central-1-dev"
METADATA_TABLE = "pipeline-metadata-dev"
MACHINE_ARN = f"arn:aws:states:{REGION}:123456789012:stateMachine:data-pipeline-dev"

SOURCE: dict[str, Any] = {
    "bucket": INPUT_BUCKET,
    "key": "raw/orders/orders 2026-03.csv",
    "version_id": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
    "etag": "d41d8cd98f00b204e9800998ecf8427e",
    "size": 34567,
    "sequencer": "0055AED6DCD90281E5",
    "event_time": "2026-03-01T08:00:00.000Z",
    "dataset": "orders",
}
FILE_ID = Source.from_document(SOURCE).file_id

# Each step's result, as the workflow's ResultSelector leaves it.
PARSE: dict[str, Any] = {
    "version": DOCUMENT_VERSION,
    "plan_key": f"work/{FILE_ID}/{FILE_ID}/plan.json",
    "splits": 1,
    "splits_key": f"work/{FILE_ID}/{FILE_ID}/splits.json",
    "max_concurrency": 10,
    "location": {name: SOURCE[name] for name in ("bucket", "key", "version_id", "etag", "size")},
    "encoding": "utf-8",
    "compression": None,
    "delimiter": ",",
    "columns": 11,
    "contract_key": "contracts/orders.json",
    "contract_version": "v7",
    "output_path": "orders 2026-03.csv",
    "is_new": False,
    "corrections": None,
    "superseded_by": None,
}
TRANSFORM: dict[str, Any] = {"record_count": 200, "processed_count": 197, "error_count": 3}
OUTPUT: dict[str, Any] = {
    **TRANSFORM,
    "processed_key": "processed/orders/orders 2026-03.csv.jsonl",
    "rejected_key": "rejected/orders/orders 2026-03.csv.jsonl",
    "corrections_key": f"corrections/orders/{FILE_ID}.csv",
    "corrections": None,
    "superseded_by": None,
    "processed_bytes": 54321,
}
SUMMARY: dict[str, Any] = {
    "summary_key": f"reports/orders/{FILE_ID}_summary.json",
    "report_key": f"reports/orders/{FILE_ID}.html",
    "success_rate": 98.5,
    "rejects": {
        "faults": 4,
        "reasons": [
            {
                "column": 8,
                "code": "constraint-error",
                "rule": "minimum",
                "faults": 2,
                "records": 2,
            },
            {"column": None, "code": "extra-cell", "rule": None, "faults": 1, "records": 1},
        ],
        "other_faults": 1,
    },
    "drift": {
        "missing_fields": ["gift_note"],
        "missing_count": 1,
        "dropped_columns": 2,
        "kept_columns": 0,
    },
    "glue_database": "",
}
RESULTS: dict[str, Any] = {
    "parse": PARSE,
    "transform": TRANSFORM,
    "output": OUTPUT,
    "summary": SUMMARY,
}


def job(attempt: int = 1, **results: Any) -> dict[str, Any]:
    """The state document of one attempt, with the results that are given."""
    document = {
        "file_id": FILE_ID,
        "attempt": attempt,
        "replay_of": None,
        "source": SOURCE,
        "corrections": None,
    }
    return {**document, **results}


def finished(attempt: int = 1, **results: Any) -> dict[str, Any]:
    """The state document after Summarize."""
    return job(attempt, **{**RESULTS, **results})


def recorded(attempt: int = 1, **results: Any) -> dict[str, Any]:
    """The state document after RecordMetadata, 7.5 s after the execution's start."""
    record = {"status": "succeeded", "recorded_at": f"2026-03-0{attempt}T08:00:09.614Z"}
    return finished(attempt, **{"record": record, **results})


def execution(attempt: int = 1, *, redrives: int | None = None) -> dict[str, Any]:
    """`$$.Execution` of an attempt; the count of redrives is absent before the first."""
    name = FILE_ID if attempt == 1 else f"{FILE_ID}-r{attempt}"
    context = {
        "Id": f"{MACHINE_ARN.replace(':stateMachine:', ':execution:')}:{name}",
        "Name": name,
        "StartTime": f"2026-03-0{attempt}T08:00:02.114Z",
        "RoleArn": "arn:aws:iam::123456789012:role/data-pipeline-dev",
        "Input": {},
    }
    return context if redrives is None else {**context, "RedriveCount": redrives}


def payload(
    document: dict[str, Any], *, redrives: int | None = None, **more: Any
) -> dict[str, Any]:
    """What a state sends to its function."""
    return {
        "job": document,
        "execution": execution(document["attempt"], redrives=redrives),
        **more,
    }


def failure(
    error: str = "InvalidContract",
    message: str = "The contract contracts/orders.json is wrong.",
    *,
    attempt: int = 1,
    redrives: int | None = None,
    **lane: Any,
) -> dict[str, Any]:
    """What DescribeFailure and the lane after it leave in the document."""
    cause = {"errorMessage": message, "errorType": error, "requestId": "3b0c", "stackTrace": []}
    return {
        "caught": {"Error": error, "Cause": json.dumps(cause)},
        "execution": execution(attempt, redrives=redrives),
        **lane,
    }
