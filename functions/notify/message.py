"""The forms in which channels send an outcome document: an e-mail, an SNS message, an event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from notify.outcome import Document, cut
from shared import keys
from shared.text import exact_json, printable, shell_word

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

# SNS accepts fewer than 100 characters of printable ASCII.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT_LENGTH = 99

EVENT_SOURCE = "data-pipeline"
DETAIL_TYPES = {
    "succeeded": "File Processed",
    "failed": "File Failed",
    "superseded": "File Superseded",
}


def subject_of(document: Document) -> str:
    """The e-mail's subject: printable ASCII, with its middle cut if it is too long."""
    text = printable(document["title"])
    return cut("".join(c if " " <= c <= "~" else "?" for c in text), SUBJECT_LENGTH)


def message_of(document: Document) -> str:
    """The SNS message (`MessageStructure=json`): text for people, the document for programs."""
    text = text_of(document)
    verdict = text.partition("\n")[0]
    # `default` reaches every other protocol: Lambda, SQS, HTTP, HTTPS, Firehose.
    return exact_json({"default": exact_json(document), "email": text, "sms": verdict})


def attributes_of(document: Document) -> dict[str, str]:
    """The SNS message's attributes, by which subscribers can filter.

    SNS doesn't deliver a message with a control character in an attribute.
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
    """
    names = ("status", "environment", "dataset", "file_id", "notification_id")
    attributes = {name: printable(document[name]) for name in names}
    counted = document["counts"] or (document["error"] or {}).get("details", {})
    attributes["has_rejects"] = "true" if counted.get("rejected") else "false"
    if document["error"]:
        attributes["error"] = printable(document["error"]["code"])
    return attributes


def event_of(document: Document, bus: str) -> PutEventsRequestEntryTypeDef:
    """The entry for EventBridge's PutEvents."""
    return {
        "EventBusName": bus,
        "Source": EVENT_SOURCE,
        "DetailType": DETAIL_TYPES[document["status"]],
        "Detail": exact_json(document),
        "Resources": [document["execution"]["arn"]],
    }


def text_of(document: Document) -> str:
    """The e-mail: the verdict in the first line, then what to do, then the facts.

    Line breaks in names are escaped, so that a name can't forge another line.
    """
    paragraphs = [
        [_verdict(document)],
        [*_what_to_do(document)],
        [*_reasons(document)],
        [*_drift(document)],
        [*_catalogue(document)],
        [*_outputs(document)],
        [*_facts(document)],
    ]
    shown = ["\n".join(map(printable, lines)) for lines in paragraphs if lines]
    return "\n\n".join(shown) + "\n"


def _verdict(document: Document) -> str:
    name = PurePosixPath(document["source"]["key"]).name
    counts = document["counts"]
    if document["status"] == "failed":
        error = document["error"]
        return f"{name} FAILED: {error['code']} in {error['state']}."
    if document["status"] == "superseded":
        return f"{name} was superseded: {_later(document)} is current."
    if not counts["rejected"]:
        return f"{name} was processed: {_number(counts['records'], 'record')}, none rejected."
    percent = 100 * counts["rejected"] / counts["records"]
    return (
        f"{name} was processed: {counts['processed']} of {_number(counts['records'], 'record')},"
        f" {counts['rejected']} rejected ({percent:.3g}%)."
    )


def _later(document: Document) -> str:
    same = document["superseded_by"]["file_id"] == document["file_id"]
    return "a later attempt" if same else "a later version of the file"


def _what_to_do(document: Document) -> Iterator[str]:
    if document["status"] == "failed":
        yield from _what_to_do_after_failure(document)
    elif document["status"] == "superseded":
        yield f"There is nothing to do: the output of {_later(document)} stays as it is."
    elif document["outputs"]["corrections"]:
        correction = keys.corrections_key(document["dataset"], document["file_id"])
        target = f"s3://{document['source']['bucket']}/{correction}"
        yield "To process the rejected records, correct them and upload the corrected file:"
        yield document["links"]["download"]
        yield f"aws s3 cp {document['file_id']}.csv {shell_word(target)}"
        command = f"pipectl correct {document['file_id']} {document['file_id']}.csv"
        yield f"Instead of the second command, `{command}` checks the file first."
    elif document["outputs"]["rejected"]:
        yield "To get the rejected records with the reasons:"
        yield document["links"]["download"]
    else:
        yield "There is nothing to do. To get the records:"
        yield document["links"]["download"]


