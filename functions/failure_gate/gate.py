"""What the gate raises, and what it lets pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import PipelineError, bare_name
from shared.job import Failure
from shared.steps import REPEATED_RESULTS


def error_to_raise(failure: Failure) -> Exception:
    """An exception whose class bears the error's name, which Lambda reports as the error type.

    A reserved prefix is dropped (`States.Timeout` becomes `Timeout`), the full name stands in
    the message then.
    """
    name = bare_name(failure.error)
    full_name = "" if name == failure.error else failure.error
    reason = ": ".join(part for part in (full_name, failure.cause) if part)
    undone = ", ".join(failure.not_done)
    not_done = f" Not done by the failure lane: {undone}." if undone else ""
    kind: type[Exception] = type(name, (PipelineError,), {"__module__": __name__})
    return kind(f"{reason} (in {failure.state}){not_done}")


def resumed(document: Mapping[str, Any], failure: Failure) -> dict[str, Any]:
    """The document to continue with: without the failure, with a note of what it was.

    What RecordMetadata and the states after it have left is dropped: they run again in any case,
    because the lane has turned the item `failed`, and the first result that is missing tells which
    state fails next.
    """
    left_out = REPEATED_RESULTS | {"failure", "resumed"}
    kept = {name: value for name, value in document.items() if name not in left_out}
    return {**kept, "resumed": {"error": failure.error, "state": failure.state}}
