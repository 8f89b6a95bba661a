"""What StartExecution checks and adds on AWS, and moto does not.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
"""

from __future__ import annotations

import json
import re
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pipectl.embedded import limits
from pipectl.embedded.lambda_service import Answer

if TYPE_CHECKING:
    from pipectl.embedded.gateway import Gateway

# No white space, brackets, wildcards, special or control characters.
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]+")


def extend(gateway: Gateway) -> None:
    """Let the gateway complete StartExecution."""
    gateway.preparations["AWSStepFunctions.StartExecution"] = prepare


def prepare(request: dict[str, Any]) -> dict[str, Any] | Answer:
    """The request with a name, which is a UUID where the client gave none; or AWS's refusal."""
    given = {name: value for name, value in request.items() if value is not None}
    for parameter in ("name", "input", "stateMachineArn"):
        if not isinstance(given.get(parameter, ""), str):
            return _refusal("SerializationException", f"{parameter} must be a string")
    name = given.setdefault("name", str(uuid.uuid4()))
    if not limits.EXECUTION_NAME.allows(len(name)) or not _NAME.fullmatch(name):
        return _refusal(limits.EXECUTION_NAME.refusal, f"Invalid Name: '{name}'")
    if not limits.EXECUTION_INPUT.allows(limits.text_bytes(given.get("input", ""))):
        return _refusal(
            limits.EXECUTION_INPUT.refusal,
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member"
            f" must have size less than or equal to {limits.EXECUTION_INPUT.most} bytes in UTF-8"
            " encoding",
        )
    return given


def _refusal(code: str, message: str) -> Answer:
    body = json.dumps({"__type": code, "message": message})
    return Answer(HTTPStatus.BAD_REQUEST, body.encode())
