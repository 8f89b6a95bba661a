"""moto's WSGI application, which serves all services under one address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, cached_property, lru_cache
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from moto.core.request import EnvironHeaders, Request, environ_key_for_header
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.utils import get_current_url
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
    """moto's request, which works out its URL and the names of its headers once.

    moto asks for both several times while it answers.
    """

    from_wsgi_server = True

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self.headers = _HeadersReadOnce(environ)

    @cached_property
    def root_url(self) -> str:
        return _root_url(self.scheme, self.host)

    @cached_property
    def raw_path(self) -> str:
        return Request.raw_path.fget(self)  # type: ignore[attr-defined,no-any-return]

    @cached_property
    def raw_url(self) -> str:
        return Request.raw_url.fget(self)  # type: ignore[attr-defined,no-any-return]


# A stranger may name as many hosts as requests.
@lru_cache(maxsize=500)
def _root_url(scheme: str, host: str) -> str:
    return get_current_url(scheme, host, "/")


class _HeadersReadOnce(EnvironHeaders):
    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    @cached_property
    def _items(self) -> list[tuple[str, str]]:
        return list(super().__iter__())

    def _get_key(self, key: str) -> str:
        value: str = self.environ[_environ_key(key)]
        return value


# moto asks for some fifty headers, but a stranger may name others.
_environ_key = lru_cache(maxsize=500)(environ_key_for_header)


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
