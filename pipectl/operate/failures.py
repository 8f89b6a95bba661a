"""Failed files: why, where, since when, and what has become of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

from pipectl.client.dead_letters import UNREADABLE, Letter
from pipectl.client.executions import Described, Listed
from pipectl.client.metadata import Item
from shared.executions import attempt_of
from shared.job import Job, Source
from shared.metadata import is_later
from shared.remedies import Remedy, remedy_of

# https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
REDRIVABLE_FOR = timedelta(days=14)

Known = Literal["metadata", "execution", "message"]


@dataclass(frozen=True)
class Resolution:
    """What has made a failure obsolete: a later attempt at the file, or a later version of it."""

    how: Literal["attempt", "version"]
    file_id: str
    succeeded_at: str


@dataclass(frozen=True)
class FailedFile:
    """A file that failed and why.

    `known_from` says where it was found: its metadata item; only its execution, where the failure
    lane could not record it; or only a message in the dead-letter queue.
    """

    file_id: str
    source_bucket: str
    source_key: str
    dataset: str
    code: str
    message: str
    state: str | None
    failed_at: str
    failing_since: str
    attempts: int
    redrives: int
    execution_arn: str | None
    started_at: str
    known_from: Known
    not_done: tuple[str, ...] = ()
    dead_letters: int = 0
    running: str | None = None
    redrivable: bool = False
    not_redrivable_because: str | None = None
    resolved_by: Resolution | None = None

    @property
    def source(self) -> str:
        """The source's key in the metadata table: `bucket/key`."""
        return f"{self.source_bucket}/{self.source_key}"

    @property
    def remedy(self) -> Remedy:
        """What helps against the error."""
        return remedy_of(self.code)

    def to_document(self) -> dict[str, Any]:
        """The entry in `pipectl failures --json`."""
        resolved = self.resolved_by
        return {
            "file_id": self.file_id,
            "source": f"s3://{self.source}",
            "dataset": self.dataset,
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
            "not_redrivable_because": self.not_redrivable_because,
            "resolved_by": resolved
            and {
                "how": resolved.how,
                "file_id": resolved.file_id,
                "succeeded_at": resolved.succeeded_at,
            },
        }


@dataclass(frozen=True)
class Selection:
    """Which failed files are meant: by error name, by time of the failure, by the source's key."""

    error: str | None = None
    since: datetime | None = None
    source: str | None = None

    def includes(self, failure: FailedFile) -> bool:
        """Whether the failure is one of those."""
        if self.error is not None and failure.code != self.error:
            return False
        if self.since is not None and datetime.fromisoformat(failure.failed_at) < self.since:
            return False
        return matches(failure.source_key, self.source)


def matches(key: str, pattern: str | None) -> bool:
    """Whether a source's key matches a glob such as `raw/orders/*`; `*` spans slashes too.

    A pattern without a slash is matched with the last part of the key.
    """
    if pattern is None:
        return True
    if "/" not in pattern:
        key = key.rpartition("/")[2]
    return fnmatchcase(key, pattern)


def from_item(item: Item) -> FailedFile:
    """The failure that a metadata item of a failed file tells of."""
    error = item["error"]
    runs = sorted(item["history"].values(), key=lambda run: str(run["recorded_at"]))
    # Since the last success, if there was one.
    successes = [run["recorded_at"] for run in runs if run["status"] == "succeeded"]
    since = [run["recorded_at"] for run in runs if run["recorded_at"] > max(successes, default="")]
    return FailedFile(
        file_id=item["file_id"],
        source_bucket=item["source_bucket"],
        source_key=item["source_key"],
        dataset=item["dataset"],
        code=error["code"],
        message=error["message"],
        state=error["state"],
        failed_at=item["failed_at"],
        failing_since=min([*since, item["failed_at"]]),
        attempts=len({run["execution_arn"] for run in runs}),
        redrives=_redrives(item),
        execution_arn=item["execution_arn"],
        started_at=item["processed_at"],
        known_from="metadata",
        not_done=tuple(item.get("not_done", ())),
    )


def from_execution(described: Described) -> FailedFile | None:
    """The failure of an execution that left no item; None where it is of no file."""
    try:
        job = Job.from_document(described.document)
    except UNREADABLE:
        return None
    source = job.source
    ended = (described.ended_at or described.started_at).isoformat()
    return FailedFile(
        file_id=source.file_id,
        source_bucket=source.bucket,
        source_key=source.key,
        dataset=source.dataset,
        code=described.error or described.status.upper(),
        message=described.cause or "The execution's history tells more.",
        state=None,
        failed_at=ended,
        failing_since=ended,
        attempts=job.attempt,
        redrives=described.redrive_count,
        execution_arn=described.arn,
        started_at=described.started_at.isoformat(),
        known_from="execution",
    )


