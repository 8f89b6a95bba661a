"""What all steps of the workflow share: how they read their payload and raise errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

from shared.errors import InternalError, Number, OutdatedExecution, PipelineError, with_details
from shared.job import Execution, Job
from shared.keys import Work
from shared.observability import logger, place_of

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

_LOG_KEYS = ("file_id", "attempt", "execution")


@dataclass(frozen=True)
class Task:
    """One invocation by the workflow: the file's job, the execution, and the whole payload.

    `payload` also has the fields that only a single state sends, such as `split`.
    """

    job: Job
    execution: Execution
    payload: Mapping[str, Any]

    @property
    def work(self) -> Work:
        """The keys of the execution's own objects."""
        return Work(self.job.file_id, self.execution.name)

    @property
    def is_first_run(self) -> bool:
        """Whether the state runs for the first time in the execution.

        False if the workflow doesn't send `retry_count`, as those of earlier releases.
        """
        return self.payload.get("retry_count") == 0 and self.execution.redrive_count == 0

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Read the payload that the workflow's states send: `job`, `execution` and others."""
        return cls(
            job=Job.from_document(payload["job"]),
            execution=Execution.from_context(payload["execution"]),
            payload=payload,
        )


def _check_release(job: Job) -> None:
    """Raise `OutdatedExecution` if the job's results are of another release.

    The failure lane has to record and report every failure, so it isn't stopped.
    """
    if job.failure is None and not job.is_readable:
        raise OutdatedExecution(
            "The execution was begun by another release of the pipeline, whose documents this one "
            "can't read. Redrive it: it starts over. If it fails in the same way again, start a "
            "new attempt with `pipectl rerun --new`."
        )


def guarded(
    *passes: type[Exception],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a handler so that it raises only `PipelineError`s and the errors in `passes`.

    Every other error becomes an `InternalError` that gives only its type and the place of each
    frame. A library's message can contain a cell's value, and causes end up in the queue, e-mails
    and logs.
    """
    expected: tuple[type[Exception], ...] = (PipelineError, *passes)

    def decorate(
        handle: Callable[Parameters, Result],
    ) -> Callable[Parameters, Result]:
        @wraps(handle)
        def handler(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            try:
                return handle(*args, **kwargs)
            except expected:
                raise
            except (KeyboardInterrupt, SystemExit):
                raise
            # Not Exception: a Rust panic in Polars is raised as a BaseException.
            except BaseException as error:  # noqa: BLE001  # raised again, without its message
                kind, place = type(error).__name__, place_of(error)
                logger().error("failed unexpectedly", extra={"error": kind, "at": place})
                raise InternalError(f"Unexpected {kind} at {place}.") from None

        return handler

    return decorate


def step(
    *passes: type[Exception],
) -> Callable[[Callable[[Task], dict[str, Any]]], Handler]:
    """Turn a function from `Task` to the step's result into a Lambda handler.

    `PipelineError`s and the errors in `passes` reach the workflow under their own names. Every
    other error becomes an `InternalError`; see `guarded`.
    """
    expected: tuple[type[Exception], ...] = (PipelineError, *passes)

    def decorate(work: Callable[[Task], dict[str, Any]]) -> Handler:
        @wraps(work)
        @guarded(*passes)
        def handler(payload: Mapping[str, Any], _context: object) -> dict[str, Any]:
            # In a warm environment the logger still has the previous file's keys.
            logger().remove_keys(_LOG_KEYS)
            try:
                task = Task.from_payload(payload)
                logger().append_keys(
                    file_id=task.job.file_id,
                    attempt=task.job.attempt,
                    execution=task.execution.name,
                )
                _check_release(task.job)
                result = work(task)
            except expected as error:
                extra = {"error": type(error).__name__, "reason": str(error)}
                logger().warning("step failed", extra=extra)
                details: Mapping[str, Number] = getattr(error, "details", {})
                error.args = (with_details(str(error), details),)
                raise
            logger().info("step done", extra={"result": result})
            return result

        return handler

    return decorate
