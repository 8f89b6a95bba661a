"""The file in which `pipectl up` records its stack, for other commands to find it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from pipectl.client.deployment import ADMINISTRATOR, Deployment
from pipectl.options import IS_INSTALLED, PROJECT


def _state_folder() -> Path:
    """Where an installed pipectl may write, by the XDG base directory specification."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "pipectl"


# One stack per project, or per user of an installed pipectl. The project's folder is in .gitignore.
STATE_FOLDER = _state_folder() if IS_INSTALLED else PROJECT / ".pipectl"
STATE_FILE = STATE_FOLDER / "embedded.json"

# The token in the file allows more than the API of AWS does.
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class RunningStack:
    """A stack that another process runs.

    The endpoint demands `token` for everything beyond the API of AWS. A stack that has ended has no
    `pid`. Its file remains, so that later commands don't use AWS by mistake. `access_key` says as
    whom the commands use the stack.
    """

    pid: int | None
    endpoint: str
    region: str
    stack_name: str
    log_folder: str
    token: str = ""
    access_key: str = ADMINISTRATOR

    @classmethod
    def find(cls, path: Path = STATE_FILE) -> Self | None:
        """The running stack that the file records, or None."""
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
        """The stack in the form that the operator's commands use."""
        return Deployment.embedded(self.endpoint, self.region, self.stack_name, self.access_key)

    def write(self, path: Path = STATE_FILE) -> None:
        """Record this stack. The file is replaced atomically, so no reader sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        # Created with its final permissions, so others can't read it at any time.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
        unfinished.replace(path)

    def write_ended(self, path: Path = STATE_FILE) -> None:
        """Record that this stack has ended, keeping everything but process and token."""
        replace(self, pid=None, token="").write(path)
