"""Leaves out a file's footer: its last records, such as a total, that a contract declares.

Which records are the last ones is only known at the end. So as many records are held back as the
footer has, block by block. If the footer begins in an earlier split than the last one,
`splits.number_splits` says how many of its rows each split has.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tabular.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tabular.reading.records import Records


def without_footer(blocks: Iterable[Records], rows: int) -> Iterator[Records]:
    """The records of a split's blocks without the last `rows` of them.

    Raises UnreadableFile at the end if there are fewer.
    """
    if not rows:
        yield from blocks
        return
    held: deque[Records] = deque()
    count = 0
    for records in blocks:
        held.append(records)
        count += len(records)
        while count - len(held[0]) >= rows:
            count -= len(held[0])
            yield held.popleft()
    check_footer(count, rows)
    left = count - rows
    for records in held:
        records.keep(left)
        left -= len(records)
        yield records


def check_footer(record_count: int, rows: int) -> None:
    """Raise UnreadableFile if a file has fewer records than its footer has rows."""
    if record_count < rows:
        raise UnreadableFile(
            f"The file ends before its footer: the rows after the header are {record_count}, those "
            f"of the footer {rows} (footerRows in the contract). Upload the whole file, or correct "
            "the contract."
        )
