"""Starter: from the messages of the queue to one execution for each file."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clients
from shared.errors import SettingsError, TransientError
from shared.job import Source
from shared.metadata import Item
from shared.scans import ScanResult
from starter.app import MAX_RECEIVES, Settings, UnstartedRecords, _start_all, handler
from starter.launch import MAX_ATTEMPTS
from starter.messages import Correction, Entry, Ignored, UnknownMessage, entries_of
from tabular.file_names import NO_IGNORED_NAMES
from tests.effort import examples
from tests.unit.functions.conftest import Event, Fault, Logs, client_error
from tests.unit.functions.documents import (
    FILE_ID,
    INPUT_BUCKET,
    MACHINE_ARN,
    METADATA_TABLE,
    SOURCE,
    failure,
    job,
)
from tests.unit.functions.fake_stepfunctions import FakeStepFunctions


@pytest.fixture
def items() -> dict[str, Item]:
    """The metadata table's items, by file ID."""
    return {}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, items: dict[str, Item]) -> FakeStepFunctions:
    monkeypatch.setenv("INPUT_BUCKET", INPUT_BUCKET)
    monkeypatch.setenv("STATE_MACHINE_ARN", MACHINE_ARN)
    monkeypatch.setenv("METADATA_TABLE", METADATA_TABLE)
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", "https://sqs/dead-letters")
    monkeypatch.setenv("IGNORED_NAMES", "")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "DataPipeline")
    fake = FakeStepFunctions()
    monkeypatch.setattr("starter.launch.stepfunctions", lambda: fake)
    monkeypatch.setattr("starter.launch.read_item", lambda _table, file_id: items.get(file_id))
    return fake


def record(**changes: Any) -> dict[str, Any]:
    """One record of an S3 event; the keys of its object can be changed."""
    item = {
        "key": "raw/orders/a.csv",
        "size": 10,
        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
        "versionId": "v1",
        "sequencer": "0055AED6DCD90281E5",
    }
    bucket = changes.pop("bucket", INPUT_BUCKET)
    return {
        "eventName": changes.pop("event_name", "ObjectCreated:Put"),
        "eventTime": "2026-03-01T08:00:00.000Z",
        "s3": {"bucket": {"name": bucket}, "object": {**item, **changes}},
    }


def source(entry: Entry) -> Source:
    """The source of an entry about an object."""
    assert not isinstance(entry.request, UnknownMessage | Correction | ScanResult)
    return entry.request.source if isinstance(entry.request, Ignored) else entry.request.job.source


def upload(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def batch(*bodies: str, receives: int = 1) -> dict[str, Any]:
    """A Lambda event with one message for each body; message ids count from 0."""
    return {
        "Records": [
            {
                "messageId": str(index),
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "eventSource": "aws:sqs",
            }
            for index, body in enumerate(bodies)
        ]
    }


def run(event: dict[str, Any]) -> list[str]:
    """Invoke the function; returns the ids of the messages that failed."""
    response = handler(event, SimpleNamespace())  # type: ignore[arg-type]
    return [str(failed["itemIdentifier"]) for failed in response["batchItemFailures"]]


def test_the_log_names_the_file_and_its_execution(
    event: Event, machine: FakeStepFunctions, logs: Logs
) -> None:
    run(event("starter-upload"))
    (execution,) = machine.started
    assert logs[-1]["execution"] == execution
    assert logs[-1]["file_id"] == execution
    assert logs[-1]["attempt"] == 1


def test_an_uploaded_file_is_started(event: Event, machine: FakeStepFunctions) -> None:
    assert run(event("starter-upload")) == []
    assert machine.document(FILE_ID) == {
        "file_id": FILE_ID,
        "attempt": 1,
        "replay_of": None,
        "source": SOURCE,
        "corrections": None,
    }


def test_s3s_test_event_is_acknowledged(
    event: Event, machine: FakeStepFunctions, logs: Logs
) -> None:
    assert run(event("starter-test-event")) == []
    assert machine.started == []
    assert logs[-1]["message"] == "nothing to start"


@pytest.mark.parametrize(
    ("key", "decoded"),
    [
        ("raw/orders/orders+2026.csv", "raw/orders/orders 2026.csv"),
        ("raw/orders/1%2B1.csv", "raw/orders/1+1.csv"),
        ("raw/orders/100%25.csv", "raw/orders/100%.csv"),
        ("raw/b%C3%BCcher/%E6%97%A5%E6%9C%AC.csv", "raw/bücher/日本.csv"),
        ("raw/orders/a%3D1%26b%3D2.csv", "raw/orders/a=1&b=2.csv"),
    ],
)
def test_keys_are_decoded_once(machine: FakeStepFunctions, key: str, decoded: str) -> None:
    assert run(batch(upload(record(key=key)))) == []
    assert machine.document(machine.started[0])["source"]["key"] == decoded


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map("raw/orders/{}.csv".format)
)
def test_any_key_comes_out_as_it_was_uploaded(key: str) -> None:
    body = upload(record(key=quote_plus(key)))
    [entry] = entries_of(body, INPUT_BUCKET, NO_IGNORED_NAMES)
    assert source(entry).key == key


