"""The size of a split that one Transform finishes before its timeout."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabular.errors import FileTooLarge
from tabular.reading.layout import Layout
from tabular.reading.split import Split
from tabular.writing.output_format import OutputFormat

# Measured on one core: `make bench-shapes`, `make bench`, and "One-split limit" in docs/scale.md.
# The slowest files are those in which every record is rejected: 8 MB/s for 10-byte records, while
# orders without rejected records reach 35 MB/s. Shorter lines take a microsecond each. At a
# gigabyte, a unique field or key takes twice as long as everything else in the orders file: the
# more records were seen, the longer a lookup takes.
TRANSFORM_SECONDS_PER_BYTE = 1 / 8_000_000
TRANSFORM_SECONDS_PER_LINE = 1 / 1_000_000
KEY_SECONDS_PER_BYTE = 1 / 16_000_000
# Twice the measured time, to allow for a slower processor and for S3, to which many bytes are
# written, part by part, for each byte read.
SAFETY = 2
# The usual maximum ratio by which gzip compresses CSV text.
GZIP_RATIO = 10


def one_split_limit(layout: Layout, timeout_seconds: int, line_bytes: float = math.inf) -> int:
    """The maximum stored size, in bytes, that is transformed as one split.

    `line_bytes` is the average length of the file's lines, infinite if unknown.
    """
    of_records = max(TRANSFORM_SECONDS_PER_BYTE, TRANSFORM_SECONDS_PER_LINE / line_bytes)
    seconds_per_byte = of_records + _unique_keys(layout) * KEY_SECONDS_PER_BYTE
    limit = round(timeout_seconds / (SAFETY * seconds_per_byte))
    return limit // GZIP_RATIO if layout.compression else limit


def bytes_a_line(head: bytes, layout: Layout) -> float:
    """The average length of the lines in the file's head, in bytes; infinite if unknown."""
    if layout.compression:
        return math.inf
    return len(head) / max(1, head.count(b"\n"), head.count(b"\r"))


def check_splits(
    splits: Sequence[Split],
    layout: Layout,
    timeout_seconds: int,
    reason: str,
    line_bytes: float = math.inf,
) -> None:
    """Raise `FileTooLarge` if a split is more than one function can process.

    `reason` says why a single split can't be cut further, and reads like "a compressed file".
    `line_bytes` is as for `one_split_limit`.
    """
    limit = one_split_limit(layout, timeout_seconds, line_bytes)
    start, end = max(_ranges(splits, layout), key=lambda found: found[1] - found[0])
    if end - start <= limit:
        return
    within = f"{limit:,} bytes, the limit of the Transform function's {timeout_seconds} seconds"
    if len(splits) == 1:
        raise FileTooLarge(
            f"The file has {layout.size:,} bytes, and {reason} can only be transformed as one "
            f"split, of at most {within}. Upload the data in smaller files.",
            bytes=layout.size,
            limit_bytes=limit,
        )
    raise FileTooLarge(
        f"The file can't be cut between the bytes {start:,} and {end:,}, "
        f"and a split has at most {within}. Upload the data in smaller files.",
        bytes=end - start,
        limit_bytes=limit,
    )


def check_assembly(splits: int, layout: Layout, output_format: OutputFormat) -> None:
    """Raise `FileTooLarge` if the parts of the splits certainly can't become one object."""
    if splits > 1 and output_format.load_assembler is not None:
        output_format.load_assembler().check(splits, len(layout.fields))


def _unique_keys(layout: Layout) -> int:
    contract = layout.contract
    unique_fields = sum(field.constraints.unique for field in layout.fields)
    return unique_fields + bool(contract.primary_key) + len(contract.unique_keys)


def _ranges(splits: Sequence[Split], layout: Layout) -> list[tuple[int, int]]:
    return [(split.start, layout.size if split.end is None else split.end) for split in splits]


def why_one_split(layout: Layout) -> str:
    """Why a file of this layout can't be cut into splits."""
    if layout.compression:
        return "a compressed file"
    if layout.has_uniqueness:
        return "a contract with unique fields or keys compares all records, so the file"
    if not layout.codec.byte_structured:
        return f"a file in {layout.encoding}"
    return "a file whose contract names comment rows among the records"
