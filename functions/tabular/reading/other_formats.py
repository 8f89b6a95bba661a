"""Recognises formats that are clearly not CSV by a file's first bytes.

Every pattern is one that no header of a CSV file matches: `PAR1`, `<TICKER>` and `[id]` are names
of columns somewhere.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from typing import Any

from tabular.reading.line_ends import line_end

_BINARY = {
    rb"PK\x03\x04": "a ZIP archive or a workbook (.xlsx, .ods)",
    rb"PK\x05\x06": "an empty ZIP archive",
    rb"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    rb"\x09[\x00\x02\x04\x08][\x04\x06\x08\x10]\x00": "an Excel workbook (.xls)",
    rb"%PDF-[0-9]": "a PDF document",
    rb"PAR1\x15": "a Parquet file",
    rb"Obj\x01": "an Avro file",
    rb"ORC[\x00-\x08\x0e-\x1f]": "an ORC file",
    rb"ARROW1\x00\x00|FEA1[\x00-\x08\x0e-\x1f]": "an Arrow or Feather file",
    rb"SQLite format 3\x00": "an SQLite database",
    rb"\x00\x01\x00\x00Standard (?:Jet|ACE) DB": "an Access database",
    rb"\x89HDF\r\n": "an HDF5 file",
    rb"\$FL[23]@\(#\)": "an SPSS file",
    rb"\x28\xb5\x2f\xfd": "a file compressed with Zstandard",
    rb"BZh[1-9]1AY&SY": "a file compressed with bzip2",
    rb"\xfd7zXZ\x00": "a file compressed with xz",
    rb"\x1f\x9d": "a file compressed with compress (.Z)",
    rb"\x04\x22\x4d\x18": "a file compressed with LZ4",
    rb"\xff\x06\x00\x00sNaPpY": "a file compressed with Snappy",
    rb"\x1f\x8b": "a file that is compressed twice",
    rb"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    rb"Rar!\x1a\x07": "a RAR archive",
    rb"(?s:.{257})ustar[\x00 ]": "a tar archive",
    rb"\x89PNG\r\n|GIF8[79]a[^\r\n,;\t|]|\xff\xd8\xff|II\x2a\x00|MM\x00\x2a": "an image",
    rb"\x7fELF|MZ[^\r\n,;\t|]{0,60}\x00": "a program",
}
"""The first bytes of binary files, and their formats."""

_TEXT = {
    rb"(?i:<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>])": "an HTML page",
    rb"<\?xml[\s?]": "an XML document",
    rb"\{\\rtf[0-9]": "an RTF document",
    rb"%!PS-": "a PostScript document",
    rb"-----BEGIN PGP ": "a file encrypted or signed with PGP",
    rb"version https://git-lfs\.github\.com/spec/": "a Git LFS pointer, not the file itself",
    rb"UNA[^\w\s][^\r\n]{4,5}\s*UNB|UNB\+[A-Z]{4}:": "an EDIFACT message",
    rb"ISA\*[0-9]{2}\*": "an X12 message",
    rb"MSH\|\^~\\&": "an HL7 message",
    rb"OFXHEADER:": "an OFX statement",
    rb"ID;PWXL": "a SYLK workbook",
    rb"TABLE\r?\n0,1\r?\n": "a DIF workbook",
    rb"#EXTM3U\s": "a playlist",
    rb"WEBVTT\s": "subtitles",
    rb"(?i:@relation\s)": "an ARFF file",
    rb"BEGIN:(?:VCARD|VCALENDAR)\b": "a vCard or calendar file",
    rb"HTTP/[0-9](?:\.[0-9])? [1-5][0-9]{2} ": "an HTTP response",
    rb"--[^\r\n]+\r?\nContent-Disposition: ": "the body of an upload form",
    rb"Traceback \(most recent call last\):": "a program's error report",
    rb"(?:--|/\*)[^\r\n]*(?:SQL Dump|SQL dump|database dump)": "an SQL dump",
    rb"(?i:(?:create table|insert into)\s+[^\s,;()]+\s*[\s(])": "an SQL script",
}
"""The beginnings, after white space, of texts that are not a table."""

_MARKUP = re.compile(rb"<!--|<([A-Za-z][A-Za-z0-9:._-]*)(?:\s[^<>]*)?>")
_HTML_TAGS = {b"div", b"table", b"p", b"script", b"title", b"center", b"pre", b"h1"}
_OBJECT = re.compile(rb'\{\s*(?:"(?:[^"\\\r\n]|\\.)*"\s*:|\})')
_NESTED_ARRAY = re.compile(rb'\[\s*(?:\{\s*["}]|\[)')
_ADVICE = {
    "an HTML page": "It may be the page of a login or an error: download the CSV file itself",
    "a Git LFS pointer, not the file itself": "Fetch it with git lfs pull",
}
_LOOKED_AT = 64 * 1024
_BINARY_LOOKED_AT = 4096
_BINARY_CONTROLS = 8
_CONTROLS = {*range(0x20), 0x7F} - set(b"\t\n\r\x0b\x0c\x1a")


def binary_format(content: bytes) -> str | None:
    """The name of the binary format of a file that begins with these bytes; None for text."""
    return _first(_BINARY, content)


def is_binary(content: bytes) -> bool:
    """Whether a file in an ASCII-based encoding is encrypted, compressed or otherwise binary.

    Text may have a few control characters, for example as delimiters, but never many different
    ones.
    """
    start = content[:_BINARY_LOOKED_AT]
    controls = set(start) & _CONTROLS
    try:
        # Not final where there is more: the last character may be cut.
        getincrementaldecoder("utf-8")().decode(start, final=len(start) == len(content))
    except UnicodeDecodeError:
        return len(controls) >= _BINARY_CONTROLS
    return False


def text_format(text: bytes, *, complete: bool) -> str | None:
    """The name of the format of a text in UTF-8, whole or cut, that is clearly not a table."""
    start = text.lstrip(b" \t\r\n\xef\xbb\xbf")
    found = _first(_TEXT, start)
    if found is None and start.startswith(b"<"):
        found = _markup(start)
    if found is None and start.startswith((b"{", b"[")):
        found = _json(start, complete=complete)
    return found


def refusal(what: str) -> str:
    """The message about a file that is not CSV."""
    advice = _ADVICE.get(what, "Export it as CSV in UTF-8")
    return f"This is not a CSV file but {what}. {advice} and upload that."


def _first(patterns: dict[bytes, str], content: bytes) -> str | None:
    return next((what for magic, what in patterns.items() if re.match(magic, content)), None)


def _markup(start: bytes) -> str | None:
    """Markup has a tag that is closed again; `<DATE>,<OPEN>` is a header."""
    match = _MARKUP.match(start)
    if match is None:
        return None
    head = start[:_LOOKED_AT].lower()
    if b"</html" in head or b"<html" in head:
        return "an HTML page"
    name = (match[1] or b"!").lower()
    closing = head.find(b"</" + name)
    # `<b>Name</b>,<b>City</b>` is a header, if a strange one.
    if closing < 0 or re.search(rb"[,;\t|]", head[closing : line_end(head, closing)]):
        return None
    return "an HTML page" if name in _HTML_TAGS else "an XML document"


def _json(start: bytes, *, complete: bool) -> str | None:
    if _OBJECT.match(start) or _NESTED_ARRAY.match(start):
        return "JSON"
    if start.startswith(b"[") and complete:
        return "JSON" if isinstance(_parsed(start), list) else None
    return None


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
