r"""The `pattern` constraint: XML Schema's regular expressions on Python's engine.

A pattern is a Python regular expression that the whole value must match, with what XML Schema
(part 2, appendix F) has beyond it: categories (`\p{Lu}`), the characters of XML names (`\i`,
`\c`) and the subtraction of character classes (`[a-z-[aeiou]]`). `^` and `$` are anchors as in
Python, although XML Schema has none: people write them.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from itertools import groupby

_NAME_START = (
    r":A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f"
    r"\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
"""The characters that may begin a name in XML 1.0 (fifth edition, production 4)."""
_NAME = rf"{_NAME_START}\-.0-9\xb7\u0300-\u036f\u203f-\u2040"
_NAMES = {"i": _NAME_START, "c": _NAME}
_CATEGORY = re.compile(r"\{(\w+)\}")


def compile_pattern(pattern: str) -> re.Pattern[str]:
    r"""Compile a pattern; the caller matches it against the whole value (`fullmatch`).

    Raises ValueError with the reason if it is no regular expression, or has a part of XML Schema's
    that is not supported (block names such as `\p{IsGreek}`).
    """
    try:
        return re.compile(_Translation(pattern).run())
    except re.error as error:
        raise ValueError(str(error)) from error


class _Translation:
    """One pass over a pattern; `at` is the position of the next character."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def run(self) -> str:
        parts = []
        while self.at < len(self.pattern):
            character = self._next()
            if character == "[":
                parts.append(self._character_class())
            elif character == "\\":
                parts.append(self._escape(inside_class=False))
            else:
                parts.append(character)
        return "".join(parts)

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise ValueError("it ends within a character class or an escape")
        self.at += 1
        return self.pattern[self.at - 1]

    def _looking_at(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def _character_class(self) -> str:
        """Translate a class whose bracket has been read; a subtraction becomes a lookahead."""
        parts = [self._next()] if self._looking_at("^") else []
        if self._looking_at("]"):
            parts.append("\\" + self._next())
        while not self._looking_at("]"):
            if self._looking_at("-[") and parts:
                self.at += 2
                subtracted = self._character_class()
                if not self._looking_at("]"):
                    raise ValueError("a class that is subtracted must be the last part of a class")
                self.at += 1
                return f"(?:(?!{subtracted})[{''.join(parts)}])"
            parts.append(self._class_part())
        self.at += 1
        return f"[{''.join(parts)}]"

    def _class_part(self) -> str:
        character = self._next()
        if character == "\\":
            return self._escape(inside_class=True)
        # Python would take these for set operations of its future.
        return f"\\{character}" if character in "[&~|" else character

    def _escape(self, *, inside_class: bool) -> str:
        letter = self._next()
        characters = _NAMES.get(letter.lower())
        if letter in "pP":
            match = _CATEGORY.match(self.pattern, self.at)
            if match is None:
                raise ValueError(f"\\{letter} must be followed by a category, such as \\p{{L}}")
            self.at = match.end()
            characters = _category(match[1])
        if characters is None:
            return f"\\{letter}"
        negated = letter.isupper()
        if not inside_class:
            return f"[{'^' * negated}{characters}]"
        if negated:
            raise ValueError(f"\\{letter} within a character class is not supported")
        return characters


@lru_cache
def _category(name: str) -> str:
    """Give the characters of a Unicode category as the inside of a character class."""
    if name.startswith("Is"):
        raise ValueError(f"block names such as \\p{{{name}}} are not supported")
    held = (code for code in range(sys.maxunicode + 1) if _is_in(code, name))
    runs = []
    for _, run in groupby(enumerate(held), key=lambda pair: pair[1] - pair[0]):
        codes = [code for _, code in run]
        runs.append(f"\\U{codes[0]:08x}-\\U{codes[-1]:08x}")
    if not runs:
        raise ValueError(f"there is no category \\p{{{name}}}")
    return "".join(runs)


def _is_in(code: int, category: str) -> bool:
    return unicodedata.category(chr(code)).startswith(category)
