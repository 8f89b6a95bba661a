"""ZIP archives: find the one CSV-like member, and stream its content within limits.

The archive's directory is at its end and is read with `zipfile`. The member's content is expanded
by this module from the bytes in the member's range, so a transform reads those bytes in order, as
it reads a gzip file.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabular.errors import UnreadableFile, UnsupportedFormat
from tabular.file_names import DELIMITERS, NO_IGNORED_NAMES, last_suffix, why_ignored
from tabular.reading.compression import PIECE_BYTES, check_expansion
from tabular.reading.other_formats import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tabular.file_names import IgnoredNames
    from tabular.sink import ReadRange

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
"""How an archive begins: with a member, without any (empty), and as the first part of several (the
last is an archive that turned out to fit in one)."""

MAX_DIRECTORY_BYTES = 1024 * 1024
"""Of an archive's directory, which is read into memory: about 10,000 members. An archive of one
CSV file has a few, and `zipfile` needs far more memory for a directory than its size."""

_SLICE_BYTES = 64 * 1024
"""Bytes given to zlib at once: it copies the input that it leaves for the next call."""

_TAIL_BYTES = 128 * 1024
"""The bytes read first: the end record with the longest comment, and the directory of most
archives."""

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags: the content is encrypted, strongly encrypted, or parts of the directory are."""
_STORED, _DEFLATED, _AES = 0, 8, 99
_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
}
_RAW_DEFLATE = -15
_MAC_FOLDER = "__MACOSX"
_WORKBOOK_MEMBERS = ("[Content_Types].xml", "content.xml", "META-INF/manifest.xml")
_AGAIN = "Pack and upload the file again."

# What reading a damaged directory raises, in zipfile's `_EndRecData`, `_RealGetContents` and
# `_decodeExtra`. What it raises for members' contents or on writing is not among it: only the
# directory is read with zipfile.
_DAMAGE = (
    # No end record, a wrong signature, an offset or a length that doesn't fit, several disks, a
    # damaged extra field.
    zipfile.BadZipFile,
    # A member needs a version of the format above 6.3, the highest that zipfile knows.
    NotImplementedError,
    # A name with the flag for UTF-8 is not valid UTF-8.
    UnicodeDecodeError,
    # From `_Ranges.seek`: the directory would begin before the file. The Pythons in use check that
    # themselves (BadZipFile).
    OSError,
)


@dataclass(frozen=True)
class Member:
    """The archive's member that has the records.

    `start` is the offset of its content in the archive, `stored` the content's size there, and
    `size` its size when expanded, all in bytes. `suffix` is that of its name, such as `.tsv`.
    """

    start: int
    stored: int
    size: int
    crc: int
    deflated: bool
    suffix: str

    @property
    def end(self) -> int:
        """The offset in the archive after the content."""
        return self.start + self.stored


def find_member(read: ReadRange, size: int, *, ignored: IgnoredNames = NO_IGNORED_NAMES) -> Member:
    """Find the CSV-like member of an archive of `size` bytes.

    Folders, `__MACOSX/` and members whose names the pipeline ignores don't count. Raises
    UnsupportedFormat if there is not exactly one, or if it is encrypted or compressed by a method
    other than Deflate; UnreadableFile if the archive is damaged; FileTooLarge if the directory
    states a size that exceeds the limits for compressed files.
    """
    member = _only_table(_members(read, size), ignored)
    _check_kind(member)
    found = _located(member, read, size)
    check_expansion(found.stored, found.size, "ZIP archive")
    return found


def unzip(chunks: Iterable[bytes], member: Member, *, whole: bool = True) -> Iterator[bytes]:
    """Expand a member's content, in pieces of at most 1 MiB.

    `chunks` are the archive's bytes from `member.start` on; what follows the member is not read.
    `whole=False` means that they may end anywhere. No more is expanded than the directory states,
    so `find_member` has checked the limits. Raises UnreadableFile if the content is damaged, ends
    too early, or is not of the size or the checksum in the directory.
    """
    content = _MemberContent(member)
    for chunk in _first(chunks, member.stored):
        yield from content.expand(chunk)
    if whole:
        content.check_end()


