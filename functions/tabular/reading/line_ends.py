"""Line ends in bytes: LF, CR LF or CR, in any mix."""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


def line_end(text: bytes, start: int) -> int:
    """The end of the physical line that begins at `start`, after its line end."""
    match = _LINE_END.search(text, start)
    return match.end() if match else len(text)


def strip_line_end(line: bytes) -> bytes:
    """The line without its line end."""
    if line.endswith(b"\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith((b"\n", b"\r")) else line


def has_regular_line_ends(text: bytes) -> bool:
    """Whether all line ends are LF, or all are CR LF."""
    carriage_returns = text.count(b"\r") if b"\r" in text else 0
    return not carriage_returns or (carriage_returns == text.count(b"\n") == text.count(b"\r\n"))


def count_lines(text: bytes) -> int:
    """Count physical lines; the last one needs no line end."""
    lines = text.count(b"\n")
    if b"\r" in text:
        lines += text.count(b"\r") - text.count(b"\r\n")
    return lines + (not text.endswith((b"\n", b"\r")) and bool(text))
