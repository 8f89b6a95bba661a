"""Saves the contents of the embedded stack into the folder of `pipectl up --data` as they change.

A save is a consistent picture: while the contents are listed, for milliseconds, requests that would
change them wait. So a message that a request has moved from a queue into an execution is never in
neither of them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.errors import PipectlError

_log = logging.getLogger(__name__)

# Changes are collected this long. A crash of the machine or of pipectl loses no more than that.
_SECONDS_BETWEEN_SAVES = 1.0

# A request that takes longer when the stack ends, such as a large upload, is not in the last save.
_SECONDS_FOR_LAST_CHANGES = 5.0

# Saving takes at most this share of the time.
_PAUSE_PER_SECOND_OF_SAVING = 9

# What the names of operations that change nothing start with. S3's are HTTP methods.
_READING = ("GET", "HEAD", "Get", "List", "Describe", "Scan", "Query", "BatchGet", "Filter")

# It may move messages to the dead-letter queue, but it may also wait for messages, for 20 seconds.
_RECEIVING = "ReceiveMessage"


@dataclass(frozen=True)
class Kept:
    """Something that is kept.

    `describe` makes its document. It is called only if `version` is not that of the last save;
    something without a version is described every time.
    """

    name: Name
    describe: Callable[[], Any]
    version: Hashable = None

    @classmethod
    def of(cls, name: Name, document: Any, version: Hashable = None) -> Self:
        """Something whose document is already there."""
        return cls(name, lambda: document, version)


@dataclass(frozen=True)
class Contents:
    """Everything that is kept, at one moment; `objects` are S3's, by the digest of the content."""

    kept: list[Kept]
    objects: dict[str, Callable[[], bytes]]


class Gate:
    """Lets requests change the contents, except while they are listed. For many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed_by: int | None = None
        self._shut = False
        self._own = threading.local()
        self.dirty = threading.Event()
        """Whether something has changed since this was last cleared."""

    @contextmanager
    def request(self, action: str) -> Iterator[bool]:
        """Handle a request for an API's operation inside the block.

        It waits until the contents can change. It gives False if they no longer can because the
        stack is ending.
        """
        if action.startswith(_READING):
            yield True
        elif action == _RECEIVING:
            yield not self._shut
            self.dirty.set()
        else:
            with self._change() as allowed:
                yield allowed

    @contextmanager
    def _change(self) -> Iterator[bool]:
        depth = getattr(self._own, "depth", 0)
        if not depth:
            with self._changed:
                self._changed.wait_for(lambda: self._shut or self._closed_by is None)
                if self._shut:
                    yield False
                    return
                self._inside += 1
        self._own.depth = depth + 1
        try:
            yield True
        finally:
            self._own.depth = depth
            self.dirty.set()
            if not depth:
                with self._changed:
                    self._inside -= 1
                    self._changed.notify_all()

    @contextmanager
    def closed(self, *, finally_shut: bool = False, seconds: float | None = None) -> Iterator[None]:
        """Let nothing change inside the block, or from now on if it is finally shut.

        After `seconds`, changes that are still under way are no longer waited for.
        """
        with self._changed:
            self._closed_by = threading.get_ident()
            self._changed.wait_for(lambda: not self._inside, seconds)
            self._shut = finally_shut
        try:
            yield
        finally:
            with self._changed:
                self._closed_by = None
                self._changed.notify_all()


class Saver:
    """Saves the contents when they have changed; does nothing while they don't."""

    def __init__(self, folder: DataFolder, gate: Gate, contents: Callable[[], Contents]) -> None:
        self._folder = folder
        self._gate = gate
        self._contents = contents
        self._versions: dict[Name, Hashable] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)
        self._problem: str | None = None

    def start(self) -> None:
        """Save once, and from now on after each change."""
        self._gate.dirty.set()
        self._thread.start()

    def stop(self) -> None:
        """Save for the last time. Requests that would change something are refused from now on.

        Raises `PipectlError` if that fails; then the folder is as of the save before.
        """
        self._ending.set()
        self._gate.dirty.set()
        self._thread.join()
        try:
            with self._gate.closed(finally_shut=True, seconds=_SECONDS_FOR_LAST_CHANGES):
                contents = self._contents()
            self._save(contents)
        except Exception as error:  # noqa: BLE001  # whatever it is, the folder is as before
            raise PipectlError(
                f"The last changes can't be saved in {self._folder.path}:"
                f" {type(error).__name__}: {error}. The folder is as it was before them."
            ) from None

    def _run(self) -> None:
        while self._gate.dirty.wait() and not self._ending.is_set():
            self._gate.dirty.clear()
            started = time.monotonic()
            try:
                with self._gate.closed():
                    contents = self._contents()
                self._save(contents)
                self._problem = None
            except Exception as error:  # noqa: BLE001  # no error may end the saving
                self._complain(error)
                self._gate.dirty.set()
            took = time.monotonic() - started
            pause = max(_SECONDS_BETWEEN_SAVES, took * _PAUSE_PER_SECOND_OF_SAVING)
            self._ending.wait(pause)

    def _complain(self, error: Exception) -> None:
        """Report a problem once, as long as it stays the same; the next save tries again."""
        text = f"{type(error).__name__}: {error}"
        if text != self._problem and not isinstance(error, ObjectGoneError):
            self._problem = text
            _log.warning("The data can't be saved in %s: %s", self._folder.path, text)

    def _save(self, contents: Contents) -> None:
        documents: dict[Name, str | None] = {}
        versions: dict[Name, Hashable] = {}
        for one in contents.kept:
            unchanged = one.version is not None and self._versions.get(one.name) == one.version
            documents[one.name] = None if unchanged else json.dumps(one.describe())
            versions[one.name] = one.version
        self._folder.save(documents, contents.objects)
        self._versions = versions


class ObjectGoneError(Exception):
    """An object was deleted after the contents were listed, so they have to be listed again."""
