"""Cuts a stream of bytes into blocks of whole records, each with its position in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tabular.errors import MisalignedSplits, UnreadableFile
from tabular.reading.compression import gunzip
from tabular.reading.end_mark import without_end_marks
from tabular.reading.grammar import MAX_RECORD_BYTES, Spans
from tabular.reading.line_ranges import LineRanges
from tabular.reading.zip_archive import unzip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tabular.encoding import Decoded, Encoding
    from tabular.reading.grammar import Grammar
    from tabular.reading.layout import Layout
    from tabular.reading.split import Split

BLOCK_BYTES = 6 * 1024 * 1024
"""Large enough that the fixed work per block is negligible (4 and 8 MiB are as fast), small enough
for the memory of two processes (8 MiB take 130 MB more)."""
MOST_LINES = 128 * 1024
"""Memory depends on the number of records, too: each is a text, a row of cells, perhaps a fault."""
_MOST_CELLS = 1024 * 1024
"""A cell takes 16 bytes in each of a few columns, however short it is."""
MAX_LINE_BYTES = 64 * 1024 * 1024
"""Lines beyond MAX_RECORD_BYTES are rejected one by one; if there is no line end in this many
bytes, the file is not a CSV, and reading on would only fill the memory."""
_COUNTED_AT_ONCE = 64 * 1024
_PIECE_BYTES = 1024 * 1024
"""Chunks are cut into pieces, because what is left of one is copied for each block."""
_LINE_END_BYTES = 2
_LINE_ENDS = (b"\n", b"\r")


class Block(NamedTuple):
    """Whole records with the file's own bytes.

    `original` are the file's own bytes, `offset` is where they begin in the (decompressed) file,
    `first_line` the 1-based number of their first physical line, and `spans` says which lines make
    one record. `decoded` is the text, if it had to be decoded to find the records.
    """

    original: bytes
    offset: int
    first_line: int
    spans: Spans
    decoded: Decoded | None = None


def split_blocks(
    chunks: Iterable[bytes], layout: Layout, split: Split, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Cut a split's bytes into blocks of whole records; for `chunks` see `transform`."""
    start, end = split.start, split.end
    if layout.compression:
        expanded = unzip(chunks, layout.member) if layout.member else gunzip(chunks)
        chunks = _without(expanded, layout.data_start)
        start, end = layout.data_start, None
    yield from read_blocks(
        chunks,
        layout.grammar,
        layout.codec,
        start=start,
        end=end,
        first_line=split.first_line,
        block_bytes=block_bytes,
        most_lines=lines_a_block(layout),
    )


