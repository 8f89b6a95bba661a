"""Everything about one execution and its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipectl.client import links
from pipectl.client.history import ExecutionFailure, Run, Visit, read_history
from pipectl.client.metadata_items import MetadataItem, MetadataItems
from pipectl.client.side_by_side import side_by_side
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.errors import PipectlError
from pipectl.operate.failed_files import last_attempt_in
from pipectl.operate.rerun_candidates import candidate_from_execution
from pipectl.operate.rerun_options import RerunOptions
from pipectl.operate.rerun_plan import RerunPlan, plan_rerun
from shared.executions import attempt_name, attempt_of, console_url
from shared.job import Source, iso
from shared.versions import is_later

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from pipectl.client.targets import Target

CATALOGUE_STATE = "UpdateCatalogue"

# The files that a file gives, and the attributes of its item with their keys.
OUTPUTS = {
    "processed": "output_key",
    "rejected": "rejected_key",
    "corrections": "corrections_key",
    "summary": "summary_key",
    "report": "report_key",
}


@dataclass(frozen=True)
class ExecutionDetails:
    """One execution in detail, and its file: attempts and versions.

    `visited_in` has one entry for each visit in `run`. `rerun_plan` is what `pipectl rerun` would
    do with the execution, if it has failed.
    """

    source: Source
    execution: DescribedExecution
    run: Run
    visited_in: Sequence[ExecutionRun]
    functions: Mapping[str, str]
    attempts: Sequence[DescribedExecution]
    item: MetadataItem | None
    versions: Sequence[MetadataItem]
    rerun_plan: RerunPlan | None
    stack: Stack

    @property
    def error(self) -> ExecutionFailure | None:
        """Why the execution failed."""
        return self.run.failure

    def outputs(self) -> dict[str, str | None]:
        """The file's outputs as `s3://` addresses; None for those it does not have."""
        item = self.item or {}
        return {
            name: f"s3://{item['output_bucket']}/{item[key]}" if key in item else None
            for name, key in OUTPUTS.items()
        }

    def states(self) -> list[dict[str, Any]]:
        """Each visit of a state: when, how long, the number of tries, its error and its log."""
        now = datetime.now(UTC)
        return [
            {
                "name": visit.name,
                "status": visit.status(self.run.status),
                "entered_at": iso(visit.entered_at),
                "duration_ms": visit.duration_ms(run.ended_at or now),
                "tries": visit.attempts,
                "redrive": run.redrive,
                "error": asdict(visit.failure) if visit.failure else None,
                "log": self._log(visit, run.ended_at or now),
            }
            for visit, run in zip(self.run.visits, self.visited_in, strict=True)
        ]

    def to_document(self) -> dict[str, Any]:
        """What `pipectl show --json` prints."""
        execution = self.execution
        return {
            "file_id": self.source.file_id,
            "source": self.source.uri,
            "version_id": self.source.version_id,
            "dataset": self.source.dataset,
            "execution": {
                **_brief(execution),
                "duration_ms": execution.duration_ms,
                "redrivable": execution.redrivable,
                "redrive_reason": execution.redrive_reason,
                "error": asdict(self.error) if self.error else None,
                "console": self.console(),
                "states": self.states(),
            },
            "attempts": [_brief(attempt) for attempt in self.attempts],
            "outputs": self.outputs(),
            "versions": [self._version(item) for item in self.versions],
            "metadata": self.item,
        }

    def console(self) -> str | None:
        """The execution's page in the Step Functions console; None on the embedded AWS."""
        return None if self.stack.emulated else console_url(self.execution.arn)

    def _log(self, visit: Visit, run_ended_at: datetime) -> str | None:
        arn = self.functions.get(visit.name)
        if arn is None:
            return None
        if self.stack.log_folder is not None:
            return links.log_files(self.stack.log_folder, arn)
        left = visit.exited_at or run_ended_at
        return links.log_url(arn, self.execution.name, start=visit.entered_at, end=left)

    def _version(self, item: MetadataItem) -> dict[str, Any]:
        own = self.item
        later = own is not None and item is not own and is_later(item, own)
        return {
            "file_id": item["file_id"],
            "version_id": item.get("source_version_id"),
            "status": item["status"],
            "uploaded_at": item["uploaded_at"],
            "later": later,
        }


