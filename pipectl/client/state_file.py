"""The file in which `pipectl up` records its stack, for the commands that come after."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from pipectl.client.deployment import Deployment
from pipectl.options import PROJECT

# One stack a project; .gitignore knows the folder.
STATE_FOLDER = PROJECT / ".pipectl"
STATE_FILE = STATE_FOLDER / "embedded.json"

# The token in it lets its owner do more than AWS's API does.
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class RunningStack:
    """A stack that another process keeps up.

    `token` is what the endpoint wants to see for all that is not AWS's API. A stack that has ended
    has no process: the file stays, so that later commands don't take AWS for it.
    """

    pid: int | None
    endpoint: str
    region: str
    stack_name: str
    log_folder: str
    token: str = ""

    @classmethod
    def find(cls, path: Path = STATE_FILE) -> Self | None:
        """The stack that the file records, or None where there is none or it has ended."""
        try:
            running = cls(**json.loads(path.read_text(encoding="utf-8")))
            if running.pid is None:
                return None
            os.kill(running.pid, 0)
        except (OSError, ValueError, TypeError, OverflowError):
            return None
        return running

    @property
    def deployment(self) -> Deployment:
        """The stack as any other is to the operator's commands."""
        return Deployment.embedded(self.endpoint, self.region, self.stack_name)

    def write(self, path: Path = STATE_FILE) -> None:
        """Record this stack; in one step, so that nobody reads half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        # Never readable for others, not even for a moment.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
        unfinished.replace(path)

    def write_ended(self, path: Path = STATE_FILE) -> None:
        """Record that this stack has ended; that it was meant is remembered."""
        replace(self, pid=None, token="").write(path)