@pytest.mark.parametrize(
    ("key", "dataset"),
    [
        ("raw/orders/a.csv", "orders"),
        ("raw/orders/2026/03/a.csv", "orders"),
        ("raw/a.csv", "default"),
        ("raw//a.csv", "default"),
    ],
)
def test_the_dataset_is_the_folder_under_raw(key: str, dataset: str) -> None:
    (entry,) = entries_of(upload(record(key=key)), INPUT_BUCKET, NO_IGNORED_NAMES)
    assert source(entry).dataset == dataset


def test_each_record_of_a_message_is_started(machine: FakeStepFunctions) -> None:
    records = [record(key=f"raw/orders/{name}.csv") for name in "abc"]
    assert run(batch(upload(*records))) == []
    assert len(machine.started) == 3


BAD_RECORDS = {
    "of another bucket": record(bucket="another-bucket"),
    "no object": {"eventName": "ObjectCreated:Put", "s3": {}},
    "no record": "text",
}


@pytest.mark.parametrize("bad", BAD_RECORDS.values(), ids=BAD_RECORDS)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_bad_record_does_not_delay_the_other_records(
    machine: FakeStepFunctions, logs: Logs, bad: Any, position: int
) -> None:
    records = [record(key="raw/orders/a.csv"), record(key="raw/orders/b.csv")]
    records.insert(position, bad)

    assert run(batch(upload(*records))) == ["0"]

    assert len(machine.started) == 2
    [line] = [line for line in logs if line["message"] == "message not handled"]
    assert line["record"] == f"record {position + 1} of 3"
    # It is redelivered until it is moved to the dead-letter queue; its executions are not started
    # again.
    assert run(batch(upload(*records))) == ["0"]
    assert len(machine.started) == 2


def test_the_error_of_a_message_names_its_bad_records(machine: FakeStepFunctions) -> None:
    bad = record(bucket="another-bucket")
    message = upload(bad, record(), bad, record(key="raw/orders/b.csv"))
    machine.answer(None, RuntimeError("secret"))
    settings = Settings(INPUT_BUCKET, MACHINE_ARN, METADATA_TABLE, "queue", NO_IGNORED_NAMES)
    with pytest.raises(UnstartedRecords) as caught:
        _start_all(message, settings, {})
    assert str(caught.value) == (
        "Not started: "
        "record 1 of 4: The message names a bucket other than the input bucket. "
        "record 3 of 4: The message names a bucket other than the input bucket. "
        "record 4 of 4: RuntimeError."
    )


