"""Everything about one file and one of its executions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipectl.client import links
from pipectl.client.executions import Described, Executions
from pipectl.client.history import Failure, Run, Visit, read_history
from pipectl.client.metadata import Item, Items
from pipectl.client.side_by_side import side_by_side
from pipectl.errors import PipectlError
from pipectl.operate.corrections import correction_key, current_correction
from pipectl.operate.plan import Plan, Standing, attempts_in, plan
from shared.executions import attempt_name, attempt_of
from shared.job import Source, iso
from shared.metadata import is_later

if TYPE_CHECKING:
    from pipectl.client.stack import Stack
    from pipectl.client.targets import Target

OUTPUTS = {
    "processed": "output_key",
    "rejected": "rejected_key",
    "rejected_csv": "rejected_csv_key",
    "summary": "summary_key",
}


@dataclass(frozen=True)
class Portrait:
    """One execution in detail, and the file that it is of: its attempts, versions and mends.

    `again` is how `pipectl rerun` would run it again, where it has failed.
    """

    source: Source
    execution: Described
    run: Run
    places: Sequence[Place]
    functions: Mapping[str, str]
    attempts: Sequence[Described]
    item: Item | None
    versions: Sequence[Item]
    corrections: Sequence[Item]
    current_correction: Item | None
    again: Plan | None
    stack: Stack

    @property
    def error(self) -> Failure | None:
        """Why the execution failed."""
        return self.run.failure

    def outputs(self) -> dict[str, str | None]:
        """What the file has given, as `s3://` addresses."""
        item = self.item or {}
        return {
            name: f"s3://{item['output_bucket']}/{item[key]}" if key in item else None
            for name, key in OUTPUTS.items()
        }

    def states(self) -> list[dict[str, Any]]:
        """Each visit of a state: when, how long, how often tried, what went wrong, its log."""
        now = datetime.now(UTC)
        return [
            {
                "name": visit.name,
                "status": visit.status(self.run.status),
                "entered_at": iso(visit.entered_at),
                "duration_ms": visit.duration_ms(place.run_ended_at or now),
                "tries": visit.attempts,
                "redrive": place.redrive,
                "error": asdict(visit.failure) if visit.failure else None,
                "log": self._log(visit, place.run_ended_at or now),
            }
            for visit, place in zip(self.run.visits, self.places, strict=True)
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
            "corrections": [
                {
                    "file_id": item["file_id"],
                    "status": item["status"],
                    "uploaded_at": item["uploaded_at"],
                    "processed_count": item.get("processed_count"),
                    "error_count": item.get("error_count"),
                    "stands": item is self.current_correction,
                }
                for item in self.corrections
            ],
            "metadata": self.item,
        }

    def console(self) -> str | None:
        """The execution's page in the console; the embedded AWS has none."""
        return None if self.stack.emulated else links.console_url(self.execution.arn)

    def _log(self, visit: Visit, run_ended_at: datetime) -> str | None:
        arn = self.functions.get(visit.name)
        if arn is None:
            return None
        if self.stack.log_folder is not None:
            return links.log_file(self.stack.log_folder, arn)
        left = visit.exited_at or run_ended_at
        return links.log_url(arn, self.execution.name, start=visit.entered_at, end=left)

    def _version(self, item: Item) -> dict[str, Any]:
        own = self.item
        later = own is not None and item is not own and is_later(item, own)
        return {
            "file_id": item["file_id"],
            "version_id": item.get("source_version_id"),
            "status": item["status"],
            "uploaded_at": item["uploaded_at"],
            "later": later,
        }


