"""Every field that the pipeline writes is in docs/outputs.md, and every field there is written."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl
import pytest

from shared.steps import RESULTS
from tests.end_to_end.pipeline import FileOutcome, Pipeline
from tests.infrastructure.deployed import ROOT
from webhook.post import body_of

PAGE = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
EVENTS = ROOT / "events"
# Where the names of an object's fields are data: the placeholder that the page has for them.
PLACEHOLDERS = {
    "data": "<column>",
    "field_statistics": "<column>",
    "rejects.by_code": "<code>",
    "rejects.by_field": "<column>",
    "rejects.by_field.<column>": "<code>",
    "rejects.of_rows": "<code>",
    "usual.null_rates": "<column>",
    "history": "<run>",
    "notified": "<execution>",
}


def documented(kind: str) -> set[str]:
    """The names in the first column of the page's table of this kind."""
    [table] = re.findall(rf"<!-- fields: {kind} -->\n((?:\|.*\n)+)", PAGE)
    rows = table.splitlines()[2:]
    return {re.match(r"\| `([^`]+)` \|", row)[1] for row in rows}  # type: ignore[index]


def paths(value: Any, place: str = "") -> Iterator[str]:
    """The dotted names of all leaves of a document, `errors[].code` for a field of a list's items.

    An empty object or list, and null, are leaves.
    """
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            shown = PLACEHOLDERS.get(place) or str(name)
            yield from paths(inner, f"{place}.{shown}" if place else shown)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for inner in value:
            yield from paths(inner, f"{place}[]")
    else:
        yield place


def unlike(kind: str, documents: Iterable[Any]) -> dict[str, list[str]]:
    """What the page lacks, and what it has that neither these documents nor the code have."""
    named = documented(kind)
    found = {path for document in documents for path in paths(document)}
    empty = {
        path for path in found if any(re.match(rf"{re.escape(path)}[.\[]", it) for it in named)
    }
    code = "".join(path.read_text("utf-8") for path in (ROOT / "functions").rglob("*.py"))
    last = {path: re.split(r"[.\]]", path)[-1] for path in named - found}
    return {
        "undocumented": sorted(found - named - empty),
        "never written": sorted(path for path, name in last.items() if f'"{name}"' not in code),
    }


NOTHING: dict[str, list[str]] = {"undocumented": [], "never written": []}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / "orders.contract.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def succeeded(pipeline: Pipeline, contract: dict[str, Any]) -> FileOutcome:
    pipeline.put_contract("documented", contract)
    body = (EVENTS / "orders-2026-03.csv").read_bytes()
    return pipeline.run(body, "orders-2026-03.csv", "documented")


@pytest.fixture(scope="module")
def failed(pipeline: Pipeline, contract: dict[str, Any]) -> FileOutcome:
    pipeline.put_contract("strict", contract | {"pipeline": {"maxRejectPercent": 1}})
    body = (EVENTS / "orders-2026-03.csv").read_bytes()
    return pipeline.wait_for_failure(pipeline.drop(body, "orders-2026-03.csv", "strict").file_id)


def test_processed_records(succeeded: FileOutcome) -> None:
    lines = succeeded.output("processed/", ".jsonl").splitlines()
    assert unlike("processed", map(json.loads, lines)) == NOTHING


def test_flat_records(pipeline: Pipeline) -> None:
    contract = {"schema": {"fields": [{"name": "N"}]}, "pipeline": {"record": "flat"}}
    pipeline.put_contract("flat", contract)
    [line] = pipeline.run(b"N\nx\n", dataset="flat").output("processed/", ".jsonl").splitlines()
    assert documented("flat") == {"_file_id", "_row", "<column>"}
    assert {*json.loads(line)} == {"_file_id", "_row", "n"}


def test_rejected_records(succeeded: FileOutcome) -> None:
    lines = succeeded.output("rejected/", ".jsonl").splitlines()
    assert unlike("rejected", map(json.loads, lines)) == NOTHING
    rows = succeeded.output("corrections/", ".csv").decode("utf-8-sig").splitlines()
    assert all(row in PAGE for row in rows[:2])


def test_corrections(pipeline: Pipeline) -> None:
    pipeline.put_contract("applied", {"schema": {"fields": [{"name": "n", "type": "integer"}]}})
    file = pipeline.run(b"n\n1\nx\n", dataset="applied")
    done = pipeline.correct(file, b"_row,n\n2,2\n")
    lines = done.output("corrections/", ".applied.jsonl").splitlines()
    assert unlike("applied", map(json.loads, lines)) == NOTHING


def test_summary(succeeded: FileOutcome) -> None:
    assert unlike("summary", [json.loads(succeeded.output("reports/", "_summary.json"))]) == NOTHING


def test_metadata_item(succeeded: FileOutcome, failed: FileOutcome) -> None:
    assert unlike("item", [succeeded.item, failed.item]) == NOTHING


def test_notification_and_webhook(
    pipeline: Pipeline, succeeded: FileOutcome, failed: FileOutcome
) -> None:
    sent = [pipeline.notifications(it.file_id)[-1] for it in (succeeded, failed)]
    machine = [json.loads(json.loads(one["message"])["default"]) for one in sent]
    # The pipeline validates each against its schema, and the page's table is made from that.
    assert [it["status"] for it in machine] == ["succeeded", "failed"]
    assert machine[0]["rejects"]["faults"] >= machine[0]["counts"]["rejected"] == 16
    assert machine[1]["error"]["details"]["rejected"] == 16
    assert unlike("attributes", [one["attributes"] for one in sent]) == NOTHING
    posted = body_of({"Message": json.dumps(machine[0]), "Subject": sent[0]["subject"]})
    assert set(json.loads(posted)) == documented("webhook")


def test_dead_letter(pipeline: Pipeline, failed: FileOutcome) -> None:
    [letter] = pipeline.dead_letters(failed.file_id)
    steps = {name: {} if name in RESULTS else value for name, value in letter.items()}
    shown = {"<step>" if name in RESULTS else name: value for name, value in steps.items()}
    failure = shown["failure"] | {"execution": {}}
    found = {*paths(shown | {"failure": failure, "source": {}})}
    assert found - documented("dead_letter") == set()
    assert set(re.findall(r"`(\w+)`", _row("<step>"))) == set(RESULTS)


def test_parquet(pipeline: Pipeline) -> None:
    fields = [{"name": "n", "type": "integer"}, {"name": "text"}]
    settings = {"outputFormat": "parquet"}
    pipeline.put_contract("columns", {"schema": {"fields": fields}, "pipeline": settings})
    body = io.StringIO()
    writer = csv.writer(body)
    writer.writerow(["n", "text"])
    writer.writerows([number, "x" * 40] for number in range(2000))
    outcome = pipeline.run(body.getvalue().encode(), dataset="columns")
    frame = pl.read_parquet(outcome.output("processed/", ".parquet"))
    own = {"_file_id", "_row"}
    assert {*frame.columns} == own | {"n", "text"}
    assert documented("parquet") == own | {"<column>"}
    assert frame["n"].to_list() == list(range(2000))


def _row(name: str) -> str:
    [row] = re.findall(rf"^\| `{re.escape(name)}` \| \w+ \|(.*)\|$", PAGE, re.MULTILINE)
    return str(row)
