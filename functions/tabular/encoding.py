"""From the file's bytes to UTF-8, physical line by physical line.

A file's structure is searched in bytes in which line ends, delimiters and quotes are single bytes:
the file's own bytes for UTF-8 and single-byte encodings, a translation to UTF-8 for the others.
Bytes that cannot be decoded damage their own line, never its neighbours.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from tabular.errors import UnsupportedEncoding

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its first two bytes are UTF-16's BOM
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_ALIASES = {"utf-8-sig": "utf-8", "ascii": "utf-8"}
_BYTE_ORDER_UNKNOWN = {"utf-16", "utf-32"}
# A state that escape sequences set could reach over the line's end.
_STATEFUL = re.compile(r"utf-7|hz|iso2022.*|iso-2022.*", re.IGNORECASE)
_LOST = "\ufffd".encode()
_TWO_BYTES = frozenset(
    (
        *("shift_jis", "cp932", "shift_jis_2004", "shift_jisx0213"),
        *("euc_kr", "cp949", "johab", "big5", "cp950", "big5hkscs", "gbk", "gb2312"),
    )
)
"""Encodings with characters of at most two bytes. Python replaces damage in them byte by byte, so
it is the same in a whole text as in each of its lines."""
_HALF_OF_THREE = ((rb"\x8f[^\r\n]", "\ufffd."),)
_HALVES = {
    "gb18030": (
        (rb"[\x80-\xff][0-9][^\r\n]", "\ufffd[0-9]."),
        (rb"[\x80-\xff][0-9]", "\ufffd[0-9]"),
    ),
    **dict.fromkeys(("euc_jp", "euc_jis_2004", "euc_jisx0213"), _HALF_OF_THREE),
}
"""Encodings with longer characters: what may be the first bytes of one at a line's end. Python
replaces them by one U+FFFD if the text ends there. If it does not, the result is as in the second
pattern."""
_MARKS = tuple(bytes((number,)) for number in range(1, 8))
"""Control characters, which are no part of a longer character."""
_ASCII = bytes(range(128))
_LINE_ENDS = (b"\n", b"\r")
_AFTER_TEXT = b"\n\n\n"
_STRUCTURE = '\r\n,;\t|"'


class Decoded(NamedTuple):
    """Whole physical lines in UTF-8; what could not be decoded is U+FFFD, and lines stay lines.

    `bad_lines` are the indexes of those with bytes that cannot be decoded. With `marked`, they are
    not listed: they are the lines with U+FFFD in it. With `intact`, they are not listed either: it
    is the same text with less or something else in each of these lines, and only in these.
    """

    text: bytes
    bad_lines: tuple[int, ...] = ()
    marked: bool = False
    intact: bytes | None = None


class _Marked(NamedTuple):
    """Bytes with marks at some line ends, and the patterns of what is before each in the text."""

    data: bytes
    halves: dict[str, str]


@dataclass(frozen=True)
class Encoding:
    """A text encoding by its Python name, and how its lines are cut and decoded."""

    name: str
    unit: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", _WIDE.get(self.name, 1))

    @cached_property
    def byte_structured(self) -> bool:
        """Whether line ends, delimiters and quotes can be searched in the file's own bytes.

        True for UTF-8 and for single-byte encodings; these files can be cut into splits. In
        multi-byte encodings a byte that looks like a delimiter may be half of a letter.
        """
        return self.name == "utf-8" or (self.unit == 1 and _is_single_byte(self.name))

    @property
    def structure_name(self) -> str:
        """The encoding of the bytes in which the structure is searched."""
        return self.name if self.byte_structured else "utf-8"

    def structure(self, original: bytes) -> bytes:
        """The bytes in which the structure of these whole lines is searched; never raises."""
        return original if self.byte_structured else self.decoded(original).text

    def to_utf8(self, original: bytes) -> tuple[bytes, tuple[int, ...]]:
        """Decode whole physical lines; give them in UTF-8, and the indexes of undecodable ones.

        What cannot be decoded becomes U+FFFD, and lines stay lines.
        """
        text, bad_lines, marked, intact = self.decoded(original)
        lines = text.splitlines(keepends=True)
        if marked:
            bad_lines = tuple(number for number, line in enumerate(lines) if _LOST in line)
        elif intact is not None:
            both = enumerate(zip(lines, intact.splitlines(keepends=True), strict=True))
            bad_lines = tuple(number for number, (line, other) in both if line != other)
        return text, bad_lines

    def decoded(self, original: bytes) -> Decoded:
        """Decode whole physical lines."""
        if self._keeps_ascii and original.isascii():
            return Decoded(original)
        try:
            text = original.decode(self.name)
        except UnicodeDecodeError:
            return self._repaired(original)
        # Lone surrogates are refused by Python's decoders, so this cannot fail.
        return Decoded(original if self.name == "utf-8" else text.encode())

    @cached_property
    def _keeps_ascii(self) -> bool:
        """Whether bytes of ASCII are these characters. Some encodings have a yen sign at 0x5C."""
        return _ASCII.decode(self.name, "replace") == _ASCII.decode()

    def _repaired(self, original: bytes) -> Decoded:
        """The lines, decoded as if each were decoded alone."""
        marked = self._with_marked_halves(original)
        if marked is None:
            return self._repaired_slowly(original)
        text = self._without_marks(marked, "replace")
        if not self._has_lost(original):
            return Decoded(text, marked=True)
        intact = self._without_marks(marked, "ignore")
        if not text.endswith(_LINE_ENDS) and (not intact or intact.endswith(_LINE_ENDS)):
            intact += b"?"  # in place of a last line of which nothing can be decoded
        # If there was damage between a CR and a LF, these are one line end now.
        if b"\r" in text and len(text.splitlines()) != len(intact.splitlines()):
            return self._repaired_slowly(original)
        return Decoded(text, intact=intact)

    def _with_marked_halves(self, original: bytes) -> _Marked | None:
        """The bytes with marks after what may be half of a character at a line's end.

        None if it is not certain that lines are decoded in a whole text as they are alone.
        """
        if self._is_line_by_line:
            return _Marked(original, {})
        halves = _HALVES.get(self.name, ())
        marks = [mark for mark in _MARKS if mark not in original]
        if not halves or len(marks) < len(halves):
            return None
        # With line feeds after it, a character that breaks off at the text's end is no exception.
        data, found = original + _AFTER_TEXT, {}
        for (half, replaced), mark in zip(halves, marks, strict=False):
            for end in _LINE_ENDS:
                # Patterns that begin with a line end are found much faster.
                if end in data:
                    data = re.sub(b"%b(?<=%b%b)" % (end, half, end), mark + end, data)
            if mark in data:
                found[mark.decode()] = replaced
        return _Marked(data, found)

    def _without_marks(self, marked: _Marked, errors: Literal["replace", "ignore"]) -> bytes:
        """The decoded text.

        If errors are ignored, the digit of half a character is left, and what follows it. Where
        they are replaced, there is U+FFFD: these lines differ, too.
        """
        text = marked.data.decode(self.name, errors)
        for mark, replaced in marked.halves.items():
            if errors == "replace":
                text = re.sub(replaced + mark, "\ufffd", text, flags=re.DOTALL)
            text = text.replace(mark, "")
        decoded = text.encode()
        return decoded if self._is_line_by_line else decoded.removesuffix(_AFTER_TEXT)

    @property
    def _is_line_by_line(self) -> bool:
        """Whether damage never extends beyond a line end, which is a separate byte or unit."""
        return self.byte_structured or self.unit > 1 or self.name in _TWO_BYTES

    def _repaired_slowly(self, original: bytes) -> Decoded:
        lines = self.split_lines(original)
        bad = []
        for number, line in enumerate(lines):
            try:
                lines[number] = line.decode(self.name).encode()
            except UnicodeDecodeError:
                bad.append(number)
                lines[number] = self._repair_line(line)
        return Decoded(b"".join(lines), tuple(bad))

    def _has_lost(self, original: bytes) -> bool:
        """Whether U+FFFD may be in the original."""
        try:
            return "\ufffd".encode(self.name) in original
        except UnicodeEncodeError:
            return False

    def _repair_line(self, line: bytes) -> bytes:
        """Decode the line's content without its end, so that damage cannot swallow the end."""
        for end in ("\r\n", "\n", "\r"):
            if self._ends_with(line, end):
                content = line[: -len(end.encode(self.name))]
                return content.decode(self.name, "replace").encode() + end.encode()
        return line.decode(self.name, "replace").encode()

    def ends_line(self, data: bytes) -> bool:
        """Whether bytes that begin with a character end with a line end."""
        return self._ends_with(data, "\n") or self._ends_with(data, "\r")

    def _ends_with(self, data: bytes, end: str) -> bool:
        # Half a character at a file's end is no line end, whatever its bytes look like.
        return len(data) % self.unit == 0 and data.endswith(end.encode(self.name))

    def split_lines(self, original: bytes) -> list[bytes]:
        """Cut bytes after each LF, CR LF or CR; the bytes begin at a character's start."""
        if self.unit == 1:
            return original.splitlines(keepends=True)
        return [line for line in self._line_pattern.findall(original) if line]

    def lines_end(self, data: bytes | bytearray, stop: int | None = None) -> int:
        """Where the last whole physical line in `data[:stop]` ends, 0 if none does.

        A CR as the very last character may be half of a CR LF and ends nothing yet.
        """
        stop = len(data) if stop is None else min(stop, len(data))
        return self._rfind(data, "\n", stop) or self._rfind(data, "\r", stop - self.unit)

    def _rfind(self, data: bytes | bytearray, character: str, stop: int) -> int:
        """The end of the last `character` that starts on a code unit's boundary, 0 if none."""
        encoded = character.encode(self.name)
        position = data.rfind(encoded, 0, max(stop, 0))
        while position > 0 and position % self.unit:
            position = data.rfind(encoded, 0, position + self.unit - 1)
        return position + self.unit if position >= 0 else 0

    @cached_property
    def _line_pattern(self) -> re.Pattern[bytes]:
        cr, lf = (re.escape(end.encode(self.name)) for end in "\r\n")
        any_unit = b"." * self.unit
        return re.compile(
            b"(?:(?!%b|%b)%b)*+(?:%b%b|%b|%b|.{0,%d}\\Z)"
            % (cr, lf, any_unit, cr, lf, cr, lf, self.unit - 1),
            re.DOTALL,
        )


