"""Failed files: why, where and since when they failed, and whether that is resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

from pipectl.client.dead_letter_queue import UNREADABLE, DeadLetter
from pipectl.client.metadata_items import MetadataItem, source_of
from pipectl.client.step_functions import DescribedExecution, ListedExecution
from shared.executions import attempt_of
from shared.job import Job, Source
from shared.remedies import Remedy, remedy_of
from shared.versions import is_later

# https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
REDRIVABLE_FOR = timedelta(days=14)

KnownFrom = Literal["metadata", "execution", "message"]


@dataclass(frozen=True)
class Resolution:
    """What resolved a failure: a later attempt at the file, or a later version of its key."""

    how: Literal["attempt", "version"]
    file_id: str
    succeeded_at: str


@dataclass(frozen=True)
class FailedFile:
    """A file that failed, and why.

    `known_from` says where it was found: in its metadata item; only in its execution, if the
    failure lane could not record it; or only in a message in the dead-letter queue. `attempts`
    counts its executions. `last_attempt` is the number of the last one, 0 if none was started.
    """

    source: Source
    code: str
    message: str
    state: str | None
    failed_at: str
    failing_since: str
    attempts: int
    last_attempt: int
    redrives: int
    execution_arn: str | None
    started_at: str
    known_from: KnownFrom
    not_done: tuple[str, ...] = ()
    dead_letters: int = 0
    running: str | None = None
    redrivable: bool = False
    not_redrivable_reason: str | None = None
    resolved_by: Resolution | None = None

    @property
    def file_id(self) -> str:
        """The file's id."""
        return self.source.file_id

    @property
    def remedy(self) -> Remedy:
        """What an operator can do about the error."""
        return remedy_of(self.code)

    def to_document(self) -> dict[str, Any]:
        """The entry in `pipectl failures --json`."""
        resolved = self.resolved_by
        return {
            "file_id": self.file_id,
            "source": self.source.uri,
            "dataset": self.source.dataset,
            "error": {"code": self.code, "message": self.message, "state": self.state},
            "remedy": self.remedy,
            "failed_at": self.failed_at,
            "failing_since": self.failing_since,
            "attempts": self.attempts,
            "redrives": self.redrives,
            "execution_arn": self.execution_arn,
            "known_from": self.known_from,
            "not_done": list(self.not_done),
            "dead_letters": self.dead_letters,
            "running": self.running,
            "redrivable": self.redrivable,
            "not_redrivable_reason": self.not_redrivable_reason,
            "resolved_by": asdict(resolved) if resolved else None,
        }


@dataclass(frozen=True)
class FailureFilter:
    """Selects failed files by error name, time of the failure, a glob of the key, and dataset."""

    error: str | None = None
    since: datetime | None = None
    source: str | None = None
    dataset: str | None = None

    def includes(self, failure: FailedFile) -> bool:
        """Whether the filter selects this failure."""
        if self.error is not None and failure.code != self.error:
            return False
        if self.since is not None and datetime.fromisoformat(failure.failed_at) < self.since:
            return False
        if self.dataset is not None and failure.source.dataset != self.dataset:
            return False
        return matches(failure.source.key, self.source)


def matches(key: str, pattern: str | None) -> bool:
    """Whether a source's key matches a glob such as `raw/orders/*`; `*` matches slashes, too.

    A pattern without a slash is compared with the last part of the key.
    """
    if pattern is None:
        return True
    if "/" not in pattern:
        key = key.rpartition("/")[2]
    return fnmatchcase(key, pattern)


def from_item(item: MetadataItem) -> FailedFile:
    """The failure that a failed file's metadata item records."""
    error = item["error"]
    runs = sorted(item["history"].values(), key=lambda run: str(run["recorded_at"]))
    # Since the last success, if there was one.
    successes = [run["recorded_at"] for run in runs if run["status"] == "succeeded"]
    since = [run["recorded_at"] for run in runs if run["recorded_at"] > max(successes, default="")]
    return FailedFile(
        source=source_of(item),
        code=error["code"],
        message=error["message"],
        state=error["state"],
        failed_at=item["failed_at"],
        failing_since=min([*since, item["failed_at"]]),
        attempts=len({run["execution_arn"] for run in runs}),
        last_attempt=last_attempt_in(item),
        redrives=_redrives(item),
        execution_arn=item["execution_arn"],
        started_at=item["processed_at"],
        known_from="metadata",
        not_done=tuple(item.get("not_done", ())),
    )


def from_execution(described: DescribedExecution) -> FailedFile | None:
    """The failure of an execution whose file has no item; None if it does not belong to a file."""
    try:
        job = Job.from_document(described.document)
    except UNREADABLE:
        return None
    ended = (described.ended_at or described.started_at).isoformat()
    return FailedFile(
        source=job.source,
        code=described.error or described.status.upper(),
        message=described.cause or "See the execution's history for the cause.",
        state=None,
        failed_at=ended,
        failing_since=ended,
        attempts=job.attempt,
        last_attempt=job.attempt,
        redrives=described.redrive_count,
        execution_arn=described.arn,
        started_at=described.started_at.isoformat(),
        known_from="execution",
    )


def from_dead_letter(dead_letter: DeadLetter, source: Source) -> FailedFile:
    """The failure of one of a dead letter's files, if nothing else reports it."""
    sent = dead_letter.sent_at.isoformat()
    failure: dict[str, Any] = {
        "code": "NotStarted",
        "message": "The starter could not start an execution. Its log has the reason.",
        "state": None,
        "attempts": 0,
        "last_attempt": 0,
        "redrives": 0,
        "execution_arn": None,
        "started_at": sent,
    }
    job, execution = dead_letter.job, dead_letter.execution
    if job and job.failure and execution:
        failure = {
            "code": job.failure.error,
            "message": job.failure.cause,
            "state": job.failure.state,
            "attempts": job.attempt,
            "last_attempt": job.attempt,
            "redrives": execution.redrive_count,
            "execution_arn": execution.arn,
            "started_at": execution.start_time,
        }
    return FailedFile(
        source=source,
        failed_at=sent,
        failing_since=sent,
        known_from="message",
        **failure,
    )


