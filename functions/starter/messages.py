"""Reads the messages of the ProcessingQueue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared import keys
from shared.job import Execution, Job, Location, Source
from shared.scans import DETAIL_TYPE, ScanResult, read_scan_result
from shared.sources import source_of_record
from tabular.file_names import IgnoredNames, why_ignored


class UnknownMessage(Exception):
    """The message is no event of an object in the input bucket, and no file's state document."""


@dataclass(frozen=True)
class Upload:
    """An S3 event: a file was uploaded."""

    job: Job


@dataclass(frozen=True)
class Ignored:
    """An S3 event of an object that the pipeline ignores because of its name, and why."""

    source: Source
    reason: str


@dataclass(frozen=True)
class Correction:
    """An S3 event: corrected rows of a file were uploaded."""

    dataset: str
    file_id: str
    upload: Location


@dataclass(frozen=True)
class Replay:
    """A state document: rerun this file, with `force` even if it has succeeded.

    `failed` is the execution whose failure the document reports, if it reports one.
    """

    job: Job
    force: bool
    failed: Execution | None


Request = Upload | Correction | Replay | Ignored | ScanResult


@dataclass(frozen=True)
class Entry:
    """One of a message's `total` requests, numbered from 1, or the error of a malformed one."""

    number: int
    total: int
    request: Request | UnknownMessage

    @property
    def place(self) -> str:
        """The position in the message, such as `record 2 of 3`."""
        return f"record {self.number} of {self.total}"


def entries_of(body: str, input_bucket: str, ignored: IgnoredNames) -> list[Entry]:
    """The requests of a message; none for S3's test event.

    `ignored` extends the list of names that are ignored. A state document asks for its file
    explicitly, so it is followed whatever the name.

    A record of an S3 event that is malformed, or is not of `input_bucket`, becomes an entry with an
    error and doesn't affect the other records. Raises `UnknownMessage` if the whole message is
    malformed.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise UnknownMessage("The message is not JSON.") from None
    if not isinstance(document, dict):
        raise UnknownMessage("The message is not a JSON object.")
    if document.get("Event") == "s3:TestEvent":
        return []
    if "Records" in document:
        return _uploads(document["Records"], input_bucket, ignored)
    if "file_id" in document:
        with _explained():
            return [Entry(1, 1, _replay(document, input_bucket))]
    if document.get("detail-type") == DETAIL_TYPE:
        with _explained():
            result = read_scan_result(document)
        _check_place(result.source.bucket, result.source.key, input_bucket)
        return [Entry(1, 1, result)]
    raise UnknownMessage("The message is no S3 event, no scan result and no state document.")


def _uploads(records: Any, input_bucket: str, ignored: IgnoredNames) -> list[Entry]:
    if not isinstance(records, list):
        raise UnknownMessage("The message is malformed: Records is not a list.")
    entries = []
    for number, record in enumerate(records, start=1):
        request: Request | UnknownMessage
        try:
            with _explained():
                request = _upload(record, input_bucket, ignored)
        except UnknownMessage as error:
            request = error
        entries.append(Entry(number, len(records), request))
    return entries


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the errors of reading a malformed document into `UnknownMessage`."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnknownMessage(f"The message is malformed: {_what(error)}.") from None


def _upload(
    record: Mapping[str, Any], input_bucket: str, ignored: IgnoredNames
) -> Upload | Correction | Ignored:
    name = str(record["eventName"])
    if not name.startswith("ObjectCreated:"):
        raise UnknownMessage(f"The event {name[:64]} is not an upload.")
    source = source_of_record(record)
    if source.bucket == input_bucket and source.key.startswith(keys.CORRECTIONS_PREFIX):
        return _correction(source)
    _check_place(source.bucket, source.key, input_bucket)
    reason = why_ignored(source.key, source.size, ignored)
    if reason is not None:
        return Ignored(source, reason)
    return Upload(Job(file_id=source.file_id, attempt=1, source=source))


def _correction(source: Source) -> Correction | Ignored:
    if source.key.endswith("/"):
        return Ignored(source, "it marks a folder")
    found = keys.file_of_corrections(source.key)
    if found is None:
        raise UnknownMessage(
            f"The key of corrected rows is not {keys.CORRECTIONS_PREFIX}<dataset>/<file_id>.csv, "
            "with a file ID of 32 hex digits."
        )
    return Correction(*found, source.location)


def _replay(document: Mapping[str, Any], input_bucket: str) -> Replay:
    """Read a state document; keep only identity, source and attempt, so that it never grows."""
    names = ("file_id", "attempt", "source")
    given = Job.from_document(
        {name: document[name] for name in names} | {"corrections": document.get("corrections")}
    )
    _check_place(given.source.bucket, given.source.key, input_bucket)
    if given.file_id != given.source.file_id:
        raise UnknownMessage("The state document's file_id doesn't match its source.")
    if given.source.dataset != keys.dataset_of(given.source.key):
        raise UnknownMessage("The state document's dataset doesn't match its key.")
    upload = given.corrections
    place = keys.corrections_key(given.source.dataset, given.file_id)
    if upload is not None and (upload.bucket, upload.key) != (input_bucket, place):
        raise UnknownMessage("The state document's corrections are not those of its file.")
    if given.attempt < 1:
        raise UnknownMessage("The state document's attempt is less than 1.")
    failure = document.get("failure") or {}
    return Replay(
        given,
        force=document.get("force") is True,
        failed=Execution.from_context(failure["execution"]) if "execution" in failure else None,
    )


def _check_place(bucket: str, key: str, input_bucket: str) -> None:
    if bucket != input_bucket:
        raise UnknownMessage("The message names a bucket other than the input bucket.")
    if not key.startswith(keys.RAW_PREFIX):
        raise UnknownMessage(f"The message names a key outside {keys.RAW_PREFIX}.")


def _what(error: Exception) -> str:
    """The malformed part, without quoting the message; a KeyError names the missing field."""
    return f"{error} is missing" if isinstance(error, KeyError) else type(error).__name__
