"""The outcome document: its schema, its examples, and what people read of it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from notify.message import attributes_of, event_of, message_of, subject_of, text_of
from notify.outcome import CAUSE_LENGTH, Document, Status
from tests.documentation.outcome_examples import (
    CORRECTIONS_KEY,
    EXAMPLES,
    OUTCOME,
    SCHEMA,
    STATUSES,
    document_of,
    example,
    state_document,
)
from tests.documentation.outcome_examples import text_of as example_text
from tests.effort import examples
from tests.unit.functions import documents
from tests.unit.functions.documents import FILE_ID, INPUT_BUCKET, OUTPUT_BUCKET, SOURCE

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MESSAGE_BYTES = 256 * 1024
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
ENTRY_BYTES = 256 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
KEY_BYTES = 1024


def outcome(status: Status = "succeeded", **results: Any) -> Document:
    """The document of a status; `results` replace parts of the state document."""
    return document_of({**state_document(status), **results}, status)


def failed(error: str = "EmptyFile", message: str = "There is no header.", **more: Any) -> Document:
    return document_of(documents.job(failure=documents.failure(error, message), **more), "failed")


def lines(document: Document) -> list[str]:
    return text_of(document).splitlines()


class TestSchema:
    def test_is_a_valid_schema(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)

    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
    def test_the_examples_are_what_the_code_makes_and_valid(self, path: Path) -> None:
        assert path.read_text("utf-8") == example_text(EXAMPLES[path]), "run `make docs`"
        OUTCOME.validate(json.loads(path.read_text("utf-8"))["detail"])

    @pytest.mark.parametrize("status", STATUSES)
    def test_allows_no_other_field_and_requires_each(self, status: Status) -> None:
        document = outcome(status)
        with pytest.raises(ValidationError, match="unexpected"):
            OUTCOME.validate({**document, "cell": "secret"})
        for name in document:
            without = {key: value for key, value in document.items() if key != name}
            with pytest.raises(ValidationError, match="required"):
                OUTCOME.validate(without)

    def test_closes_every_object(self) -> None:
        def objects(schema: Any) -> list[dict[str, Any]]:
            if not isinstance(schema, dict):
                return []
            inner = [found for value in schema.values() for found in objects(value)]
            return [schema, *inner] if "object" in schema.get("type", ()) else inner

        closed = {name: part for name, part in SCHEMA.items() if name != "allOf"}
        assert len(objects(closed)) > 10
        assert all(
            it.get("additionalProperties") in (False, {"type": "number"}) for it in objects(closed)
        )

    @pytest.mark.parametrize("missing", ["error", "superseded_by", "counts"])
    def test_requires_what_a_status_needs(self, missing: str) -> None:
        status: Status = {"error": "failed", "superseded_by": "superseded"}.get(
            missing, "succeeded"
        )  # type: ignore[assignment]
        with pytest.raises(ValidationError):
            OUTCOME.validate({**outcome(status), missing: None})

    @given(
        st.sampled_from(STATUSES),
        st.text(min_size=1, max_size=300),
        st.text(max_size=200),
        st.booleans(),
    )
    @examples(20)
    def test_every_document_is_valid(
        self, status: Status, name: str, message: str, parsed: bool
    ) -> None:
        source = {**SOURCE, "key": f"raw/{name}/{name}.csv", "dataset": name, "version_id": None}
        results: dict[str, Any] = {"source": source}
        if status == "failed":
            results["failure"] = documents.failure("States.Timeout", message)
        state = {**state_document(status), **results}
        if not parsed and status == "failed":
            del state["parse"], state["transform"]
        OUTCOME.validate(document_of(state, status))


def test_a_success_has_what_where_and_how_much() -> None:
    document = outcome()
    assert document["source"] == {
        "uri": f"s3://{INPUT_BUCKET}/{SOURCE['key']}",
        "bucket": INPUT_BUCKET,
        "key": SOURCE["key"],
        "version_id": SOURCE["version_id"],
        "etag": SOURCE["etag"],
        "bytes": 34567,
        "uploaded_at": "2026-03-01T08:00:00.000Z",
    }
    assert document["counts"] == {"records": 200, "processed": 197, "rejected": 3}
    assert (
        document["outputs"]["processed"]
        == f"s3://{OUTPUT_BUCKET}/{documents.OUTPUT['processed_key']}"
    )
    assert (
        document["outputs"]["rejected"]
        == f"s3://{OUTPUT_BUCKET}/{documents.OUTPUT['rejected_key']}"
    )
    assert document["duration_ms"] == 7500
    assert document["contract"] == {"key": "contracts/orders.json", "version": "v7"}
    assert document["rejects"] == documents.SUMMARY["rejects"]
    assert document["drift"] == documents.SUMMARY["drift"]
    assert (document["error"], document["superseded_by"]) == (None, None)


def test_a_failure_has_its_numbers() -> None:
    document = outcome("failed")
    assert document["error"]["details"] == {"records": 360, "rejected": 16, "limit_percent": 1}
    assert document["error"]["message"].endswith("then rerun the file.")
    assert document["error"]["state"] == "WriteOutput"
    assert document["error"]["remedy"] == "start_over"


@pytest.mark.parametrize("step", ["parse", "output"])
def test_a_superseded_file_names_what_is_current(step: str) -> None:
    later = {"file_id": "0" * 32, "execution": "0" * 32 + "-r2"}
    base = documents.PARSE if step == "parse" else documents.OUTPUT
    record = {"status": "superseded", "recorded_at": "2026-03-01T08:00:03.001Z"}
    results: dict[str, Any] = {"parse": documents.PARSE, step: {**base, "superseded_by": later}}
    document = document_of(documents.job(record=record, **results), "superseded")
    assert document["superseded_by"] == later
    assert document["notification_id"] == f"{FILE_ID}.superseded"


class TestEmail:
    def test_a_success_with_rejects_begins_with_the_verdict_and_what_to_do(self) -> None:
        download = f"aws s3 cp s3://{OUTPUT_BUCKET}/{CORRECTIONS_KEY} ."
        assert lines(outcome())[:4] == [
            "orders 2026-03.csv was processed: 197 of 200 records, 3 rejected (1.5%).",
            "",
            "To process the rejected records, correct them and upload the corrected file:",
            download,
        ]
        assert "- column 8, constraint-error (minimum): 2 records" in lines(outcome())
        assert "- 1 other fault" in lines(outcome())

    def test_with_rejects_it_has_the_commands_that_correct_them(self) -> None:
        shown = lines(outcome())
        assert shown[4] == f"aws s3 cp {FILE_ID}.csv s3://{INPUT_BUCKET}/{CORRECTIONS_KEY}"
        assert f"`pipectl correct {FILE_ID} {FILE_ID}.csv`" in shown[5]

    def test_without_corrections_it_names_the_rejected_records(self) -> None:
        shown = lines(outcome(output={**documents.OUTPUT, "corrections_key": None}))
        assert shown[2] == "To get the rejected records with the reasons:"
        key = documents.OUTPUT["rejected_key"]
        assert shown[3] == f"aws s3 cp 's3://{OUTPUT_BUCKET}/{key}' ."

    def test_a_clean_file_says_that_there_is_nothing_to_do(self) -> None:
        output = {
            **documents.OUTPUT,
            "error_count": 0,
            "processed_count": 200,
            "rejected_key": None,
            "corrections_key": None,
        }
        document = outcome(output=output)
        assert lines(document)[0] == "orders 2026-03.csv was processed: 200 records, none rejected."
        assert lines(document)[2] == "There is nothing to do. To get the records:"
        assert attributes_of(document)["has_rejects"] == "false"

    def test_a_failure_that_needs_an_upload_says_so(self) -> None:
        shown = lines(failed())
        assert shown[0] == "orders 2026-03.csv FAILED: EmptyFile in ParseCsv."
        assert shown[2] == "There is no header."
        assert (
            shown[4] == "A rerun of this file can't succeed. Correct the file and upload it again:"
        )
        assert shown[5] == f"aws s3 cp 's3://{INPUT_BUCKET}/{SOURCE['key']}' ."
        assert not [line for line in shown if "pipectl rerun" in line or "Redrive" in line]

    @pytest.mark.parametrize("error", ["InternalError", "HeaderMismatch", "States.Timeout"])
    def test_a_failure_that_a_rerun_can_fix_says_how(self, error: str) -> None:
        document = failed(error)
        assert f"- Run `pipectl rerun {FILE_ID}`" in lines(document)
        console = "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#"
        assert [
            line
            for line in lines(document)
            if f"- Choose Redrive on the execution's page: {console}" in line
        ]
        assert document["links"]["rerun"] == f"pipectl rerun {FILE_ID}"

    def test_a_superseded_file_is_not_reported_as_a_failure(self) -> None:
        text = text_of(outcome("superseded"))
        assert text.startswith(
            "orders 2026-03.csv was superseded: a later version of the file is current.\n\n"
            "There is nothing to do"
        )
        assert "fail" not in text.lower()
        same = {**documents.PARSE, "superseded_by": {"file_id": FILE_ID, "execution": "x"}}
        assert "a later attempt is current" in text_of(outcome("superseded", parse=same))

    @pytest.mark.parametrize("status", STATUSES)
    @pytest.mark.parametrize(
        "name", ["a\nStatus: succeeded\nb", "\x1b[31m", "a\u202eb", "x\u2028y"]
    )
    def test_a_name_can_not_forge_a_line(self, status: Status, name: str) -> None:
        plain = outcome(status, source={**SOURCE, "key": "raw/orders/a.csv"})
        forged = outcome(status, source={**SOURCE, "key": f"raw/orders/{name}.csv"})
        assert len(text_of(forged).split("\n")) == len(text_of(plain).split("\n"))
        assert all(character.isprintable() or character == "\n" for character in text_of(forged))

    @pytest.mark.parametrize(
        "name", ["it's", "$(rm -rf x)", "a\nb", "`id`", "-x", "a\u202eb", "ü \\ \x1b"]
    )
    def test_its_command_is_one_copy_of_exactly_this_object(self, name: str) -> None:
        key = f"raw/orders/{name}.csv"
        document = outcome("superseded", source={**SOURCE, "key": key})
        printed = subprocess.run(
            ["bash", "-c", f"aws() {{ printf '%s\\0' \"$@\"; }}; {document['links']['download']}"],
            capture_output=True,
            check=True,
        )
        arguments = printed.stdout.decode().split("\0")[:-1]
        assert arguments == ["s3", "cp", f"s3://{INPUT_BUCKET}/{key}", "."]

    def test_ordinary_names_are_quoted_as_usual(self) -> None:
        command = outcome("superseded")["links"]["download"]
        assert shlex.split(command)[3] == f"s3://{INPUT_BUCKET}/{SOURCE['key']}"


class TestChannels:
    @pytest.mark.parametrize("status", STATUSES)
    def test_carry_the_same_document(self, status: Status) -> None:
        document = outcome(status)
        message = json.loads(message_of(document))
        assert message.keys() == {"default", "email", "sms"}
        assert json.loads(message["default"]) == document
        assert message["email"] == text_of(document)
        assert message["sms"] == lines(document)[0]
        entry = event_of(document, "a-bus")
        assert json.loads(entry["Detail"]) == document
        assert (entry["Source"], entry["EventBusName"]) == ("data-pipeline", "a-bus")
        assert entry["DetailType"] == example(status)["detail-type"]

    def test_subscribers_can_filter_by_attributes(self) -> None:
        assert attributes_of(outcome()) == {
            "status": "succeeded",
            "environment": "dev",
            "dataset": "orders",
            "file_id": FILE_ID,
            "notification_id": f"{FILE_ID}.succeeded",
            "has_rejects": "true",
        }
        assert attributes_of(failed())["error"] == "EmptyFile"
        assert attributes_of(outcome("failed"))["has_rejects"] == "true"
        assert attributes_of(outcome("superseded"))["status"] == "superseded"

    @pytest.mark.parametrize(
        ("dataset", "attribute"),
        [
            ("orders\n\t\x00\x7f\x85", r"orders\n\t\x00\x7f\x85"),
            ("a\ud800b\uffff", r"a\ud800b\uffff"),
            ("Größe-日本 \u200b", r"Größe-日本 \u200b"),
        ],
    )
    def test_an_attribute_has_no_character_that_sns_refuses(
        self, dataset: str, attribute: str
    ) -> None:
        document = failed(source={**SOURCE, "dataset": dataset})
        assert attributes_of(document)["dataset"] == attribute

    @given(st.sampled_from(STATUSES), st.text(max_size=300))
    @examples(20)
    def test_sns_accepts_every_subject(self, status: Status, name: str) -> None:
        subject = subject_of(outcome(status, source={**SOURCE, "key": f"raw/orders/{name}.csv"}))
        assert len(subject) < 100
        assert all(" " <= character <= "~" for character in subject)
        assert subject.startswith("Data Pipeline: ")

    def test_a_long_subject_keeps_its_outcome(self) -> None:
        subject = subject_of(failed(source={**SOURCE, "key": f"raw/orders/{'a' * 300}.csv"}))
        assert len(subject) == 99
        assert subject.endswith(".csv FAILED, EmptyFile")

    @pytest.mark.parametrize("character", ["\x01", '"', "\\", "'", "\u202e", "😀", "x"])
    def test_the_largest_document_is_within_the_services_limits(self, character: str) -> None:
        # A cause has at most 32,768 characters, and a key 1,024 bytes.
        length = KEY_BYTES // len(character.encode())
        long = character * length
        keys = dict.fromkeys(("processed_key", "rejected_key", "corrections_key"), long)
        name = character * 200
        reason = documents.SUMMARY["rejects"]["reasons"][0]
        document = document_of(
            documents.job(
                source={**SOURCE, "key": long, "dataset": long},
                parse={**documents.PARSE, "contract_key": long},
                output={**documents.OUTPUT, **keys},
                summary={
                    "summary_key": long,
                    "report_key": long,
                    "rejects": {
                        "faults": 20,
                        "reasons": [reason] * 20,
                        "other_faults": 0,
                    },
                    "drift": {
                        "missing_fields": [name] * 20,
                        "missing_count": 20,
                        "dropped_columns": 0,
                        "kept_columns": 0,
                    },
                },
                failure=documents.failure("InternalError", character * 32_768),
            ),
            "failed",
        )
        OUTCOME.validate(document)
        attributes = json.dumps(attributes_of(document), ensure_ascii=False)
        assert len((message_of(document) + attributes).encode()) < MESSAGE_BYTES
        assert len(json.dumps(event_of(document, "bus"), ensure_ascii=False).encode()) < ENTRY_BYTES
        assert len(document["error"]["message"]) <= CAUSE_LENGTH


def test_a_catalogue_that_differs_is_reported_with_what_to_do() -> None:
    problems = [f"In the table orders, the field f{number} has changed." for number in range(10)]
    catalogue = {
        "database": "analytics",
        "table": "orders",
        "action": "extended",
        "problems": problems,
        "problem_count": 12,
    }
    document = outcome(catalogue=catalogue)
    OUTCOME.validate(document)
    assert document["catalogue"] == {**catalogue, "error": None}
    assert problems[0] in lines(document)
    assert "There are 2 other problems with the table." in lines(document)


def test_a_catalogue_that_failed_is_reported_as_an_error() -> None:
    cause = {"errorMessage": "GetTable answered AccessDenied.", "errorType": "InternalError"}
    document = outcome(catalogue={"Error": "InternalError", "Cause": json.dumps(cause)})
    OUTCOME.validate(document)
    assert document["catalogue"]["error"] == "InternalError: GetTable answered AccessDenied."
    assert document["catalogue"]["table"] is None
    assert "The catalogue was not updated. InternalError: GetTable answered AccessDenied." in lines(
        document
    )


def test_without_a_database_there_is_no_catalogue() -> None:
    assert outcome()["catalogue"] is None
    assert "catalogue" not in text_of(outcome())
