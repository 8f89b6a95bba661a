"""The size of a split that one Transform finishes before its timeout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tabular.errors import FileTooLarge, TabularError
from tabular.model import is_numeric
from tabular.reading.compression import gunzip
from tabular.reading.layout import Layout
from tabular.reading.split import Split
from tabular.reading.splits import read_samples
from tabular.reading.zip_archive import unzip
from tabular.writing.output_format import OutputFormat

if TYPE_CHECKING:
    from tabular.model import Field
    from tabular.sink import ReadRange

# Measured on one core: `make bench-shapes`, `make bench`, and "One-split limit" in docs/scale.md.
# The slowest files are those in which every record is rejected: 8 MB/s for 10-byte records, while
# orders without rejected records reach 35 MB/s. Shorter lines take a microsecond each. At a
# gigabyte, a unique field or key takes twice as long as everything else in the orders file: the
# more records were seen, the longer a lookup takes.
TRANSFORM_SECONDS_PER_BYTE = 1 / 8_000_000
TRANSFORM_SECONDS_PER_LINE = 1 / 1_000_000
# Records with escaped line ends are read one by one, as all others in their block.
ESCAPED_SECONDS_PER_LINE = 40e-6
# Of wrong cells: most are found in whole columns, and those of the other fields read one by one. A
# column takes some time in each block, and a block of many columns has few records.
SECONDS_PER_CELL = 0.6e-6
SECONDS_PER_CELL_ALONE = 9e-6
SECONDS_PER_CELL_AND_COLUMN = 1.2e-9
SECONDS_PER_MISSING_CELL = 0.1e-6
SECONDS_PER_MISSING_CELL_AND_COLUMN = 0.2e-9
KEY_SECONDS_PER_BYTE = 1 / 16_000_000
# Twice the measured time, to allow for a slower processor and for S3, to which many bytes are
# written, part by part, for each byte read.
SAFETY = 2
# The usual maximum ratio by which gzip compresses CSV text.
GZIP_RATIO = 10

_LEAST_SPLIT_BYTES = 1024 * 1024
"""Smaller splits would take longer to start than to process."""
_HEAD_BYTES = 4 * 1024 * 1024


class Density(NamedTuple):
    """How many lines and cells a file has for each byte of its content; 0 if unknown."""

    lines: float = 0
    cells: float = 0


UNKNOWN = Density()


def one_split_limit(layout: Layout, timeout_seconds: int, density: Density = UNKNOWN) -> int:
    """The maximum stored size, in bytes, that is transformed as one split."""
    escaped = layout.dialect.escape_char is not None
    of_lines = ESCAPED_SECONDS_PER_LINE if escaped else TRANSFORM_SECONDS_PER_LINE
    of_records = max(
        TRANSFORM_SECONDS_PER_BYTE,
        of_lines * density.lines,
        _seconds_of_cells(layout, density),
    )
    seconds_per_byte = of_records + _unique_keys(layout) * KEY_SECONDS_PER_BYTE
    limit = round(timeout_seconds / (SAFETY * seconds_per_byte))
    return limit // GZIP_RATIO if layout.compression else limit


def split_bytes(layout: Layout, timeout_seconds: int, density: Density, wanted: int) -> int:
    """The size of splits: `wanted`, or less if a function can't process as much."""
    limit = one_split_limit(layout, timeout_seconds, density)
    # Splits get longer where there is no boundary near a mark.
    return min(wanted, max(limit // 2, _LEAST_SPLIT_BYTES))


def fitting_bytes(sample: bytes, layout: Layout, timeout_seconds: int, *, wanted: int) -> int:
    """The size of splits of text like this: see `split_bytes`."""
    return split_bytes(layout, timeout_seconds, _density(sample, layout), wanted)


def head_density(head: bytes, layout: Layout) -> Density:
    """The density of the file's first bytes."""
    return _density(_expanded(head, layout) if layout.compression else head, layout)


def whole_density(head: Density, layout: Layout, read_range: ReadRange) -> Density:
    """The density of a file that may become one split: its head's, or that of samples if higher.

    `read_range(start, length)` returns bytes of the file; see `read_samples`.
    """
    sampled = _density(read_samples(layout, read_range), layout)
    return Density(max(head.lines, sampled.lines), max(head.cells, sampled.cells))


def _density(content: bytes, layout: Layout) -> Density:
    if not content:
        return UNKNOWN
    lines = max(1, content.count(b"\n"), content.count(b"\r"))
    delimiters = content.count(layout.dialect.delimiter.encode(layout.codec.name))
    return Density(lines / len(content), (lines + delimiters) / len(content))


def _expanded(head: bytes, layout: Layout) -> bytes:
    """The beginning of a compressed file's content, empty if it is not in these bytes."""
    content = bytearray()
    try:
        if layout.member:
            pieces = unzip([head[layout.member.start :]], layout.member, whole=False)
        else:
            pieces = gunzip([head], whole=False)
        for piece in pieces:
            content += piece
            if len(content) >= _HEAD_BYTES:
                break
    except TabularError:  # which Transform reports with its place
        return b""
    return bytes(content)


def _seconds_of_cells(layout: Layout, density: Density) -> float:
    """The time of the cells in a byte if all of them are wrong, and of those that are missing."""
    width = layout.width
    fields = layout.fields
    alone = sum(map(_is_read_alone, fields)) / max(1, len(fields))
    of_cell = SECONDS_PER_CELL * (1 - alone) + SECONDS_PER_CELL_ALONE * alone
    whole = density.lines * width
    found = min(density.cells, whole)
    return found * (of_cell + SECONDS_PER_CELL_AND_COLUMN * width) + (whole - found) * (
        SECONDS_PER_MISSING_CELL + SECONDS_PER_MISSING_CELL_AND_COLUMN * width
    )


def _is_read_alone(field: Field) -> bool:
    """Whether wrong cells of this field have to be read one by one."""
    if is_numeric(field.type):
        return bool(not field.bare_number or field.group_char or field.decimal_char != ".")
    if field.type in ("object", "array", "list", "geopoint", "duration"):
        return True
    return field.format not in ("default", "email", "uuid")


def check_splits(
    splits: Sequence[Split],
    layout: Layout,
    timeout_seconds: int,
    reason: str,
    density: Density = UNKNOWN,
) -> None:
    """Raise `FileTooLarge` if a split is more than one function can process.

    `reason` says why a single split can't be cut further, and reads like "a compressed file".
    """
    limit = one_split_limit(layout, timeout_seconds, density)
    start, end = max(_ranges(splits, layout), key=lambda found: found[1] - found[0])
    if end - start <= limit:
        return
    within = f"{limit:,} bytes, the limit of the Transform function's {timeout_seconds} seconds"
    if limit < one_split_limit(layout, timeout_seconds):
        line_bytes = 1 / density.lines
        within += f" for {layout.width:,} columns in lines of {line_bytes:,.0f} bytes"
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
