"""Copies of outputs are inside the folder and never replace each other, for any keys."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipectl.client.mirror import Mirror, fetch_outputs, safe_name

EVIL = ["..", ".", "", "a/../b", "/etc/passwd", "a\\b", "a\0b", "a\nb", "ü" * 200, "x" * 1000]


class Deployment:
    """A deployment whose output bucket has one object for every key: the key itself."""

    outputs = {"OutputBucketName": "out"}  # noqa: RUF012

    def client(self, _service: str) -> Any:
        def get_object(**request: str) -> Any:
            return {"Body": io.BytesIO(request["Key"].encode())}

        return SimpleNamespace(get_object=get_object)


def mirror(folder: Path) -> Mirror:
    deployment: Any = Deployment()
    return Mirror(deployment, folder)


@pytest.mark.parametrize("name", EVIL)
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    key = f"processed/orders/{name}.jsonl"
    path = mirror(folder).fetch(key)
    assert path is not None
    assert path.resolve().is_relative_to(folder.resolve())
    assert path.read_bytes() == key.encode()
    written = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert written == [path]


def test_most_keys_are_paths_as_they_are(tmp_path: Path) -> None:
    path = mirror(tmp_path).path("processed/orders/dt=2026-03-01/März 1.csv.jsonl")
    assert path == tmp_path / "processed/orders/dt=2026-03-01/März 1.csv.jsonl"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("processed/a/X.csv.jsonl", "processed/a/x.csv.jsonl"),
        ("processed/A/x.csv.jsonl", "processed/a/x.csv.jsonl"),
        ("processed/a/\u00e9.csv.jsonl", "processed/a/e\u0301.csv.jsonl"),
        # The first is a file, in whose place the second needs a folder.
        ("processed/a/b.csv.jsonl", "processed/a/b.csv.jsonl/c.csv.jsonl"),
        ("processed/a/b.csv.jsonl/c.csv.jsonl", "processed/a/b.csv.jsonl"),
    ],
)
def test_keys_that_a_file_system_may_confuse_have_different_paths(
    tmp_path: Path, one: str, other: str
) -> None:
    found = mirror(tmp_path)
    paths = [found.fetch(key) for key in (one, other)]
    assert [path.read_bytes() for path in paths if path] == [one.encode(), other.encode()]
    places = {unicodedata.normalize("NFC", str(path)).casefold() for path in paths}
    assert len(places) == len({one, other})
    # The same places each time, as for an output that is replaced.
    assert [found.path(key) for key in (one, other)] == paths


segments = st.one_of(st.sampled_from(EVIL), st.text(st.characters(exclude_categories=["Cs"])))
some_keys = st.lists(st.lists(segments, min_size=1, max_size=4).map("/".join), unique=True)


@given(some_keys)
def test_no_two_keys_have_the_same_path(keys: list[str]) -> None:
    folder = Path("/out")
    found = mirror(folder)
    paths = [found.path(key) for key in keys]
    places = [unicodedata.normalize("NFC", str(path)).casefold() for path in paths]
    assert len(set(places)) == len(keys)
    for path in paths:
        below = path.relative_to(folder).parts
        assert all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in below)
        # No file is in the way of another one's folder.
        assert not any(other != path and other.is_relative_to(path) for other in paths)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("\x1f/")
@example("." * 300)
def test_a_safe_name_keeps_its_suffix(stem: str) -> None:
    assert safe_name(f"{stem}.jsonl").endswith(".jsonl")


def test_outputs_of_an_earlier_run_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    found = mirror(tmp_path)
    processed = "processed/orders/a.csv.jsonl"
    before = {"output_key": "processed/orders/a.csv.parquet", "rejected_key": None}
    fetch_outputs(found, {**before, "rejected_key": "rejected/orders/a.csv.jsonl"})
    assert len([one for one in tmp_path.rglob("*") if one.is_file()]) == 2
    outputs = fetch_outputs(found, {"output_key": processed})
    assert outputs == {
        "processed": tmp_path / processed,
        "rejected": None,
        "summary": None,
        "report": None,
    }
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [tmp_path / processed]


def test_a_failed_file_leaves_the_copies_of_its_last_success(tmp_path: Path) -> None:
    found = mirror(tmp_path)
    fetch_outputs(found, {"output_key": "processed/orders/a.csv.jsonl"})
    assert not any(fetch_outputs(found, {}).values())
    assert (tmp_path / "processed/orders/a.csv.jsonl").exists()