def merge_failures(
    items: Iterable[MetadataItem],
    executions: Iterable[DescribedExecution],
    dead_letters: Iterable[DeadLetter],
) -> list[FailedFile]:
    """One entry per file, from the most complete report of it; the longest failing first.

    The order of preference is metadata item, execution, dead letter. `items` are those of all
    files that the others are about, whether failed or succeeded.
    """
    by_id = {item["file_id"]: item for item in items}
    found = {
        file_id: from_item(item) for file_id, item in by_id.items() if item["status"] == "failed"
    }
    for described in executions:
        failure = from_execution(described)
        if failure is not None and failure.file_id not in by_id:
            found.setdefault(failure.file_id, failure)
    for dead_letter in dead_letters:
        for source in dead_letter.sources:
            failure = found.get(source.file_id) or from_dead_letter(dead_letter, source)
            count = failure.dead_letters + 1
            found[source.file_id] = replace(failure, dead_letters=count)
    resolved = [
        _by_later_attempt(failure, by_id.get(file_id)) for file_id, failure in found.items()
    ]
    return sorted(resolved, key=lambda failure: (failure.failing_since, failure.file_id))


def with_later_version(failure: FailedFile, versions: Sequence[MetadataItem]) -> FailedFile:
    """The failure, marked as resolved if a later version of the same key has succeeded."""
    own = next((item for item in versions if item["file_id"] == failure.file_id), None)
    if own is None or failure.resolved_by is not None:
        return failure
    later = [item for item in versions if item["status"] == "succeeded" and is_later(item, own)]
    if not later:
        return failure
    first = min(later, key=lambda item: str(item["recorded_at"]))
    resolution = Resolution("version", first["file_id"], first["recorded_at"])
    return replace(failure, resolved_by=resolution)


def with_redrivability(
    failures: Sequence[FailedFile],
    *,
    running: Mapping[str, str],
    now: datetime,
    has_present_definition: Callable[[str], bool],
) -> list[FailedFile]:
    """The failures, each with whether its execution can be redriven, or why not.

    `running` names the running execution of each file that has one. Executions that were started
    after the last change of the workflow have the present definition, and the others don't. So the
    change is found by bisection: 1,000 executions take about 10 calls.
    """
    checked = [
        replace(
            failure,
            running=running.get(failure.file_id),
            not_redrivable_reason=_obstacle(failure, running, now),
        )
        for failure in failures
    ]
    candidates = sorted(
        (one for one in checked if one.not_redrivable_reason is None),
        key=lambda one: datetime.fromisoformat(one.started_at),
    )
    arns = [str(one.execution_arn) for one in candidates]
    with_old_definition = set(arns[: _first_present(arns, has_present_definition)])
    return [_with_verdict(failure, with_old_definition) for failure in checked]


def _with_verdict(failure: FailedFile, with_old_definition: set[str]) -> FailedFile:
    if failure.not_redrivable_reason is not None:
        return failure
    if failure.execution_arn in with_old_definition:
        return replace(failure, not_redrivable_reason=DEFINITION_CHANGED)
    return replace(failure, redrivable=True)


DEFINITION_CHANGED = "the workflow's definition has changed since it started"


def _obstacle(failure: FailedFile, running: Mapping[str, str], now: datetime) -> str | None:
    if failure.resolved_by is not None and failure.resolved_by.how == "attempt":
        return "it has succeeded since"
    if failure.file_id in running:
        return f"it is running: {running[failure.file_id]}"
    if failure.execution_arn is None:
        return "no execution of it was started"
    if now - datetime.fromisoformat(failure.failed_at) > REDRIVABLE_FOR:
        return f"it failed more than {REDRIVABLE_FOR.days} days ago"
    return None


def _first_present(arns: Sequence[str], has_present_definition: Callable[[str], bool]) -> int:
    """The index of the first execution that has the present definition."""
    low, high = 0, len(arns)
    while low < high:
        middle = (low + high) // 2
        if has_present_definition(arns[middle]):
            high = middle
        else:
            low = middle + 1
    return low


def _by_later_attempt(failure: FailedFile, item: MetadataItem | None) -> FailedFile:
    if item is None or item["status"] != "succeeded":
        return failure
    return replace(failure, resolved_by=Resolution("attempt", item["file_id"], item["recorded_at"]))


def last_attempt_in(item: MetadataItem) -> int:
    """The number of the last attempt that a metadata item records."""
    names = [run["execution_arn"].rpartition(":")[2] for run in item["history"].values()]
    numbers = [named[1] for named in map(attempt_of, names) if named]
    return max([int(item["attempt"]), *numbers])


def _redrives(item: MetadataItem) -> int:
    """The number of redrives of all the file's executions together."""
    most: dict[str, int] = {}
    for run in item["history"].values():
        arn = run["execution_arn"]
        most[arn] = max(most.get(arn, 0), int(run["redrive_count"]))
    return sum(most.values())


def running_by_file(
    running: Iterable[ListedExecution],
) -> tuple[dict[str, str], list[ListedExecution]]:
    """The names of running executions by file, and the executions not named after a file."""
    by_file: dict[str, str] = {}
    unknown: list[ListedExecution] = []
    for execution in running:
        named = attempt_of(execution.name)
        if named is None:
            unknown.append(execution)
        else:
            by_file[named[0]] = execution.name
    return by_file, unknown
