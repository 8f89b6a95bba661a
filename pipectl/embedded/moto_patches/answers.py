"""Patches that make moto's answers cheaper; their content is the same.

moto looks for each member of an answer under up to eight names, which it computes every time.
For each attribute of an item, that takes several times as long as everything else.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from botocore import useragent
from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.serialize import (
    AttributePicker,
    AttributePickerContext,
    ResponseSerializer,
    TimestampSerializer,
    XFormedAttributePicker,
)
from moto.core.utils import unix_time
from moto.moto_api._internal.moto_random import MotoRandom
from moto.s3.models import FakeTableStorageBucket, S3Backend
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore
from moto.sqs import models as sqs_models
from moto.sqs.models import SQSBackend

from pipectl.embedded.moto_patches.table import PatchSettings, replaces


def _for_bytes(characters: str) -> bytes:
    """A character for each of the 256 bytes, all about as often."""
    return bytes(ord(characters[byte % len(characters)]) for byte in range(256))


_LETTERS = _for_bytes(string.ascii_letters)
_WITH_DIGITS = _for_bytes(string.ascii_letters + string.digits)

# How many answers of a function are kept where requests, and so strangers, choose its arguments.
_KEPT = 1000

# Others may choose the names by the value itself.
_PICKERS = (AttributePicker, XFormedAttributePicker)


@replaces(ResponseSerializer, "get_value", "956d0b158a71")
def _names_computed_once(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Keep the names of a member with its shape, for members of plain dictionaries.

    Of a dictionary, the names depend only on the member's shape and on the class of the picker.
    """

    def get_value(serializer: Any, value: Any, key: str, shape: Any) -> Any:
        picker = serializer._value_picker
        if type(value) is not dict or type(picker) not in _PICKERS:
            return original(serializer, value, key, shape)
        if picker.response_transformers:
            return original(serializer, value, key, shape)
        known = shape.__dict__.setdefault("kept_names", {})
        kind = (type(picker), tuple(picker.alias_providers), key, id(getattr(shape, "parent", 0)))
        names = known.get(kind)
        if names is None:
            context = AttributePickerContext({}, key, shape)
            names = known[kind] = tuple(dict.fromkeys(picker.get_possible_keys(context)))
        if any("." in name for name in names):  # a path into the value
            return original(serializer, value, key, shape)
        for name in names:
            if name in value:
                return value[name]
        return None

    return get_value


@replaces(BackendDict, "_create_account_specific_backend", "809f939a071e")
def _backends_found_quickly(original: Callable[..., None], _settings: PatchSettings) -> Any:
    """Look for an account's backend before the lock is taken, 10 times in each request."""

    def create(backends: Any, account_id: str) -> None:
        if not dict.__contains__(backends, account_id):
            original(backends, account_id)

    return create


_SANITIZE = "sanitize_user_agent_string_component"


@replaces(useragent, _SANITIZE, f"botocore.useragent.{_SANITIZE}")
def _user_agents_composed_quickly(original: Callable[..., str], _settings: PatchSettings) -> Any:
    """Clean each part of botocore's description of itself once; each request has them all."""
    return lru_cache(_KEPT)(original)