def lines_a_block(layout: Layout) -> int:
    """How many lines a block of a file of this layout may have."""
    return max(1, min(MOST_LINES, _MOST_CELLS // max(1, layout.width)))


def read_blocks(
    chunks: Iterable[bytes],
    grammar: Grammar,
    encoding: Encoding,
    *,
    start: int,
    end: int | None,
    first_line: int,
    block_bytes: int = BLOCK_BYTES,
    most_lines: int = MOST_LINES,
) -> Iterator[Block]:
    """Cut the bytes from `start` to `end` (None: the file's end) into blocks of whole records.

    `chunks` begin at `start` and may continue after `end`: they are read lazily, at most
    MAX_RECORD_BYTES past it, and only if a quote is open there. Blocks are about `block_bytes`
    long, and shorter if they would have more than `most_lines`.

    Raises MisalignedSplits if `end` is not the end of a record, and UnreadableFile if there is no
    line end in MAX_LINE_BYTES or the file ends before `end`.
    """
    buffer = _Buffer(_pieces(without_end_marks(chunks, encoding)))
    offset, line, wanted, longer = start, first_line, block_bytes, False
    while True:
        limit = None if end is None else end - offset
        if limit == 0:
            return
        buffer.fill(wanted if limit is None else min(wanted, limit + 1))
        marks = grammar.marks(buffer.data) if encoding.byte_structured else None
        # If this many lines contain no whole record, more are read.
        size = wanted
        if not longer and not _has_few_lines(marks, most_lines):
            size = _with_most_lines(buffer.data, wanted, most_lines)
        if limit is not None and limit <= size:
            block = _last_block(buffer, grammar, encoding, limit=limit, offset=offset, line=line)
            final = True
        else:
            final = buffer.complete and len(buffer.data) <= size
            if final and limit is not None:
                raise UnreadableFile(
                    f"The file ends at byte {offset + len(buffer.data)}, before the split's end "
                    f"{end}. It was cut off while it was read; rerun it."
                )
            cut = len(buffer.data) if final else encoding.lines_end(buffer.data, size)
            original = buffer.data[:cut]
            marks = _first_marks(marks, buffer.data, cut, grammar)
            decoded = None if encoding.byte_structured else encoding.decoded(original)
            text = decoded.text if decoded else original
            spans = grammar.spans(text, complete=final, marks=marks)
            length = _original_size(spans, text, original, encoding)
            if not length:
                if final:
                    return
                wanted, longer = _longer(size, cut, offset), True
                continue
            block = Block(original, offset, line, spans, decoded)
            if length < cut:
                block = Block(original[:length], offset, line, spans)
        block = _first_lines(block, grammar, encoding, most_lines)
        yield block
        taken = len(block.original)
        if final and taken == (len(buffer.data) if limit is None else limit):
            return
        buffer.data = buffer.data[taken:]
        offset, line = offset + taken, line + block.spans.lines
        # No more is read than a block of as short lines needs.
        wanted, longer = block_bytes if size >= wanted else min(block_bytes, 2 * size), False


def _has_few_lines(marks: bytes | None, most: int) -> bool:
    """Whether a text certainly has at most this many line ends, given its marks if it has any."""
    return marks is not None and max(map(marks.count, _LINE_ENDS)) <= most


def _first_marks(marks: bytes | None, data: bytes, cut: int, grammar: Grammar) -> bytes | None:
    """The marks of `data[:cut]`, given those of all data; None if there is no quick way."""
    if marks is None or len(data) > 2 * cut:
        return None
    return marks[: len(marks) - len(grammar.marks(data[cut:]))]


def _with_most_lines(data: bytes, size: int, most: int) -> int:
    """`size`, or less if `data[:size]` has more than `most` line ends; at least 1.

    The line ends are counted in pieces, up to the one with too many, in which the place is found by
    bisection. Example: three lines of one character each have at most two line ends up to byte 5,
    since the third is byte 6.
    """
    last = min(size, len(data))
    if last <= most:
        return size
    ends = [end for end in _LINE_ENDS if data.find(end, 0, last) >= 0]
    fits, before, too_large = 0, [0 for _ in ends], 0
    while fits < last:
        too_large = min(fits + _COUNTED_AT_ONCE, last)
        found = [
            known + data.count(end, fits, too_large)
            for end, known in zip(ends, before, strict=True)
        ]
        if max(found, default=0) > most:
            break
        fits, before = too_large, found
    else:
        return size
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        found = [
            known + data.count(end, fits, middle) for end, known in zip(ends, before, strict=True)
        ]
        if max(found) <= most:
            fits, before = middle, found
        else:
            too_large = middle
    return max(1, fits)


def _first_lines(block: Block, grammar: Grammar, encoding: Encoding, most: int) -> Block:
    """The first records of a block, of about `most` lines if it has many more.

    Such blocks result from a quote that is not closed within MAX_RECORD_BYTES: only after that much
    text is this certain, and then each line is a record.
    """
    if block.spans.lines <= 2 * most:
        return block
    from tabular.reading.lines import Lines  # noqa: PLC0415 Polars, which plans of splits do without

    multi = LineRanges()
    for first, last in block.spans.multi:
        if first >= most:
            break
        multi.add(first, last)
        most = max(most, last + 1)
    if most >= block.spans.lines:
        return block
    if encoding.byte_structured:
        physical = block.spans.physical or Lines(block.original)
        original = block.original[: physical.starts[most]]
    else:
        original = b"".join(encoding.split_lines(block.original)[:most])
    text = encoding.structure(original)
    spans = Spans(multi, most, len(text), None, grammar.marks(text))
    return Block(original, block.offset, block.first_line, spans)


def _longer(wanted: int, cut: int, offset: int) -> int:
    """The number of bytes to look at next, because the first `wanted` contain no whole record."""
    if not cut and wanted >= MAX_LINE_BYTES:
        raise UnreadableFile(
            f"There is no line end in {MAX_LINE_BYTES} bytes after byte {offset}: "
            "the file is not a CSV, or its encoding is another one."
        )
    return wanted * 2


def _original_size(spans: Spans, text: bytes, original: bytes, encoding: Encoding) -> int:
    """How many of the file's bytes the records are that were found in their text."""
    if spans.size == len(text):
        return len(original)
    if text is original:
        return spans.size
    return sum(map(len, encoding.split_lines(original)[: spans.lines]))


def _last_block(
    buffer: _Buffer, grammar: Grammar, encoding: Encoding, *, limit: int, offset: int, line: int
) -> Block:
    """The block that ends with the split; the bytes after it decide about quotes that are open."""
    original = buffer.data[:limit]
    at_file_end = buffer.complete and len(buffer.data) == limit
    if len(original) < limit:
        raise UnreadableFile(
            f"The file ends at byte {offset + len(original)}, before the split's end at byte "
            f"{offset + limit}. It was cut off while it was read; rerun it."
        )
    half_line_end = original.endswith(b"\r") and buffer.data[limit : limit + 1] == b"\n"
    if not at_file_end and (half_line_end or not original.endswith((b"\n", b"\r"))):
        raise MisalignedSplits(f"The split's end at byte {offset + limit} is not a line's end.")
    spans = grammar.spans(encoding.structure(original), complete=at_file_end)
    if spans.size < limit and not at_file_end and encoding.byte_structured:
        buffer.fill(limit + MAX_RECORD_BYTES + _LINE_END_BYTES)
        rest = grammar.spans(
            buffer.data[spans.size :],
            complete=buffer.complete,
            limit=limit - spans.size,
        )
        spans.multi.extend(rest.multi, spans.lines)
        spans = spans._replace(lines=spans.lines + rest.lines, size=limit)
    return Block(original, offset, line, spans)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    for chunk in chunks:
        if len(chunk) <= _PIECE_BYTES:
            yield chunk
            continue
        view = memoryview(chunk)
        for start in range(0, len(chunk), _PIECE_BYTES):
            yield view[start : start + _PIECE_BYTES]


class _Buffer:
    """Bytes read and not yet used, and whether there are more."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        self.data = b""
        self.complete = False
        self._chunks = iter(chunks)

    def fill(self, size: int) -> None:
        """Read until `size` bytes are there, or the chunks end."""
        pieces: list[bytes | memoryview] = [self.data]
        there = len(self.data)
        while there < size and not self.complete:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.complete = True
            else:
                pieces.append(chunk)
                there += len(chunk)
        self.data = b"".join(filter(None, pieces))


def _without(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The chunks without their first `size` bytes."""
    left = size
    for chunk in chunks:
        if left < len(chunk):
            yield chunk[left:]
        left = max(0, left - len(chunk))
    if left:
        raise UnreadableFile("The file now ends before its first record: its content has changed.")
