"""moto's WSGI application, which serves all services under one address."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from moto.core.request import Request
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from pipectl.embedded.gateway import Application

RequestHandler = MotoRequestHandler
"""werkzeug's request handler, which also keeps the underscores in the names of S3's metadata."""


def moto_application() -> Application:
    """A new application on the backends of this process."""
    dispatcher = DomainDispatcherApplication(create_backend_app)
    # moto searches its own folders for the backend at every request.
    find = dispatcher.get_backend_for_host
    dispatcher.get_backend_for_host = cache(find)  # type: ignore[method-assign]
    return _Services(dispatcher)


class _Services:
    """Answers with the functions that moto has registered with Flask, and without Flask.

    Flask's own work for a request, of which moto uses only the routes, takes as long as most
    answers.
    """

    def __init__(self, dispatcher: DomainDispatcherApplication) -> None:
        self._dispatcher = dispatcher

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        flask = self._dispatcher.get_application(environ)
        request = _ServedRequest(environ)
        try:
            endpoint, _ = flask.url_map.bind_to_environ(environ).match()
            # moto's functions are wrapped for Flask.
            view: Any = flask.view_functions[endpoint]
            headers = dict(request.headers.items())
            response = _response(request, view.callback(request, request.raw_url, headers))
        except ClientError as error:
            response = Response(error.response["Error"]["Message"], HTTPStatus.BAD_REQUEST)
        except HTTPException as error:
            response = error.get_response(environ)
        return response(environ, start_response)


class _ServedRequest(Request):
    from_wsgi_server = True


class _HtmlResponse(Response):
    # Flask's, for the answers that have no media type of their own.
    default_mimetype = "text/html"


def _response(request: Request, answered: Any) -> Response:
    """The response for what one of moto's functions returns, as its wrapper for Flask makes it."""
    status, headers, content = answered if len(answered) == 3 else (200, {}, answered)
    response = _HtmlResponse(content, status, headers)
    if request.method == "HEAD" and "content-length" in headers:
        response.headers["Content-Length"] = headers["content-length"]
    return response
