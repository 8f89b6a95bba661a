"""The exception that the failure gate raises, and the document that it lets pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import PipelineError, bare_name
from shared.job import Failure
from shared.steps import REPEATED_RESULTS


def error_to_raise(failure: Failure) -> Exception:
    """An exception whose class has the error's name, which Lambda reports as the error type.

    A reserved prefix is dropped: `States.Timeout` becomes `Timeout`, and the message then starts
    with the full name.
    """
    name = bare_name(failure.error)
    full_name = "" if name == failure.error else failure.error
    reason = ": ".join(part for part in (full_name, failure.cause) if part)
    undone = ", ".join(failure.not_done)
    not_done = f" Parts of the failure lane that failed: {undone}." if undone else ""
    kind: type[Exception] = type(name, (PipelineError,), {"__module__": __name__})
    return kind(f"{reason} (in {failure.state}){not_done}")


def resumed(document: Mapping[str, Any], failure: Failure) -> dict[str, Any]:
    """The document to continue with: without the failure, but with its name in `resumed`.

    The results of RecordMetadata and the steps after it are dropped. Those steps always run again,
    because the failure lane has recorded the file as `failed`. Besides, the first missing result
    identifies the state that fails next.
    """
    left_out = REPEATED_RESULTS | {"failure", "resumed"}
    kept = {name: value for name, value in document.items() if name not in left_out}
    return {**kept, "resumed": {"error": failure.error, "state": failure.state}}
