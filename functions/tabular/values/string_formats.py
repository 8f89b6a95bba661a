"""The formats of string fields (Table Schema v2): email, uri, binary and uuid."""

from __future__ import annotations

import binascii
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LOCAL = 64
_MAX_DOMAIN = 253
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL = rf"{_ATOM}(?:\.{_ATOM})*"
_LETTER = r"A-Za-z0-9\u00a1-\U0010ffff"
_LABEL = rf"[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?"
_TOP_LEVEL = rf"[{_LETTER}][{_LETTER}-]{{0,61}}[A-Za-z\u00a1-\U0010ffff]"
_DOMAIN = rf"(?:{_LABEL}\.)+{_TOP_LEVEL}"
_ENCODED = "%[0-9A-Fa-f]{2}"
_NAME = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|{_ENCODED})*"
_USER = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|{_ENCODED})*@"
_PATH = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|{_ENCODED})*"
_TAIL = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|{_ENCODED})*"
_AUTHORITY = rf"(?:{_USER})?(?:\[[0-9A-Fa-f:.]+\]|{_NAME})(?::[0-9]*)?"
_URI = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*:(?://{_AUTHORITY}(?:/{_PATH})?|(?!//){_PATH})(?:\?{_TAIL})?(?:\#{_TAIL})?"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_email(text: str) -> bool:
    """Whether a text is an address: dot-atom @ domain name of two labels or more.

    RFC 5321 in the form that addresses have in practice: no quoted local part, no comments, no
    address literal. Letters beyond ASCII are allowed (RFC 6531).
    """
    local, _, domain = text.rpartition("@")
    if len(local) > _MAX_LOCAL or len(domain) > _MAX_DOMAIN or not text.isprintable():
        return False
    is_local, is_domain = _address_patterns()
    return bool(is_local.fullmatch(local) and is_domain.fullmatch(domain))


@cache
def _address_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Compiled on first use, because it takes 13 ms, a large part of this module's import time."""
    return re.compile(_LOCAL), re.compile(_DOMAIN)


def is_uri(text: str) -> bool:
    """Whether a text is a URI with a scheme (RFC 3986), in ASCII and without spaces."""
    return bool(_URI.fullmatch(text))


def is_base64(text: str) -> bool:
    """Whether a text is base64 with its padding (RFC 4648 section 4)."""
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its usual form, 8-4-4-4-12 hexadecimal digits (RFC 9562)."""
    return bool(_UUID.fullmatch(text))


STRING_FORMATS: dict[str, Callable[[str], bool]] = {
    "email": is_email,
    "uri": is_uri,
    "binary": is_base64,
    "uuid": is_uuid,
}