def from_letter(letter: Letter, source: Source) -> FailedFile:
    """The failure that a message in the dead-letter queue tells of one of its files."""
    sent = letter.sent_at.isoformat()
    told: dict[str, Any] = {
        "code": "NotStarted",
        "message": "The starter could not start an execution; its log says why.",
        "state": None,
        "attempts": 0,
        "redrives": 0,
        "execution_arn": None,
        "started_at": sent,
    }
    if letter.job and letter.job.failure and letter.execution:
        told = {
            "code": letter.job.failure.error,
            "message": letter.job.failure.cause,
            "state": letter.job.failure.state,
            "attempts": letter.job.attempt,
            "redrives": letter.execution.redrive_count,
            "execution_arn": letter.execution.arn,
            "started_at": letter.execution.start_time,
        }
    return FailedFile(
        file_id=source.file_id,
        source_bucket=source.bucket,
        source_key=source.key,
        dataset=source.dataset,
        failed_at=sent,
        failing_since=sent,
        known_from="message",
        **told,
    )


def merged(
    items: Iterable[Item], executions: Iterable[Described], letters: Iterable[Letter]
) -> list[FailedFile]:
    """One entry a file, from the best place that tells of it; the longest failing first.

    `items` are those of all files in question, also of those that have succeeded.
    """
    by_id = {item["file_id"]: item for item in items}
    found = {
        file_id: from_item(item) for file_id, item in by_id.items() if item["status"] == "failed"
    }
    for described in executions:
        failure = from_execution(described)
        if failure is not None and failure.file_id not in by_id:
            found.setdefault(failure.file_id, failure)
    for letter in letters:
        for source in letter.sources:
            failure = found.get(source.file_id) or from_letter(letter, source)
            count = failure.dead_letters + 1
            found[source.file_id] = replace(failure, dead_letters=count)
    resolved = [
        _by_later_attempt(failure, by_id.get(file_id)) for file_id, failure in found.items()
    ]
    return sorted(resolved, key=lambda failure: (failure.failing_since, failure.file_id))


def with_later_version(failure: FailedFile, versions: Sequence[Item]) -> FailedFile:
    """The failure, resolved where a later version of the same key has succeeded."""
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

    `running` names the running execution of each file that has one. Whether an execution's
    workflow is still the present one is asked for a few only: those that started after the last
    change have the present definition, those before it don't.
    """
    judged = [
        replace(
            failure,
            running=running.get(failure.file_id),
            not_redrivable_because=_obstacle(failure, running, now),
        )
        for failure in failures
    ]
    candidates = sorted(
        (one for one in judged if one.not_redrivable_because is None),
        key=lambda one: datetime.fromisoformat(one.started_at),
    )
    arns = [str(one.execution_arn) for one in candidates]
    outdated = set(arns[: _present_from(arns, has_present_definition)])
    return [_with_verdict(failure, outdated) for failure in judged]


def _with_verdict(failure: FailedFile, outdated: set[str]) -> FailedFile:
    if failure.not_redrivable_because is not None:
        return failure
    if failure.execution_arn in outdated:
        return replace(failure, not_redrivable_because=DEFINITION_CHANGED)
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


def _present_from(arns: Sequence[str], has_present_definition: Callable[[str], bool]) -> int:
    """The position from which on all executions have the present definition."""
    low, high = 0, len(arns)
    while low < high:
        middle = (low + high) // 2
        if has_present_definition(arns[middle]):
            high = middle
        else:
            low = middle + 1
    return low


def _by_later_attempt(failure: FailedFile, item: Item | None) -> FailedFile:
    if item is None or item["status"] != "succeeded":
        return failure
    return replace(failure, resolved_by=Resolution("attempt", item["file_id"], item["recorded_at"]))


def _redrives(item: Item) -> int:
    """How often the file's executions were redriven, all together."""
    most: dict[str, int] = {}
    for run in item["history"].values():
        arn = run["execution_arn"]
        most[arn] = max(most.get(arn, 0), int(run["redrive_count"]))
    return sum(most.values())


def running_by_file(running: Iterable[Listed]) -> tuple[dict[str, str], list[Listed]]:
    """The running executions by file, and those whose name does not tell their file."""
    by_file: dict[str, str] = {}
    unknown: list[Listed] = []
    for execution in running:
        named = attempt_of(execution.name)
        if named is None:
            unknown.append(execution)
        else:
            by_file[named[0]] = execution.name
    return by_file, unknown
