"""The keys that local files are uploaded to, and files that are refused before the upload."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipectl.client.uploads import dataset_for, plan_uploads
from pipectl.errors import UsageError
from tabular.file_names import IgnoredNames


def make(folder: Path, *names: str) -> list[Path]:
    """Empty files."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_files_go_directly_under_raw_without_a_dataset(tmp_path: Path) -> None:
    (upload,) = plan_uploads(make(tmp_path, "a.csv"), None)
    assert (upload.key, upload.dataset) == ("raw/a.csv", "default")


def test_files_go_into_the_folder_of_their_dataset(tmp_path: Path) -> None:
    (upload,) = plan_uploads(make(tmp_path, "a.csv.gz"), "orders")
    assert (upload.key, upload.dataset) == ("raw/orders/a.csv.gz", "orders")


def test_files_of_the_same_name_are_numbered(tmp_path: Path) -> None:
    files = make(tmp_path, "a/x.csv.gz", "b/x.csv.gz", "c/x-2.csv.gz", "d/x.csv", "a/y", "b/y")
    assert [upload.key for upload in plan_uploads(files, None)] == [
        "raw/x.csv.gz",
        "raw/x-2.csv.gz",
        "raw/x-2-2.csv.gz",
        "raw/x.csv",
        "raw/y",
        "raw/y-2",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".csv", "its name begins with ."),
        ("_a.csv", "its name begins with _"),
        ("a.csv.tmp", "its name ends with .tmp"),
        ("a.PDF", "its name matches *.pdf in IgnoredNames"),
    ],
)
def test_a_name_that_the_pipeline_ignores_is_refused(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        plan_uploads(make(tmp_path, name), None, IgnoredNames.parse("*.pdf"))


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.json.gz"])
def test_a_name_that_the_pipeline_refuses_fails_there(tmp_path: Path, name: str) -> None:
    (upload,) = plan_uploads(make(tmp_path, name), None)
    assert upload.key == f"raw/{name}"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        plan_uploads([tmp_path / "a.csv"], None)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(UsageError, match="is not a file"):
        plan_uploads([tmp_path / "a.csv"], None)


@pytest.mark.parametrize(
    ("content", "dataset"),
    [
        (json.dumps({"name": "orders", "schema": {}}), "orders"),
        ("\ufeff" + json.dumps({"name": "orders"}), "orders"),
        (json.dumps({"name": "Not a name!"}), "sales"),
        (json.dumps({"schema": {}}), "sales"),
        ("not JSON", "sales"),
        ("[]", "sales"),
    ],
)
def test_a_contract_names_the_dataset(tmp_path: Path, content: str, dataset: str) -> None:
    contract = tmp_path / "sales.contract.json"
    contract.write_text(content, encoding="utf-8")
    assert dataset_for(None, contract) == dataset
    assert dataset_for("mine", contract) == "mine"


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "ä", "a" * 101])
def test_a_dataset_must_be_a_folders_name(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid dataset name"):
        dataset_for(name, None)