class _MemberContent:
    """Expands a member's content and compares it with the directory."""

    def __init__(self, member: Member) -> None:
        self.taken = self.given = 0
        self._member = member
        self._crc = 0
        self._inflate = zlib.decompressobj(_RAW_DEFLATE) if member.deflated else None

    def expand(self, data: bytes) -> Iterator[bytes]:
        """The content of the next bytes, in pieces."""
        self.taken += len(data)
        for piece in self._pieces(data):
            self.given += len(piece)
            self._crc = zlib.crc32(piece, self._crc)
            if self.given > self._member.size:
                raise UnreadableFile(
                    f"The file in the ZIP archive has more than the {self._member.size} bytes that "
                    f"the archive's directory states. The archive is damaged. {_AGAIN}"
                )
            yield piece

    def check_end(self) -> None:
        """Raise UnreadableFile unless the content is complete and as the directory states it."""
        ended = self._inflate is None or self._inflate.eof
        if self.taken < self._member.stored or not ended or self.given < self._member.size:
            raise UnreadableFile(
                f"The file in the ZIP archive ends after {self.given} of {self._member.size} "
                f"bytes. The archive is damaged or incomplete. {_AGAIN}"
            )
        if self._crc != self._member.crc:
            raise UnreadableFile(
                "The checksum of the file in the ZIP archive is wrong. The archive is damaged. "
                f"{_AGAIN}"
            )

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        if inflate is None:
            for start in range(0, len(data), PIECE_BYTES):
                yield data[start : start + PIECE_BYTES]
            return
        for start in range(0, len(data), _SLICE_BYTES):
            yield from self._inflated(inflate, data[start : start + _SLICE_BYTES])

    def _inflated(self, inflate: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        # What follows the end of the deflated data is not content: nothing of it is expanded.
        # A full piece may leave output behind although all input was taken.
        pending = bool(data)
        while pending and not inflate.eof:
            try:
                piece = inflate.decompress(data, PIECE_BYTES)
            except zlib.error:
                raise UnreadableFile(
                    f"The file in the ZIP archive is damaged after {self.given} bytes. {_AGAIN}"
                ) from None
            if piece:
                yield piece
            data = inflate.unconsumed_tail
            pending = bool(data) or len(piece) == PIECE_BYTES


def _first(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The first `size` bytes of the chunks, reading no further."""
    if size == 0:
        return
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


class _DirectoryTooLarge(Exception):
    """More bytes were read than a directory may have."""


class _Ranges:
    """A file for `zipfile`, which reads only the directory at the archive's end."""

    def __init__(self, read: ReadRange, size: int) -> None:
        self._read_range = read
        self._size = size
        self._position = 0
        # zipfile reads the end in several small pieces.
        self._tail_start = max(0, size - _TAIL_BYTES)
        self._tail = read(self._tail_start, size - self._tail_start)

    def seekable(self) -> bool:
        """As for every file."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move as a file does; raises OSError for a position before the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("negative position")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The next bytes; raises `_DirectoryTooLarge` instead of reading too many."""
        left = max(0, self._size - self._position)
        # Its length is a number in the archive, which may be wrong.
        length = left if size < 0 else min(size, left)
        if length > MAX_DIRECTORY_BYTES:
            raise _DirectoryTooLarge
        start = self._position - self._tail_start
        if start >= 0:
            data = self._tail[start : start + length]
        else:
            data = self._read_range(self._position, length)
        self._position += len(data)
        return data


def _members(read: ReadRange, size: int) -> Sequence[zipfile.ZipInfo]:
    try:
        return zipfile.ZipFile(_Ranges(read, size)).infolist()
    except _DirectoryTooLarge:
        raise UnsupportedFormat(
            f"The directory of the ZIP archive has more than {MAX_DIRECTORY_BYTES:,} bytes: there "
            "are too many files in it. Upload an archive with one CSV file."
        ) from None
    except _DAMAGE:
        raise UnreadableFile(
            "The directory of the ZIP archive is missing or damaged: the upload or the packing "
            f"was interrupted, or the archive is one part of several. {_AGAIN}"
        ) from None


def _only_table(members: Sequence[zipfile.ZipInfo], ignored: IgnoredNames) -> zipfile.ZipInfo:
    """The only member with the name of an uncompressed CSV-like file."""
    names = [member.filename for member in members]
    if names and any(name in _WORKBOOK_MEMBERS for name in names):
        raise UnsupportedFormat(refusal("a workbook (.xlsx, .ods) or another office document"))
    counted = [
        member
        for member in members
        if _MAC_FOLDER not in member.filename.split("/")[:-1]
        and why_ignored(member.filename, None, ignored) is None
    ]
    tables = [member for member in counted if last_suffix(member.filename) in DELIMITERS]
    if len(tables) == 1:
        return tables[0]
    expected = "Upload a ZIP archive with exactly one .csv, .tsv, .txt or .psv file"
    if tables:
        raise UnsupportedFormat(
            f"The ZIP archive has {len(tables)} CSV files. {expected}, or each file separately."
        )
    others = f"has no CSV file among its {len(counted)} files" if counted else "has no file"
    raise UnsupportedFormat(f"The ZIP archive {others}. {expected}, not compressed a second time.")


def _check_kind(member: zipfile.ZipInfo) -> None:
    """Raise UnsupportedFormat if the member can't be expanded."""
    if member.flag_bits & _ENCRYPTED or member.compress_type == _AES:
        raise UnsupportedFormat(
            "The file in the ZIP archive is encrypted. Pack it without a password: the bucket is "
            "encrypted already."
        )
    if member.volume:
        raise UnsupportedFormat(
            "The ZIP archive is one part of several. Pack the file into a single archive."
        )
    method = member.compress_type
    if method not in (_STORED, _DEFLATED):
        name = _METHODS.get(method, f"method {method}")
        raise UnsupportedFormat(
            f"The file in the ZIP archive is compressed by {name}. Pack it with the usual method, "
            "Deflate, or with gzip."
        )


def _located(member: zipfile.ZipInfo, read: ReadRange, size: int) -> Member:
    """Where the member's content is. Raises UnreadableFile if its own header contradicts."""
    start = member.header_offset
    header = read(start, _LOCAL_HEADER.size) if 0 <= start < size else b""
    if len(header) < _LOCAL_HEADER.size:
        raise _contradiction()
    magic, _, flags, method, _, _, _, _, _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start += _LOCAL_HEADER.size + name_length + extra_length
    # Sizes and checksum in this header are zero if they follow the content ("data descriptor").
    same = method == member.compress_type and not flags & _ENCRYPTED
    within = start + member.compress_size <= size
    whole = member.compress_type == _DEFLATED or member.compress_size == member.file_size
    if magic != _LOCAL_MAGIC or not (same and within and whole):
        raise _contradiction()
    return Member(
        start=start,
        stored=member.compress_size,
        size=member.file_size,
        crc=member.CRC,
        deflated=member.compress_type == _DEFLATED,
        suffix=last_suffix(member.filename),
    )


def _contradiction() -> UnreadableFile:
    return UnreadableFile(
        "The ZIP archive's directory contradicts the archive's content. The archive is damaged or "
        f"incomplete. {_AGAIN}"
    )
