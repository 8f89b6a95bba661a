"""FailureGate: fail the execution under the error's true name; let a redrive of it pass.

A Fail state would make redriving useless: it would only fail again. This task runs again on a
redrive, sees that the execution has been redriven since the failure, and lets the document pass
to the step that failed.
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
    """Raise the failure in the document, or return the document without it after a redrive."""
    document = payload["job"]
    job = Job.from_document(document)
    execution = Execution.from_context(payload["execution"])
    if job.failure is None:
        raise InternalError("The failure gate was entered without a failure.")
    log = {"file_id": job.file_id, "error": job.failure.error, "state": job.failure.state}
    if execution.redrive_count > job.failure.redrive_count:
        logger().info("redriven: continuing at the failed step", extra=log)
        return resumed(document, job.failure)
    logger().info("failing the execution", extra=log)
    raise error_to_raise(job.failure)
