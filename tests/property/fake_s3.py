"""A model of S3's conditional writes, whose requests a test carries out one by one."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError


class Interrupted(BaseException):
    """The function was stopped between two of its requests, as by a timeout."""


@dataclass(frozen=True)
class StoredObject:
    """An object as the model keeps it."""

    body: bytes
    metadata: dict[str, str]

    @property
    def etag(self) -> str:
        """As S3 computes it for small objects: from the content alone."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class FakeS3:
    """One bucket. `before_each` is called before every request, and may raise or wait."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    before_each: Callable[[], None] = lambda: None

    @property
    def client(self) -> Any:
        """The replacement of boto3's client."""
        return self

    def clear(self) -> None:
        """Delete all objects."""
        self.objects.clear()

    def put(self, key: str, body: bytes) -> None:
        """Write an object without a condition."""
        self.objects[key] = StoredObject(body, {})

    def get(self, key: str) -> StoredObject | None:
        """An object, or None if there is none."""
        return self.objects.get(key)

    def stored(self, prefix: str) -> dict[str, StoredObject]:
        """The objects under a prefix, by key."""
        return {key: stored for key, stored in self.objects.items() if key.startswith(prefix)}

    def head_object(self, **request: Any) -> dict[str, Any]:
        """The object's ETag, size and metadata."""
        self.before_each()
        found = self._found(request["Key"], "HeadObject", "404")
        return {
            "ETag": found.etag,
            "ContentLength": len(found.body),
            "Metadata": found.metadata,
        }

    def get_object(self, **request: Any) -> dict[str, Any]:
        """The object's content; the range, which the pipeline always asks for whole, is ignored."""
        self.before_each()
        found = self._found(request["Key"], "GetObject", "NoSuchKey")
        return {"Body": io.BytesIO(found.body), "ETag": found.etag}

    def put_object(self, **request: Any) -> dict[str, Any]:
        """Write an object if its condition is met."""
        self.before_each()
        self._check(request, "PutObject")
        self.objects[request["Key"]] = StoredObject(
            bytes(request["Body"]), dict(request.get("Metadata", {}))
        )
        return {"ETag": self.objects[request["Key"]].etag}

    def delete_object(self, **request: Any) -> dict[str, Any]:
        """Delete an object if its condition is met."""
        self.before_each()
        self._check(request, "DeleteObject")
        self.objects.pop(request["Key"], None)
        return {}

    def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        """The objects under a prefix, which are few."""
        self.before_each()
        [page] = self.paginate(**request)
        return {**page, "IsTruncated": False}

    def get_paginator(self, _operation: str) -> Any:
        """Lists in one page."""
        self.before_each()
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        """The objects under a prefix."""
        found = [
            {"Key": key, "ETag": stored.etag, "Size": len(stored.body)}
            for key, stored in sorted(self.stored(request["Prefix"]).items())
        ]
        return [{"Contents": found}]

    def _found(self, key: str, operation: str, code: str) -> StoredObject:
        if key not in self.objects:
            raise ClientError({"Error": {"Code": code}}, operation)
        return self.objects[key]

    def _check(self, request: dict[str, Any], operation: str) -> None:
        there = self.objects.get(request["Key"])
        if request.get("IfNoneMatch") == "*" and there is not None:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, operation)
        if "IfMatch" in request:
            if there is None:
                raise ClientError({"Error": {"Code": "NoSuchKey"}}, operation)
            if there.etag.strip('"') != request["IfMatch"].strip('"'):
                raise ClientError({"Error": {"Code": "PreconditionFailed"}}, operation)


_here = threading.local()


def take_turn() -> None:
    """Called before each request: if an actor sends it, it waits until the test lets it go on."""
    actor: Actor | None = getattr(_here, "actor", None)
    if actor is not None:
        actor._wait_for_turn()


class Actor:
    """A function that runs in a separate thread, one request at a time."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.interrupted = False
        self._may_go = threading.Semaphore(0)
        self._is_waiting = threading.Semaphore(0)
        self._work = work
        self._stop = False
        self.done = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._is_waiting.acquire()

    def step(self) -> None:
        """Let the function send its next request, and wait until it wants to send another."""
        self._may_go.release()
        self._is_waiting.acquire()

    def interrupt(self) -> None:
        """Stop the function before its next request."""
        self._stop = True
        self.step()

    def _wait_for_turn(self) -> None:
        self._is_waiting.release()
        self._may_go.acquire()
        if self._stop:
            raise Interrupted

    def _run(self) -> None:
        _here.actor = self
        try:
            self.result = self._work()
        except Interrupted:
            self.interrupted = True
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.error = error
        self.done = True
        self._is_waiting.release()
