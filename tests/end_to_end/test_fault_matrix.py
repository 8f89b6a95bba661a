"""Every state with every fault, once and until its retries are used up.

After each: the dead-letter queue, the metadata, the notifications and the execution's status
agree; the output is published if and only if WriteOutput has finished; a redrive brings the file to
success with the same bytes, and nothing is notified twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pytest

from shared.executions import attempt_name
from shared.steps import RETRIES
from tests.end_to_end.pipeline import FileOutcome, Pipeline
from tests.end_to_end.samples import expected, orders

SMALL = orders(200)
LARGE = orders(4_000)  # two splits

FUNCTIONS = {
    "ParseCsv": "parse-csv",
    "MeasureSplits": "measure-split",
    "NumberSplits": "number-splits",
    "TransformSplits": "transform",
    "Transform": "transform",
    "WriteOutput": "write-output",
    "Summarize": "summarize",
    "RecordMetadata": "record-metadata",
    "Notify": "notify",
    "ArchiveSource": "archive-source",
}
# More than a state has retries when it is throttled.
THROTTLES = RETRIES["ParseCsv"][0].attempts + 1
# By kind of fault: the number of faults in a row that uses up the state's retries, and the name
# under which it then fails.
FAULTS = {
    "throttle": (THROTTLES, "TooManyRequestsException"),
    "error500": (7, "ServiceException"),
    "timeout": (2, "Timedout"),
    "untyped-timeout": (2, "Unknown"),
    "Runtime.OutOfMemory": (2, "OutOfMemory"),
    "crash": (2, "ExitError"),
    "access-denied": (1, "AccessDeniedException"),
    "SourceChanged": (1, "SourceChanged"),
}
# A sample of all for the quick tests: each state, each fault, both outcomes.
QUICK = {
    ("ParseCsv", "throttle", THROTTLES),
    ("ParseCsv", "access-denied", 1),
    ("TransformSplits", "crash", 3),
    ("WriteOutput", "timeout", 2),
    ("Notify", "error500", 7),
    ("RecordMetadata", "SourceChanged", 1),
}
QUICK_STATES = {"TransformSplits"}
SLOW_STATES = {"WriteOutput", "ArchiveSource"}


@dataclass(frozen=True)
class Case:
    """One fault of a state: its kind, and how many times in a row."""

    state: str
    kind: str
    times: int

    @property
    def recovers(self) -> bool:
        """Whether the state's own retries are enough."""
        return self.times < _enough(self.state, self.kind)


def _enough(state: str, kind: str) -> int:
    """The number of faults that uses up the retries of one of two splits, or of the one state."""
    attempts = FAULTS[kind][0]
    return 2 * (attempts - 1) + 1 if state in {"MeasureSplits", "TransformSplits"} else attempts


def _cases() -> Iterator[object]:
    for state in FUNCTIONS:
        for kind in FAULTS:
            for times in sorted({1, _enough(state, kind)}):
                yield pytest.param(
                    Case(state, kind, times),
                    id=f"{state}-{kind}-{times}",
                    marks=_marks((state, kind, times), QUICK),
                )


def _sampled(value: str, quick: Collection[str]) -> object:
    return pytest.param(value, marks=_marks(value, quick))


def _marks(value: object, quick: Collection[object]) -> list[pytest.MarkDecorator]:
    """All but those of the quick sample take too long for the quick tests."""
    if value in quick:
        return []
    return [pytest.mark.slow if value in SLOW_STATES else pytest.mark.long]


@pytest.fixture(autouse=True)
def _no_faults_left(pipeline: Pipeline) -> Iterator[None]:
    pipeline.stack.clear_faults()
    yield
    pipeline.stack.clear_faults()