@replaces(responses, "method_names_from_class", "7632eba0f5cb")
def _operations_listed_once(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    return cache(original)


def _converted_once(original: Callable[..., str], _settings: PatchSettings) -> Any:
    """Keep a name's other spelling; those of a queue's attributes are needed for each message."""
    return lru_cache(_KEPT)(original)


for _module in (responses, sqs_models):
    replaces(_module, "camelcase_to_underscores", "8cb1b23cbb35")(_converted_once)


@replaces(S3Response, "subdomain_based_buckets", "3fd3c7404133")
def _hosts_read_once(original: Callable[[Any], bool], _settings: PatchSettings) -> Any:
    """Look once whether a host's name contains a bucket, and not six times in each request."""
    known: dict[str, bool] = {}

    def subdomain_based_buckets(request: Any) -> bool:
        host = request.headers.get("host", "")
        if host not in known:
            if len(known) == _KEPT:
                known.clear()
            known[host] = original(request)
        return known[host]

    return staticmethod(subdomain_based_buckets)


@replaces(SQSBackend, "is_message_valid_based_on_retention_period", "719ea74eda00")
def _retention_read_alone(_original: Callable[..., bool], _settings: PatchSettings) -> Any:
    """Read one attribute of a queue for each message that is received, and not all attributes.

    Three of the others count all messages of the queue.
    """

    def is_valid(backend: Any, queue_name: str, message: Any) -> bool:
        kept_seconds = backend.get_queue(queue_name).message_retention_period
        return bool(message.sent_timestamp / 1000 + kept_seconds > unix_time())

    return is_valid


@replaces(TimestampSerializer, "_convert_timestamp_to_str", "47ac5d36a01b")
def _times_read_quickly(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Read ISO times with Python's own parser, which is fifty times as fast as dateutil's."""

    def convert(serializer: Any, value: Any, timestamp_format: str) -> Any:
        if isinstance(value, str):
            try:
                read = datetime.fromisoformat(value)
            except ValueError:
                read = None
            if read is not None and read.tzinfo is not None:
                value = read
        return original(serializer, value, timestamp_format)

    return convert


@replaces(MotoRandom, "get_random_string", "8a41446162d6")
def _random_texts_made_quickly(_original: Callable[..., str], _settings: PatchSettings) -> Any:
    """Draw all characters of a random text at once; each answer has one of 52."""

    def draw(
        random: Any, length: int = 20, include_digits: bool = True, lower_case: bool = False
    ) -> str:
        characters = _WITH_DIGITS if include_digits else _LETTERS
        drawn = str(random.randbytes(length).translate(characters).decode())
        return drawn.lower() if lower_case else drawn

    return draw


@replaces(S3Backend, "list_objects", "0a414b50b54c")
def _only_keys_with_the_prefix(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Let moto look only at the objects with the prefix that is listed.

    It copies and reads all objects of the bucket, with a cost per listing that grows with every
    file that was ever processed.
    """

    def list_objects(backend: Any, bucket: Any, prefix: str | None, *args: Any, **more: Any) -> Any:
        narrow = prefix and not isinstance(bucket, FakeTableStorageBucket)
        seen = _With(bucket, keys=_objects_under(bucket.keys, str(prefix))) if narrow else bucket
        return original(backend, seen, prefix, *args, **more)

    return list_objects


@replaces(S3Backend, "list_object_versions", "2ca7e04126a0")
def _only_versions_with_the_prefix(original: Callable[..., Any], _settings: PatchSettings) -> Any:
    """Let moto look only at the versions with the prefix that is listed; it copies them all."""

    def list_versions(backend: Any, bucket_name: str, *args: Any, **more: Any) -> Any:
        prefix = more.get("prefix")
        # From a key on, moto skips the first version that it sees, whatever its prefix.
        if not prefix or more.get("key_marker"):
            return original(backend, bucket_name, *args, **more)
        bucket = backend.get_bucket(bucket_name)
        seen = _With(bucket, keys=_objects_under(bucket.keys, str(prefix)))
        narrow = _With(backend, get_bucket=lambda _name: seen)
        return original(narrow, bucket_name, *args, **more)

    return list_versions


class _With:
    """An object of moto's with some attributes replaced."""

    def __init__(self, original: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced)
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _objects_under(objects: Any, prefix: str) -> Any:
    """The objects of a bucket whose keys start with the prefix."""
    found = _VersionedKeyStore()
    for name in list(objects):  # a copy, because others write at the same time
        if name.startswith(prefix):
            versions = objects.getlist(name)
            if versions:
                found.setlist(name, versions)
    return found
