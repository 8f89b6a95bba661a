"""Reads EXECUTION|FILE_ID on a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipectl.errors import UsageError
from shared.executions import attempt_name, attempt_of

_FILE_ID = re.compile(r"[0-9a-f]{32}")
_FIRST_ATTEMPT = re.compile(r"([0-9a-f]{32})-r1")
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/]{1,80}")


@dataclass(frozen=True)
class Target:
    """What the `text` names: a file, an execution, or both if the execution is named after a file.

    `execution` is a name or an ARN. Without it the target is the file's last attempt.
    """

    text: str
    file_id: str | None
    execution: str | None


def read_target(text: str) -> Target:
    """Read an execution's ARN or name, or a file's id; raises `UsageError` for anything else.

    A file's id, which is also the name of its first attempt, means the file. `<file_id>-r1` means
    the first attempt: it is read as that execution's real name, `<file_id>`.
    """
    if text.startswith("arn:"):
        parts = text.split(":")
        if len(parts) != 8 or parts[2] != "states" or parts[5] != "execution":
            raise UsageError(f"'{text}' is not the ARN of an execution.")
        named = attempt_of(parts[7])
        return Target(text, named[0] if named else None, text)
    if _FILE_ID.fullmatch(text):
        return Target(text, text, None)
    first = _FIRST_ATTEMPT.fullmatch(text)
    if first:
        return Target(text, first[1], attempt_name(first[1], 1))
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"'{text}' is neither a file id (32 hex digits) nor the name or ARN of an execution."
            " List them with: pipectl executions"
        )
    named = attempt_of(text)
    return Target(text, named[0] if named else None, text)