@pytest.mark.parametrize("case", list(_cases()))
def test_a_fault_of_a_step(pipeline: Pipeline, case: Case) -> None:
    body = LARGE if case.state.endswith("Splits") else SMALL
    pipeline.stack.add_fault(f"data-pipeline-{FUNCTIONS[case.state]}-dev", case.kind, case.times)

    outcome = pipeline.run(body)

    if not case.recovers:
        _check_failed(pipeline, outcome, case.state, FAULTS[case.kind][1])
        outcome = pipeline.redrive(outcome)
        assert outcome.item["redrive_count"] == 1
    _check_succeeded(pipeline, outcome, body)


@pytest.mark.parametrize("state", [_sampled(state, QUICK_STATES) for state in FUNCTIONS])
def test_a_new_attempt_gives_the_same_output_except_for_its_time(
    pipeline: Pipeline, state: str
) -> None:
    body = LARGE if state.endswith("Splits") else SMALL
    pipeline.stack.add_fault(f"data-pipeline-{FUNCTIONS[state]}-dev", "SourceChanged")
    failed = pipeline.run(body)
    [document] = pipeline.dead_letters(failed.file_id)

    pipeline.send(document)

    outcome = pipeline.outcome(failed.file_id, f"{failed.file_id}-r2")
    assert outcome.item["attempt"] == 2
    assert outcome.item["replay_of"] == failed.file_id
    assert outcome.item["processed_at"] > failed.item["processed_at"]
    _check_succeeded(pipeline, outcome, body, notices=2 if state == "ArchiveSource" else 1)


@pytest.mark.parametrize("state", [_sampled(state, QUICK_STATES) for state in FUNCTIONS])
def test_a_version_that_fails_is_superseded_by_the_next(pipeline: Pipeline, state: str) -> None:
    body = LARGE if state.endswith("Splits") else SMALL
    dataset = f"versions-{state}"
    pipeline.stack.add_fault(f"data-pipeline-{FUNCTIONS[state]}-dev", "SourceChanged")
    failed = pipeline.wait_for_failure(pipeline.drop(body, dataset=dataset).file_id)

    later = pipeline.run(SMALL + SMALL.splitlines(keepends=True)[1], dataset=dataset)
    outcome = pipeline.redrive(failed)

    assert outcome.execution.status == "succeeded"
    assert outcome.item["status"] == "superseded"
    assert outcome.item["superseded_by"]["file_id"] == later.file_id
    [key] = pipeline.stack.output_keys(f"processed/{dataset}/")
    alone = expected(
        SMALL + SMALL.splitlines(keepends=True)[1],
        file_id=later.file_id,
        processed_at=later.item["processed_at"],
    )
    assert pipeline.stack.output(key) == alone.processed
    statuses = [n["attributes"]["status"] for n in pipeline.notifications(failed.file_id)]
    assert statuses[0] == ("succeeded" if state == "ArchiveSource" else "failed")
    assert statuses[-1] == "superseded"


# A row in each split is wrong, and in a file that is not split a second one repeats a key.
TO_CORRECT = b"id,n\n1,1\n2,2\n2,3\n3,x\n"
CORRECTED = b"_row,id,n\n3,4,3\n4,3,4\n"
LARGE_ROWS = 12_000  # two splits
LARGE_TO_CORRECT = b"id,n\n" + b"".join(
    b"%d,%s\n" % (row, b"x" if row in {3, LARGE_ROWS} else b"%d" % row)
    for row in range(1, LARGE_ROWS + 1)
)
LARGE_CORRECTED = b"_row,id,n\n3,3,3\n%d,%d,%d\n" % ((LARGE_ROWS,) * 3)


