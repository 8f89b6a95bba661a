"""The `pattern` constraint: XML Schema's regular expressions on Python's engine."""

from __future__ import annotations

import re


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; the caller matches it against the whole value.

    Raises ValueError with the reason if it is no regular expression.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(str(error)) from error
