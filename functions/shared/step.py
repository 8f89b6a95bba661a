"""What every step of the workflow has in common: its payload in, its errors out."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import PurePath
from typing import Any, Self

from shared.errors import InternalError, PipelineError
from shared.job import Execution, Job
from shared.observability import logger

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


def step(
    *passes: type[Exception],
) -> Callable[[Callable[[Task], dict[str, Any]]], Handler]:
    """Make a Lambda handler of a function from `Task` to the step's result.

    Errors of the pipeline, and those named in `passes`, reach the workflow under their own name.
    Anything else becomes `InternalError` with type and place only: a library's message may carry
    a cell's value, and causes travel into queue, mail and logs.
    """
    expected: tuple[type[Exception], ...] = (PipelineError, *passes)

    def decorate(work: Callable[[Task], dict[str, Any]]) -> Handler:
        @wraps(work)
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
                logger().warning("step failed", extra={"error": type(error).__name__})
                raise
            except (KeyboardInterrupt, SystemExit):
                raise
            # Not Exception: a panic in Rust, which polars is written in, is a BaseException.
            except BaseException as error:  # noqa: BLE001  # raised again, without its words
                place = _place(error)
                logger().error(
                    "step failed unexpectedly", extra={"error": type(error).__name__, "at": place}
                )
                raise InternalError(f"Unexpected {type(error).__name__} at {place}.") from None
            logger().info("step done", extra={"result": result})
            return result

        return handler

    return decorate


def _place(error: BaseException) -> str:
    """Where an error was raised: the step's own line, and the innermost one if it is another."""
    # The outermost frame is this module's.
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own_and_innermost = dict.fromkeys(_line(frame) for frame in (frames[:1] + frames[-1:]))
    return ", in ".join(own_and_innermost) or "an unknown place"


def _line(frame: traceback.FrameSummary) -> str:
    """A frame as `folder/file.py:line`: every step's file is called app.py."""
    return f"{'/'.join(PurePath(frame.filename).parts[-2:])}:{frame.lineno}"
