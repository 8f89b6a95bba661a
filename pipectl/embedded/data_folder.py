"""The folder in which `pipectl up --data` keeps the contents of its stack.

It contains a SQLite database with one document for each thing that is kept, the objects' contents
in files that are named by their SHA-256 digests, and a lock:

    state.sqlite
    contents/5d/5d41402abc4b2a76b9719d911017c592...
    lock

A save first writes new contents and then changes the database in one transaction, so a crash at any
moment leaves the state of the save before.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pipectl.errors import PipectlError

# The format of everything in the folder. A pipectl refuses the folder of any other.
FORMAT = 1

# Marks the database as this one's: the first bytes of SHA-256("pipectl up --data").
_APPLICATION = 0x2DA7A001

_SCHEMA = """
CREATE TABLE document (
    kind TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""

_OWNER_ONLY_FOLDER, _OWNER_ONLY_FILE = 0o700, 0o600


class Name(NamedTuple):
    """The name of a document: what it describes, and which one of these."""

    kind: str
    id: str


class DataFolder:
    """The folder, locked for this process until `close`. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the folder, or make it if there is none.

        Raises `PipectlError` if it is in use, not of this format, damaged, or another folder.
        """
        self.path = path
        self._contents = path / "contents"
        with _problems_of(path):
            self._lock = _locked(path)
        try:
            with _problems_of(path):
                self._database = self._opened()
                self._digests = self._verified()
                self._present = {path.name for path in self._contents.glob("??/*")}
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Close the folder, so that another process can use it."""
        self._database.close()
        os.close(self._lock)

    def documents(self, kind: str) -> Iterator[tuple[str, Any]]:
        """ID and document of everything of a kind, by ID."""
        rows = self._database.execute(
            "SELECT id, text FROM document WHERE kind = ? ORDER BY id", (kind,)
        )
        for name, text in rows:
            yield name, json.loads(text)

    def count(self, kind: str) -> int:
        """The number of documents of a kind."""
        return sum(name.kind == kind for name in self._digests)

    def content(self, digest: str) -> bytes:
        """An object's content, by its digest.

        Raises `PipectlError` if it is missing or is not what was saved.
        """
        path = self._place(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _damaged(self.path, f"{path} can't be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise _damaged(self.path, f"{path} is not what was saved")
        return content

    def save(
        self,
        documents: Mapping[Name, str | None],
        contents: Mapping[str, Callable[[], bytes]],
    ) -> None:
        """Make these the folder's documents and contents; whatever isn't among them is deleted.

        `documents` are JSON texts, or None for one that is as in the save before. `contents` are
        read only if they are new.

        Raises OSError or sqlite3.Error, after which the folder is as before.
        """
        for digest, read in contents.items():
            if digest not in self._present:
                self._write(digest, read())
                self._present.add(digest)
        digests = {
            name: self._digests[name] if text is None else _digest(text)
            for name, text in documents.items()
        }
        changed = [
            (*name, digests[name], text)
            for name, text in documents.items()
            if text is not None and self._digests.get(name) != digests[name]
        ]
        with self._database:
            self._database.executemany("REPLACE INTO document VALUES (?, ?, ?, ?)", changed)
            self._database.executemany(
                "DELETE FROM document WHERE kind = ? AND id = ?", self._digests.keys() - digests
            )
        self._digests = digests
        for name in self._present - contents.keys():
            self._place(name).unlink(missing_ok=True)
            self._present.discard(name)

    def of_another_stack(self, thing: str) -> PipectlError:
        """The error for data of something that the stack, whose data it should be, doesn't have."""
        return PipectlError(
            f"The data in {self.path} is of a stack with {thing}, which this one does not have. Use"
            " the same template and parameters, or another folder."
        )

    def _opened(self) -> sqlite3.Connection:
        self._contents.mkdir(mode=_OWNER_ONLY_FOLDER, exist_ok=True)
        path = self.path / "state.sqlite"
        is_new = not path.exists() or not path.stat().st_size
        # Created with its final permissions, since it contains what the files contain.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY_FILE))
        database = sqlite3.connect(path, check_same_thread=False)
        try:
            if is_new:
                with database:
                    database.execute(f"PRAGMA application_id = {_APPLICATION}")
                    database.execute(f"PRAGMA user_version = {FORMAT}")
                    database.execute(_SCHEMA)
            _check_format(self.path, database)
        except BaseException:
            database.close()
            raise
        return database

    def _verified(self) -> dict[Name, str]:
        """The digest of each document, all of which are intact and have their contents."""
        digests = {}
        for kind, name, digest, text in self._database.execute(
            "SELECT kind, id, digest, text FROM document"
        ):
            if _digest(text) != digest:
                raise _damaged(self.path, f"the {kind} {name} is not what was saved")
            digests[Name(kind, name)] = digest
        return digests

    def _place(self, digest: str) -> Path:
        return self._contents / digest[:2] / digest

    def _write(self, digest: str, content: bytes) -> None:
        path = self._place(digest)
        path.parent.mkdir(mode=_OWNER_ONLY_FOLDER, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY_FILE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)


def _locked(path: Path) -> int:
    """Lock the folder; returns the descriptor that holds the lock. It ends with the process."""
    path.mkdir(mode=_OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    _refuse_another_folder(path)
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, _OWNER_ONLY_FILE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        raise PipectlError(
            f"{path} is in use by another `pipectl up` (process {process}). Stop it first, or use"
            " another folder."
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def _refuse_another_folder(path: Path) -> None:
    known = {"state.sqlite", "state.sqlite-journal", "contents", "lock"}
    others = sorted({entry.name for entry in path.iterdir()} - known)
    if others:
        raise PipectlError(
            f"{path} can't be used with --data: it contains {others[0]}, which is no part of a"
            " stack's data. Name a new or empty folder. Files for a stack to start with are loaded"
            " with --load."
        )


def _check_format(path: Path, database: sqlite3.Connection) -> None:
    application, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if application != _APPLICATION:
        raise PipectlError(f"{path / 'state.sqlite'} is a database of another program.")
    if version != FORMAT:
        raise PipectlError(
            f"The data in {path} has format {version}, but this version of pipectl only reads"
            f" format {FORMAT}. Use the version that wrote it, or a new folder."
        )
    problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise _damaged(path, str(problem))


@contextmanager
def _problems_of(path: Path) -> Iterator[None]:
    """Report problems with the folder as errors for the user."""
    try:
        yield
    except sqlite3.Error as error:
        raise _damaged(path, f"{path / 'state.sqlite'}: {error}") from None
    except OSError as error:
        raise PipectlError(f"{path} can't be used with --data: {error.strerror}.") from None


def _damaged(path: Path, problem: str) -> PipectlError:
    return PipectlError(
        f"The data in {path} is damaged: {problem}. Nothing was changed. Restore the folder from a"
        " copy, or use a new one.",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
