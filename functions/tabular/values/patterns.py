r"""The `pattern` constraint: regular expressions on an engine whose time is linear in the text.

A pattern must match the whole value. It is written in the syntax that Python, PCRE and Rust share,
with these additions of XML Schema (part 2, appendix F): the characters of XML names (`\i`, `\c`)
and the subtraction of character classes (`[a-z-[aeiou]]`). `^` and `$` are anchors, although XML
Schema has none, because people write them.

The engine is Polars' own (the `regex` crate of Rust) on every path: for whole columns, for single
cells, for `check` and `infer`. It never backtracks, so no pattern can hang on a text. Features that
such an engine can't have (lookaround, backreferences) are refused by name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from tabular.values.pattern_syntax import translate

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CHARACTERS = 10_000
"""Longer patterns are refused."""
_SURE_POSITIONS = 200
_SURE = re.compile(
    r"""(?:
        \((?:\?:)?(?!\?)
        |(?:[\w ,:;/@%!"'=<>|)]|\\[^\w\s]|\\d|\[(?:\w(?:-\w)?|\\[^\w\s]|\\d)+\])
        (?:[*+?]|\{[0-9,]+\})?\??
    )*""",
    re.ASCII | re.VERBOSE,
)
"""Translated patterns of ASCII characters and digits, classes and groups of these, and repetitions.
So small ones are within the engine's limit of size by far."""
_REMEMBERED_CHARACTERS = 16 * 1024 * 1024
_ENTRY = 100  # bytes of an entry besides its characters


class Pattern:
    """A compiled pattern.

    `expression` is the pattern for Polars' `str.contains`, anchored at both ends. `escape_free`
    says that no matching text contains characters that JSON escapes.
    """

    def __init__(self, expression: str, *, escape_free: bool) -> None:
        self.expression = expression
        self.escape_free = escape_free
        self._known: dict[str, bool] = {}
        self._characters = 0

    def matches(self, text: str) -> bool:
        """Whether the whole text matches. For many texts, call `look_at` first."""
        known = self._known.get(text)
        if known is None:
            self.look_at((text,))
            known = self._known[text]
        return known

    def look_at(self, texts: Iterable[str]) -> None:
        """Match many texts at once, so that `matches` only looks up the results.

        One call of the engine takes 80 µs, whether for one text or for a thousand.
        """
        import polars as pl  # noqa: PLC0415 planning does without it where no pattern is

        if self._characters > _REMEMBERED_CHARACTERS:
            self._known.clear()
            self._characters = 0
        new = [text for text in texts if text not in self._known]
        found = pl.Series(new, dtype=pl.String).str.contains(self.expression)
        self._known.update(zip(new, found.to_list(), strict=True))
        self._characters += sum(map(len, new)) + _ENTRY * len(new)


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Pattern:
    r"""Compile a pattern, whose `matches` is for the whole value.

    Raises ValueError with the reason if it is not a regular expression, is too large, or has a part
    that is not supported: lookaround, backreferences, block names such as `\p{IsGreek}`.
    """
    if len(pattern) > MAX_CHARACTERS:
        raise ValueError(f"it has {len(pattern)} characters; the limit is {MAX_CHARACTERS}")
    translated = translate(pattern)
    compiled = Pattern(rf"\A(?:{translated.text})\z", escape_free=translated.escape_free)
    # The trial imports Polars, which takes longer than reading a file's head.
    if translated.positions > _SURE_POSITIONS or not _SURE.fullmatch(translated.text):
        _try(compiled)
    return compiled


def _try(compiled: Pattern) -> None:
    """Let the engine compile it; raises ValueError if it is larger than the engine allows."""
    from polars.exceptions import ComputeError  # noqa: PLC0415 as above

    try:
        compiled.matches("")
    except ComputeError as error:
        if "size limit" in str(error):
            raise ValueError(
                "it is too large for the engine when its repetitions are written out. Repeat "
                r"characters of ASCII, such as [A-Za-z0-9_] instead of \w, or use maxLength"
            ) from None
        raise ValueError("the engine does not accept it") from None
