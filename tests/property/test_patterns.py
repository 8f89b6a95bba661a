"""Patterns match the same texts as in Python's engine if both have the same syntax."""

from __future__ import annotations

import re
import warnings

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tabular.values.patterns import Pattern, compile_pattern
from tests.effort import examples

ATOMS = [
    "a",
    "b",
    r"\d",
    r"\w",
    ".",
    "[a-c]",
    "[^a]",
    "[a-]",
    "[]a]",
    r"\.",
    "-",
    r"[\d.]",
    "(a|b)",
]
ATOMS += ["(?:ab)", "[+--]", "{", "}", "]", "[&&a]", "[a~~b]", "[a||b]", "a{2}", "b{1,2}", "a{,2}"]
ATOMS += [
    "(a*)*",
    "^",
    "$",
    r"\b",
    "\\\\",
    '"',
    "é",
    r"\x41",
    r"\u00e9",
    r"[\b]",
    r"\<",
    r"\#",
    "#",
]
ATOMS += [" ", r"\ ", "~", r"[a\]b]", r"[\[]", "|", "[!-~]", "[\x01-a]"]
TEXTS = ["", "a", "b", "ab", "aa", "ba", "aab", "1", "a1", "-", ".", "A", "é", "{", "}", "]", "&"]
TEXTS += ["~", "|", "\\", '"', "#", " ", "<", "a b", "\n", "a\n", "+", ",", "bb", "abab", "\x1f"]
ESCAPED = re.compile(r'["\\\x00-\x1f]')

patterns = st.lists(
    st.tuples(st.sampled_from(ATOMS), st.sampled_from(["", "", "", "*", "+", "?", "*?", "{2}"])),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(map("".join, parts)))


@examples(96)
@given(patterns)
def test_a_pattern_matches_what_python_matches(pattern: str) -> None:
    expected, compiled = python_pattern(pattern), our_pattern(pattern)
    assert (expected is None) == (compiled is None)
    if expected is None or compiled is None:
        return
    matching = [text for text in TEXTS if expected.fullmatch(text)]
    assert [text for text in TEXTS if compiled.matches(text)] == matching
    found = pl.Series(TEXTS).filter(pl.Series(TEXTS).str.contains(compiled.expression))
    assert found.to_list() == matching
    assert not (compiled.escape_free and any(map(ESCAPED.search, matching)))


def python_pattern(pattern: str) -> re.Pattern[str] | None:
    if re.search(r"(?:[*+?]|\{[0-9]*,?[0-9]+\})\+", pattern):
        return None  # Python has possessive repetitions, a linear-time engine has not
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's plans for set operations
        try:
            # Python's $ matches before a line feed at the end, too.
            return re.compile(pattern.replace("$", r"\Z"))
        except re.error:
            return None


def our_pattern(pattern: str) -> Pattern | None:
    try:
        return compile_pattern(pattern)
    except ValueError:
        return None