@pytest.mark.long
@pytest.mark.parametrize("state", FUNCTIONS)
def test_a_correction_that_fails_is_completed_by_a_redrive(pipeline: Pipeline, state: str) -> None:
    in_splits = state.endswith("Splits")
    fields = [{"name": "id", "type": "integer"}, {"name": "n", "type": "integer"}]
    # A file whose contract has a key is processed as one split.
    schema = {"fields": fields} | ({} if in_splits else {"primaryKey": ["id"]})
    contract = {"schema": schema, "pipeline": {"maxRejectPercent": 50}}
    dataset = f"corrected-{state.lower()}"
    pipeline.put_contract(dataset, contract)
    before = pipeline.run(LARGE_TO_CORRECT if in_splits else TO_CORRECT, dataset=dataset)
    assert before.execution.status == "succeeded"
    assert before.item["error_count"] == 2

    pipeline.stack.add_fault(f"data-pipeline-{FUNCTIONS[state]}-dev", "SourceChanged")
    failed = pipeline.correct(before, LARGE_CORRECTED if in_splits else CORRECTED)

    attempt = attempt_name(before.file_id, 2)
    assert (failed.execution.name, failed.execution.status) == (attempt, "failed")
    assert failed.run.failure is not None
    assert failed.run.failure.code == "SourceChanged"
    # The item keeps the first attempt's success until the second has recorded its own.
    recorded = state in {"Notify", "ArchiveSource"}
    item = failed.item["status"], failed.item["attempt"]
    assert item == (("failed", 2) if recorded else ("succeeded", 1))
    assert _history(failed) == ["succeeded", "failed"]
    notified = 2 if state == "ArchiveSource" else 1
    assert _notified(pipeline, failed) == Counter(succeeded=notified, failed=1)
    assert len(pipeline.dead_letters(before.file_id)) == 1
    published = state in {"Summarize", "RecordMetadata", "Notify", "ArchiveSource"}
    assert (_records(pipeline, dataset) == _records_of(before)) is not published

    outcome = pipeline.redrive(failed)

    assert outcome.execution.status == "succeeded"
    assert (outcome.item["status"], outcome.item["attempt"]) == ("succeeded", 2)
    assert outcome.item["corrected_count"] == 2
    assert "error" not in outcome.item
    kept = _records_of(before)
    added = [(3, 3, 3), (LARGE_ROWS,) * 3] if in_splits else [(3, 4, 3), (4, 3, 4)]
    assert _records_of(outcome) == _records(pipeline, dataset) == sorted(kept + added)
    keys = [key for _, key, _ in _records_of(outcome)]
    assert len(set(keys)) == len(keys)
    assert pipeline.stack.output_keys(f"rejected/{dataset}/") == []
    applied = outcome.output("corrections/", ".applied.jsonl").splitlines()
    audit = [(one["row"], one["executions"]) for one in map(json.loads, applied)]
    assert audit == [(row, [attempt]) for row, _, _ in added]
    assert outcome.published("corrections/") == [
        f"corrections/{dataset}/{before.file_id}.applied.jsonl"
    ]
    assert _history(outcome) == ["succeeded", "failed", "succeeded"]
    assert _notified(pipeline, outcome) == Counter(succeeded=2, failed=1)


def _history(outcome: FileOutcome) -> list[str]:
    """The outcomes that the file's item lists, in order."""
    entries = sorted(outcome.item["history"].values(), key=lambda one: one["recorded_at"])
    return [entry["status"] for entry in entries]


def _notified(pipeline: Pipeline, outcome: FileOutcome) -> Counter[str]:
    """The number of notifications about a file, by status."""
    return Counter(n["attributes"]["status"] for n in pipeline.notifications(outcome.file_id))


def _records(pipeline: Pipeline, dataset: str) -> list[tuple[int, int, int]]:
    """Row, id and n of each record of the dataset's one file, as readers see them."""
    [key] = pipeline.stack.output_keys(f"processed/{dataset}/")
    return _read(pipeline.stack.output(key))


def _records_of(outcome: FileOutcome) -> list[tuple[int, int, int]]:
    """Row, id and n of each record that a file's execution wrote."""
    return _read(outcome.output("processed/", ".jsonl"))


