"""How files are rerun: one plan for each, made once from what is known before anything starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipectl.client.history import ExecutionFailure
from pipectl.client.metadata_items import MetadataItem
from pipectl.operate.rerun_candidates import RerunCandidate
from pipectl.operate.rerun_options import RerunOptions
from shared.remedies import remedy_of

How = Literal["redrive", "new_attempt", "follow", "upload", "none"]


@dataclass(frozen=True)
class RerunPlan:
    """What to do with one file, and why.

    `status` is `planned`, or the final status of a file that is left alone: `succeeded`,
    `superseded`, or `skipped` if only another upload helps.
    """

    how: How
    reason: str
    status: Literal["planned", "succeeded", "superseded", "skipped"] = "planned"


@dataclass
class FileRerun:
    """One file on its way through a rerun; `source` is its `s3://` address.

    `status` starts as the plan's. It becomes `started`, `running`, then the status of the ended
    execution, or `refused` (AWS refused to start it), `not_started` (the starter did not start it)
    or `not_run` (its turn did not come). The execution's status counts once it has been redriven
    `from_redrive` times. `item` is the metadata item after a success.
    """

    file_id: str
    source: str
    how: How
    reason: str
    status: str = "planned"
    candidate: RerunCandidate | None = None
    canary: bool = False
    execution_arn: str | None = None
    from_redrive: int = 0
    error: ExecutionFailure | None = None
    duration_ms: int | None = None
    deleted_dead_letters: int = 0
    item: MetadataItem | None = None

    @property
    def pending(self) -> bool:
        """Whether its execution has yet to end."""
        return self.status in ("started", "running")

    def count(self, name: str) -> int | None:
        """`record_count`, `processed_count` or `error_count`, after a success."""
        return None if self.item is None else self.item.get(name)

    def to_document(self) -> dict[str, Any]:
        """The entry in `pipectl rerun --json`."""
        return {
            "file_id": self.file_id,
            "source": self.source,
            "how": self.how,
            "reason": self.reason,
            "canary": self.canary,
            "status": self.status,
            "execution_arn": self.execution_arn,
            "duration_ms": self.duration_ms,
            "error": asdict(self.error) if self.error else None,
            "record_count": self.count("record_count"),
            "processed_count": self.count("processed_count"),
            "error_count": self.count("error_count"),
            "deleted_dead_letters": self.deleted_dead_letters,
        }


def plan_reruns(candidates: Iterable[RerunCandidate], options: RerunOptions) -> list[FileRerun]:
    """Plan each candidate's rerun, in the given order; with `all_failed`, mark the canaries.

    Skipped files don't count towards `options.limit`: with a limit of 1, a failed empty file and
    two files that can be redriven give the skipped one and the first of the two.
    """
    reruns: list[FileRerun] = []
    for candidate in candidates:
        if sum(one.status != "skipped" for one in reruns) == options.limit:
            break
        plan = plan_rerun(candidate, options)
        reruns.append(
            FileRerun(
                candidate.file_id,
                candidate.source.uri,
                plan.how,
                plan.reason,
                plan.status,
                candidate,
                execution_arn=candidate.execution_arn if plan.how in ("redrive", "none") else None,
            )
        )
    if options.all_failed:
        for rerun in [one for one in reruns if one.status == "planned"][: options.canary]:
            rerun.canary = True
    return reruns


def plan_rerun(candidate: RerunCandidate, options: RerunOptions) -> RerunPlan:
    """Decide how a file is rerun: the first rule that applies wins."""
    error, obstacle = candidate.error or "", candidate.redrive_obstacle
    rules = (
        (
            candidate.running is not None,
            RerunPlan("follow", f"it is already running: {candidate.running}"),
        ),
        (
            candidate.succeeded and options.force,
            RerunPlan("new_attempt", "--force was given, although it has succeeded"),
        ),
        (
            candidate.succeeded,
            RerunPlan("none", "it has succeeded; --force reruns it anyway", "succeeded"),
        ),
        (
            candidate.superseded,
            RerunPlan("none", _SUPERSEDED, "superseded"),
        ),
        (options.new, RerunPlan("new_attempt", "--new was given")),
        (options.force, RerunPlan("new_attempt", "--force was given")),
        (
            remedy_of(error) == "upload",
            RerunPlan(
                "upload", f"no rerun can succeed after {error}; --new tries anyway", "skipped"
            ),
        ),
        (obstacle is not None, RerunPlan("new_attempt", str(obstacle))),
    )
    redrive = RerunPlan("redrive", "it can continue at the failed step")
    return next((plan for applies, plan in rules if applies), redrive)


_SUPERSEDED = "a later version of its key has succeeded, whose output stays"