def portrait(stack: Stack, target: Target) -> Portrait:
    """Read everything about an execution, or about a file's last one.

    Raises `PipectlError` where there is none of the kind.
    """
    executions, items = Executions(stack), Items(stack)
    named = executions.describe(target.execution) if target.execution else None
    if target.execution is not None and named is None:
        raise PipectlError(
            f"There is no execution {target.text} (any more). See those there are with: pipectl"
            " executions"
        )
    file_id = target.file_id or (named.file_id if named else None)
    if file_id is None:
        raise PipectlError(f"The execution {target.text} is not of a file: its input is no job.")
    item = items.get([file_id]).get(file_id)
    attempts = _attempts(executions, file_id, item)
    execution = named or max(attempts, key=lambda one: one.started_at, default=None)
    if execution is None:
        raise PipectlError(_nothing_about(file_id, item))
    source = Source.from_document(execution.document["source"])
    events = list(executions.history(execution.arn))
    of_source = f"{source.bucket}/{source.key}"
    of_corrections = (
        f"{source.bucket}/{correction_key({'dataset': source.dataset, 'file_id': file_id})}"
    )
    related = items.of_sources([of_source, of_corrections])
    return Portrait(
        source=source,
        execution=execution,
        run=read_history(events, execution.status),
        places=places_of(events),
        functions=links.functions_of(events),
        attempts=attempts,
        item=item,
        versions=sorted(related[of_source], key=lambda one: str(one["uploaded_at"])),
        corrections=sorted(related[of_corrections], key=lambda one: str(one["uploaded_at"])),
        current_correction=current_correction(stack, related[of_corrections]),
        again=_again(executions, execution, source, attempts, item),
        stack=stack,
    )


def _again(
    executions: Executions,
    execution: Described,
    source: Source,
    attempts: Sequence[Described],
    item: Item | None,
) -> Plan | None:
    if execution.status in ("running", "succeeded"):
        return None
    standing = Standing(
        source,
        attempts=len(attempts),
        execution=execution,
        running=next((one.name for one in attempts if one.running), None),
        succeeded=item is not None and item["status"] == "succeeded",
        present_definition=not execution.redrivable
        or executions.has_present_definition(execution.arn),
        error=execution.error,
    )
    return plan(standing, new=False, force=False, now=datetime.now(UTC))


@dataclass(frozen=True)
class Place:
    """In which run of an execution a state was entered: 0 is the first, before any redrive."""

    redrive: int
    run_ended_at: datetime | None


def places_of(events: Iterable[Mapping[str, Any]]) -> list[Place]:
    """The place of each state that was entered, in order."""
    entered: list[int] = []
    ends: list[datetime | None] = [None]
    for event in events:
        if event["type"] == "ExecutionRedriven":
            ends.append(None)
        elif event["type"].startswith("Execution"):
            ends[-1] = None if event["type"] == "ExecutionStarted" else event["timestamp"]
        if "stateEnteredEventDetails" in event:
            entered.append(len(ends) - 1)
    return [Place(run, ends[run]) for run in entered]


def _attempts(executions: Executions, file_id: str, item: Item | None) -> list[Described]:
    """All executions of a file in the order of their start, those of other names too."""
    made = executions.attempts(file_id, attempts_in(item) if item else 1)
    arns = {run["execution_arn"] for run in item["history"].values()} if item else set()
    others = [arn for arn in sorted(arns) if attempt_of(arn.rpartition(":")[2]) is None]
    made += [one for one in side_by_side(executions.describe, others) if one is not None]
    return sorted(made, key=lambda one: one.started_at)


def _nothing_about(file_id: str, item: Item | None) -> str:
    if item is None:
        return (
            f"Nothing is known of the file {file_id}. Files that never got an execution are shown"
            " by: pipectl failures"
        )
    return (
        f"The executions of the file {file_id} are no longer there: Step Functions keeps them for"
        " 90 days. Its metadata item is in the table still."
    )


def _brief(execution: Described) -> dict[str, Any]:
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


def replay_of(execution: Described) -> str | None:
    """The execution that this one repeats: the attempt before it, or that of the same input."""
    linked: str | None = execution.document.get("replay_of")
    if attempt_of(execution.name) is None and execution.file_id is not None:
        attempt = int(execution.document.get("attempt", 1))
        return attempt_name(execution.file_id, attempt)
    return linked
