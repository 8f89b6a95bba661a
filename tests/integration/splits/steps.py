"""The steps from ParseCsv to Summarize in this process, one after the other as the workflow says.

There is no workflow engine and no server, only moto's S3 behind boto3, so that hundreds of files
run in seconds. Which state comes next, and what it keeps, is read from the deployed definition.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import measure_split.app
import number_splits.app
import parse_csv.app
import summarize.app
import transform.app
import write_output.app
from shared import keys
from shared.job import new_job
from tests.unit.functions.workflow import STATES, keep, next_task, payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

# No other test's: moto may hold another stack at the same time.
INPUT_BUCKET = "splits-input"
WHOLE_BUCKET = "splits-output-whole"
SPLIT_BUCKET = "splits-output-split"
METADATA_TABLE = "splits-metadata"
STARTED = "2026-03-01T08:00:02.114Z"
EXECUTION_NAME = "name"

# Larger than any file here: one split.
WHOLE_SIZE = 1_000_000_000

_TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "ParseCsv": parse_csv.app.handler,
    "MeasureSplits": measure_split.app.handler,
    "NumberSplits": number_splits.app.handler,
    "PlanOneSplit": parse_csv.app.handler,
    "TransformSplits": transform.app.handler,
    "Transform": transform.app.handler,
    "WriteOutput": write_output.app.handler,
    "Summarize": summarize.app.handler,
}
# What comes after Summarize needs more than S3.
_ENDS = ("UpdateCatalogue", "RecordMetadata")
_NUMBERS = itertools.count()

# How the summary and the report state the number of splits.
_SPLITS = re.compile(rb'("splits": |<dt>Splits<dd>)[0-9]+')


@dataclass(frozen=True)
class UploadedFile:
    """A file in the input bucket, and the document that starts its execution."""

    document: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        """The file's own dataset."""
        return str(self.document["source"]["dataset"])


@dataclass
class StepsRun:
    """The progress of an execution: the states visited, and its current document."""

    document: dict[str, Any]
    visited: list[str] = field(default_factory=list)

    @property
    def splits(self) -> int:
        """How many splits the file was transformed in."""
        return int(self.document["parse"]["splits"])


