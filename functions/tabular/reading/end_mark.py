"""The end-of-file mark of DOS and CP/M: 0x1A (Ctrl-Z) after the text, alone or as padding.

Old programs append it; it is not part of the file's text. Only the very end of the file is looked
at: anywhere else the byte is data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tabular.encoding import Encoding

_MARK = b"\x1a"
MOST_PADDING = 4096
"""CP/M padded the last block of 128 bytes. No program is known to write more than this."""


def without_end_marks(chunks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The chunks of a file's bytes up to its end, without the marks there.

    The first chunk begins with a character. Chunks that end before the file's end lose at most a
    tail of such bytes, so a caller that reads a range asks for some bytes beyond it.
    """
    # A mark in UTF-16 or UTF-32 has NULs beside it, which ordinary text there ends with, too.
    filler = _MARK if encoding.unit == 1 else _MARK + b"\0"
    held = b""
    passed = 0
    for chunk in chunks:
        data = held + chunk if held else chunk
        kept = len(data.rstrip(filler))
        if len(data) - kept > MOST_PADDING:
            kept = len(data)
        held = data[kept:]
        if kept:
            passed += kept
            yield data[:kept]
    rest = _stripped(held, passed, encoding)
    if rest:
        yield rest


def strip_end_marks(text: bytes, encoding: Encoding) -> bytes:
    """A whole file's bytes without the marks at its end."""
    return b"".join(without_end_marks([text], encoding))


def _stripped(tail: bytes, before: int, encoding: Encoding) -> bytes:
    """The last bytes of a file, of which `before` precede them, without marks."""
    half = (before + len(tail)) % encoding.unit
    # DOS appended its one byte to UTF-16 as well.
    if half and tail.endswith(_MARK * half):
        tail, half = tail[:-half], 0
    mark = "\x1a".encode(encoding.name)
    while not half and tail.endswith(mark):
        tail = tail[: -len(mark)]
    return tail
