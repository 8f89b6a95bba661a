"""Glue's UpdateTable with optimistic locking: moto ignores the version that a client names.

https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html
"""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pipectl.embedded.lambda_service import Answer
from pipectl.embedded.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from pipectl.embedded.gateway import Gateway

_updates = threading.Lock()


def extend(gateway: Gateway) -> None:
    """Let the gateway answer UpdateTable."""
    gateway.operations["AWSGlue.UpdateTable"] = update_table


def update_table(request: dict[str, Any]) -> Answer:
    """Update a table, unless it has another version than the one in the request."""
    # Importing moto's Glue takes longer than everything else that most stacks start with.
    from moto.glue.exceptions import GlueClientError
    from moto.glue.models import glue_backends

    backend = glue_backends[ACCOUNT][REGION]
    given = request["TableInput"]
    try:
        with _updates:
            table = backend.get_table(request["DatabaseName"], given["Name"])
            present = str(table.as_dict()["VersionId"])
            if request.get("VersionId", present) != present:
                return _refusal(
                    "ConcurrentModificationException",
                    f"Update table failed due to concurrent modifications: version {present}.",
                )
            table.update(given)
    except GlueClientError as error:
        return _refusal(str(error.error_type), str(error.message))
    return Answer(HTTPStatus.OK, b"{}")


def _refusal(code: str, message: str) -> Answer:
    body = json.dumps({"__type": code, "message": message})
    return Answer(HTTPStatus.BAD_REQUEST, body.encode())
