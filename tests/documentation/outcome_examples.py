"""The example events in `events/`: made by the code that makes them on AWS, and never by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from notify.message import DETAIL_TYPES, EVENT_SOURCE
from notify.outcome import Document, StackLocation, Status, outcome_document
from shared.job import Execution, Job
from tests.infrastructure.deployed import ROOT
from tests.unit.functions import documents

SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "docs" / "schemas" / "outcome.schema.json").read_text("utf-8")
)
OUTCOME = Draft202012Validator(SCHEMA)
"""Validates outcome documents."""

CORRECTIONS_KEY = f"corrections/orders/{documents.FILE_ID}.csv"

PLACE = StackLocation("dev", documents.OUTPUT_BUCKET)

_TOO_MANY = (
    "16 of 360 records (4.44%) were rejected; the limit is 1%. "
    f"See them with `pipectl rejects {documents.FILE_ID}`. "
    "Fix the file or the contract, or raise the limit there, then rerun the file."
    '\nDetails: {"records": 360, "rejected": 16, "limit_percent": 1}'
)
_LATER = {
    "file_id": "7fa2c19e0b5d4c3f8a6e1d2b9c0f7e31",
    "execution": "7fa2c19e0b5d4c3f8a6e1d2b9c0f7e31",
}


def state_document(status: Status) -> dict[str, Any]:
    """The state document of a file with this outcome, as Notify gets it."""
    if status == "succeeded":
        return documents.recorded(output={**documents.OUTPUT, "corrections_key": CORRECTIONS_KEY})
    if status == "failed":
        failure = documents.failure("TooManyRejects", _TOO_MANY)
        counts = {"record_count": 360, "processed_count": 344, "error_count": 16}
        return documents.job(parse=documents.PARSE, transform=counts, failure=failure)
    parse = {**documents.PARSE, "superseded_by": _LATER}
    record = {"status": "superseded", "recorded_at": "2026-03-01T08:00:03.001Z"}
    return documents.job(parse=parse, record=record)


def document_of(state: Mapping[str, Any], status: Status) -> Document:
    """The outcome document of a state document."""
    execution = Execution.from_context(documents.execution(state["attempt"]))
    job = Job.from_document(state)
    recorded_at = state.get("record", {}).get("recorded_at", "2026-03-01T08:00:09.614Z")
    return outcome_document(job, execution, PLACE, status=status, ended_at=recorded_at)


def example(status: Status) -> dict[str, Any]:
    """The EventBridge event of an outcome, as a rule's target receives it."""
    detail = document_of(state_document(status), status)
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": DETAIL_TYPES[status],
        "source": EVENT_SOURCE,
        "account": "123456789012",
        "time": "2026-03-01T08:00:10Z",
        "region": documents.REGION,
        "resources": [detail["execution"]["arn"]],
        "detail": detail,
    }


STATUSES: tuple[Status, ...] = ("succeeded", "failed", "superseded")
EXAMPLES = {
    ROOT / "events" / f"{DETAIL_TYPES[status].lower().replace(' ', '-')}.json": status
    for status in STATUSES
}
"""The path of each example and the status that it is of."""


def text_of(status: Status) -> str:
    """What the example's file contains."""
    return json.dumps(example(status), indent=2, ensure_ascii=False) + "\n"
