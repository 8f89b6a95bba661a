"""Decompresses gzip as a stream, with limits: a small upload must not expand without end."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from tabular.errors import FileTooLarge, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GZIP_MAGIC = b"\x1f\x8b"
MAX_EXPANDED_BYTES = 16 * 1024**3
"""More than one function can transform before its timeout. Larger files must be uploaded
uncompressed, so that they can be cut into splits."""
MAX_RATIO = 300
"""Real CSV files shrink by 3 to 100; a gzip bomb by up to about 1030."""
RATIO_FREE_BYTES = 64 * 1024**2
"""Below this much output no ratio is dangerous."""
PIECE_BYTES = 1024 * 1024
_SMALLEST_SLICE = 256
_LARGEST_SLICE = 64 * 1024
"""The number of bytes given to zlib at once: few after a member's end, then twice as many each
time. zlib copies the bytes that follow a member's end. In a file of very many members it would copy
a whole chunk for each of them; with slices it copies about as much as the members' own size."""
_GZIP_WINDOW = 31  # zlib: 15 for the largest window, + 16 for the gzip container


def gunzip(
    chunks: Iterable[bytes],
    *,
    max_bytes: int = MAX_EXPANDED_BYTES,
    max_ratio: int = MAX_RATIO,
    whole: bool = True,
) -> Iterator[bytes]:
    """Decompress a gzip file of one or more members, in pieces of at most 1 MiB.

    `whole=False` says that `chunks` are only the beginning of the file, and may end anywhere.
    Raises FileTooLarge beyond `max_bytes` of output, or beyond `max_ratio` times the input once
    that is more than 64 MiB; UnreadableFile if the data is damaged or ends too early.
    """
    members = _Members(max_bytes, max_ratio)
    size = _LARGEST_SLICE
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            yield from members.expand(chunk[start : start + size])
            start += size
            size = _SMALLEST_SLICE if members.between else min(2 * size, _LARGEST_SLICE)
    if whole and not members.between:
        raise UnreadableFile(
            f"The gzip data ends in the middle, after {members.given} decompressed bytes: the "
            "upload or the compression was interrupted. Compress and upload the file again."
        )


class _Members:
    """Expands gzip members, one after the other."""

    def __init__(self, max_bytes: int, max_ratio: int) -> None:
        self.taken = self.given = 0
        self._max_bytes, self._max_ratio = max_bytes, max_ratio
        self._member = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def between(self) -> bool:
        """Whether a member has ended, and no other one has begun."""
        return self._member.eof

    def expand(self, data: bytes) -> Iterator[bytes]:
        """What comes next, in pieces."""
        self.taken += len(data)
        while data:
            if self._member.eof:
                # Zeros after a member are padding, anything else is the next member.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            piece = _decompress(self._member, data, self.given)
            self.given += len(piece)
            check_expansion(
                self.taken,
                self.given,
                "gzip file",
                max_bytes=self._max_bytes,
                max_ratio=self._max_ratio,
            )
            if piece:
                yield piece
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail


def _decompress(member: zlib._Decompress, data: bytes, given: int) -> bytes:
    try:
        return member.decompress(data, PIECE_BYTES)
    except zlib.error:
        raise UnreadableFile(
            f"The gzip data is damaged after {given} decompressed bytes. "
            "Compress and upload the file again."
        ) from None


def check_expansion(
    taken: int,
    given: int,
    kind: str,
    *,
    max_bytes: int = MAX_EXPANDED_BYTES,
    max_ratio: int = MAX_RATIO,
) -> None:
    """Raise FileTooLarge if `taken` compressed bytes must not expand to `given` bytes.

    `kind` is what the file is called in the message, such as `gzip file`.
    """
    if given > max_bytes:
        raise FileTooLarge(
            f"The {kind} expands to more than {max_bytes} bytes, which is the limit for "
            "compressed files. Upload it uncompressed, or in several files.",
            limit_bytes=max_bytes,
        )
    if given > max(RATIO_FREE_BYTES, max_ratio * taken):
        raise FileTooLarge(
            f"The {kind} expands to more than {max_ratio} times its size, which no ordinary "
            "CSV file does. If the file is correct, upload it uncompressed.",
            limit_ratio=max_ratio,
        )