def test_a_message_with_a_bad_record_waits_for_a_busy_service_first(
    machine: FakeStepFunctions,
) -> None:
    message = upload(record(bucket="another-bucket"), record())
    machine.answer(client_error("ThrottlingException", "StartExecution"))
    settings = Settings(INPUT_BUCKET, MACHINE_ARN, METADATA_TABLE, "queue", NO_IGNORED_NAMES)
    with pytest.raises(TransientError, match=r"record 1 of 2: .+ record 2 of 2: "):
        _start_all(message, settings, {})


def test_one_bad_message_fails_alone(machine: FakeStepFunctions) -> None:
    good = [upload(record(key=f"raw/orders/{number}.csv")) for number in range(9)]
    assert run(batch(*good[:4], "poison", *good[4:])) == ["4"]
    assert len(machine.started) == 9


def test_a_batch_of_bad_messages_fails_message_by_message(machine: FakeStepFunctions) -> None:
    assert run(batch("{", "[]")) == ["0", "1"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("raw/", "it marks a folder"),
        ("raw/new+folder/", "it marks a folder"),
        ("raw/orders/_SUCCESS", "its name begins with _"),
        ("raw/orders/a.csv.filepart", "its name ends with .filepart, so it is not complete"),
        ("raw/orders/_temporary/0/a.csv", "it is below a folder _temporary/"),
        ("raw/orders/Read+me.md", "its name matches read* in IgnoredNames"),
    ],
)
def test_an_ignored_object_is_logged_and_counted(  # noqa: PLR0917
    machine: FakeStepFunctions,
    logs: Logs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
    reason: str,
) -> None:
    monkeypatch.setenv("IGNORED_NAMES", "*.pdf, read*")
    assert run(batch(upload(record(key=key, size=0)))) == []
    assert machine.started == []
    assert (logs[-1]["message"], logs[-1]["reason"]) == ("ignored", reason)
    assert logs[-1]["key"] == key.replace("+", " ")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ObjectsIgnored"] == [1]


@pytest.mark.parametrize("key", ["raw/orders/a.xlsx", "raw/orders/a", "raw/orders/a.CSV"])
def test_every_other_object_is_started(machine: FakeStepFunctions, key: str) -> None:
    assert run(batch(upload(record(key=key)))) == []
    assert len(machine.started) == 1


