"""Lambda's UpdateFunctionConfiguration for the functions that run here, and what it checks.

moto answers the request, but doesn't run the functions.
https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pipectl.embedded import limits
from pipectl.embedded.function_limits import problems_of
from pipectl.embedded.lambda_service import INVOKE_PATH, ServiceError, respond

if TYPE_CHECKING:
    from pipectl.embedded.lambda_service import LambdaService
    from pipectl.embedded.workers import Function

_PATH = re.compile(re.escape(INVOKE_PATH) + r"([^/]+)/configuration/?")


class FunctionSettings:
    """A WSGI application in front of moto that changes the settings of functions."""

    def __init__(self, moto: Callable[..., Iterable[bytes]], service: LambdaService) -> None:
        self._moto = moto
        self._service = service

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        path = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if path is not None and environ["REQUEST_METHOD"] == "PUT":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            try:
                self._service.change(unquote(path[1]), lambda function: changed(function, body))
            except ServiceError as error:
                return respond(error.answer(), start_response)
        return self._moto(environ, start_response)


def changed(function: Function, body: bytes) -> Function:
    """The function with the settings of a request; raises `ServiceError` if Lambda refuses them."""
    try:
        document = json.loads(body)
        new = dataclasses.replace(function, **dict(_changes(document)))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _refusal("Could not parse request body into json") from None
    problem = next(problems_of(new), None)
    if problem is not None:
        raise _refusal(problem)
    return new


def _changes(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if document.get("MemorySize") is not None:
        yield "memory", int(document["MemorySize"])
    if document.get("Timeout") is not None:
        yield "timeout", float(document["Timeout"])
    if document.get("EphemeralStorage") is not None:
        yield "storage", int(document["EphemeralStorage"]["Size"])
    if document.get("Environment") is not None:
        yield "environment", dict(document["Environment"].get("Variables") or {})


def _refusal(message: str) -> ServiceError:
    return ServiceError(HTTPStatus.BAD_REQUEST, limits.MEMORY.refusal, message)
