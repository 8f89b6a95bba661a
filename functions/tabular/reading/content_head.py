"""The beginning of a file's content, after decompression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabular.errors import EmptyFile, UnreadableFile, UnsupportedFormat
from tabular.file_names import GZIP, NO_IGNORED_NAMES, ZIP, last_suffix, table_suffix
from tabular.reading.compression import GZIP_MAGIC, gunzip
from tabular.reading.other_formats import refusal
from tabular.reading.zip_archive import ZIP_MAGIC, Member, find_member, unzip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tabular.file_names import IgnoredNames
    from tabular.sink import ReadRange

MAX_HEAD_BYTES = 4 * 1024 * 1024
"""Of a compressed file's content, about this much is looked at."""


@dataclass(frozen=True)
class ContentHead:
    """The content's first bytes, whether they are all of it, and how the file is compressed.

    `compression` is `gzip`, `zip` or None, and `member` the ZIP archive's member that has the
    content. `suffix` is the CSV-like one of the file's or the member's name, None without one.
    """

    content: bytes
    complete: bool
    compression: str | None
    member: Member | None
    suffix: str | None


def read_content_head(
    head: bytes,
    *,
    size: int,
    name: str,
    read: ReadRange | None = None,
    ignored: IgnoredNames = NO_IGNORED_NAMES,
) -> ContentHead:
    """Decompress the beginning of a file; its first bytes say how, and must match its name.

    `head` are the first bytes of a file of `size` bytes, and `name` is its name. `read` reads other
    ranges of it, which a ZIP archive needs unless `head` is all of it. `ignored` are names of
    members that don't count. Raises what `gunzip`, `find_member` and `unzip` raise, UnreadableFile
    if the name promises another compression, and EmptyFile if there is no content.
    """
    suffix = last_suffix(name)
    is_gzip, is_zip = head.startswith(GZIP_MAGIC), head.startswith(ZIP_MAGIC)
    if suffix == GZIP and not is_gzip:
        raise UnreadableFile(
            f"{name} is not gzip data, although its name says so. Compress it, or rename it."
        )
    if suffix == ZIP and not is_zip:
        raise UnreadableFile(
            f"{name} is not a ZIP archive, although its name says so. Pack it, or rename it."
        )
    if is_zip:
        return _zip_head(head, size=size, name=name, read=read, ignored=ignored)
    complete = len(head) >= size
    if not is_gzip:
        return ContentHead(head, complete, None, None, table_suffix(name))
    content, cut = _first(gunzip([head], whole=complete), name)
    return ContentHead(content, complete and not cut, "gzip", None, table_suffix(name))


def _zip_head(
    head: bytes, *, size: int, name: str, read: ReadRange | None, ignored: IgnoredNames
) -> ContentHead:
    if len(head) >= size:
        read = _reader_of(head)
    if read is None:
        raise ValueError("a ZIP archive is read from its end, so `read` is needed")
    try:
        member = find_member(read, size, ignored=ignored)
    except UnreadableFile:
        if last_suffix(name) == ZIP:
            raise
        raise UnsupportedFormat(refusal("a ZIP archive or a workbook (.xlsx, .ods)")) from None
    stored = read(member.start, min(member.stored, len(head)))
    whole = len(stored) == member.stored
    content, cut = _first(unzip([stored], member, whole=whole), name)
    return ContentHead(content, whole and not cut, "zip", member, member.suffix)


def _first(pieces: Iterable[bytes], name: str) -> tuple[bytes, bool]:
    """The first `MAX_HEAD_BYTES` of a decompressed file, and whether there are more."""
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > MAX_HEAD_BYTES:
            return bytes(content), True
    if not content:
        raise EmptyFile(f"The file {name} is empty when decompressed.")
    return bytes(content), False


def _reader_of(head: bytes) -> ReadRange:
    return lambda start, length: head[start : start + length]