def test_a_file_that_is_requested_explicitly_is_started_under_any_name(
    machine: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNORED_NAMES", SOURCE["key"].rpartition("/")[2])
    assert run(batch(json.dumps(job()))) == []
    assert machine.document(FILE_ID) == job()


def test_a_malformed_list_of_ignored_names_ignores_nothing(
    machine: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNORED_NAMES", "*")
    with pytest.raises(SettingsError, match="IGNORED_NAMES is not valid: Pattern 1 of 1"):
        run(batch(upload(record())))
    assert machine.started == []


def test_a_folder_beside_a_file_does_not_hide_it(machine: FakeStepFunctions) -> None:
    assert run(batch(upload(record(key="raw/orders/", size=0), record()))) == []
    assert len(machine.started) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("not JSON", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("{}", "no S3 event, no scan result and no state document"),
        ('{"hello": "world"}', "no S3 event, no scan result and no state document"),
        ('{"Records": null}', "malformed: Records is not a list"),
        ('{"Records": {"s3": {}}}', "malformed: Records is not a list"),
        ('{"Records": ["text"]}', "malformed: TypeError"),
        ('{"Records": [{}]}', "malformed: 'eventName' is missing"),
        (upload(record(bucket="another-bucket")), "a bucket other than"),
        (upload(record(key="processed/orders/a.csv")), "outside raw/"),
        (upload(record(event_name="ObjectRemoved:Delete")), "not an upload"),
        (upload(record(event_name="ObjectRestore:Completed")), "not an upload"),
        (upload(record() | {"s3": {}}), "malformed: 'object' is missing"),
        (upload(record(size="many")), "malformed: ValueError"),
        (upload(record(size=float("inf"))), "malformed: OverflowError"),
        (upload(record(versionId=7)), "malformed: TypeError"),
        (upload(record(key="raw/\ud800.csv")), "malformed: UnicodeEncodeError"),
        (json.dumps({"file_id": FILE_ID}), "malformed: 'attempt' is missing"),
        (json.dumps(job() | {"source": {"bucket": INPUT_BUCKET}}), "malformed: 'key' is missing"),
        (json.dumps(job() | {"source": None}), "malformed: TypeError"),
        (json.dumps(job(failure={"execution": {}})), "malformed: 'Id' is missing"),
        (json.dumps(job() | {"file_id": "0" * 32}), "file_id doesn't match its source"),
        (json.dumps(job() | {"attempt": 0}), "attempt is less than 1"),
        (json.dumps(job() | {"source": SOURCE | {"bucket": "other"}}), "a bucket other than"),
        (json.dumps(job() | {"source": SOURCE | {"key": "other/a.csv"}}), "outside raw/"),
        (json.dumps(job() | {"source": SOURCE | {"dataset": "../x"}}), "dataset doesn't match"),
        (json.dumps(job() | {"source": SOURCE | {"version_id": 7}}), "malformed: TypeError"),
    ],
)
def test_a_message_that_starts_nothing_fails_with_a_log_line_that_says_why(
    machine: FakeStepFunctions, logs: Logs, body: str, reason: str
) -> None:
    assert run(batch(body)) == ["0"]
    assert machine.started == []
    assert logs[-1]["message"] == "message not handled"
    assert logs[-1]["level"] == "ERROR"
    assert logs[-1]["message_id"] == "0"
    assert logs[-1]["receives"] == "1"
    assert reason in logs[-1]["reason"]


def test_the_text_of_a_message_is_not_logged(machine: FakeStepFunctions, logs: Logs) -> None:
    run(batch(upload(record(size="secret")), '{"secret": 1}', "secret"))
    assert "secret" not in json.dumps(logs)


def test_a_replay_takes_identity_source_and_attempt_only(
    event: Event, machine: FakeStepFunctions
) -> None:
    assert run(event("starter-replay")) == []
    assert machine.document(FILE_ID) == job()


def test_a_replay_starts_with_the_same_bytes_as_its_event(
    event: Event, machine: FakeStepFunctions
) -> None:
    run(event("starter-upload"))
    from_event = machine.inputs.pop(FILE_ID)
    machine.statuses.clear()
    run(event("starter-replay"))
    assert machine.inputs[FILE_ID] == from_event


def test_duplicates_start_nothing(event: Event, machine: FakeStepFunctions) -> None:
    message = event("starter-upload")["Records"][0]["body"]
    assert run(batch(message, message)) == []
    assert run(batch(message)) == []
    assert machine.started == [FILE_ID]


def test_a_crash_after_the_start_leads_to_no_second_start(
    event: Event, machine: FakeStepFunctions
) -> None:
    # The message was not deleted; it is redelivered while the execution runs, and afterwards.
    run(event("starter-upload"))
    assert run(event("starter-upload")) == []
    machine.ended("SUCCEEDED", FILE_ID)
    assert run(event("starter-upload")) == []
    assert machine.started == [FILE_ID]


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_an_event_whose_execution_exists_is_a_duplicate(
    event: Event, machine: FakeStepFunctions, logs: Logs, status: str
) -> None:
    machine.ended(status, FILE_ID)
    assert run(event("starter-upload")) == []
    assert machine.started == []
    assert logs[-1]["message"] == "duplicate"
    assert logs[-1]["file_id"] == FILE_ID


def test_a_duplicate_event_needs_no_second_call(event: Event, machine: FakeStepFunctions) -> None:
    machine.ended("FAILED", FILE_ID)
    run(event("starter-upload"))
    assert machine.described == []


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_replay_of_a_failed_file_is_the_next_attempt(
    event: Event, machine: FakeStepFunctions, logs: Logs, status: str
) -> None:
    machine.ended(status, FILE_ID)
    assert run(event("starter-replay")) == []
    assert machine.document(f"{FILE_ID}-r2") == job(2) | {"replay_of": FILE_ID}
    assert logs[-1]["message"] == "started"
    assert logs[-1]["attempt"] == 2


def test_a_replay_takes_the_next_free_attempt(machine: FakeStepFunctions) -> None:
    machine.ended("FAILED", FILE_ID, f"{FILE_ID}-r2", f"{FILE_ID}-r3")
    assert run(batch(json.dumps(job(2, failure=failure())))) == []
    assert machine.document(f"{FILE_ID}-r4") == job(4) | {"replay_of": f"{FILE_ID}-r3"}


def test_a_later_attempt_is_linked_even_if_the_earlier_execution_has_expired(
    machine: FakeStepFunctions,
) -> None:
    assert run(batch(json.dumps(job(2)))) == []
    assert machine.document(f"{FILE_ID}-r2") == job(2) | {"replay_of": FILE_ID}


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
@pytest.mark.parametrize("ended_name", [FILE_ID, f"{FILE_ID}-r2", f"{FILE_ID}-r3"])
def test_a_replay_starts_nothing_while_an_attempt_runs_or_after_one_succeeded(
    machine: FakeStepFunctions, status: str, ended_name: str
) -> None:
    machine.ended("FAILED", FILE_ID, f"{FILE_ID}-r2", f"{FILE_ID}-r3")
    machine.ended(status, ended_name)
    assert run(batch(json.dumps(job(2)))) == []
    assert machine.started == []


def test_a_replay_of_a_file_that_succeeded_under_another_name_starts_nothing(
    machine: FakeStepFunctions, items: dict[str, Item]
) -> None:
    machine.ended("FAILED", FILE_ID)
    items[FILE_ID] = {"status": "succeeded"}
    assert run(batch(json.dumps(job(1)))) == []
    assert machine.started == []
    assert run(batch(json.dumps(job(1) | {"force": True}))) == []
    assert machine.started == [f"{FILE_ID}-r2"]


def test_a_replay_of_a_file_whose_failure_is_recorded_runs(
    machine: FakeStepFunctions, items: dict[str, Item]
) -> None:
    machine.ended("FAILED", FILE_ID)
    items[FILE_ID] = {"status": "failed"}
    assert run(batch(json.dumps(job(1)))) == []
    assert machine.started == [f"{FILE_ID}-r2"]


def test_a_forced_replay_runs_a_file_that_has_succeeded(machine: FakeStepFunctions) -> None:
    machine.ended("SUCCEEDED", FILE_ID)
    assert run(batch(json.dumps(job() | {"force": True}))) == []
    assert machine.document(f"{FILE_ID}-r2") == job(2) | {"replay_of": FILE_ID}


def test_a_forced_replay_does_not_run_while_another_attempt_runs(
    machine: FakeStepFunctions,
) -> None:
    machine.ended("RUNNING", FILE_ID)
    assert run(batch(json.dumps(job(2) | {"force": True}))) == []
    assert machine.started == []


@pytest.mark.parametrize("force", [1, "true", None])
def test_only_true_forces(machine: FakeStepFunctions, force: object) -> None:
    machine.ended("SUCCEEDED", FILE_ID)
    assert run(batch(json.dumps(job() | {"force": force}))) == []
    assert machine.started == []


def test_an_expired_execution_does_not_block_a_replay(machine: FakeStepFunctions) -> None:
    # Step Functions forgets an execution 90 days after its end.
    assert run(batch(json.dumps(job(3)))) == []
    assert machine.started == [f"{FILE_ID}-r3"]


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("known_from", ["message", "metadata"])
def test_a_replay_right_after_the_failure_is_not_lost(
    machine: FakeStepFunctions, items: dict[str, Item], logs: Logs, known_from: str, attempt: int
) -> None:
    name = FILE_ID if attempt == 1 else f"{FILE_ID}-r2"
    machine.ended("FAILED", FILE_ID, name)
    machine.shows(name, "RUNNING")
    document = job(attempt)
    if known_from == "message":
        document |= {"failure": failure(attempt=attempt)}
    else:
        items[FILE_ID] = {"status": "failed", "history": {"1": failed_run(name)}}

    assert run(batch(json.dumps(document))) == ["0"]

    assert logs[-1]["error"] == "TransientError"
    machine.shows(name, "FAILED")
    assert run(batch(json.dumps(document))) == []
    assert machine.started == [f"{FILE_ID}-r{attempt + 1}"]


def failed_run(name: str, recorded_at: str = "2026-03-01T08:00:09.614Z") -> dict[str, Any]:
    """The entry in an item's history of a run that has failed."""
    arn = f"{MACHINE_ARN.replace(':stateMachine:', ':execution:')}:{name}"
    return {
        "status": "failed",
        "execution_arn": arn,
        "redrive_count": 0,
        "recorded_at": recorded_at,
    }


def test_a_name_that_is_refused_with_the_same_input_is_of_an_ended_execution(
    event: Event, machine: FakeStepFunctions
) -> None:
    run(event("starter-upload"))
    machine.ended("FAILED", FILE_ID)
    machine.shows(FILE_ID, "RUNNING")
    assert run(batch(json.dumps(job()))) == ["0"]


def test_an_execution_that_was_redriven_since_its_failure_runs(
    machine: FakeStepFunctions, items: dict[str, Item]
) -> None:
    machine.ended("FAILED", FILE_ID)
    machine.redriven(FILE_ID, 1)
    items[FILE_ID] = {"status": "failed", "history": {"1": failed_run(FILE_ID)}}
    assert run(batch(json.dumps(job(failure=failure())))) == []
    assert machine.started == []


def test_no_attempt_starts_beside_a_redrive_that_is_not_visible_yet(
    event: Event, machine: FakeStepFunctions
) -> None:
    run(event("starter-upload"))
    machine.shows(FILE_ID, "FAILED")  # it runs
    assert run(batch(json.dumps(job(2)))) == []
    assert machine.started == [FILE_ID]


def test_the_failure_of_an_expired_execution_is_not_taken_for_that_of_a_later_one_with_its_name(
    machine: FakeStepFunctions, items: dict[str, Item]
) -> None:
    # Names are free again 90 days after the end.
    machine.ended("RUNNING", FILE_ID)
    old = failed_run(FILE_ID, "2025-11-01T08:00:00.000Z")
    items[FILE_ID] = {"status": "failed", "history": {"1": old}}
    assert run(batch(json.dumps(job()))) == []
    assert machine.started == []


def test_no_attempt_starts_beside_an_execution_that_is_not_visible_yet(
    machine: FakeStepFunctions, logs: Logs
) -> None:
    machine.ended("RUNNING", FILE_ID)
    machine.shows(FILE_ID, None)
    assert run(batch(json.dumps(job()))) == ["0"]
    assert machine.started == []
    assert logs[-1]["error"] == "TransientError"


def test_a_file_that_never_succeeds_is_not_retried_forever(
    machine: FakeStepFunctions, logs: Logs
) -> None:
    machine.ended("FAILED", FILE_ID, *(f"{FILE_ID}-r{n}" for n in range(2, MAX_ATTEMPTS + 1)))
    assert run(batch(json.dumps(job()), json.dumps(job(10**9)))) == ["0", "1"]
    assert logs[-1]["error"] == "TooManyAttempts"


@pytest.mark.parametrize("code", ["ThrottlingException", "ExecutionLimitExceeded"])
def test_a_message_that_was_throttled_fails_alone(
    machine: FakeStepFunctions, logs: Logs, code: str
) -> None:
    machine.answer(None, client_error(code, "StartExecution"))
    messages = [upload(record(key=f"raw/orders/{name}.csv")) for name in "abc"]
    assert run(batch(*messages)) == ["1"]
    assert [line["message"] for line in logs] == ["started", "message not handled", "started"]
    assert logs[1]["error"] == "TransientError"


def test_a_partly_throttled_message_is_completed_later(
    machine: FakeStepFunctions,
) -> None:
    message = upload(*(record(key=f"raw/orders/{name}.csv") for name in "abc"))
    machine.answer(None, client_error("ThrottlingException", "StartExecution"))
    assert run(batch(message)) == ["0"]
    assert run(batch(message)) == []
    assert len(machine.started) == len(set(machine.started)) == 3


def test_an_unexpected_error_is_logged_without_its_message(
    machine: FakeStepFunctions, logs: Logs
) -> None:
    machine.answer(RuntimeError("secret"))
    assert run(batch(upload(record()))) == ["0"]
    assert logs[-1]["error"] == "RuntimeError"
    assert "secret" not in json.dumps(logs)


@pytest.fixture
def dead_letters(
    aws: None, machine: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[str]]:
    """The bodies in the dead-letter queue."""
    queue = clients.sqs().create_queue(QueueName="dead-letters")["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queue)

    def read() -> list[str]:
        answer = clients.sqs().receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    return read


def test_a_message_that_fails_three_times_is_moved_to_the_dead_letter_queue(
    machine: FakeStepFunctions, dead_letters: Callable[[], list[str]], logs: Logs
) -> None:
    assert run(batch("poison", receives=MAX_RECEIVES - 1)) == ["0"]
    assert dead_letters() == []
    assert run(batch("poison", upload(record()), receives=MAX_RECEIVES)) == []
    assert dead_letters() == ["poison"]
    assert len(machine.started) == 1
    assert "message moved to the dead-letter queue" in [line["message"] for line in logs]


def test_a_message_with_one_good_record_starts_it_and_is_moved_whole(
    machine: FakeStepFunctions, dead_letters: Callable[[], list[str]]
) -> None:
    machine.answer(None, RuntimeError("secret"))
    message = upload(record(), record(key="raw/orders/b.csv"))
    assert run(batch(message, receives=MAX_RECEIVES)) == []
    assert len(machine.started) == 1
    assert dead_letters() == [message]


@pytest.mark.parametrize("receives", [MAX_RECEIVES, 99])
def test_a_throttled_message_is_never_moved_to_the_dead_letter_queue(
    machine: FakeStepFunctions, dead_letters: Callable[[], list[str]], receives: int
) -> None:
    machine.answer(client_error("ThrottlingException", "StartExecution"))
    assert run(batch(upload(record()), receives=receives)) == ["0"]
    assert dead_letters() == []


def test_a_message_stays_in_its_queue_if_it_cannot_be_moved(
    machine: FakeStepFunctions, dead_letters: Callable[[], list[str]], fault: Fault
) -> None:
    fault("SendMessage", client_error("ServiceUnavailable", "SendMessage", status=503))
    assert run(batch("poison", receives=MAX_RECEIVES)) == ["0"]


def test_a_function_without_its_settings_fails_as_a_whole(
    event: Event, machine: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_MACHINE_ARN")
    with pytest.raises(SettingsError, match="STATE_MACHINE_ARN"):
        run(event("starter-upload"))


known_names = st.sampled_from(
    ["Records", "Event", "file_id", "attempt", "source", "s3", "eventName", "bucket", "key"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(known_names | st.text(), inner),
    max_leaves=10,
)


@given(anything)
@examples(20)
def test_a_message_that_is_not_about_a_file_is_refused(document: Any) -> None:
    try:
        entries = entries_of(json.dumps(document), INPUT_BUCKET, NO_IGNORED_NAMES)
    except UnknownMessage:
        entries = []
    assert all(isinstance(entry.request, UnknownMessage) for entry in entries)
