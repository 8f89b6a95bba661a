"""The present functions continue with what earlier releases left, or refuse it by name.

`previous_release/documents_N` was recorded by `record_release.py` with releases of the document
version N. An execution that runs during a deployment keeps its workflow, and its next step is new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipectl.client.dead_letter_queue import read_dead_letter
from shared.job import DOCUMENT_VERSION, Source
from shared.versions import version_attributes
from starter.messages import Replay, entries_of
from starter.recorded_source import source_of_item
from tabular.file_names import NO_IGNORED_NAMES
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.record_release import CONTRACT, DATASET, LARGE, SMALL

FOLDERS = sorted((Path(__file__).parent / "previous_release").iterdir())
BODIES = {"small.csv": SMALL, "large.csv": LARGE, "failed.csv": b""}
# The functions of the Maps, whose invocations are in the Maps' results.
MAPS = {"MeasureSplits": "measure-split", "TransformSplits": "transform"}
# Where the workflow keeps what a function returned.
RESULTS = {"parse-csv": "parse", "write-output": "output", "summarize": "summary"}
# What the workflow itself adds to a result.
_ADDED = {"glue_database"}

recorded = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def is_present(folder: Path) -> bool:
    """Whether the documents are of the present version."""
    return folder.name == f"documents_{DOCUMENT_VERSION}"


def read(folder: Path, name: str) -> str:
    return (folder / f"{name}.json").read_text(encoding="utf-8")


class Recording:
    """What a release left of one file, put into this stack for a file of the same content."""

    def __init__(self, pipeline: Pipeline, folder: Path, name: str) -> None:
        self._pipeline = pipeline
        self._s3 = pipeline.deployment.client("s3")
        pipeline.put_contract(DATASET, CONTRACT)
        text = read(folder, name)
        before = Source.from_document(json.loads(text)["source"])
        # The starter ignores such a name, so that nothing but this test processes the file.
        key = before.key.replace(f"/{name}", f"/_{name}")
        put = self._s3.put_object(Bucket=before.bucket, Key=key, Body=BODIES[name])
        now = Source(**vars(before) | {"key": key, "version_id": put["VersionId"]})
        for old, new in (
            (before.key, now.key),
            (str(before.version_id), str(now.version_id)),
            (before.file_id, now.file_id),
        ):
            text = text.replace(old, new)
        self.document: dict[str, Any] = json.loads(text)
        self.file_id = now.file_id
        self.missing: set[str] = set()

    @property
    def objects(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = self.document["objects"]
        return found

    def invocations(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The functions that the release called, each with its payload."""
        for function, payload in self.document["payloads"]:
            yield function.removeprefix("data-pipeline-").removesuffix("-dev"), payload
            for state, inner in MAPS.items():
                if (function, state) in (
                    ("data-pipeline-parse-csv-dev", "MeasureSplits"),
                    ("data-pipeline-number-splits-dev", "TransformSplits"),
                ):
                    for item in self._items(state):
                        yield inner, item

    def _items(self, state: str) -> Iterator[Mapping[str, Any]]:
        for key, found in self.objects.items():
            if f"/{state}/" in key and "SUCCEEDED" in key:
                for child in json.loads(found["body"]):
                    given = json.loads(child["Input"])
                    yield {**given, "execution": self.document["payloads"][0][1]["execution"]}

    def call(self, function: str, payload: Mapping[str, Any]) -> str | None:
        """Call the present function with what the release had written; returns its error.

        The workflow that the execution keeps selects names from the result. Those that the
        release's function returned and the present one doesn't are `missing`.
        """
        for key, found in self.objects.items():
            if key.startswith("work/"):
                self._put(key, found)
        answer = self._pipeline.deployment.client("lambda").invoke(
            FunctionName=f"data-pipeline-{function}-dev", Payload=json.dumps(payload).encode()
        )
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            return str(result["errorType"])
        after = self.document["payloads"][-1][1]["job"].get(RESULTS.get(function), {})
        self.missing |= {f"{function}: {name}" for name in after.keys() - result.keys() - _ADDED}
        return None

    def _put(self, key: str, found: Mapping[str, Any]) -> None:
        self._s3.put_object(
            Bucket=self._pipeline.outputs["OutputBucketName"],
            Key=key,
            Body=found["body"].encode(),
            Metadata=found["metadata"],
        )

    def published(self, key: str) -> str:
        bucket = self._pipeline.outputs["OutputBucketName"]
        return str(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())


@recorded
@pytest.mark.parametrize("name", ["small.csv", "large.csv"])
def test_a_step_continues_with_the_documents_or_refuses_them_by_name(
    pipeline: Pipeline, folder: Path, name: str
) -> None:
    recording = Recording(pipeline, folder, name)
    errors = [
        (function, recording.call(function, payload))
        for function, payload in recording.invocations()
    ]
    refusal = None if is_present(folder) else "OutdatedExecution"
    # The first step reads no earlier one's documents.
    expected = [(function, None if function == "parse-csv" else refusal) for function, _ in errors]
    assert errors == expected
    assert {"transform", "write-output", "record-metadata", "notify"} <= {it for it, _ in errors}
    if refusal is None:
        assert recording.missing == set()
        for key, found in recording.objects.items():
            if key.startswith(("processed/", "rejected/")):
                assert recording.published(key) == found["body"]


@recorded
def test_a_failure_is_recorded_and_reported_whatever_release_began_the_execution(
    pipeline: Pipeline, folder: Path
) -> None:
    recording = Recording(pipeline, folder, "failed.csv")
    errors = {
        function: recording.call(function, payload) for function, payload in recording.invocations()
    }
    assert errors == {
        "parse-csv": "EmptyFile",
        "notify": None,
        "record-metadata": None,
        "failure-gate": "EmptyFile",
    }
    assert pipeline.item(recording.file_id)["error"]["code"] == "EmptyFile"


@recorded
@pytest.mark.parametrize("name", BODIES)
def test_queue_messages_and_metadata_items_are_read(folder: Path, name: str) -> None:
    document = json.loads(read(folder, name))
    source = Source.from_document(document["source"])
    for message in document["messages"]:
        body = json.dumps(message)
        (entry,) = entries_of(body, source.bucket, NO_IGNORED_NAMES)
        assert isinstance(entry.request, Replay)
        assert entry.request.job.source == source
        letter = read_dead_letter({"MessageId": "1", "ReceiptHandle": "r", "Body": body})
        assert letter.kind == "state_document"
    item = document["item"]
    assert source_of_item(item).file_id == source.file_id
    assert version_attributes(source).items() <= item.items()


def test_the_releases_of_the_present_version_are_recorded() -> None:
    assert any(map(is_present, FOLDERS))
