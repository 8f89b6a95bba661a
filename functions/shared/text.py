"""Makes untrusted text, such as an object's key, safe to show.

Use `printable` for terminals, e-mails and message attributes, `for_chat` for chats, `shell_word`
for commands to paste, and `exact_json` for programs. Apply them where text is shown, never where it
is stored, so that keys remain exact.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

# Invisible characters that `str.isprintable` accepts: with them two different names look the same.
# They are the characters with Unicode's property Default_Ignorable_Code_Point that are neither
# format characters nor unassigned: the grapheme joiner, Hangul and Khmer fillers, and Mongolian and
# other variation selectors.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)


def printable(text: object) -> str:
    r"""The text as one line of visible characters.

    Control characters (including line breaks, terminal escapes and C1), bidirectional overrides and
    isolates, zero-width characters, separators, surrogates and all other unprintable characters are
    replaced by their Python escapes: a line break becomes `\n`, U+202E becomes `\u202e`. Spaces and
    letters of any script stay unchanged.
    """
    text = str(text)
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(map(_visible, text))


def for_chat(text: object) -> str:
    """The text as inline code in a chat message, without mentions, links or formatting.

    Slack interprets `<!channel>` and `<url|text>` even inside code unless &, < and > are escaped.
    Chats ignore everything else inside code (`@here`, bare URLs, Markdown), and only a backtick
    ends it.
    """
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "`" + (escaped.replace("`", "'") or " ") + "`"


def shell_word(text: str) -> str:
    r"""The text as one word of a shell command, in visible characters only.

    Text with invisible characters becomes `$'...'`, which bash and zsh read back byte by byte.

    Example: `a b` becomes `'a b'`, and a line break becomes `$'\x0a'`.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return shlex.quote(text)
    return "$'" + "".join(map(_in_shell, text)) + "'"


def _in_shell(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if is_printable(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def exact_json(document: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    r"""The document as JSON text in which every character is visible.

    The characters that `printable` replaces are written as JSON escapes (`\u202e`), so a reader
    gets them back unchanged. `ascii_only` escapes all non-ASCII characters.
    """
    return visible_json(json.dumps(document, indent=indent, ensure_ascii=ascii_only))


def visible_json(text: str) -> str:
    """The JSON text with all invisible characters escaped, except tabs and line breaks.

    Its meaning stays the same, because outside of strings JSON has only printable characters, tabs
    and line breaks.
    """
    return "\n".join(map(_visible_in_json, re.split(r"\r\n|\r|\n", text)))


def is_printable(character: str) -> bool:
    """Whether a character is visible and has no other effect."""
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
    """The escape of RFC 8259: one for each UTF-16 unit, so two for a character beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
