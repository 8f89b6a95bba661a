"""Text that strangers wrote, such as an object's key, made safe for the place where it is shown.

`printable` is for terminals, e-mails and message attributes, `for_chat` for chats, `exact_json`
for programs. Each is applied where text is shown, never where it is kept: keys stay what they are.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Characters that `str.isprintable` accepts, and that take no space: with them two names look the
# same. They are the Default_Ignorable_Code_Point of Unicode that are neither format characters nor
# unassigned: grapheme joiner, Hangul and Khmer fillers, Mongolian and other variation selectors.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)


def printable(text: object) -> str:
    r"""The text as one line in which every character can be seen.

    Control characters (line breaks and terminal escapes, C1 too), bidirectional overrides and
    isolates, characters without width, separators, surrogates and whatever else isn't printable
    become their Python escapes: a line break is `\n`, U+202E is `\u202e`. Everything else, spaces
    and letters of any script, stays as it is.
    """
    text = str(text)
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(map(_visible, text))


def for_chat(text: object) -> str:
    """The text as code in a chat's message: no mentions, no links, no formatting.

    Slack reads `<!channel>` and `<url|text>` even inside code unless &, < and > are escaped. All
    else that chats act on (`@here`, bare addresses, Markdown) is left alone inside code, which only
    a backtick ends.
    """
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "`" + (escaped.replace("`", "'") or " ") + "`"


def exact_json(document: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    r"""A JSON text of exactly this document, in which every character can be seen.

    What `printable` escapes is written as JSON escapes it (`\u202e`), so that it is read back as it
    was. `ascii_only` escapes all that is not ASCII.
    """
    return visible_json(json.dumps(document, indent=indent, ensure_ascii=ascii_only))


def visible_json(text: str) -> str:
    """The JSON text with every character that can't be seen escaped; tabs and line breaks stay.

    It means the same: outside of strings JSON has only printable characters, tabs and line breaks.
    """
    return "\n".join(map(_visible_in_json, re.split(r"\r\n|\r|\n", text)))


def is_printable(character: str) -> bool:
    """Whether a character can be seen, and does nothing but being seen."""
    return character.isprintable() and not _INVISIBLE.match(character)


def _visible(character: str) -> str:
    if is_printable(character):
        return character
    code = ord(character)
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if short is not None:
        return short
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _visible_in_json(line: str) -> str:
    if line.isprintable() and not _INVISIBLE.search(line):
        return line
    return "".join(c if c == "\t" or is_printable(c) else _json_escape(c) for c in line)


def _json_escape(character: str) -> str:
    """The escape of RFC 8259: of UTF-16 units, so two of them for what is beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