def catalogue_problems(run: Run) -> list[str]:
    """How the Glue tables differ from the file's contract, with what to do about each.

    Empty if they don't, or if the step did not run, or failed: then the visit has its error.
    """
    returned = next(
        (visit.returned for visit in reversed(run.visits) if visit.name == CATALOGUE_STATE), None
    )
    try:
        result = json.loads(returned or "{}").get("catalogue", {})
    except ValueError:  # Step Functions cuts off documents that are too long for the history
        return []
    return [str(problem) for problem in result.get("problems", [])]


def read_details(stack: Stack, target: Target) -> ExecutionDetails:
    """Read everything about an execution, or about a file's last one.

    Raises `PipectlError` if there is no such file or execution.
    """
    executions, items = Executions(stack), MetadataItems(stack)
    named = executions.named(target) if target.execution else None
    file_id = target.file_id or (named.file_id if named else None)
    if file_id is None:
        raise PipectlError(
            f"The execution {target.text} does not belong to a file: its input is not a state"
            " document."
        )
    item = items.get([file_id]).get(file_id)
    attempts = _attempts(executions, file_id, item)
    execution = named or max(attempts, key=lambda one: one.started_at, default=None)
    if execution is None:
        raise PipectlError(_nothing_about(file_id, item))
    source = Source.from_document(execution.document["source"])
    events = list(executions.history(execution.arn))
    versions = items.of_source(source)
    rerun_plan = None
    if execution.status not in ("running", "succeeded"):
        candidate = candidate_from_execution(
            source,
            execution,
            item,
            attempts=len(attempts),
            running=next((one.name for one in attempts if one.running), None),
            versions=versions,
            has_present_definition=executions.has_present_definition,
        )
        rerun_plan = plan_rerun(candidate, RerunOptions())
    return ExecutionDetails(
        source=source,
        execution=execution,
        run=read_history(events, execution.status),
        visited_in=runs_of_visits(events),
        functions=links.functions_of(events),
        attempts=attempts,
        item=item,
        versions=sorted(versions, key=lambda one: str(one["uploaded_at"])),
        rerun_plan=rerun_plan,
        stack=stack,
    )


@dataclass(frozen=True)
class ExecutionRun:
    """One run of an execution: 0 is the first, 1 the one after the first redrive."""

    redrive: int
    ended_at: datetime | None


def runs_of_visits(events: Iterable[Mapping[str, Any]]) -> list[ExecutionRun]:
    """The run of an execution that each visit of a state belongs to, in the order of the visits."""
    entered: list[int] = []
    ends: list[datetime | None] = [None]
    for event in events:
        if event["type"] == "ExecutionRedriven":
            ends.append(None)
        elif event["type"].startswith("Execution"):
            ends[-1] = None if event["type"] == "ExecutionStarted" else event["timestamp"]
        if "stateEnteredEventDetails" in event:
            entered.append(len(ends) - 1)
    return [ExecutionRun(run, ends[run]) for run in entered]


def _attempts(
    executions: Executions, file_id: str, item: MetadataItem | None
) -> list[DescribedExecution]:
    """All executions of a file in the order of their start, those under other names included."""
    made = executions.attempts(file_id, last_attempt_in(item) if item else 1)
    arns = {run["execution_arn"] for run in item["history"].values()} if item else set()
    others = [arn for arn in sorted(arns) if attempt_of(arn.rpartition(":")[2]) is None]
    made += [one for one in side_by_side(executions.describe, others) if one is not None]
    return sorted(made, key=lambda one: one.started_at)


def _nothing_about(file_id: str, item: MetadataItem | None) -> str:
    if item is None:
        return (
            f"Nothing is known of the file {file_id}. Files without an execution are listed by:"
            " pipectl failures"
        )
    return (
        f"The executions of the file {file_id} no longer exist: Step Functions keeps them for 90"
        " days. Its metadata item still exists."
    )


def _brief(execution: DescribedExecution) -> dict[str, Any]:
    return {
        "arn": execution.arn,
        "name": execution.name,
        "status": execution.status,
        "attempt": execution.document.get("attempt"),
        "replay_of": replay_of(execution),
        "started_at": iso(execution.started_at),
        "ended_at": iso(execution.ended_at) if execution.ended_at else None,
        "redrives": execution.redrive_count,
    }


def replay_of(execution: DescribedExecution) -> str | None:
    """The execution that this one repeats: the attempt before it, or the one with its input."""
    linked: str | None = execution.document.get("replay_of")
    if attempt_of(execution.name) is None and execution.file_id is not None:
        return attempt_name(execution.file_id, int(execution.document.get("attempt", 1)))
    return linked
