"""How a file is run again: redriven where that is possible and right, else by a new attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipectl.client.executions import Described
from pipectl.operate.failures import DEFINITION_CHANGED, REDRIVABLE_FOR, FailedFile
from shared.executions import attempt_of
from shared.job import Source
from shared.remedies import remedy_of

How = Literal["redrive", "new_attempt", "correction", "follow", "upload", "none"]


@dataclass(frozen=True)
class Standing:
    """What is known of a file that is to run again.

    `execution` is the one that a redrive would continue; `attempts` the number of the last attempt
    known, 0 where none was ever started; `running` the name of its running execution; `error` the
    name of the error that it failed with. `superseded` says that a later version of its key has
    succeeded.
    """

    source: Source
    attempts: int
    execution: Described | None = None
    running: str | None = None
    succeeded: bool = False
    superseded: bool = False
    present_definition: bool = True
    error: str | None = None

    @property
    def file_id(self) -> str:
        """The file."""
        return self.source.file_id


@dataclass(frozen=True)
class Plan:
    """What will be done, and why so; `superseded` is the reason of a file that is left alone."""

    how: How
    because: str
    superseded: bool = False


_REDRIVE = Plan("redrive", "it can go on at the step that failed")


def plan(
    standing: Standing, *, new: bool, force: bool, superseded: bool = False, now: datetime
) -> Plan:
    """Decide how a file is run again.

    `new` asks for a new attempt where a redrive would do, `force` for one of a file that has
    succeeded or is superseded, `superseded` for a run of a superseded one by whatever way.
    """
    if standing.running is not None:
        return Plan("follow", f"it is running already: {standing.running}")
    if standing.succeeded and force:
        return Plan("new_attempt", "asked for with --force, though it has succeeded")
    if (left_alone := _left_alone(standing, superseded=superseded)) and not force:
        return left_alone
    if new or force:
        return Plan("new_attempt", f"asked for with --{'new' if new else 'force'}")
    if remedy_of(standing.error or "") == "upload":
        return _to_upload(str(standing.error))
    obstacle = _obstacle(standing, now)
    return Plan("new_attempt", obstacle) if obstacle is not None else _REDRIVE


def _left_alone(standing: Standing, *, superseded: bool) -> Plan | None:
    if standing.succeeded:
        return Plan("none", "it has succeeded; --force runs it all the same")
    if standing.superseded and not superseded:
        because = "a later version of its key has succeeded; --force runs it anyway"
        return Plan("none", because, superseded=True)
    return None


def foreseen(failure: FailedFile, *, new: bool) -> Plan:
    """What `plan` will decide, as far as a list of failures tells."""
    if failure.running is not None:
        return Plan("follow", f"it is running already: {failure.running}")
    if failure.resolved_by is not None and failure.resolved_by.how == "attempt":
        return Plan("none", "it has succeeded since")
    if new:
        return Plan("new_attempt", "asked for with --new")
    if failure.remedy == "upload":
        return _to_upload(failure.code)
    if failure.not_redrivable_because is not None:
        return Plan("new_attempt", failure.not_redrivable_because)
    return _REDRIVE


def _to_upload(error: str) -> Plan:
    return Plan("upload", f"after {error} no rerun can succeed; --new starts one all the same")


def message(
    standing: Standing, attempt: int, *, force: bool, superseded: bool = False
) -> dict[str, Any]:
    """The message that makes the starter start a new attempt: a state document.

    `superseded` lets it start a file of whose key a later version has succeeded.
    """
    document: dict[str, Any] = {
        "file_id": standing.file_id,
        "attempt": attempt,
        "source": vars(standing.source),
    }
    permissions = {"force": force, "superseded": superseded}
    return document | {name: True for name, given in permissions.items() if given}


def attempts_in(item: Mapping[str, Any]) -> int:
    """The number of the last attempt that a metadata item knows."""
    names = [run["execution_arn"].rpartition(":")[2] for run in item["history"].values()]
    numbers = [named[1] for named in map(attempt_of, names) if named]
    return max([int(item["attempt"]), *numbers])


def _obstacle(standing: Standing, now: datetime) -> str | None:
    execution = standing.execution
    if execution is None:
        started = standing.attempts > 0
        return "its execution is no longer there" if started else "no execution of it was started"
    if not execution.redrivable:
        return execution.redrive_reason or f"its execution is {execution.status}"
    if execution.ended_at is not None and now - execution.ended_at > REDRIVABLE_FOR:
        return f"it ended more than {REDRIVABLE_FOR.days} days ago"
    if not standing.present_definition:
        return DEFINITION_CHANGED
    return None