@dataclass(frozen=True)
class Steps:
    """The steps with an output bucket and a split size in bytes."""

    s3: S3Client
    bucket: str
    split_size: int
    output_format: str = "jsonl"

    def run(
        self,
        upload: UploadedFile,
        *,
        started: str = STARTED,
        resume: StepsRun | None = None,
        from_state: str = "ParseCsv",
    ) -> StepsRun:
        """Run the file, from the beginning or from a state with the document of a run before."""
        return self._run_until(
            _ENDS, resume.document if resume else upload.document, started, from_state
        )

    def plan(self, upload: UploadedFile) -> StepsRun:
        """Run the first step only."""
        return self._run_until(("MeasureSplits", "Transform"), upload.document)

    def outputs(self, upload: UploadedFile) -> dict[str, bytes]:
        """All published objects of the file, by key.

        Without the number of splits, the one difference between splits and the whole file: the
        reports state it.
        """
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        of_dataset = f"/{upload.dataset}/"
        return {
            key: _SPLITS.sub(
                rb"\1N", self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            )
            for key in (item["Key"] for item in found)
            if of_dataset in key
        }

    def work(self, upload: UploadedFile) -> keys.Work:
        """The keys of the execution's own objects."""
        return keys.Work(str(upload.document["file_id"]), EXECUTION_NAME)

    def remove_part(self, upload: UploadedFile, split: int) -> None:
        """Leave the part of a split as a Transform does that fails before its end."""
        key = self.work(upload).part(split, "report.json")
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def clear(self) -> None:
        """Empty the output bucket, so that listing it stays quick."""
        for item in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            self.s3.delete_object(Bucket=self.bucket, Key=item["Key"])

    def _run_until(
        self,
        ends: Sequence[str],
        document: Mapping[str, Any],
        started: str = STARTED,
        from_state: str = "ParseCsv",
    ) -> StepsRun:
        run = StepsRun(json.loads(json.dumps(document)))
        execution = {"Id": "arn:aws:states:execution", "Name": EXECUTION_NAME, "StartTime": started}
        with self._environment():
            state = next_task(from_state, run.document)
            while state not in ends:
                run.visited.append(state)
                state = self._step(state, run, execution)
        return run

    def _step(self, state: str, run: StepsRun, execution: Mapping[str, Any]) -> str:
        """Run one state; returns the next task, or raises an error without planning again."""
        definition = STATES[state]
        try:
            if definition["Type"] == "Map":
                run.document = self._map(state, run.document, execution)
            else:
                sent = json.loads(json.dumps(payload(state, run.document, execution)))
                run.document = keep(state, run.document, _TASKS[state](sent, None))
        except Exception as error:
            catcher = _catcher(definition, type(error).__name__)
            if catcher["Next"] not in _TASKS:
                raise
            cause = {"errorMessage": str(error), "errorType": type(error).__name__}
            caught = {"Error": type(error).__name__, "Cause": json.dumps(cause)}
            run.document[catcher["ResultPath"].removeprefix("$.")] = caught
            return next_task(catcher["Next"], run.document)
        return next_task(definition["Next"], run.document)

    def _map(
        self, state: str, document: dict[str, Any], execution: Mapping[str, Any]
    ) -> dict[str, Any]:
        name, _, result = STATES[state]["ItemReader"]["Parameters"]["Key.$"][2:].partition(".")
        body = self.s3.get_object(Bucket=self.bucket, Key=document[name][result])["Body"].read()
        for split in json.loads(body):
            sent = {"split": split, "job": document, "execution": execution}
            _TASKS[state](json.loads(json.dumps(sent)), None)
        return {**document, STATES[state]["ResultPath"][2:]: {"map_run_arn": "arn"}}

    @contextmanager
    def _environment(self) -> Iterator[None]:
        values = {
            "INPUT_BUCKET": INPUT_BUCKET,
            "OUTPUT_BUCKET": self.bucket,
            "METADATA_TABLE": METADATA_TABLE,
            "SPLIT_SIZE_BYTES": str(self.split_size),
            "MAX_CONCURRENCY": "2",
            "REQUIRE_CONTRACT": "false",
            "REQUIRE_SCAN": "false",
            "IGNORED_NAMES": "",
            "TRANSFORM_TIMEOUT_SECONDS": "900",
            "OUTPUT_FORMAT": self.output_format,
            "MAX_REJECT_PERCENT": "100",
            "MAX_REJECT_COUNT": "-1",
        }
        with patch.dict("os.environ", values):
            yield


def upload(s3: S3Client, body: bytes, contract: Mapping[str, Any] | None = None) -> UploadedFile:
    """Put a file, and its dataset's contract, into the input bucket."""
    dataset = f"set-{next(_NUMBERS)}"
    if contract is not None:
        put_contract(s3, dataset, contract)
    key = f"raw/{dataset}/file.csv"
    put = s3.put_object(Bucket=INPUT_BUCKET, Key=key, Body=body)
    job = new_job(
        bucket=INPUT_BUCKET,
        key=key,
        version_id=put["VersionId"],
        etag=put["ETag"].strip('"'),
        size=len(body),
        sequencer="1",
        event_time=STARTED,
    )
    return UploadedFile(json.loads(job.execution_input()))


def put_contract(s3: S3Client, dataset: str, contract: Mapping[str, Any]) -> None:
    """Set the contract of a dataset."""
    s3.put_object(
        Bucket=INPUT_BUCKET, Key=f"contracts/{dataset}.json", Body=json.dumps(contract).encode()
    )


def _catcher(definition: Mapping[str, Any], error: str) -> dict[str, str]:
    return next(
        catcher
        for catcher in definition["Catch"]
        if {error, "States.ALL"} & set(catcher["ErrorEquals"])
    )
