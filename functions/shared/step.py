"""What every step of the workflow has in common: its payload in, its errors out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

from shared.errors import InternalError, PipelineError
from shared.job import Execution, Job
from shared.observability import logger, place_of

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

_LOG_KEYS = ("file_id", "attempt", "execution")


@dataclass(frozen=True)
class Task:
    """One invocation by the workflow: the file's job, the execution, and the state's own words.

    `payload` is the whole payload, for what a single state adds to it.
    """

    job: Job
    execution: Execution
    payload: Mapping[str, Any]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Read the payload that the workflow's states send: `job` and `execution`."""
        return cls(
            job=Job.from_document(payload["job"]),
            execution=Execution.from_context(payload["execution"]),
            payload=payload,
        )


def guarded(
    *passes: type[Exception],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Make a handler raise errors of the pipeline, those named in `passes`, and no others.

    Anything else becomes `InternalError` with type and every frame's place only: a library's
    message may carry a cell's value, and causes travel into queue, mail and logs.
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
            # Not Exception: a panic in Rust, which polars is written in, is a BaseException.
            except BaseException as error:  # noqa: BLE001  # raised again, without its words
                kind, place = type(error).__name__, place_of(error)
                logger().error("failed unexpectedly", extra={"error": kind, "at": place})
                raise InternalError(f"Unexpected {kind} at {place}.") from None

        return handler

    return decorate


def step(
    *passes: type[Exception],
) -> Callable[[Callable[[Task], dict[str, Any]]], Handler]:
    """Make a Lambda handler of a function from `Task` to the step's result.

    Errors of the pipeline, and those named in `passes`, reach the workflow under their own name.
    Anything else becomes `InternalError`, as `guarded` says.
    """
    expected: tuple[type[Exception], ...] = (PipelineError, *passes)

    def decorate(work: Callable[[Task], dict[str, Any]]) -> Handler:
        @wraps(work)
        @guarded(*passes)
        def handler(payload: Mapping[str, Any], _context: object) -> dict[str, Any]:
            # A warm environment still knows the file before this one.
            logger().remove_keys(_LOG_KEYS)
            try:
                task = Task.from_payload(payload)
                logger().append_keys(
                    file_id=task.job.file_id,
                    attempt=task.job.attempt,
                    execution=task.execution.name,
                )
                result = work(task)
            except expected as error:
                extra = {"error": type(error).__name__, "reason": str(error)}
                logger().warning("step failed", extra=extra)
                raise
            logger().info("step done", extra={"result": result})
            return result

        return handler

    return decorate
