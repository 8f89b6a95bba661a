"""What a message of the ProcessingQueue asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared import keys
from shared.job import Execution, Job
from shared.sources import source_of_record


class UnknownMessage(Exception):
    """The message is neither an S3 event of the input bucket nor a state document of a file."""


@dataclass(frozen=True)
class Upload:
    """An S3 event: a file was uploaded."""

    job: Job


@dataclass(frozen=True)
class Replay:
    """A state document: run this file again; `force` even though it has succeeded.

    `though_superseded` runs it even though a later version of its key has succeeded. `failed` is
    the run of an execution whose failure the document reports, if it reports one.
    """

    job: Job
    force: bool
    though_superseded: bool
    failed: Execution | None


Request = Upload | Replay


@dataclass(frozen=True)
class Entry:
    """One of the `total` things that a message asks for, counted from 1: a request, or an error."""

    number: int
    total: int
    request: Request | UnknownMessage

    @property
    def place(self) -> str:
        """Which part of the message it is, such as `record 2 of 3`."""
        return f"record {self.number} of {self.total}"


def entries_of(body: str, input_bucket: str) -> list[Entry]:
    """What a message asks to run: nothing for S3's test event and for folder keys.

    A record of an S3 event that is not well formed, or not of `input_bucket`, is an entry with an
    error and does not hold up its neighbours. Raises `UnknownMessage`, saying what is wrong, where
    that is so of the whole message.
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
        return _uploads(document["Records"], input_bucket)
    if "file_id" in document:
        with _explained():
            return [Entry(1, 1, _replay(document, input_bucket))]
    raise UnknownMessage("The message is neither an S3 event nor a state document.")


def _uploads(records: Any, input_bucket: str) -> list[Entry]:
    if not isinstance(records, list):
        raise UnknownMessage("The message is malformed: its Records are no list.")
    entries = []
    for number, record in enumerate(records, start=1):
        request: Request | UnknownMessage | None
        try:
            with _explained():
                request = _upload(record, input_bucket)
        except UnknownMessage as error:
            request = error
        if request is not None:
            entries.append(Entry(number, len(records), request))
    return entries


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what reading a malformed document raises into `UnknownMessage`."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnknownMessage(f"The message is malformed: {_what(error)}.") from None


def _upload(record: Mapping[str, Any], input_bucket: str) -> Upload | None:
    name = str(record["eventName"])
    if not name.startswith("ObjectCreated:"):
        raise UnknownMessage(f"The event {name[:64]} is no upload.")
    source = source_of_record(record)
    _check_place(source.bucket, source.key, input_bucket)
    if source.key.endswith("/") and source.size == 0:
        # The console's "create folder" uploads an empty object whose key ends in a slash.
        return None
    return Upload(Job(file_id=source.file_id, attempt=1, source=source))


def _replay(document: Mapping[str, Any], input_bucket: str) -> Replay:
    """Nothing but identity, source and attempt is kept, so nothing grows from replay to replay."""
    given = Job.from_document({name: document[name] for name in ("file_id", "attempt", "source")})
    _check_place(given.source.bucket, given.source.key, input_bucket)
    if given.file_id != given.source.file_id:
        raise UnknownMessage("The state document's file_id is not that of its source.")
    if given.source.dataset != keys.dataset_of(given.source.key):
        raise UnknownMessage("The state document's dataset is not that of its key.")
    if given.attempt < 1:
        raise UnknownMessage("The state document's attempt is not 1 or more.")
    failure = document.get("failure") or {}
    return Replay(
        given,
        force=document.get("force") is True,
        though_superseded=document.get("superseded") is True,
        failed=Execution.from_context(failure["execution"]) if "execution" in failure else None,
    )


def _check_place(bucket: str, key: str, input_bucket: str) -> None:
    if bucket != input_bucket:
        raise UnknownMessage("The message is of another bucket than the pipeline's input.")
    if not key.startswith(keys.RAW_PREFIX):
        raise UnknownMessage(f"The message is of a key outside {keys.RAW_PREFIX}.")


def _what(error: Exception) -> str:
    """What is malformed, without the message's own words: a KeyError names the missing field."""
    return f"{error} is missing" if isinstance(error, KeyError) else type(error).__name__
