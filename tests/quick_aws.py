"""Makes boto3 and moto cheaper in the tests' process; requests and answers stay the same.

Hundreds of tests make a session, a few clients and an AWS in this process. Each session of boto3
looks for its services on the disk and reads their models, and each request composes the same text
about botocore. moto compares a request's address with those of all of AWS's services, loads its
module of S3's addresses anew, and prepares the same answers for a library that no test calls AWS
with. All that is half of such a test's time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import botocore.hooks
import botocore.loaders
import botocore.useragent

_files = botocore.loaders.JSONFileLoader()
_read_file = _files.load_file
_request = threading.local()


def quicken_boto3() -> None:
    """Let all sessions share what they read and compose."""
    loaders: Any = botocore.loaders
    find_services = loaders.Loader.list_available_services

    @cache
    def services(type_name: str, paths: tuple[str, ...]) -> Any:
        found = loaders.Loader(extra_search_paths=list(paths), include_default_search_paths=False)
        return find_services(found, type_name=type_name)

    def list_available_services(loader: Any, type_name: str) -> Any:
        return services(type_name, tuple(loader.search_paths))

    loaders.JSONFileLoader.load_file = staticmethod(cache(_read_file))
    loaders.Loader.list_available_services = list_available_services
    about: Any = botocore.useragent
    about.sanitize_user_agent_string_component = cache(about.sanitize_user_agent_string_component)
    _quicken_events()


def _quicken_events() -> None:
    """Look once at what each handler accepts, and at each event's name.

    A session registers a hundred handlers, and a client has a copy of its session's.
    """
    hooks: Any = botocore.hooks
    look = hooks.accepts_kwargs
    look_once = cache(look)

    def accepts_kwargs(handler: Any) -> Any:
        function = getattr(handler, "__func__", handler)
        return look_once(function) if isinstance(function, FunctionType) else look(handler)

    hooks.accepts_kwargs = accepts_kwargs
    aliaser = hooks.EventAliaser
    make = aliaser.__init__
    names: dict[str, str] = {}

    def __init__(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:  # noqa: N807
        make(self, event_emitter, event_aliases)
        if event_aliases is None or event_aliases == hooks.EVENT_ALIASES:
            self._alias_name_cache = names

    aliaser.__init__ = __init__


@cache
def quicken_moto() -> None:
    """Let moto find a request's service and handler once for each address."""
    from moto.core import base_backend, botocore_stubber, models, responses, utils  # noqa: PLC0415
    from moto.s3.models import S3Backend  # noqa: PLC0415

    _keep_s3s_model(utils)
    backend: Any = base_backend.BaseBackend
    find_urls = backend.urls.fget
    known_urls: dict[type[Any], Any] = {}

    def urls(service: Any) -> Any:
        if type(service) not in known_urls:
            known_urls[type(service)] = find_urls(service)
        return known_urls[type(service)]

    backend.urls = property(urls)
    s3: Any = S3Backend
    s3._url_module = backend._url_module

    stubber: Any = botocore_stubber.BotocoreStubber
    process = stubber.process_request

    def process_request(self: Any, request: Any) -> Any:
        _request.origin = urlsplit(request.url)[:2]
        return process(self, request)

    stubber.process_request = process_request
    stubs: Any = botocore_stubber
    stubs.backend_index = SimpleNamespace(backend_url_patterns=_Patterns())

    methods: Any = responses
    methods.method_names_from_class = cache(methods.method_names_from_class)
    # The methods of requests to AWS that are made with the library `requests`.
    models.RESPONSES_METHODS.clear()


def _keep_s3s_model(utils: Any) -> None:
    """Let moto read S3's model apart from boto3, whose clients change the paths in it."""
    load = utils._load_service_model

    def load_service_model(service: str, kind: str) -> Any:
        if (service, kind) != ("s3", "service-2"):
            return load(service, kind)
        files: Any = SimpleNamespace(load_file=_read_file, exists=_files.exists)
        return botocore.loaders.Loader(file_loader=files).load_service_model(service, kind)

    utils._load_service_model = load_service_model
    utils.get_service_model.cache_clear()


@cache
def _patterns_of(scheme: str, host: str) -> list[Any]:
    """The services whose addresses begin like this, in moto's order."""
    from moto import backend_index  # noqa: PLC0415

    origin = f"{scheme}://{host}/"
    return [one for one in backend_index.backend_url_patterns if one[1].match(origin)]


class _Patterns:
    """What moto looks for a request's service in: those of its address."""

    def __iter__(self) -> Iterator[Any]:
        return iter(_patterns_of(*_request.origin))
