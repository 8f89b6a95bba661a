"""No data of a file leaves the buckets, however the file ends.

Every cell of every file here contains a secret, the header included. Whatever is written about
the files is searched for it: logs, notifications, webhook bodies, queue messages, histories and
metadata. The kinds of failure come from the registry of errors and the list of faults, so a new one
fails a test here until it has its own file.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest

from shared.remedies import REMEDIES
from tabular.faults import FaultCode
from tabular.reading.layout import MAX_COLUMNS
from tests.end_to_end.conftest import SPLIT_SIZE_BYTES
from tests.end_to_end.pipeline import Pipeline
from webhook.post import body_of

# In lower case: names of fields are cleaned. Without characters that JSON escapes.
SECRET = "kanarienvogel"
PATIENCE_SECONDS = 120

_NUMBERS = itertools.count()

PARSE = "data-pipeline-parse-csv-dev"
TRANSFORM = "data-pipeline-transform-dev"
WRITE = "data-pipeline-write-output-dev"


def cells(width: int, mark: str = "") -> bytes:
    return ",".join(f"{SECRET}{mark}{number}" for number in range(width)).encode() + b"\n"


HEADER, ROW = cells(3, "head"), cells(3)
TABLE = HEADER + ROW * 4


def contract(*fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    schema = {name: more.pop(name) for name in ("primaryKey", "uniqueKeys") if name in more}
    return {"schema": {"fields": list(fields), **schema}, **more}


# The contract's names are not the file's data, but here they are the header's own.
NAMES = HEADER.decode().strip().split(",")
TEXTS = [{"name": name, "type": "string"} for name in NAMES]
INTEGERS = [{"name": name, "type": "integer"} for name in NAMES]


@dataclass(frozen=True)
class Case:
    """A file, its contract, and the properties of its object or folder that cause the error."""

    body: bytes = TABLE
    contract: Mapping[str, Any] | None = None
    dataset: str | None = None
    name: str = "file.csv"
    more: Mapping[str, str] = field(default_factory=dict)


# Errors that a file, its contract or its object raise.
FILES: dict[str, Case] = {
    # The one error of a file without any cell.
    "EmptyFile": Case(b"\n\n\n"),
    "FileTooLarge": Case(cells(MAX_COLUMNS + 1)),
    "HeaderMismatch": Case(TABLE, contract({"name": "id"}, {"name": "name"}, {"name": "iban"})),
    "InvalidContract": Case(TABLE, contract({"name": "id", "type": "integr"})),
    "InvalidDatasetName": Case(dataset="delete\x7f"),
    "KeyTooLong": Case(dataset="d" * 1000, name="f.csv"),
    "SourceArchived": Case(more={"StorageClass": "GLACIER"}),
    "TooManyRejects": Case(TABLE, contract(*INTEGERS, pipeline={"maxRejectCount": 0})),
    "UnreadableFile": Case(gzip.compress(TABLE * 10, mtime=0)[:-20], name="file.csv.gz"),
    "UnsupportedEncoding": Case(HEADER.replace(b"head0", b"\xff\xfe\xff") + ROW),
    "UnsupportedFormat": Case(b"%PDF-1.7\n" + TABLE),
}
# Other files that fail with one of these errors.
VARIANTS: dict[str, list[Case]] = {
    "HeaderMismatch": [
        Case(HEADER.replace(b"head1", b"head0") + ROW),
        Case(HEADER.replace(SECRET.encode() + b"head1", b"") + ROW),
        Case(TABLE, contract(*TEXTS[:2])),
    ],
    "TooManyRejects": [
        Case(HEADER + ROW.replace(b"0", b"") * 4, contract(*INTEGERS)),
        Case(
            HEADER + ROW * (2 * SPLIT_SIZE_BYTES // len(ROW)),
            contract(*INTEGERS, pipeline={"maxRejectPercent": 1}),
        ),
    ],
    "UnsupportedFormat": [Case(b"<!DOCTYPE html><html>" + TABLE), Case(b"PK\x03\x04" + TABLE)],
}
# Errors of services or of the environment, simulated by a fault: the function that raises it,
# and how often it has to.
INJECTED: dict[str, tuple[str, int]] = dict.fromkeys(
    (
        "ContractMissing",
        "InternalError",
        "InvalidCorrections",
        "MisalignedSplits",
        "MixedParts",
        "OutdatedExecution",
        "RecordOutdated",
        "SettingsError",
        "SourceChanged",
        "SourceEncrypted",
        "SourceInfected",
        "SourceKeyDenied",
        "SourceNotFound",
        "SourceNotScanned",
    ),
    (PARSE, 1),
) | {"TransientError": (WRITE, 7)}

PLENTY = HEADER + ROW * 3
# A rejected record for each kind of fault; the file itself succeeds.
FAULTS: dict[str, Case] = {
    "type-error": Case(PLENTY, contract(*INTEGERS, pipeline={"maxRejectPercent": 100})),
    "constraint-error": Case(
        PLENTY,
        contract(
            *({**one, "constraints": {"maxLength": 3}} for one in TEXTS),
            pipeline={"maxRejectPercent": 100},
        ),
    ),
    "unique-error": Case(
        PLENTY, contract({**TEXTS[0], "constraints": {"unique": True}}, *TEXTS[1:])
    ),
    "primary-key": Case(PLENTY, contract(*TEXTS, primaryKey=NAMES)),
    "extra-cell": Case(PLENTY + ROW.strip() + b"," + ROW),
    "missing-cell": Case(PLENTY + SECRET.encode() + b"\n"),
    "blank-row": Case(PLENTY + b",,\n", contract(*TEXTS)),
    "repeated-header": Case(PLENTY + HEADER + ROW),
    "encoding-error": Case(PLENTY + ROW.replace(b"0", b"\xff")),
    "source-error": Case(PLENTY + b'"' + ROW + ROW.replace(b"0", b'"x')),
}


class CanaryFiles:
    """Drops the files and waits for their outcomes; keeps their ids."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.failed: dict[str, list[str]] = {}
        self.succeeded: dict[str, str] = {}

    def drop(self, case: Case) -> str:
        dataset = case.dataset or f"canary-{next(_NUMBERS)}"
        if case.contract is not None:
            self.pipeline.put_contract(dataset, case.contract)
        return self.pipeline.drop(case.body, case.name, dataset, **case.more).file_id

    def wait(self, file_ids: Mapping[str, str] | list[str]) -> None:
        for file_id in file_ids.values() if isinstance(file_ids, Mapping) else file_ids:
            self.pipeline.wait(file_id, PATIENCE_SECONDS)

    def run(self) -> None:
        for error, case in FILES.items():
            cases = [case, *VARIANTS.get(error, [])]
            self.failed[error] = [self.drop(one) for one in cases]
        self.succeeded = {code: self.drop(case) for code, case in FAULTS.items()}
        self.wait([file_id for file_ids in self.failed.values() for file_id in file_ids])
        self.wait(self.succeeded)
        self.run_injected()

    def run_injected(self) -> None:
        """Any file can get any of the errors; each error comes once."""
        stack = self.pipeline.stack
        for error, (function, times) in INJECTED.items():
            stack.add_fault(function, error, times)
        dropped = [self.drop(Case()) for _ in INJECTED]
        self.wait(dropped)
        large = Case(HEADER + ROW * (2 * SPLIT_SIZE_BYTES // len(ROW)))
        stack.add_fault(TRANSFORM, "InternalError")
        dropped.append(self.drop(large))
        self.wait(dropped[-1:])
        for file_id in dropped:
            code = self.pipeline.item(file_id)["error"]["code"]
            self.failed.setdefault(code, []).append(file_id)

    @property
    def file_ids(self) -> set[str]:
        return {file_id for ids in self.failed.values() for file_id in ids} | {
            *self.succeeded.values()
        }


@pytest.fixture(scope="module")
def canaries(pipeline: Pipeline) -> Iterator[CanaryFiles]:
    found = CanaryFiles(pipeline)
    found.run()
    yield found
    pipeline.stack.clear_faults()


def test_every_error_and_every_fault_has_a_file() -> None:
    assert {*FILES, *INJECTED} == set(REMEDIES)
    assert set(FAULTS) == set(get_args(FaultCode))


@pytest.mark.long
@pytest.mark.parametrize("error", sorted(REMEDIES))
def test_the_files_fail_as_they_should(canaries: CanaryFiles, error: str) -> None:
    assert error in canaries.failed
    codes = {canaries.pipeline.item(file_id)["error"]["code"] for file_id in canaries.failed[error]}
    assert codes == {error}


@pytest.mark.long
@pytest.mark.parametrize("code", get_args(FaultCode))
def test_the_records_are_rejected_as_they_should_be(canaries: CanaryFiles, code: str) -> None:
    item = canaries.pipeline.item(canaries.succeeded[code])
    assert item["status"] == "succeeded"
    rejected = canaries.pipeline.stack.output(item["rejected_key"])
    assert SECRET.encode() in rejected or code == "blank-row"
    lines = rejected.splitlines()
    codes = {fault["code"] for line in lines for fault in json.loads(line)["errors"]}
    assert code in codes


def logs(canaries: CanaryFiles) -> Any:
    return canaries.pipeline.stack.logs()


def notifications(canaries: CanaryFiles) -> Any:
    return canaries.pipeline.stack.notifications()


def webhook_bodies(canaries: CanaryFiles) -> Any:
    bodies = []
    for notice in canaries.pipeline.stack.notifications():
        texts = json.loads(notice["message"])
        for text in texts.values():
            message = {"Message": text, "Subject": notice["subject"], "MessageId": "m1"}
            bodies.append(body_of(message).decode())
    return bodies


def dead_letters(canaries: CanaryFiles) -> Any:
    return canaries.pipeline.stack.dead_letters()


def failed_deliveries(canaries: CanaryFiles) -> Any:
    return canaries.pipeline.stack.failed_deliveries()


def histories(canaries: CanaryFiles) -> Any:
    return [
        events for file_id in canaries.file_ids for events in canaries.pipeline.histories(file_id)
    ]


def metadata(canaries: CanaryFiles) -> Any:
    return [canaries.pipeline.item(file_id) for file_id in canaries.file_ids]


PLACES: list[Callable[[CanaryFiles], Any]] = [
    logs,
    notifications,
    webhook_bodies,
    dead_letters,
    histories,
    metadata,
]


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_the_secret_is_nowhere(canaries: CanaryFiles, place: Callable[[CanaryFiles], Any]) -> None:
    text = json.dumps(place(canaries), default=str, ensure_ascii=False)
    assert len(text) > 1000
    found = text.lower().find(SECRET)
    assert found < 0, text[max(0, found - 300) : found + 100]
