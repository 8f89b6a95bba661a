"""Folder names that are refused as datasets, and keys whose derived keys are too long."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from parse_csv.app import handler
from parse_csv.names import check_dataset, check_keys
from shared import keys
from shared.errors import InvalidDatasetName, KeyTooLong
from shared.job import Job, new_job
from tests.unit.functions import documents
from tests.unit.functions.conftest import Logs


def job_of(folder: str, name: str = "a.csv") -> Job:
    return new_job(
        bucket=documents.INPUT_BUCKET,
        key=f"raw/{folder}/{name}",
        version_id="v1",
        etag="e1",
        size=10,
        sequencer="1",
        event_time="2026-03-01T08:00:00.000Z",
    )


def keys_of(job: Job) -> list[str]:
    return keys.derived_keys(job.source.dataset, job.file_id, job.source.key)


@pytest.mark.parametrize("folder", ["a\nb", "a\tb", "\x1b[31m", "a\x7f", "a\x85b", "a\u2028b"])
def test_a_control_character_in_a_folders_name_is_refused(folder: str) -> None:
    with pytest.raises(InvalidDatasetName) as caught:
        check_dataset(folder)
    assert str(caught.value).isprintable()
    assert "Upload the file to a folder without it" in str(caught.value)


@pytest.mark.parametrize("folder", [".", ".."])
def test_a_folder_that_is_a_relative_path_is_refused(folder: str) -> None:
    with pytest.raises(InvalidDatasetName, match="a different folder"):
        check_dataset(folder)


@pytest.mark.parametrize(
    "folder", ["orders", "Bestellungen März", "注文", "a.b", "...", "a\u00a0b"]
)
def test_any_other_name_is_accepted(folder: str) -> None:
    check_dataset(folder)


@pytest.mark.parametrize("letter", ["d", "é", "注"])
def test_the_longest_folder_that_the_message_allows_is_accepted(letter: str) -> None:
    too_long = job_of(letter * (1000 // len(letter.encode())), "a")
    with pytest.raises(KeyTooLong, match="1,024") as caught:
        check_keys(too_long)
    most = int(str(caught.value).rpartition("at most ")[2].partition(" ")[0])
    fits = job_of(letter * (most // len(letter.encode())), "a" * 30)
    check_keys(fits)
    assert max(len(key.encode()) for key in keys_of(fits)) <= keys.MAX_KEY_BYTES
    one_more = job_of(letter * (most // len(letter.encode()) + 1), "a")
    with pytest.raises(KeyTooLong):
        check_keys(one_more)


def test_every_key_that_contains_a_dataset_is_checked() -> None:
    """A new kind of key that contains the dataset's name fails here until it is in the list."""
    made = {
        "dataset": "DATASET",
        "file_id": "FILE",
        "path": "FILE.FILE",
        "suffix": "parquet",
        "source_key": "raw/DATASET/a.csv",
    }
    listed = keys.derived_keys("DATASET", "FILE", "raw/DATASET/a.csv")
    longest = max(map(len, listed))
    for name, function in inspect.getmembers(keys, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if "dataset" not in parameters or name == "derived_keys":
            continue
        arguments: dict[str, Any] = {it: made.get(it) for it in parameters}
        assert len(function(**arguments)) <= longest, name


@pytest.mark.parametrize(
    ("folder", "error"), [("d" * 1000, KeyTooLong), ("a\nb", InvalidDatasetName)]
)
def test_parse_csv_refuses_the_name_before_it_calls_aws(
    folder: str, error: type[Exception], logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INPUT_BUCKET", "OUTPUT_BUCKET", "METADATA_TABLE"):
        monkeypatch.setenv(name, "unused")
    for name in ("MAX_CONCURRENCY", "SPLIT_SIZE_BYTES", "TRANSFORM_TIMEOUT_SECONDS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("REQUIRE_CONTRACT", "false")
    monkeypatch.setenv("REQUIRE_SCAN", "false")
    monkeypatch.setenv("IGNORED_NAMES", "")
    monkeypatch.setenv("OUTPUT_FORMAT", "jsonl")
    job = job_of(folder)
    document = {"file_id": job.file_id, "attempt": 1, "source": vars(job.source)}
    with pytest.raises(error):
        handler(documents.payload(document), None)
