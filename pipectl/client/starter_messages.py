"""Messages for the processing queue that ask the starter for an attempt at a file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from shared.job import Source


def starter_message(source: Source, last_attempt: int, *, force: bool = False) -> dict[str, Any]:
    """The state document that makes the starter start the attempt after `last_attempt`.

    `force` lets it start a file that has succeeded. A file that was never started has the last
    attempt 1: the starter then starts it.
    """
    document: dict[str, Any] = {
        "file_id": source.file_id,
        "attempt": last_attempt,
        "source": asdict(source),
    }
    return document | ({"force": True} if force else {})
