"""Defines what an output format is: how its objects are named, assembled and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tabular.errors import HeaderMismatch
from tabular.model import ORIGIN_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl

    from tabular.model import Field, RecordShape
    from tabular.sink import Sink
    from tabular.values.columns import Values
    from tabular.values.fault_columns import FaultColumn


class ProcessedRecords(Protocol):
    """The processed records of one block, as a format's writer gets them."""

    @property
    def rows(self) -> pl.Series:
        """The records' numbers in the file (UInt64)."""

    @property
    def values(self) -> Sequence[Values]:
        """The records' columns, in the order of the file's fields."""

    @property
    def escapable(self) -> pl.Series | None:
        """Which records may contain characters that JSON escapes (Boolean); None: any may."""


class FileFacts(NamedTuple):
    """The facts that are the same for all records of a file.

    These are its fields, its ID, the execution's start, and the shape that the contract gives to
    the records (for formats that have a choice).
    """

    fields: Sequence[Field]
    file_id: str
    processed_at: str
    record: RecordShape = "envelope"


def any_fields(_: Sequence[Field], __: RecordShape) -> None:
    """Accept all fields: the check of a format that reserves no column names."""


def check_origin_names(fields: Sequence[Field]) -> None:
    """Raise HeaderMismatch if a field has the name of a column that says where a record is from."""
    for number, field in enumerate(fields, 1):
        if field.output_name in ORIGIN_NAMES:
            # By its number: the field's own name may be one of the file's.
            raise HeaderMismatch(
                f"Column {number} of the output would have the name {field.output_name!r}, which "
                "is reserved for the pipeline in flat records. Rename it, or give the field "
                "another output name in the contract."
            )


def no_misfits(_: Field, __: Values) -> FaultColumn | None:
    """Find no fault: the check of a format that can represent every value."""
    return None


@dataclass(frozen=True)
class Writer:
    """The functions that write a format, and that find what the format can't represent.

    `write` pulls the processed records of each block of one split from its first argument and
    writes one part into the sink. Pulling is what processes the split: `write` must exhaust the
    iterable, keep no block longer than it needs to, and let the iterable's errors through.

    `check_fields` raises HeaderMismatch if records of this shape have no column for a field.
    `misfits` returns the faults of a column's values that the format can't represent without loss,
    or None.
    """

    write: Callable[[Iterable[ProcessedRecords], FileFacts, Sink], None]
    check_fields: Callable[[Sequence[Field], RecordShape], None] = any_fields
    misfits: Callable[[Field, Values], FaultColumn | None] = no_misfits


class Excerpt(NamedTuple):
    """What an assembler needs to know about a part: its size in bytes, and some of its content."""

    size: int
    content: bytes


@dataclass(frozen=True)
class Assembler:
    """The functions that make one object of a format from several parts.

    The object is the bytes of all parts, one after the other, and a tail. `excerpt` returns what
    the tail depends on, from a part's size and a function that reads bytes from an offset, a given
    number of them; it is called for many parts at once. `tail` makes the tail from the excerpts of
    all parts, in order, and reads them lazily. `check` raises FileTooLarge if a file of a number of
    parts and fields certainly has too long a tail.

    The first two raise FileTooLarge if the tail would be too long, and ValueError if the parts
    can't be put together.
    """

    excerpt: Callable[[int, Callable[[int, int], bytes]], bytes]
    tail: Callable[[Iterable[Excerpt]], bytes]
    check: Callable[[int, int], None]


@dataclass(frozen=True)
class OutputFormat:
    """A format of processed records. `tabular.writing.output_formats` lists all of them.

    `name` is the value of a contract's `outputFormat` and of the stack's parameter. `suffix` ends
    the keys of its objects. `load_writer` imports the format's module. The parts of several splits
    become one object: their bytes, one after the other, and what the assembler adds; without
    `load_assembler` that is nothing. `columnar` formats compress each column: their size is a share
    of the file's.
    """

    name: str
    suffix: str
    media_type: str
    load_writer: Callable[[], Writer]
    load_assembler: Callable[[], Assembler] | None = None
    columnar: bool = False
