"""The folder of `pipectl up --data`: what it refuses, and that a save is all or nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipectl.embedded.data_folder import FORMAT, DataFolder, Name
from pipectl.errors import PipectlError

ORDER = Name("item", "order 1")
CONTENT = b"id\n1\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def saved(path: Path) -> None:
    """Save one document and one content."""
    folder = DataFolder(path)
    folder.save({ORDER: '{"status": "succeeded"}'}, {DIGEST: lambda: CONTENT})
    folder.close()


def change(path: Path, statement: str) -> None:
    database = sqlite3.connect(path / "state.sqlite")
    with database:
        database.execute(statement)
    database.close()


def test_what_was_saved_is_read_by_the_next(tmp_path: Path) -> None:
    saved(tmp_path / "data")
    folder = DataFolder(tmp_path / "data")
    assert list(folder.documents("item")) == [("order 1", {"status": "succeeded"})]
    assert folder.content(DIGEST) == CONTENT
    assert folder.count("item") == 1


def test_what_is_not_saved_again_is_deleted(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = DataFolder(tmp_path)
    folder.save({}, {})
    assert list(folder.documents("item")) == []
    assert not list((tmp_path / "contents").glob("??/*"))


def test_a_document_without_a_new_text_stays(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = DataFolder(tmp_path)
    folder.save({ORDER: None}, {DIGEST: lambda: pytest.fail("read again")})
    assert list(folder.documents("item")) == [("order 1", {"status": "succeeded"})]


def test_a_save_that_fails_changes_nothing(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = DataFolder(tmp_path)

    def fail() -> bytes:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        folder.save({ORDER: '{"status": "failed"}'}, {DIGEST: lambda: CONTENT, "0" * 64: fail})
    folder.close()
    again = DataFolder(tmp_path)
    assert list(again.documents("item")) == [("order 1", {"status": "succeeded"})]
    assert again.content(DIGEST) == CONTENT


def test_contents_of_a_save_that_never_ended_are_removed_by_the_next(tmp_path: Path) -> None:
    saved(tmp_path)
    stray = tmp_path / "contents" / "00" / ("0" * 64 + ".unfinished")
    stray.parent.mkdir()
    stray.write_bytes(b"half")
    folder = DataFolder(tmp_path)
    folder.save({ORDER: None}, {DIGEST: lambda: CONTENT})
    assert not stray.exists()
    assert folder.content(DIGEST) == CONTENT


def test_two_stacks_can_not_use_one_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with pytest.raises(PipectlError, match=r"in use by another `pipectl up` \(process \d+\)"):
        DataFolder(tmp_path)
    folder.close()
    DataFolder(tmp_path).close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    saved(tmp_path / "data")
    for path in (tmp_path / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def of_another_program(path: Path) -> None:
    change(path, "PRAGMA application_id = 7")


def of_a_later_format(path: Path) -> None:
    change(path, f"PRAGMA user_version = {FORMAT + 1}")


def with_a_changed_document(path: Path) -> None:
    change(path, "UPDATE document SET text = '{}'")


def no_database(path: Path) -> None:
    (path / "state.sqlite").write_bytes(b"this is no database, whatever its name says")


def cut_off(path: Path) -> None:
    database = path / "state.sqlite"
    database.write_bytes(database.read_bytes()[:-4096])


def with_other_files(path: Path) -> None:
    (path / "orders.csv").write_text("id\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (of_another_program, "is a database of another program"),
        (of_a_later_format, f"has format {FORMAT + 1}, but this version of pipectl only reads"),
        (with_a_changed_document, "is damaged: the item order 1 is not what was saved"),
        (no_database, "is damaged: .*not a database"),
        (cut_off, "is damaged: "),
        (with_other_files, "it contains orders.csv"),
    ],
)
def test_a_folder_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    saved(tmp_path)
    damage(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(PipectlError, match=message):
        DataFolder(tmp_path)
    del before[tmp_path / "lock"]
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_content_that_is_missing_or_changed_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = DataFolder(tmp_path)
    place = tmp_path / "contents" / DIGEST[:2] / DIGEST
    place.write_bytes(b"other")
    with pytest.raises(PipectlError, match="is not what was saved"):
        folder.content(DIGEST)
    place.unlink()
    with pytest.raises(PipectlError, match="can't be read: No such file"):
        folder.content(DIGEST)
