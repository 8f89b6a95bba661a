"""What an operator asks `pipectl rerun` to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipectl.client.targets import Target
from pipectl.errors import UsageError
from pipectl.operate.failed_files import FailureFilter


@dataclass(frozen=True)
class RerunOptions:
    """The files to rerun, and how: either `targets`, or all failed files that `only` includes.

    - `new`: start a new attempt even if a redrive is possible.
    - `force`: rerun files that have succeeded, too.
    - `limit`: with `all_failed`, the maximum number of files, oldest failure first.
    - `canary`: with `all_failed`, the number of files to run before the others.
    - `wait`: follow the files to the end of their executions.
    """

    targets: tuple[Target, ...] = ()
    all_failed: bool = False
    only: FailureFilter = field(default_factory=FailureFilter)
    limit: int | None = None
    canary: int = 1
    new: bool = False
    force: bool = False
    dry_run: bool = False
    wait: bool = True

    def check(self) -> None:
        """Raise `UsageError` if the options contradict each other."""
        if bool(self.targets) == self.all_failed:
            raise UsageError("Name executions or files, or rerun all failed files with --all.")
        narrowed = self.only != FailureFilter() or self.limit is not None
        if narrowed and not self.all_failed:
            raise UsageError("--error, --since, --source, --dataset and --limit need --all.")
        if self.force and self.all_failed:
            raise UsageError("--force needs named files. It can't be combined with --all.")
