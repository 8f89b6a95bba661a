"""From an uploaded file to its outputs, metadata and notification."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end_to_end.pipeline import Pipeline

EVENTS = Path(__file__).parents[2] / "events"

PAYMENTS = b"""name,email,amount,date
Ada Moreau,ada@example.com,100.50,2024-01-15
Bo Lind,bo@example.com,250.00,2024-01-16
Cy Haddad,cy@example.com,75.25,2024-01-17
Di Okafor,di@example.com,300.00,2024-01-18
"""


def test_a_clean_file_becomes_records_a_summary_an_item_and_a_notification(
    pipeline: Pipeline,
) -> None:
    outcome = pipeline.run(PAYMENTS)

    assert outcome.execution.status == "succeeded"
    records = [json.loads(line) for line in outcome.output("processed/", ".jsonl").splitlines()]
    assert [record["original_row"] for record in records] == [1, 2, 3, 4]
    assert records[0]["id"] == f"{outcome.file_id}-1"
    assert records[0]["data"] == {
        "name": "Ada Moreau",
        "email": "ada@example.com",
        "amount": 100.5,
        "date": "2024-01-15",
    }
    summary = json.loads(outcome.output("reports/", "_summary.json"))
    assert summary["total_processed"] == 4
    assert summary["success_rate"] == 100
    assert summary["field_statistics"]["amount"]["sum"] == 725.75
    assert outcome.published("rejected/") == []
    assert outcome.item["status"] == "succeeded"
    assert outcome.item["processed_count"] == 4
    assert outcome.item["processed_on"] == outcome.item["processed_at"][:10]
    [notification] = pipeline.notifications(outcome.file_id)
    assert notification["attributes"]["status"] == "succeeded"
    assert pipeline.dead_letters(outcome.file_id) == []


def test_each_fault_of_the_sample_rejects_only_its_own_row(pipeline: Pipeline) -> None:
    contract = json.loads((EVENTS / "orders.contract.json").read_bytes())
    pipeline.put_contract("orders", contract)

    outcome = pipeline.run((EVENTS / "orders-2026-03.csv").read_bytes(), dataset="orders")

    assert outcome.execution.status == "succeeded"
    rejects = [json.loads(line) for line in outcome.output("rejected/", ".jsonl").splitlines()]
    codes = {reject["row"]: sorted({e["code"] for e in reject["errors"]}) for reject in rejects}
    assert codes == {
        18: ["type-error"],
        42: ["type-error"],
        64: ["constraint-error"],
        89: ["type-error"],
        105: ["constraint-error"],
        130: ["constraint-error"],
        151: ["constraint-error"],
        172: ["type-error"],
        191: ["constraint-error", "type-error"],
        205: ["constraint-error", "extra-cell", "type-error"],
        222: ["missing-cell"],
        239: ["primary-key"],
        260: ["encoding-error"],
        283: ["source-error"],
        302: ["constraint-error"],
        334: ["type-error"],
    }
    assert outcome.item["processed_count"] == 344
    assert outcome.item["error_count"] == 16
    assert outcome.item["contract_version"]


def test_a_file_that_cannot_be_processed_is_failed_queued_notified_and_recorded(
    pipeline: Pipeline,
) -> None:
    outcome = pipeline.run(b"id,amount,id\n1,2,3\n")

    assert outcome.execution.status == "failed"
    assert outcome.states[-1] == "FailureGate"
    assert outcome.run.failure is not None
    assert outcome.run.failure.code == "HeaderMismatch"
    assert outcome.run.failure.state == "ParseCsv"
    [document] = pipeline.dead_letters(outcome.file_id)
    assert document["failure"]["caught"]["Error"] == "HeaderMismatch"
    assert document["source"]["key"].startswith("raw/")
    [notification] = pipeline.notifications(outcome.file_id)
    assert notification["attributes"]["error"] == "HeaderMismatch"
    assert outcome.item["status"] == "failed"
    assert outcome.item["error"]["state"] == "ParseCsv"
    assert outcome.objects == {}


def test_a_second_version_of_a_key_is_another_file(pipeline: Pipeline) -> None:
    first = pipeline.run(b"a,amount\nx,1\n", dataset="versions")
    second = pipeline.run(b"a,amount\nx,2\n", dataset="versions")

    assert first.file_id != second.file_id
    assert b'"amount":1' in first.output("processed/", ".jsonl")
    assert b'"amount":2' in second.output("processed/", ".jsonl")


def test_a_state_document_moved_back_from_the_dead_letter_queue_is_the_next_attempt(
    pipeline: Pipeline,
) -> None:
    contract = {"fields": [{"name": "a", "type": "integer"}]}
    pipeline.put_contract("corrected-contract", {"fields": "none"})
    failed = pipeline.run(b"a\n1\n", dataset="corrected-contract")
    assert failed.item["error"]["code"] == "InvalidContract"
    [document] = pipeline.dead_letters(failed.file_id)

    pipeline.put_contract("corrected-contract", {"schema": contract})
    pipeline.send(document)
    outcome = pipeline.outcome(failed.file_id, f"{failed.file_id}-r2")

    assert outcome.execution.status == "succeeded"
    assert outcome.item["attempt"] == 2
    assert outcome.item["replay_of"] == failed.file_id
    assert sorted(outcome.item["history"]) == ["1.0", "2.0"]
