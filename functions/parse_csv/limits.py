"""What one Transform can do before its function's timeout."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabular.errors import FileTooLarge
from tabular.reading.layout import Layout
from tabular.reading.split import Split

# Measured on one core: `make bench-shapes`, `make bench`, and "One-split limit" in docs/scale.md.
# The slowest files are those of which every record is rejected: 8 MB a second of 10-byte records,
# where good orders take 35. Still shorter lines take a microsecond each. A unique field or key
# takes twice as long as all that orders need otherwise, at a gigabyte: the more records were seen,
# the longer it takes to find one among them.
TRANSFORM_SECONDS_PER_BYTE = 1 / 8_000_000
TRANSFORM_SECONDS_PER_LINE = 1 / 1_000_000
KEY_SECONDS_PER_BYTE = 1 / 16_000_000
# Twice the measured time: for a slower processor, and for S3, which gets many bytes for each that
# it gives, part by part.
SAFETY = 2
# What text like CSV becomes when it is decompressed, at the usual most.
GZIP_RATIO = 10


def one_split_limit(layout: Layout, timeout_seconds: int, line_bytes: float = math.inf) -> int:
    """The largest stored size in bytes that is transformed as one split.

    `line_bytes` is how long the file's lines are on average, as far as that is known.
    """
    of_records = max(TRANSFORM_SECONDS_PER_BYTE, TRANSFORM_SECONDS_PER_LINE / line_bytes)
    seconds_per_byte = of_records + _unique_keys(layout) * KEY_SECONDS_PER_BYTE
    limit = round(timeout_seconds / (SAFETY * seconds_per_byte))
    return limit // GZIP_RATIO if layout.compression else limit


def bytes_a_line(head: bytes, layout: Layout) -> float:
    """How long the lines are that a file begins with, on average; infinite if nobody can say."""
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
    """Raise `FileTooLarge` where a split is more than one function can do.

    `reason` says why a single split has to be one: it begins like "a compressed file".
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
            f"split, of at most {within}. Upload it in smaller files."
        )
    raise FileTooLarge(
        f"Between the bytes {start:,} and {end:,} no place was found where the file can be cut, "
        f"and a split has at most {within}. Upload it in smaller files."
    )


def _unique_keys(layout: Layout) -> int:
    contract = layout.contract
    unique_fields = sum(field.constraints.unique for field in layout.fields)
    return unique_fields + bool(contract.primary_key) + len(contract.unique_keys)


def _ranges(splits: Sequence[Split], layout: Layout) -> list[tuple[int, int]]:
    return [(split.start, layout.size if split.end is None else split.end) for split in splits]


def why_one_split(layout: Layout) -> str:
    """Why a file of this layout cannot be cut into splits."""
    if layout.compression:
        return "a compressed file"
    if layout.has_uniqueness:
        return "a contract with unique fields or keys compares all records, so the file"
    if not layout.codec.byte_structured:
        return f"a file in {layout.encoding}"
    return "a file whose contract names comment rows among the records"
