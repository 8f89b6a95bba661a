"""Functions whose behaviour tests control, to see how the embedded AWS handles it."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import cache
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import boto3


def act(event: dict[str, Any], context: Any) -> Any:
    """Do what the event says under `do`."""
    return ACTIONS[event.get("do", "echo")](event, context)


def consume(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Note each message and refuse those that ask for it."""
    failures = []
    for record in event["Records"]:
        note("seen", record)
        if "refuse" in record["body"]:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def receive(event: dict[str, Any], _context: Any) -> None:
    """Note the event."""
    note("received", event)
    if event.get("do") == "raise":
        raise RuntimeError("asked to")


def note(kind: str, document: Any) -> None:
    """Keep a document in the bucket."""
    _s3().put_object(
        Bucket=os.environ["BUCKET"],
        Key=f"{kind}/{time.time_ns()}-{uuid.uuid4()}",
        Body=json.dumps(document),
    )


@cache
def _s3() -> Any:
    return boto3.client("s3")


def _raise(event: dict[str, Any], _context: Any) -> None:
    raise ValueError(event["message"])


def _sleep(event: dict[str, Any], _context: Any) -> int:
    time.sleep(event["seconds"])
    return os.getpid()


def _wait(event: dict[str, Any], _context: Any) -> int:
    """Note that the function is inside, and wait until the test lets it go on."""
    note("inside", {"mark": event["mark"]})
    while True:
        found = _s3().list_objects_v2(Bucket=os.environ["BUCKET"], Prefix=f"go/{event['mark']}")
        if found["KeyCount"]:
            return os.getpid()
        time.sleep(0.02)


def _context(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {
        "function_name": context.function_name,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "aws_request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
    }


def _throw(event: dict[str, Any], _context: Any) -> None:
    raise type(event["error"], (Exception,), {})("thrown")


def _allocate(event: dict[str, Any], _context: Any) -> int:
    return len(b"x" * (event["megabytes"] * 1024 * 1024))


def _store(event: dict[str, Any], _context: Any) -> str:
    """Keep two files: one with reserved space, and one that is written. Then wait."""
    with tempfile.NamedTemporaryFile(delete=False) as reserved:
        os.posix_fallocate(reserved.fileno(), 0, event["reserved"] * 1024 * 1024)
    with tempfile.NamedTemporaryFile(delete=False) as written:
        written.write(b"x" * event["written"] * 1024 * 1024)
    time.sleep(event.get("seconds", 0))
    return written.name


def _reserve(event: dict[str, Any], _context: Any) -> None:
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, event["megabytes"] * 1024 * 1024)


def _write(event: dict[str, Any], _context: Any) -> None:
    Path(event["path"]).write_text("text", encoding="utf-8")


def _change(event: dict[str, Any], _context: Any) -> None:
    """Change the disk at a path, then through a link to it."""
    path = Path(event["path"])
    own = Path(tempfile.mkdtemp())
    changes: dict[str, Callable[[], object]] = {
        "mkdir": path.mkdir,
        "rmdir": path.rmdir,
        "unlink": path.unlink,
        "rename": lambda: path.rename(own / "taken"),
        "symlink": lambda: path.symlink_to(own),
        "chmod": lambda: path.chmod(0o777),
        "utime": lambda: os.utime(path),
        "truncate": lambda: os.truncate(path, 0),
        "link to a file outside": lambda: _write_through_a_link(own, path),
    }
    try:
        changes[event["how"]]()
    finally:
        shutil.rmtree(own)


def _write_through_a_link(folder: Path, path: Path) -> None:
    link = folder / "link"
    link.symlink_to(path)
    link.write_text("text", encoding="utf-8")


def _use(event: dict[str, Any], _context: Any) -> None:
    """Use something of the standard library that needs more than Lambda has."""
    uses: dict[str, Callable[[], object]] = {
        "Lock": multiprocessing.Lock,
        "Queue": multiprocessing.Queue,
        "Pool": multiprocessing.Pool,
        "SharedMemory": lambda: SharedMemory(create=True, size=10),
    }
    uses[event["name"]]()


ACTIONS = {
    "echo": lambda event, _: event,
    "pid": lambda *_: os.getpid(),
    "modules": lambda *_: sorted(sys.modules),
    "environment": lambda *_: dict(os.environ),
    "exit": lambda event, _: os._exit(event["status"]),
    "kill": lambda *_: os.kill(os.getpid(), signal.SIGKILL),
    "set": lambda *_: {1, 2},
    "raise": _raise,
    "sleep": _sleep,
    "wait": _wait,
    "context": _context,
    "throw": _throw,
    "allocate": _allocate,
    "store": _store,
    "reserve": _reserve,
    "write": _write,
    "use": _use,
    "change": _change,
}
