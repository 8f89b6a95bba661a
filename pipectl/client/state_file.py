"""Where a stack that stays up says how it is reached, for the commands that come after."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pipectl.client.deployment import Deployment
from pipectl.errors import PipectlError
from pipectl.options import PROJECT

# One stack a project; .gitignore knows the folder.
STATE_FOLDER = PROJECT / ".pipectl"
STATE_FILE = STATE_FOLDER / "embedded.json"


@dataclass(frozen=True)
class RunningStack:
    """A stack that another process holds up."""

    pid: int
    endpoint: str
    region: str
    stack_name: str
    log_folder: str

    @classmethod
    def find(cls, path: Path = STATE_FILE) -> Self | None:
        """The stack that the file tells of, or None where there is none or it is gone."""
        try:
            running = cls(**json.loads(path.read_text(encoding="utf-8")))
            os.kill(running.pid, 0)
        except (OSError, ValueError, TypeError):
            return None
        return running

    @classmethod
    def need(cls, path: Path = STATE_FILE) -> Self:
        """The stack that the file tells of; raises `PipectlError` where there is none."""
        running = cls.find(path)
        if running is None:
            raise PipectlError("No embedded stack is up. Start one with: pipectl up")
        return running

    @property
    def deployment(self) -> Deployment:
        """The stack as any other is to the operator's commands."""
        return Deployment.embedded(self.endpoint, self.region, self.stack_name)

    def write(self, path: Path = STATE_FILE) -> None:
        """Tell of this stack; in one step, so that nobody reads half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{self.pid}")
        unfinished.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        unfinished.replace(path)
