"""Runs a packaged handler once; a process of `packages_run` begins with this file.

It runs as `python -I -S`, so nothing can be imported but the standard library and the folders that
it is given. Arguments: handler, file for the result, context (JSON), folders. Standard input: the
event.
"""

import importlib
import json
import sys
import types

handler_name, result_file, context, *folders = sys.argv[1:]
sys.path[:0] = folders
module, _, name = handler_name.rpartition(".")
try:
    handler = getattr(importlib.import_module(module), name)
    given = types.SimpleNamespace(
        **json.loads(context), get_remaining_time_in_millis=lambda: 60_000
    )
    document, failed = handler(json.load(sys.stdin), given), False
except Exception as error:  # noqa: BLE001  # Lambda reports whatever a handler raises
    document, failed = {"errorType": type(error).__name__, "errorMessage": str(error)}, True
with open(result_file, "w", encoding="utf-8") as file:  # noqa: PTH123  # the process stays small
    json.dump({"document": document, "failed": failed}, file)
