"""The objects of an S3 event in the queue, and the files of a watched folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipectl.local.local_run import WatchedFiles, _sources
from tabular.file_names import IgnoredNames


def event(*objects: dict[str, str]) -> str:
    """The body of an S3 event's message in the queue."""
    return json.dumps({"Records": [{"s3": {"object": item}} for item in objects]})


def test_an_event_names_its_objects_with_decoded_keys_and_versions() -> None:
    body = event({"key": "raw/a+b%2Bc.csv", "versionId": "v1"}, {"key": "raw/d.csv"})
    assert _sources(body) == [("raw/a b+c.csv", "v1"), ("raw/d.csv", None)]


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"Records": [1]}', '{"file_id": "x"}'])
def test_a_message_that_is_not_an_event_names_no_objects(body: str) -> None:
    assert _sources(body) == []


def test_watched_files_are_taken_once_they_are_complete_and_again_when_they_change(
    tmp_path: Path,
) -> None:
    watched = WatchedFiles(tmp_path, "orders", IgnoredNames.parse("*.bak"))
    file = tmp_path / "2026" / "a.csv"
    file.parent.mkdir()
    file.write_text("a")
    for name in ("b.csv.part", "_SUCCESS", "c.bak"):
        (tmp_path / name).write_text("x")

    assert watched.new() == []  # seen for the first time
    file.write_text("a,b")
    assert watched.new() == []  # still growing
    assert [upload.key for upload in watched.new()] == ["raw/orders/2026/a.csv"]
    assert watched.new() == []
    file.write_text("a,b,c")
    watched.new()
    assert [upload.path for upload in watched.new()] == [file]
    file.unlink()
    assert watched.new() == []


def test_without_a_dataset_a_watched_folder_is_like_raw(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.csv").write_text("a")
    watched = WatchedFiles(tmp_path, None, IgnoredNames())
    watched.new()

    (upload,) = watched.new()
    assert (upload.key, upload.dataset) == ("raw/orders/a.csv", "orders")