def _what_to_do_after_failure(document: Document) -> Iterator[str]:
    yield document["error"]["message"]
    yield ""
    if document["links"]["rerun"] is None:
        yield "A rerun of this file can't succeed. Correct the file and upload it again:"
        yield document["links"]["download"]
        return
    yield "Remove the cause, then rerun the file in one of these ways:"
    yield f"- Run `{document['links']['rerun']}`"
    yield f"- Choose Redrive on the execution's page: {document['links']['execution']}"
    yield ""
    yield "To look at the file:"
    yield document["links"]["download"]


def _reasons(document: Document) -> Iterator[str]:
    rejects = document["rejects"]
    if not rejects or not rejects["faults"]:
        return
    yield "Reasons of the rejected records:"
    for reason in rejects["reasons"]:
        where = f"column {reason['column']}, " if reason["column"] is not None else ""
        rule = f" ({reason['rule']})" if reason["rule"] else ""
        yield f"- {where}{reason['code']}{rule}: {_number(reason['records'], 'record')}"
    if rejects["other_faults"]:
        yield f"- {_number(rejects['other_faults'], 'other fault')}"
    if document["outputs"]["report"]:
        yield "The report names the columns."


def _drift(document: Document) -> Iterator[str]:
    drift = document["drift"]
    if not drift:
        return
    if drift["dropped_columns"]:
        dropped = _number(drift["dropped_columns"], "column")
        yield f"{dropped} of the file without a field in the contract: not in the output."
    if drift["kept_columns"]:
        kept = _number(drift["kept_columns"], "column")
        yield f"{kept} of the file without a field in the contract: in the output, unchecked."
    if drift["missing_count"]:
        more = drift["missing_count"] - len(drift["missing_fields"])
        names = ", ".join(drift["missing_fields"]) + (f" and {more} others" if more else "")
        yield f"The file lacks {_number(drift['missing_count'], 'field')} of the contract: {names}."


def _catalogue(document: Document) -> Iterator[str]:
    catalogue = document["catalogue"]
    if not catalogue:
        return
    if catalogue["error"] is not None:
        yield f"The catalogue was not updated. {catalogue['error']}"
        yield "The next file of the dataset tries again."
    yield from catalogue["problems"]
    more = catalogue["problem_count"] - len(catalogue["problems"])
    if more > 0:
        yield f"There are {_number(more, 'other problem')} with the table."


def _outputs(document: Document) -> Iterator[str]:
    for name, uri in document["outputs"].items():
        if uri is not None:
            yield f"{name.capitalize()}: {uri}"


def _facts(document: Document) -> Iterator[str]:
    execution, contract = document["execution"], document["contract"]
    yield f"Source: {document['source']['uri']}"
    yield f"Size: {_number(document['source']['bytes'], 'byte')}"
    yield f"Dataset: {document['dataset']}"
    yield f"File ID: {document['file_id']}"
    if contract:
        yield f"Contract: {contract['key']}, version {contract['version']}"
    yield from _corrections(document["corrections"])
    if document["superseded_by"]:
        yield f"Superseded by: {document['superseded_by']['file_id']}"
    yield f"Environment: {document['environment']}"
    yield f"Attempt: {document['attempt']}"
    yield f"Started: {execution['started_at']}"
    yield f"Duration: {document['duration_ms'] / 1000:.1f} s"
    yield f"Execution: {document['links']['execution']}"


def _corrections(corrections: Mapping[str, Any] | None) -> Iterator[str]:
    if corrections:
        yield f"Corrections: {_number(corrections['rows'], 'row')}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
