"""Suggests an encoding for a text that is not valid in the expected one. It is only a suggestion.

Only encodings in which the whole sample is valid are suggested. Windows' own code pages come before
the standards that they extend (cp932 before Shift JIS), and gb18030, in which nearly anything is
valid, comes last.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tabular.encoding import Encoding

_SAMPLE_BYTES = 256 * 1024
_SUPERSETS = {
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
    "gb2312": "gbk",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "iso8859-2": "cp1250",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}
"""The code page that Windows calls by the name on the left, or that extends it."""

_COMMON_LEADS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "cp932": ((0x81, 0x84, 0x40), (0x88, 0x98, 0x40)),
    "cp949": ((0xA1, 0xA3, 0xA1), (0xB0, 0xC8, 0xA1)),
    "gbk": ((0xA1, 0xA3, 0xA1), (0xB0, 0xD7, 0xA1)),
    "euc_jp": ((0xA1, 0xA1, 0xA1), (0xA4, 0xA5, 0xA1), (0xB0, 0xCF, 0xA1)),
    "cp950": ((0xA1, 0xC6, 0x40),),
}
"""East Asian encodings and the ranges of their ordinary characters: first and last lead byte, and
the lowest second byte. Text that is read in a wrong encoding is scattered over its whole table. Of
encodings that fit equally well the first is taken, because it has fewer ordinary characters."""
_EAST_ASIAN_SHARE = 0.7
_SINGLE_BYTE = (
    *("cp1252", "cp1250", "cp1255", "cp1253", "cp1251", "cp1256", "cp874"),
    *("cp850", "koi8-r", "cp866", "mac-roman"),
)
_SCRIPTS = ((0x250, "latin"), (0x400, "greek"), (0x590, "cyrillic"), (0x600, "hebrew"))
_APOSTROPHE = "\u2019"
_PUNCTUATION = "\xa0\u2018\u201c\u201d\u2013\u2014\u2026\u20ac\xa3\xa7\xa9\xab\xae\xb0\xbb\u2122"
"""Characters that ordinary text has besides letters, such as no-break space, quotes, dashes and the
euro sign."""
_LIKELY = 0.45
_USUAL, _BETTER = "cp1252", 0.15
"""The usual encoding, and by how much another one must fit better."""
_SCRIPT_SHARE = 0.1
_JUDGED_CHARACTERS = 16 * 1024
"""Enough to tell encodings from each other; each character of a text is judged in all of them."""
_CERTAIN_SEQUENCES = 8
"""This many characters of two bytes or more are not valid UTF-8 by chance, in encodings that have
such characters themselves."""


def suggest_encoding(sample: bytes, current: str = "utf-8") -> str | None:
    """The most likely encoding of whole lines that are not valid in `current`, or None."""
    lines = _beyond_ascii(sample)
    text = b"".join(lines)
    if not lines or b"\0" in text:
        return None
    if current == "utf-8":
        # If most lines are valid, the others are damaged: the file has no other encoding.
        valid = sum(_decoded(line, "utf-8") is not None for line in lines)
        if valid * 2 >= len(lines):
            return None
    elif _decoded(text, "utf-8") is not None:
        return "utf-8"
    superset = _SUPERSETS.get(current)
    if superset is not None and _decoded(text, superset) is not None:
        return superset
    return _east_asian(text, current) or _single_byte(text, current)


def wide_encoding(content: bytes) -> str | None:
    """The encoding with two or four bytes per character of a file without a mark, or None."""
    for name, unit in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        whole = content[: min(len(content), _SAMPLE_BYTES) // unit * unit]
        text = _decoded(whole, name)
        if text and sum(map(str.isspace, text)) and all(map(_is_text, text)):
            return name
    return None


def _is_text(character: str) -> bool:
    return character.isprintable() or character.isspace() or character == "\x1a"


def is_certainly_utf8(text: bytes, encoding: Encoding) -> bool:
    """Whether whole lines in an encoding of bytes are UTF-8 with characters beyond ASCII.

    In single-byte encodings such sequences do not occur in words: one is enough.
    """
    if text.isascii():
        return False
    decoded = _decoded(text, "utf-8")
    if decoded is None:
        return False
    beyond = sum(not character.isascii() for character in decoded)
    return encoding.byte_structured or beyond >= _CERTAIN_SEQUENCES


def _beyond_ascii(sample: bytes) -> list[bytes]:
    """The lines that are not ASCII, up to a number that is sufficient for a decision."""
    lines, size = [], 0
    for line in sample.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > _SAMPLE_BYTES:
                break
    return lines


def _decoded(text: bytes, encoding: str) -> str | None:
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        return None


def _east_asian(text: bytes, current: str) -> str | None:
    shares = {
        name: _common_share(decoded, name)
        for name in _COMMON_LEADS
        if name != current and (decoded := _decoded(text, name)) is not None
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] >= _EAST_ASIAN_SHARE else None


def _common_share(decoded: str, encoding: str) -> float:
    """The share of letters beyond ASCII that are ordinary ones of an encoding, beside others.

    A single such character between ASCII letters is not counted: Windows' apostrophe and the letter
    after it are valid in cp932, too.
    """
    beyond = common = 0
    padded = f" {decoded} "
    for before, character, after in zip(padded, decoded, padded[2:], strict=False):
        if character.isascii() or not character.isalpha():
            continue
        beyond += 1
        if not _is_letter_beyond_ascii(before) and not _is_letter_beyond_ascii(after):
            continue
        encoded = character.encode(encoding)
        if len(encoded) > 1:
            lead, trail = encoded[0], encoded[1]
            common += any(
                first <= lead <= last and trail >= least
                for first, last, least in _COMMON_LEADS[encoding]
            )
    return common / beyond if beyond else 0.0


def _is_letter_beyond_ascii(character: str) -> bool:
    return character.isalpha() and not character.isascii()


def _single_byte(text: bytes, current: str) -> str | None:
    scores = {
        name: _word_likeness(decoded[:_JUDGED_CHARACTERS])
        for name in _SINGLE_BYTE
        if name != current and (decoded := _decoded(text, name)) is not None
    }
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is not None and scores[best] >= _LIKELY:
        usual = scores.get(_USUAL, 0.0)
        return _USUAL if scores[best] - usual < _BETTER else best
    return "gb18030" if current != "gb18030" and _decoded(text, "gb18030") is not None else None


def _word_likeness(decoded: str) -> float:
    """How much the characters beyond ASCII look like parts of words; each counts from 0 to 1."""
    points = list(_points(f" {decoded} "))
    likeness = sum(points) / len(points) if points else 0.0
    letters = [character for character in decoded if character.isalpha()]
    others = sum(_script(character) != "latin" for character in letters)
    # A text in another script has more than a few of its letters.
    return likeness / 2 if 0 < others < _SCRIPT_SHARE * len(letters) else likeness


def _points(text: str) -> Iterator[float]:
    for before, character, after in zip(text, text[1:], text[2:], strict=False):
        if character.isascii():
            continue
        if "\x7f" < character < "\xa0":
            yield 0.0  # a control character
        elif not character.isalpha():
            # Vowel signs (Thai) are parts of words, symbols are not.
            within = before.isalpha() and after.isalpha()
            if unicodedata.category(character) == "Mn":
                yield 0.9 if _script(before) == "other" else 0.0
            elif character == _APOSTROPHE or character in _PUNCTUATION:
                yield 0.5 if within and character != _APOSTROPHE else 1.0
            else:
                yield 0.0 if within else 0.5
        else:
            yield _letter(before, character, after)


def _letter(before: str, character: str, after: str) -> float:
    script = _script(character)
    beside = [other for other in (before, after) if other.isalpha()]
    if any(_script(other) != script for other in beside):
        return 0.0
    if before.islower() and character.isupper():
        return 0.1
    if script == "latin" and any(not other.isascii() for other in beside):
        return 0.6  # accented letters are mostly single
    return 1.0 if beside else 0.5


def _script(character: str) -> str:
    return next((name for end, name in _SCRIPTS if ord(character) < end), "other")
