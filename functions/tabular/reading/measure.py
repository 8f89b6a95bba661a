"""Counts the records of a split, and proves that it ends with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabular.reading.blocks import BLOCK_BYTES, Block, split_blocks
from tabular.reading.records import Records
from tabular.reading.splits import Measure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tabular.reading.layout import Layout
    from tabular.reading.split import Split


def measure(
    chunks: Iterable[bytes], layout: Layout, split: Split, *, block_bytes: int = BLOCK_BYTES
) -> Measure:
    """Count a split's records and lines, and prove that it ends with a record.

    `chunks` are as for `transform`: from `split.start` on, and beyond its end where a quote is
    open. Raises MisalignedSplits, or UnreadableFile.
    """
    records = lines = 0
    for block in split_blocks(chunks, layout, split, block_bytes=block_bytes):
        lines += block.spans.lines
        records += count_records(block, layout)
    return Measure(records, lines)


def count_records(block: Block, layout: Layout) -> int:
    """How many data records a block has: `len(Records(...))`, without making them if possible."""
    if _may_skip(block.original, layout):
        return len(Records(block, layout))
    return block.spans.lines - block.spans.multi.lines_after_firsts


def _may_skip(data: bytes, layout: Layout) -> bool:
    """Whether there may be blank lines or comments that don't count as records."""
    if not layout.codec.byte_structured:
        return True
    if layout.dialect.comment_char or layout.dialect.comment_rows:
        return True
    if layout.blank_rows == "reject":
        return False
    # Splitting into lines is quicker than a search for two line ends next to each other.
    blank = layout.blank_characters.encode(layout.grammar.encoding, "ignore")
    return not all(line.strip(blank) for line in data.splitlines())
