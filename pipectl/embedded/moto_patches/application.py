"""moto's WSGI application, which serves all services under one address."""

from __future__ import annotations

from functools import cache

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)

from pipectl.embedded.gateway import Application

RequestHandler = MotoRequestHandler
"""werkzeug's request handler, which also keeps the underscores in the names of S3's metadata."""


def moto_application() -> Application:
    """A new application on the backends of this process."""
    application = DomainDispatcherApplication(create_backend_app)
    # moto searches its own folders for the backend at every request.
    find = application.get_backend_for_host
    application.get_backend_for_host = cache(find)  # type: ignore[method-assign]
    moto: Application = application
    return moto