def find_encoding(name: str) -> Encoding:
    """The encoding that a contract names.

    Raises UnsupportedEncoding where the name is unknown, or means bytes that cannot be cut into
    lines: stateful encodings, EBCDIC, UTF-16 without byte order.
    """
    plain = name.strip().lower().replace("_", "-")
    plain = _ALIASES.get(plain, plain)
    if plain in _BYTE_ORDER_UNKNOWN:
        raise UnsupportedEncoding(
            f"The file has no byte order mark, so {name!r} is ambiguous. "
            f'Put "encoding": "{plain}-le" (little-endian, as Windows writes it) or "{plain}-be" '
            "into the contract."
        )
    try:
        python_name = codecs.lookup(plain).name
        structure_is_ascii = _STRUCTURE.encode(python_name) == _STRUCTURE.encode()
    except (LookupError, UnicodeError, TypeError):
        raise UnsupportedEncoding(
            f"The contract's encoding {name!r} is unknown. Name one of Python's "
            'standard text encodings, for example "utf-8", "cp1252" or "shift_jis".'
        ) from None
    if python_name not in _WIDE and (not structure_is_ascii or _STATEFUL.fullmatch(python_name)):
        raise UnsupportedEncoding(
            f"Files in {name!r} cannot be read: its line ends and delimiters are not plain bytes. "
            "Convert the file to UTF-8."
        )
    return Encoding(_ALIASES.get(python_name, python_name))


def _is_single_byte(name: str) -> bool:
    """Whether every byte is a separate character."""
    for byte in range(256):
        try:
            if len(bytes((byte,)).decode(name)) != 1:
                return False
        except UnicodeDecodeError:
            # A gap in a table of 256 is common; a lead byte waits for more and says so.
            try:
                bytes((byte, 0x41)).decode(name)
                return False
            except UnicodeDecodeError:
                if len(bytes((byte, 0x41)).decode(name, "replace")) != 2:
                    return False
    return True