def _read(output: bytes) -> list[tuple[int, int, int]]:
    lines = map(json.loads, output.splitlines())
    return [(line["original_row"], line["data"]["id"], line["data"]["n"]) for line in lines]


LANE = {
    "dead_letter": "sqs:SendMessage",
    "notification": "data-pipeline-notify-dev",
    "record": "data-pipeline-record-metadata-dev",
}
LANE_FAULTS = {"throttle": THROTTLES, "error500": 7, "access-denied": 1}


@pytest.mark.parametrize("kind", [_sampled(kind, {"access-denied"}) for kind in LANE_FAULTS])
@pytest.mark.parametrize("part", LANE)
def test_a_part_of_the_failure_lane_that_failed_is_done_later(
    pipeline: Pipeline, part: str, kind: str
) -> None:
    pipeline.stack.add_fault("data-pipeline-summarize-dev", "SourceChanged")
    # Enough for the lane's retries; what comes after the lane finds the part working again. The
    # first message that is sent is S3's event, which S3 sends again.
    pipeline.stack.add_fault(LANE[part], kind, 7 if part == "dead_letter" else LANE_FAULTS[kind])

    outcome = pipeline.run(SMALL)

    assert outcome.execution.status == "failed"
    assert outcome.run.failure is not None
    assert outcome.run.failure.code == "SourceChanged"
    assert part in pipeline.cause(outcome)
    pipeline.stack.clear_faults()
    pipeline.wait_for_failure(outcome.file_id)
    outcome = pipeline.wait_until_complete(outcome.file_id)
    _check_failed(pipeline, outcome, "Summarize", "SourceChanged")
    _check_succeeded(pipeline, pipeline.redrive(outcome), SMALL)


def test_a_broken_gate_still_fails_the_execution(pipeline: Pipeline) -> None:
    pipeline.stack.add_fault("data-pipeline-summarize-dev", "SourceChanged")
    pipeline.stack.add_fault("data-pipeline-failure-gate-dev", "crash", 2)

    outcome = pipeline.run(SMALL)

    assert outcome.execution.status == "failed"
    assert outcome.item["error"]["code"] == "SourceChanged"
    assert len(pipeline.dead_letters(outcome.file_id)) == 1
    _check_succeeded(pipeline, pipeline.redrive(outcome), SMALL)


def _check_failed(pipeline: Pipeline, outcome: FileOutcome, state: str, error: str) -> None:
    assert outcome.execution.status == "failed"
    assert outcome.run.failure is not None
    assert outcome.run.failure.code.endswith(error)
    assert outcome.item["status"] == "failed"
    assert outcome.item["error"]["state"] == state
    assert outcome.item["error"]["code"].endswith(error)
    [document] = pipeline.dead_letters(outcome.file_id)
    assert document["failure"]["caught"]["Error"] == outcome.item["error"]["code"]
    notices = [n["attributes"]["status"] for n in pipeline.notifications(outcome.file_id)]
    assert notices.count("failed") == 1
    assert notices.count("succeeded") == (state == "ArchiveSource")
    finished = state in {"Summarize", "RecordMetadata", "Notify", "ArchiveSource"}
    assert bool(outcome.published("processed/")) == finished


def _check_succeeded(
    pipeline: Pipeline, outcome: FileOutcome, body: bytes, *, notices: int = 1
) -> None:
    assert outcome.execution.status == "succeeded"
    assert outcome.item["status"] == "succeeded"
    assert "error" not in outcome.item
    alone = expected(body, file_id=outcome.file_id, processed_at=outcome.item["processed_at"])
    assert outcome.output("processed/", ".jsonl") == alone.processed
    assert outcome.output("rejected/", ".jsonl") == alone.rejected
    notified = [n["attributes"]["status"] for n in pipeline.notifications(outcome.file_id)]
    assert notified.count("succeeded") == notices
    assert outcome.item["archive"]["key"].endswith(f"/{outcome.file_id}/file.csv")
