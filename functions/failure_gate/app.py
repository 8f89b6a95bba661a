"""FailureGate: fail the execution under the original error's name; let a redrive pass.

A redrive starts at the state that failed last. If that were a Fail state, every redrive would fail
there again. This task runs again on a redrive, sees from the redrive count that the execution was
redriven after the failure, and lets the document pass to the step that failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failure_gate.gate import error_to_raise, resumed
from shared.errors import InternalError
from shared.job import Execution, Job
from shared.observability import logger
from shared.step import guarded


@guarded()
def handler(payload: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Raise the document's failure; after a redrive, return the document without the failure.

    Raises an exception whose class has the original error's name, and `InternalError` if the
    document has no failure.
    """
    document = payload["job"]
    job = Job.from_document(document)
    execution = Execution.from_context(payload["execution"])
    if job.failure is None:
        raise InternalError("FailureGate was called with a document that has no failure.")
    log = {
        "file_id": job.file_id,
        "attempt": job.attempt,
        "execution": execution.name,
        "error": job.failure.error,
        "state": job.failure.state,
    }
    if execution.redrive_count > job.failure.redrive_count:
        logger().info("redriven: continuing at the failed step", extra=log)
        return resumed(document, job.failure)
    logger().info("failing the execution", extra=log)
    raise error_to_raise(job.failure)
