"""A further process that works on a file: `python -m pipectl.local.helper`.

`processes.helpers_for` starts it. It imports the engine, reads the job from stdin, and writes its
part of the result to stdout.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any

from pipectl.local.process_memory import quick_imports


def main() -> None:
    """Work on the job, and end with status 0, or 1 after an error."""
    parent = os.getppid()
    with quick_imports():
        import pipectl.local.worker  # noqa: F401 while the first process reads the layout
    try:
        document = json.load(sys.stdin)
    except ValueError:
        # The process that started this one was interrupted before it had sent the whole job.
        sys.exit(1)
    result = _result(document["job"], document["channels"], parent)
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(result))
        sys.stdout.flush()
    # The first process continues when the output ends: before this one is cleaned up. Python does
    # not close this file itself.
    os.close(sys.stdout.fileno())
    os._exit("message" in result)


def _result(job: dict[str, Any], channels: dict[str, Any], parent: int) -> dict[str, Any]:
    """The part of the result, or the message of an error and, if it is known, its class."""
    from pipectl.local.process_channels import Channels, TransformJob
    from pipectl.local.worker import work
    from tabular.errors import TabularError
    from tabular.reading.layout import Layout

    def look_around() -> None:
        if os.getppid() != parent:
            sys.exit(1)

    try:
        return work(
            TransformJob(**job | {"layout": Layout.from_document(job["layout"])}),
            Channels(tuple(channels["reading"]), tuple(map(tuple, channels["writing"]))),
            look_around,
        ).to_document()
    except TabularError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except Exception as error:  # noqa: BLE001 reported by type only: messages may contain values
        return {"message": f"A worker process failed with {type(error).__name__}."}


if __name__ == "__main__":
    main()
